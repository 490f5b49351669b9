"""The whole service in this process, with simulated remote services and a Teams client for everyone.

Tests see what people see: the messages that the connector holds, and the answers to clicks.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import aiohttp
from sqlalchemy import Executable, NullPool, create_engine

from bot.app import running
from bot.settings.model import Settings
from bot.signin.timing import Timing
from bot.simulator.client import (
    TENANT,
    Chat,
    NoSuchButtonError,
    TeamsClient,
    acknowledgment,
    button,
    texts,
    verbs,
)
from bot.simulator.connector import Posted
from bot.simulator.entra import APP_ID, SECRET
from bot.simulator.files import ServedFile
from bot.simulator.scenario import PEOPLE, Connector, Person, Scenario
from bot.simulator.server import Simulator
from tests.support.waiting import PATIENCE
from tests.support.worker_harness import FAST

ALEX, MEGAN, ADELE, ISAIAH = PEOPLE[:4]
CHAT = Chat("a:alex-and-offhook")
CHANNEL = Chat("19:approvals@thread.tacv2", "channel")
DATABASE = "offhook.db"
_TEMPLATE = "Copy these lines into a file"  # in the answer to `template`

Predicate = Callable[[Posted], bool]
Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a click: a card that replaces the old one, or a sentence."""

    status: int
    body: Any

    @property
    def text(self) -> str:
        assert self.body["type"] == "application/vnd.microsoft.activity.message", self.body
        return self.body["value"]

    @property
    def card(self) -> Json:
        assert self.body["type"] == "application/vnd.microsoft.card.adaptive", self.body
        return self.body["value"]


def phones_csv(count: int, *regions: str, start: int = 0) -> bytes:
    """A file of `count` ready phones, cycling through `regions`."""
    regions = regions or ("EMEA",)
    lines = ["Username,HardwareId,Region"]
    lines += [
        f"lobby{n}@contoso.com,80-5E-C0-00-{n // 256:02X}-{n % 256:02X},{regions[n % len(regions)]}"
        for n in range(start, start + count)
    ]
    return "\r\n".join(lines).encode()


def has_button(posted: Posted, verb: str, **having: Any) -> bool:
    """True if a card has a button with this verb; `having` are values in its data."""
    try:
        button(posted.card, verb, **having)
    except NoSuchButtonError:
        return False
    return True


def is_settled(posted: Posted) -> bool:
    """True for a card on which nothing is left to decide or to cancel."""
    open_verbs = {"request_approval", "withdraw", "approve", "reject", "cancel", "reconcile"}
    return posted.card is not None and not open_verbs & set(verbs(posted.card))


def request_id_of(posted: Posted) -> str:
    """The ID of the request in the data of a card's buttons."""
    verb = verbs(posted.card)[0]
    return str(button(posted.card, verb)["data"]["request"])


def text_of(posted: Posted) -> str:
    """All visible text of a message."""
    return "\n".join(_visible_texts(posted.card)) if posted.card is not None else posted.text


def _visible_texts(node: Any) -> Iterator[str]:
    """Yields the texts of a card, with buttons and labels, without fallbacks and the data of buttons."""
    if isinstance(node, dict):
        for name, value in cast(dict[str, Any], node).items():
            if name in ("text", "title", "label", "value", "codeSnippet") and isinstance(
                value, str
            ):
                yield value
            elif name not in ("data", "fallback", "msteams", "refresh"):
                yield from _visible_texts(value)
    elif isinstance(node, list):
        for value in cast(list[Any], node):
            yield from _visible_texts(value)


def chat_of(posted: Posted) -> Chat:
    channel = posted.conversation_id.startswith(CHANNEL.id)
    return Chat(posted.conversation_id, "channel" if channel else "personal")


