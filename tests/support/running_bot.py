"""The whole service in this process, the far sides beside it, and everybody's Teams client.

What tests see is what people see: the messages that the connector holds, and answers to clicks.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import aiohttp

from bot.app import running
from bot.settings.model import Settings
from bot.signin.timing import Timing
from bot.simulator.client import (
    TENANT,
    Chat,
    NoSuchButtonError,
    TeamsClient,
    button,
    texts,
    verbs,
)
from bot.simulator.connector import Posted
from bot.simulator.entra import APP_ID, SECRET
from bot.simulator.files import ServedFile
from bot.simulator.scenario import PEOPLE, Connector, Person, Scenario
from bot.simulator.server import Simulator
from tests.support.worker_harness import FAST

ALEX, MEGAN, ADELE, ISAIAH = PEOPLE[:4]
CHAT = Chat("a:alex-and-offhook")
CHANNEL = Chat("19:approvals@thread.tacv2", "channel")
DATABASE = "offhook.db"
_TEMPLATE = "Copy these lines into a file"  # in the answer to `template`

PACE = replace(FAST, idle_seconds=0.2)  # looks that find nothing cost more than what they find
PATIENCE = 20.0  # seconds until a test that waits for what people see fails

Fits = Callable[[Posted], bool]
Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the one who clicked gets: a card in place of the old one, or a sentence."""

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


def csv_of(count: int, *regions: str, start: int = 0) -> bytes:
    """A file of `count` phones that are all ready, in these regions in turn."""
    of = regions or ("EMEA",)
    lines = ["Username,HardwareId,Region"]
    lines += [
        f"lobby{n}@contoso.com,80-5E-C0-00-{n // 256:02X}-{n % 256:02X},{of[n % len(of)]}"
        for n in range(start, start + count)
    ]
    return "\r\n".join(lines).encode()


def offers(posted: Posted, verb: str, **having: Any) -> bool:
    try:
        button(posted.card, verb, **having)
    except NoSuchButtonError:
        return False
    return True


def settled(posted: Posted) -> bool:
    """True for a card on which nothing can be decided or stopped any more."""
    acting = {"request_approval", "withdraw", "approve", "reject", "cancel", "reconcile"}
    return posted.card is not None and not acting & set(verbs(posted.card))


def request_of(posted: Posted) -> str:
    """The request that the buttons of a card are about."""
    verb = verbs(posted.card)[0]
    return str(button(posted.card, verb)["data"]["request"])


def content(posted: Posted) -> str:
    """All that a message says."""
    return "\n".join(_said(posted.card)) if posted.card is not None else posted.text


def _said(node: Any) -> Iterator[str]:
    """What is read on a card, buttons and labels too; fallbacks are not, nor what buttons carry."""
    if isinstance(node, dict):
        for name, value in cast(dict[str, Any], node).items():
            if name in ("text", "title", "label", "value", "codeSnippet") and isinstance(
                value, str
            ):
                yield value
            elif name not in ("data", "fallback", "msteams"):
                yield from _said(value)
    elif isinstance(node, list):
        for value in cast(list[Any], node):
            yield from _said(value)


def chat_of(posted: Posted) -> Chat:
    channel = posted.conversation_id.startswith(CHANNEL.id)
    return Chat(posted.conversation_id, "channel" if channel else "personal")


