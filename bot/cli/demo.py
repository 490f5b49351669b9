"""`python -m bot demo`: the main job, start to finish.

The bot runs in its own process. This one simulates Teams, the SIP Gateway, and the people, all over
HTTP on loopback. No real phone or account is touched.

Exit codes: 0 the job finished, 1 the demo failed, 2 there is no such file.
"""

from __future__ import annotations

import asyncio
import csv
import io
import os
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from rich.console import Console
from rich.live import Live
from rich.panel import Panel
from rich.rule import Rule
from rich.text import Text

from bot.cli.output import Column, print_line, print_table
from bot.simulator import terminal
from bot.simulator.client import (
    CONSENT,
    TENANT,
    Chat,
    NoSuchButtonError,
    TeamsClient,
    acknowledgment,
    button,
    has_attachment,
    texts,
    verbs,
)
from bot.simulator.connector import Posted
from bot.simulator.scenario import PEOPLE, Person, Scenario
from bot.simulator.server import Simulator
from bot.simulator.tenant import Account
from cards.types import Verb

EXAMPLE = Path(__file__).parents[2] / "examples" / "lobby-phones.csv"
FOLDER = Path(".demo")  # where the results are saved
FINISHED = 0
FAILED = 1
NO_FILE = 2

_STEP_SECONDS = 60.0  # for any single step
_BATCH_SECONDS = 15.0
_SHARES = {
    "device-offline": 0.02,
    "ip-not-trusted": 0.012,
    "no-tenant-tag": 0.008,
}
# What the checks of accounts find before anything is sent. The shares above are of what only the sign-in
# can tell.
_ACCOUNTS = {
    "aufzug.duesseldorf.01@contoso.com": Account(mailbox=True),
    "aufzug.duesseldorf.02@contoso.com": Account(roles=("Teams Administrator",)),
    "besprechung.duesseldorf.01@contoso.com": Account(enabled=False),
    "besprechung.duesseldorf.02@contoso.com": Account(exists=False),
    "besprechung.duesseldorf.2@contoso.com": Account(),
}
_ADMIN, _APPROVER = PEOPLE[0], PEOPLE[1]
_CHAT = Chat("a:admin-and-offhook")
_CHANNEL = Chat("19:approvals@thread.tacv2", "channel")


class DemoError(Exception):
    """A step did not go as expected; the message says which."""


def run(csv: Path | None, *, console: Console) -> int:
    """Plays the job with `csv`, by default the example; returns the exit code."""
    file = csv or EXAMPLE
    if not file.is_file():
        console.print(f"There is no file {file}.", style="red", markup=False)
        return NO_FILE
    return asyncio.run(_run(file, console))


async def _run(file: Path, console: Console) -> int:
    scenario = Scenario(batch_seconds=_BATCH_SECONDS, shares=_SHARES, accounts=_ACCOUNTS)
    try:
        async with (
            Simulator(scenario) as simulator,
            aiohttp.ClientSession() as session,
            _bot(simulator) as url,
        ):
            await _Play(console, simulator, TeamsClient(session, url, simulator), file).run()
    except (DemoError, TimeoutError) as error:
        console.print(f"The demo failed: {error}", style="red", markup=False)
        return FAILED
    return FINISHED