class RunningBot:
    """The service under test.

    `teams` simulates the connector and the file host, `gateway` the SIP Gateway, Graph and Entra ID, so
    that each side can fail alone.
    """

    def __init__(
        self,
        teams: Simulator,
        gateway: Simulator,
        session: aiohttp.ClientSession,
        settings: Settings,
    ) -> None:
        self.teams = teams
        self.gateway = gateway
        self.session = session
        self.settings = settings
        self.url = ""
        self._running = AsyncExitStack()

    async def start(
        self,
        timing: Timing = FAST,
        *,
        busy_seconds: float = PATIENCE,
        submit_timeout: float = PATIENCE,
    ) -> None:
        service = await self._running.enter_async_context(
            running(
                self.settings,
                timing=timing,
                submit_timeout=submit_timeout,
                busy_seconds=busy_seconds,
            )
        )
        self.url = service.url

    async def stop(self) -> None:
        await self._running.aclose()

    @property
    def database(self) -> Path:
        return self.settings.data_dir / DATABASE

    @property
    def client(self) -> TeamsClient:
        return TeamsClient(self.session, self.url, self.teams)

    async def sql(self, statement: Executable) -> list[tuple[Any, ...]]:
        """Run a statement on the service's database. In a thread: the service may be writing."""

        def run() -> list[tuple[Any, ...]]:
            engine = create_engine(
                self.settings.database, connect_args={"timeout": PATIENCE}, poolclass=NullPool
            )
            with engine.begin() as connection:
                result = connection.execute(statement)
                return [tuple(row) for row in result] if result.returns_rows else []

        return await asyncio.to_thread(run)

    # -- what people see -------------------------------------------------------------------------

    async def wait_for(self, predicate: Predicate, *, since: int = 0) -> Posted:
        return await self.teams.connector.wait_for(predicate, PATIENCE, since=since)

    async def wait_for_text(self, text: str, *, chat: Chat | None = None, since: int = 0) -> Posted:
        """Wait for a message that contains `text`, in `chat` or anywhere."""
        return await self.wait_for(
            lambda message: (
                (chat is None or message.conversation_id == chat.id) and text in text_of(message)
            ),
            since=since,
        )

    async def wait_for_button(self, verb: str, *, since: int = 0, **having: Any) -> Posted:
        return await self.wait_for(lambda message: has_button(message, verb, **having), since=since)

    async def wait_for_results(self, *, since: int = 0) -> Posted:
        return await self.wait_for_button("export", what="results", since=since)

    async def wait_until_settled(self) -> None:
        """Wait until every card shows that nothing is left to decide."""
        cards = [message for message in self.teams.connector.messages if message.card is not None]
        for card in cards:
            await self.wait_for(
                lambda message, card=card: message is card and (card.deleted or is_settled(card))
            )

    @property
    def now(self) -> int:
        """The number of changes of messages so far, for `since`."""
        return self.teams.connector.changes

    async def received(self, chat: Chat = CHAT, *, by: Person = ALEX) -> list[Posted]:
        """The messages that a conversation has received up to now.

        Sends one more command: messages keep their order, so once its answer arrives, all earlier ones
        have arrived too. Answers to that command are left out.
        """
        since = self.now
        await self.say("template", chat=chat, by=by)
        await self.wait_for_text(_TEMPLATE, chat=chat, since=since)
        messages = self.teams.connector.in_conversation(chat.id)
        return [message for message in messages if _TEMPLATE not in text_of(message)]

    # -- what people do --------------------------------------------------------------------------

    async def say(self, text: str, *, chat: Chat = CHAT, by: Person = ALEX) -> None:
        status, _ = await self.client.say(by, chat, text)
        assert status == 200

    async def send_files(
        self, *files: tuple[str, bytes | ServedFile], chat: Chat = CHAT, by: Person = ALEX
    ) -> None:
        links = [(name, self.teams.files.add(name, served)) for name, served in files]
        status, _ = await self.client.drop(by, chat, *links)
        assert status == 200

    async def submit_file(
        self, file: bytes, name: str = "phones.csv", *, chat: Chat = CHAT, by: Person = ALEX
    ) -> Posted:
        """Send a file; returns its validation card."""
        since = self.now
        await self.send_files((name, file), chat=chat, by=by)
        return await self.wait_for(
            lambda message: (
                message.conversation_id == chat.id
                and len(message.versions) == 1
                and has_button(message, "withdraw")
            ),
            since=since,
        )

    async def click(
        self,
        by: Person,
        posted: Posted,
        verb: str,
        inputs: Json | None = None,
        **having: Any,
    ) -> Answer:
        answer = await self.client.click(by, chat_of(posted), posted, verb, inputs, **having)
        return Answer(*answer)

    async def turn_page(self, by: Person, posted: Posted, panel: str, page: int) -> Answer:
        """Turn a card to any page, also to one that it has no button for."""
        data = {"request": request_id_of(posted), "panel": panel, "page": page}
        return await self.send_action(
            by, "page", data, chat=chat_of(posted), activity_id=posted.activity_id
        )

    async def send_action(
        self, by: Person, verb: str, data: Json, *, chat: Chat = CHAT, activity_id: str = ""
    ) -> Answer:
        """Send a card action with any data, whether or not a card has such a button."""
        return Answer(*await self.client.act(by, chat, verb, data, activity_id))

    async def request_approval(
        self, validation: Posted, *, by: Person = ALEX, **inputs: str
    ) -> Posted:
        """Request approval; returns the approval card."""
        since = self.now
        inputs = {"reason": "New lobby, CHG0042", "acknowledge": "true", **inputs}
        answer = await self.click(by, validation, "request_approval", inputs)
        assert "is waiting for approval" in texts(answer.card)
        return await self.wait_for_button("approve", since=since)

    async def submit_foreign_batch(self, region: str, file: bytes) -> str:
        """Submit a batch to the SIP Gateway without Offhook; returns its ID."""
        phones = [line.split(",")[:2] for line in file.decode().splitlines()[1:]]
        url = f"{self.gateway.configapi_url}/Teams.SipDevicesGatewayManagement/v1/createbatch"
        async with self.session.post(
            f"{url}?TargetRegion={region}",
            json=[{"Username": name, "HardwareId": phone} for name, phone in phones],
            headers={"Authorization": "Bearer x"},
        ) as response:
            return str((await response.json())["batchId"])

    async def approve(
        self, approval: Posted, *, by: Person = MEGAN, comment: str = "Go ahead"
    ) -> Answer:
        inputs = {"acknowledge": acknowledgment(approval.card), "comment": comment}
        return await self.click(by, approval, "approve", inputs)

    async def submit_for_approval(self, file: bytes) -> Posted:
        """Send a file and request approval; returns the approval card."""
        return await self.request_approval(await self.submit_file(file))

    async def run_job(self, file: bytes) -> Posted:
        """Run a job from the file to the end; returns the results card."""
        since = self.now
        await self.approve(await self.submit_for_approval(file))
        return await self.wait_for_results(since=since)