class Office:
    """`teams` is the connector and the files, `gateway` the SIP Gateway and Graph: each can fail alone."""

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

    async def start(self, timing: Timing = PACE, *, busy_seconds: float = 5.0) -> None:
        service = await self._running.enter_async_context(
            running(self.settings, timing=timing, submit_timeout=0.5, busy_seconds=busy_seconds)
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

    # -- what people see -------------------------------------------------------------------------

    async def until(self, fits: Fits, *, since: int = 0) -> Posted:
        return await self.teams.connector.wait_for(fits, PATIENCE, since=since)

    async def until_says(self, text: str, *, chat: Chat | None = None, since: int = 0) -> Posted:
        """Wait for a message that says `text`, in this chat or anywhere."""
        return await self.until(
            lambda each: (
                (chat is None or each.conversation_id == chat.id) and text in content(each)
            ),
            since=since,
        )

    async def until_offers(self, verb: str, *, since: int = 0, **having: Any) -> Posted:
        return await self.until(lambda each: offers(each, verb, **having), since=since)

    async def results(self, *, since: int = 0) -> Posted:
        return await self.until_offers("export", what="results", since=since)

    async def all_settled(self) -> None:
        """Wait until every card shows that nothing is left to decide."""
        for posted in [each for each in self.teams.connector.messages if each.card is not None]:
            await self.until(
                lambda each, card=posted: each is card and (card.deleted or settled(card))
            )

    @property
    def now(self) -> int:
        """For `since`: what has been seen so far."""
        return self.teams.connector.changes

    async def heard(self, chat: Chat = CHAT, *, by: Person = ALEX) -> list[Posted]:
        """Everything that a conversation was sent up to now: messages come in order, so what was sent
        before the answer to one more command has arrived by then. Such answers are left out."""
        since = self.now
        await self.say("template", chat=chat, by=by)
        await self.until_says(_TEMPLATE, chat=chat, since=since)
        there = self.teams.connector.in_conversation(chat.id)
        return [each for each in there if _TEMPLATE not in content(each)]

    # -- what people do --------------------------------------------------------------------------

    async def say(self, text: str, *, chat: Chat = CHAT, by: Person = ALEX) -> None:
        status, _ = await self.client.say(by, chat, text)
        assert status == 200

    async def drop(
        self, *files: tuple[str, bytes | ServedFile], chat: Chat = CHAT, by: Person = ALEX
    ) -> None:
        links = [(name, self.teams.files.add(name, served)) for name, served in files]
        status, _ = await self.client.drop(by, chat, *links)
        assert status == 200

    async def hand_in(
        self, file: bytes, name: str = "phones.csv", *, chat: Chat = CHAT, by: Person = ALEX
    ) -> Posted:
        """Drop a file; returns its validation card."""
        since = self.now
        await self.drop((name, file), chat=chat, by=by)
        return await self.until(
            lambda each: (
                each.conversation_id == chat.id
                and len(each.versions) == 1
                and offers(each, "withdraw")
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

    async def turn(self, by: Person, posted: Posted, panel: str, page: int) -> Answer:
        """Ask for any page of a card."""
        data = {"request": request_of(posted), "panel": panel, "page": page}
        return await self.act(
            by, "page", data, chat=chat_of(posted), activity_id=posted.activity_id
        )

    async def act(
        self, by: Person, verb: str, data: Json, *, chat: Chat = CHAT, activity_id: str = ""
    ) -> Answer:
        """A card action with any data, as only a forger sends it."""
        return Answer(*await self.client.act(by, chat, verb, data, activity_id))

    async def ask(self, validation: Posted, *, by: Person = ALEX, **inputs: str) -> Posted:
        """Ask for approval; returns the card that the approvers get."""
        since = self.now
        given = {"reason": "New lobby, CHG0042", "acknowledge": "true", **inputs}
        answer = await self.click(by, validation, "request_approval", given)
        assert "is waiting for approval" in texts(answer.card)
        return await self.until_offers("approve", since=since)

    async def gateway_batch(self, region: str, file: bytes) -> str:
        """A batch that somebody else has sent to the service; returns its id."""
        phones = [line.split(",")[:2] for line in file.decode().splitlines()[1:]]
        url = f"{self.gateway.configapi_url}/Teams.SipDevicesGatewayManagement/v1/createbatch"
        async with self.session.post(
            f"{url}?TargetRegion={region}",
            json=[{"Username": name, "HardwareId": phone} for name, phone in phones],
            headers={"Authorization": "Bearer x"},
        ) as answer:
            return str((await answer.json())["batchId"])

    async def approve(
        self, approval: Posted, *, by: Person = MEGAN, comment: str = "Go ahead"
    ) -> Answer:
        return await self.click(
            by, approval, "approve", {"acknowledge": "true", "comment": comment}
        )

    async def waiting(self, file: bytes) -> Posted:
        """Hand in and ask; returns the approval card."""
        return await self.ask(await self.hand_in(file))

    async def finished(self, file: bytes) -> Posted:
        """The whole job; returns the results card."""
        since = self.now
        await self.approve(await self.waiting(file))
        return await self.results(since=since)


@asynccontextmanager
async def opened(
    folder: Path,
    migrated: Path,
    *,
    teams: Scenario | None = None,
    gateway: Scenario | None = None,
    as_approver: bool = False,
    **settings: Any,
) -> AsyncGenerator[Office]:
    """An office whose service is not started yet. `migrated` is an empty database to begin with.
    `as_approver`: it acts with the rights of whoever approves, who has to sign in for that.

    Teams' limits are off unless `teams` has them on: they count by the second, and here all is faster.
    """
    shutil.copy(migrated, folder / DATABASE)
    async with (
        Simulator(teams or Scenario(connector=Connector(limits=False))) as chat_side,
        Simulator(gateway or Scenario(batch_seconds=0.1)) as gateway_side,
        aiohttp.ClientSession() as session,
    ):
        given: dict[str, Any] = {
            "port": 0,
            "data_dir": folder,
            "configapi_url": gateway_side.configapi_url,
            "graph_url": gateway_side.graph_url,
            "tenant_ids": (TENANT,),
            "approvals": CHANNEL.id,
            "notifications": CHANNEL.id,
            **settings,
        }
        if as_approver:
            given = {
                "app_id": APP_ID,
                "app_password": SECRET,
                "authority_url": gateway_side.entra_url,
                **given,
            }
        office = Office(chat_side, gateway_side, session, Settings(**given))
        try:
            yield office
        finally:
            await office.stop()
