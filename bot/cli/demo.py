"""The demo: the main job, start to end. The bot runs as a process of its own; this one plays Teams,
the SIP Gateway and the people, all over HTTP on this machine. No real phone or account is touched."""

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
from rich.table import Table
from rich.text import Text

from bot.simulator import terminal
from bot.simulator.client import (
    CONSENT,
    TENANT,
    Chat,
    NoSuchButtonError,
    TeamsClient,
    button,
    has_attachment,
    verbs,
)
from bot.simulator.connector import Posted
from bot.simulator.scenario import PEOPLE, Person, Scenario
from bot.simulator.server import Simulator
from cards.types import Verb

EXAMPLE = Path(__file__).parent.parent / "examples" / "lobby-phones.csv"
FOLDER = Path(".demo")
_PATIENCE = 60.0  # seconds for any single step
_BATCH_SECONDS = 15.0
_SHARES = {
    "device-offline": 0.02,
    "ip-not-trusted": 0.012,
    "no-phone-number": 0.012,
    "no-tenant-tag": 0.008,
}
_ADMIN, _APPROVER = PEOPLE[0], PEOPLE[1]
_CHAT = Chat("a:admin-and-offhook")
_CHANNEL = Chat("19:approvals@thread.tacv2", "channel")


class DemoError(Exception):
    """Something did not come as it should; the message says what."""


async def run(given: Path | None, console: Console) -> int:
    """Play it; returns the exit code."""
    file = given or EXAMPLE
    if not file.is_file():
        console.print(f"There is no file {file}.", style="red", markup=False)
        return 2
    scenario = Scenario(batch_seconds=_BATCH_SECONDS, shares=_SHARES)
    try:
        async with (
            Simulator(scenario) as simulator,
            aiohttp.ClientSession() as session,
            _bot(simulator) as url,
        ):
            await _Play(console, simulator, TeamsClient(session, url, simulator), file).run()
    except (DemoError, TimeoutError) as error:
        console.print(f"The demo did not get to its end: {error}", style="red", markup=False)
        return 1
    return 0