@asynccontextmanager
async def open_bot(
    folder: Path,
    migrated: Path,
    *,
    teams: Scenario | None = None,
    gateway: Scenario | None = None,
    as_approver: bool = False,
    **settings: Any,
) -> AsyncGenerator[RunningBot]:
    """A bot that is not started yet.

    `migrated` is an empty database to start from. `as_approver`: requests run with the delegation of the
    approver, who has to sign in for it. Teams' rate limits are off unless `teams` has them on: they count
    by the second, and tests run faster than real time.
    """
    shutil.copy(migrated, folder / DATABASE)
    async with (
        Simulator(teams or Scenario(connector=Connector(limits=False))) as teams_simulator,
        Simulator(gateway or Scenario(batch_seconds=0.1)) as gateway_simulator,
        aiohttp.ClientSession() as session,
    ):
        values: dict[str, Any] = {
            "port": 0,
            "data_dir": folder,
            "configapi_url": gateway_simulator.configapi_url,
            "graph_url": gateway_simulator.graph_url,
            "tenant_ids": (TENANT,),
            "approvals": CHANNEL.id,
            "notifications": CHANNEL.id,
            # Most tests are about other things, with accounts that the simulated tenant may not have:
            # `tests/integration/app/test_preflight.py` has it on.
            "preflight": "off",
            **settings,
        }
        if as_approver:
            values = {
                "app_id": APP_ID,
                "app_password": SECRET,
                "authority_url": gateway_simulator.entra_url,
                **values,
            }
        bot = RunningBot(teams_simulator, gateway_simulator, session, Settings(**values))
        try:
            yield bot
        finally:
            await bot.stop()