@asynccontextmanager
async def _bot(simulator: Simulator) -> AsyncGenerator[str]:
    """Runs `python -m bot serve` in its own process on a free port; yields its URL."""
    with tempfile.TemporaryDirectory(prefix="offhook-demo-") as folder:
        environment = {
            **{name: value for name, value in os.environ.items() if "OFFHOOK_" not in name},
            "OFFHOOK_PORT": "0",
            "OFFHOOK_DATA_DIR": folder,
            "OFFHOOK_CONFIGAPI_URL": simulator.configapi_url,
            "OFFHOOK_GRAPH_URL": simulator.graph_url,
            "OFFHOOK_TENANT_IDS": TENANT,
            "OFFHOOK_APPROVALS": _CHANNEL.id,
            "OFFHOOK_NOTIFICATIONS": _CHANNEL.id,
            "OFFHOOK_POLL_SECONDS": "1",
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bot",
            "serve",
            "--log-level",
            "warning",
            env=environment,
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            line = b""
            if process.stdout is not None:
                async with asyncio.timeout(_STEP_SECONDS):
                    line = await process.stdout.readline()
            _, _, url = line.decode().strip().partition("listening on ")
            if not url:
                raise DemoError("the bot did not start")
            yield url
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


class _Play:
    """One run of the demo: people act, the bot answers, and the console shows both."""

    def __init__(
        self, console: Console, simulator: Simulator, client: TeamsClient, file: Path
    ) -> None:
        self._console = console
        self._simulator = simulator
        self._client = client
        self._file = file
        self._seen = 0  # the newest change shown

    async def run(self) -> None:
        validation = await self._send_file()
        if Verb.REQUEST_APPROVAL.value not in verbs(validation.card):
            self._note("No row is ready, so there is nothing to approve. The demo ends here.")
            return
        approval = await self._request_approval(validation)
        await self._approve(approval)
        results = await self._watch()
        path = await self._export(results)
        self._check()
        if self._console.is_terminal:
            self._console.print(Rule(style="dim"))
        self._console.print(f"Results: {path}", soft_wrap=True, markup=False)

    # -- the acts --------------------------------------------------------------------------------

    async def _send_file(self) -> Posted:
        self._act("The admin drops a file into the chat with Offhook")
        self._line(_ADMIN.name, f"📎 {self._file.name}")
        link = self._simulator.files.add(self._file.name, self._file.read_bytes())
        await self._deliver(self._client.drop(_ADMIN, _CHAT, (self._file.name, link)))
        posted = await self._next(lambda each: each.conversation_id == _CHAT.id)
        if posted.card is None:
            self._show(posted)
            raise DemoError("the bot did not answer the file with a card")
        await self._next(lambda each: each is posted and not _is_checking(each), since=0)
        self._show(posted)
        return posted

    async def _request_approval(self, validation: Posted) -> Posted:
        reason = "New lobby phones go live on Monday"
        ticket = "CHG0042"
        self._line(
            _ADMIN.name,
            f"enters the reason “{reason}” and the ticket “{ticket}”, and selects “Request approval”",
        )
        inputs = {"reason": reason, "ticket": ticket, "region": "EMEA", "acknowledge": "true"}
        await self._click(_ADMIN, _CHAT, validation, Verb.REQUEST_APPROVAL, inputs)
        self._act("The approval card appears in the approvers' channel")
        approval = await self._next(lambda each: Verb.APPROVE.value in verbs(each.card))
        self._show(approval)
        return approval

    async def _approve(self, approval: Posted) -> None:
        thread = Chat(approval.conversation_id, "channel")
        self._line(_ADMIN.name, "tries to approve the request")
        answer = await self._click(_ADMIN, thread, approval, Verb.APPROVE, {"acknowledge": "true"})
        self._line("Offhook, to the admin only", str(answer.get("value")))
        entered = acknowledgment(approval.card)
        how = "selects the check box" if entered == "true" else f"types {entered}"
        self._line(
            _APPROVER.name,
            f"selects “Approve”, {how}, and selects “Approve and reset passwords”",
        )
        inputs = {"acknowledge": entered, "comment": "Go ahead"}
        await self._click(_APPROVER, thread, approval, Verb.APPROVE, inputs)

    async def _watch(self) -> Posted:
        """Follows the progress card until the results arrive as a new message."""
        self._act("The batches run; Offhook keeps the card in the admin's chat current")
        progress = await self._next(
            lambda each: each.conversation_id == _CHAT.id and _is_running(each)
        )
        await self._follow(progress)
        notice = await self._next(lambda each: "finished" in each.text, since=0)
        self._act("Offhook notifies the channel")
        self._line("Offhook, in the channel", notice.text)
        self._act("The results arrive as a new message")
        results = await self._next(_is_results, since=0)
        self._show(results)
        return results

    async def _follow(self, progress: Posted) -> None:
        """Shows the card as it changes: in place on a terminal, otherwise one line per change."""
        with Live(console=self._console, refresh_per_second=8, transient=True) as live:
            while _is_running(progress):
                if self._console.is_terminal:
                    live.update(terminal.card(progress.card or {}, "Offhook"))
                else:
                    print_line(live.console, terminal.headline(progress.card or {}))
                await self._next(
                    lambda each: each is progress, since=self._simulator.connector.changes
                )
        self._show(progress)

    async def _export(self, results: Posted) -> Path:
        self._line(_ADMIN.name, "selects “Export as CSV” and agrees to save the file")
        await self._click(_ADMIN, _CHAT, results, Verb.EXPORT)
        consent = await self._next(lambda each: has_attachment(each, CONSENT))
        _, upload = await self._client.answer_consent(_ADMIN, _CHAT, consent, accept=True)
        content = await self._simulator.files.uploaded(upload, _STEP_SECONDS)
        print_summary(self._console, content)
        return await asyncio.to_thread(_save, f"{self._file.stem}-results.csv", content)

    def _check(self) -> None:
        """Raises DemoError when the remote services saw what must never happen."""
        if twice := self._simulator.configapi.run_twice:
            raise DemoError(f"{len(twice)} phones were signed in twice")
        if self._simulator.connector.answers[429]:
            raise DemoError("Teams would have throttled the bot")

    # -- plumbing --------------------------------------------------------------------------------

    async def _click(
        self,
        person: Person,
        chat: Chat,
        posted: Posted,
        verb: Verb,
        inputs: Mapping[str, str] | None = None,
    ) -> Mapping[str, Any]:
        status, answer = await self._client.click(person, chat, posted, verb.value, inputs)
        if status != 200:
            raise DemoError(f"the bot answered {verb.value} with HTTP {status}")
        return answer

    async def _deliver(self, delivery: Awaitable[tuple[int, Any]]) -> None:
        status, answer = await delivery
        if status not in (200, 201, 202):
            raise DemoError(f"the bot answered a message with HTTP {status}: {answer}")

    async def _next(self, matches: Callable[[Posted], bool], *, since: int | None = None) -> Posted:
        return await self._simulator.connector.wait_for(
            matches, _STEP_SECONDS, since=self._seen if since is None else since
        )

    def _act(self, title: str) -> None:
        self._console.print()
        if self._console.is_terminal:
            self._console.print(Rule(title, align="left", style="dim"))
        else:
            print_line(self._console, title)

    def _line(self, name: str, text: str) -> None:
        line = Text.assemble((f"{name}: ", "bold magenta"), text)
        self._console.print(line, soft_wrap=not self._console.is_terminal)

    def _note(self, text: str) -> None:
        if self._console.is_terminal:
            self._console.print(Panel(text))
        else:
            print_line(self._console, text)

    def _show(self, posted: Posted) -> None:
        self._seen = max(self._seen, posted.changed)
        if not self._console.is_terminal:
            lines = [posted.text] if posted.card is None else terminal.lines(posted.card)
            for line in lines:
                # Not through the console, which expands the tabs of tables.
                self._console.file.write(f"  {line}\n")
        elif posted.card is not None:
            self._console.print(terminal.card(posted.card, "Offhook"))
        else:
            self._console.print(terminal.message(posted.text, "Offhook"))


def print_summary(console: Console, content: bytes) -> None:
    """Prints the exported CSV, counted by status and cause."""
    rows = csv.DictReader(io.StringIO(content.decode("utf-8-sig")))
    counts = Counter((row["Status"], row["Cause"]) for row in rows)
    columns = (Column("Status"), Column("Phones", right=True), Column("Cause", wraps=True))
    print_line(console, "The exported CSV", "italic")
    print_table(
        console,
        columns,
        [
            (status, str(phones), cause)
            for (status, cause), phones in sorted(counts.items(), key=lambda each: -each[1])
        ],
    )


def _save(name: str, content: bytes) -> Path:
    FOLDER.mkdir(exist_ok=True)
    path = (FOLDER / name).absolute()
    path.write_bytes(content)
    return path


def _is_checking(posted: Posted) -> bool:
    """Whether the card will change by itself, as its accounts are being checked."""
    return any(line.startswith("Checking ") for line in texts(posted.card).splitlines())


def _is_running(posted: Posted) -> bool:
    return Verb.REFRESH.value in verbs(posted.card)


def _is_results(posted: Posted) -> bool:
    try:
        button(posted.card, Verb.EXPORT.value, what="results")
    except NoSuchButtonError:
        return False
    return True