@asynccontextmanager
async def _bot(simulator: Simulator) -> AsyncGenerator[str]:
    """`python -m bot serve` as a process of its own, on a free port; gives its URL."""
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
                async with asyncio.timeout(_PATIENCE):
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
    def __init__(
        self, console: Console, simulator: Simulator, client: TeamsClient, file: Path
    ) -> None:
        self._console = console
        self._simulator = simulator
        self._client = client
        self._file = file
        self._seen = 0

    async def run(self) -> None:
        validation = await self._send_file()
        if Verb.REQUEST_APPROVAL.value not in verbs(validation.card):
            self._note("No row is ready, so there is nothing to approve. This is the end.")
            return
        approval = await self._ask(validation)
        await self._approve(approval)
        results = await self._watch()
        path = await self._export(results)
        self._check()
        self._console.print(Rule(style="dim"))
        self._console.print(f"Results: {path}", soft_wrap=True, markup=False)

    # -- the acts --------------------------------------------------------------------------------

    async def _send_file(self) -> Posted:
        self._act("The admin drops a file in the chat with Offhook")
        self._said(_ADMIN.name, f"📎 {self._file.name}")
        link = self._simulator.files.add(self._file.name, self._file.read_bytes())
        await self._sent(self._client.drop(_ADMIN, _CHAT, (self._file.name, link)))
        posted = await self._next(lambda each: each.conversation_id == _CHAT.id)
        self._show(posted)
        if posted.card is None:
            raise DemoError("the file was not answered with a card")
        return posted

    async def _ask(self, validation: Posted) -> Posted:
        reason = "New lobby phones go live on Monday"
        self._said(_ADMIN.name, f"gives the reason “{reason}” and clicks “Request approval”")
        inputs = {"reason": reason, "region": "EMEA", "acknowledge": "true"}
        await self._click(_ADMIN, _CHAT, validation, Verb.REQUEST_APPROVAL, inputs)
        self._act("The approval card appears in the approvers' channel")
        approval = await self._next(lambda each: Verb.APPROVE.value in verbs(each.card))
        self._show(approval)
        return approval

    async def _approve(self, approval: Posted) -> None:
        thread = Chat(approval.conversation_id, "channel")
        self._said(_ADMIN.name, "tries to approve it")
        answer = await self._click(_ADMIN, thread, approval, Verb.APPROVE, {"acknowledge": "true"})
        self._said("Offhook, to the admin only", str(answer.get("value")))
        self._said(_APPROVER.name, "ticks the box and clicks “Approve”")
        inputs = {"acknowledge": "true", "comment": "Go ahead"}
        await self._click(_APPROVER, thread, approval, Verb.APPROVE, inputs)

    async def _watch(self) -> Posted:
        """Follow the progress card until the results come as a new message."""
        self._act("The sign-in runs; the card in the admin's chat is kept true")
        progress = await self._next(
            lambda each: each.conversation_id == _CHAT.id and _is_running(each)
        )
        await self._follow(progress)
        notice = await self._next(lambda each: "finished" in each.text, since=0)
        self._act("The channel is told")
        self._said("Offhook, in the channel", notice.text)
        self._act("The results come as a new message")
        results = await self._next(_is_results, since=0)
        self._show(results)
        return results

    async def _follow(self, progress: Posted) -> None:
        """The card as it changes: in place on a terminal, a line for each change elsewhere."""
        with Live(console=self._console, refresh_per_second=8, transient=True) as live:
            while _is_running(progress):
                if self._console.is_terminal:
                    live.update(terminal.card(progress.card or {}, "Offhook"))
                else:
                    live.console.print(terminal.headline(progress.card or {}))
                await self._next(
                    lambda each: each is progress, since=self._simulator.connector.changes
                )
        self._show(progress)

    async def _export(self, results: Posted) -> Path:
        self._said(_ADMIN.name, "clicks “Export”, and agrees to save the file")
        await self._click(_ADMIN, _CHAT, results, Verb.EXPORT)
        consent = await self._next(lambda each: has_attachment(each, CONSENT))
        _, upload = await self._client.answer_consent(_ADMIN, _CHAT, consent, accept=True)
        content = await self._simulator.files.uploaded(upload, _PATIENCE)
        self._console.print(_table(content))
        return await asyncio.to_thread(_keep, f"{self._file.stem}-results.csv", content)

    def _check(self) -> None:
        """What the far side saw must agree with what was said."""
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
            raise DemoError(f"{verb.value} was answered with HTTP {status}")
        return answer

    async def _sent(self, sending: Awaitable[tuple[int, Any]]) -> None:
        status, answer = await sending
        if status not in (200, 201, 202):
            raise DemoError(f"a message was answered with HTTP {status}: {answer}")

    async def _next(self, fits: Callable[[Posted], bool], *, since: int | None = None) -> Posted:
        return await self._simulator.connector.wait_for(
            fits, _PATIENCE, since=self._seen if since is None else since
        )

    def _act(self, what: str) -> None:
        self._console.print()
        self._console.print(Rule(what, align="left", style="dim"))

    def _said(self, who: str, text: str) -> None:
        line = Text.assemble((f"{who}: ", "bold magenta"), text)
        self._console.print(line)

    def _note(self, text: str) -> None:
        self._console.print(Panel(text))

    def _show(self, posted: Posted) -> None:
        self._seen = max(self._seen, posted.changed)
        if posted.card is not None:
            self._console.print(terminal.card(posted.card, "Offhook"))
        else:
            self._console.print(terminal.message(posted.text, "Offhook"))


def _table(content: bytes) -> Table:
    """What the exported file says, by status and cause."""
    rows = csv.DictReader(io.StringIO(content.decode("utf-8-sig")))
    counted = Counter((row["Status"], row["Cause"]) for row in rows)
    table = Table("Status", "Phones", "Cause", title="The exported CSV", title_justify="left")
    for (status, cause), phones in sorted(counted.items(), key=lambda each: -each[1]):
        table.add_row(status, str(phones), Text(cause))
    return table


def _keep(name: str, content: bytes) -> Path:
    FOLDER.mkdir(exist_ok=True)
    path = (FOLDER / name).absolute()
    path.write_bytes(content)
    return path


def _is_running(posted: Posted) -> bool:
    return Verb.REFRESH.value in verbs(posted.card)


def _is_results(posted: Posted) -> bool:
    try:
        button(posted.card, Verb.EXPORT.value, what="results")
    except NoSuchButtonError:
        return False
    return True
