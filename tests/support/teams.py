"""Fakes for tests of the Teams edge: a chat that records calls, and a scripted Bot Connector."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from bot.commands.chat import (
    NO_ANSWER,
    Answer,
    CardAction,
    FileConsent,
    IncomingMessage,
    Sender,
    TextAnswer,
)
from bot.identity.delegations import Proof
from bot.store.conversations import ConversationReference

TENANT = "11111111-2222-3333-4444-555555555555"
ALEX = "aaaaaaaa-0000-0000-0000-000000000001"


@dataclass
class RecordingChat:
    """Implements `Chat`: records calls, then returns `answer` or raises `error`."""

    answer: Answer = field(default_factory=lambda: TextAnswer("noted"))
    error: Exception | None = None  #: raised by messages, actions, consents and sign-ins
    fault_error: Exception | None = None  #: raised by `fault`
    hold: asyncio.Event | None = None  #: if set, calls wait until it is set
    held: int = 0  #: calls that have waited or wait
    remembered: list[ConversationReference] = field(default_factory=list[ConversationReference])
    installs: list[tuple[ConversationReference, Sender]] = field(
        default_factory=list[tuple[ConversationReference, Sender]]
    )
    messages: list[IncomingMessage] = field(default_factory=list[IncomingMessage])
    actions: list[CardAction] = field(default_factory=list[CardAction])
    repeated: list[CardAction] = field(default_factory=list[CardAction])  #: among clicks
    consents: list[FileConsent] = field(default_factory=list[FileConsent])
    proofs: list[Proof] = field(default_factory=list[Proof])
    removals: list[ConversationReference] = field(default_factory=list[ConversationReference])
    repeats: bool = False  #: whether every activity was received before
    sign_in_answer: Answer = NO_ANSWER  #: returned by `signed_in`
    faults: list[tuple[ConversationReference, str]] = field(
        default_factory=list[tuple[ConversationReference, str]]
    )

    async def _work(self) -> None:
        if self.hold is not None:
            self.held += 1
            await self.hold.wait()
        if self.error is not None:
            raise self.error

    @asynccontextmanager
    async def receiving(
        self, conversation: ConversationReference, activity_id: str
    ) -> AsyncGenerator[bool]:
        self.remembered.append(conversation)
        yield not self.repeats

    async def removed(self, conversation: ConversationReference, activity_id: str) -> None:
        self.removals.append(conversation)

    async def installed(self, conversation: ConversationReference, sender: Sender) -> None:
        self.installs.append((conversation, sender))

    async def message(self, message: IncomingMessage) -> None:
        await self._work()
        self.messages.append(message)

    async def action(self, action: CardAction, *, repeated: bool = False) -> Answer:
        await self._work()
        (self.repeated if repeated else self.actions).append(action)
        return self.answer

    async def consent(self, consent: FileConsent) -> None:
        await self._work()
        self.consents.append(consent)

    async def signed_in(
        self, sender: Sender, conversation: ConversationReference, proof: Proof
    ) -> Answer:
        await self._work()
        self.proofs.append(proof)
        return self.sign_in_answer

    async def fault(self, conversation: ConversationReference, reference: str) -> None:
        if self.fault_error is not None:
            raise self.fault_error
        self.faults.append((conversation, reference))

    def fault_text(self, reference: str) -> str:
        return f"Something went wrong: {reference}"


@dataclass(frozen=True)
class Call:
    """A request that the fake connector received."""

    method: str
    path: str
    body: Any
    headers: Mapping[str, str]
    connection: object  #: the transport; the same object for calls on one connection


@dataclass
class FakeConnector:
    """A Bot Connector that records calls and responds from `script`, then with success."""

    url: str = ""
    script: list[web.Response] = field(default_factory=list[web.Response])
    calls: list[Call] = field(default_factory=list[Call])
    hold: asyncio.Event | None = None  #: if set, calls wait for it

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        headers = dict(request.headers)
        self.calls.append(
            Call(request.method, request.rel_url.raw_path, body, headers, request.transport)
        )
        if self.hold is not None:
            await self.hold.wait()
        if self.script:
            return self.script.pop(0)
        if request.path.endswith("/v3/conversations"):
            channel = body["channelData"]["channel"]["id"]
            opened = {"id": f"{channel};messageid=7", "activityId": "7"}
            return web.json_response(opened, status=201)
        return web.json_response({"id": f"message-{len(self.calls)}"}, status=201)


def activity(service_url: str, /, **changes: Any) -> dict[str, Any]:
    """A message as Teams sends it from a 1:1 chat. `changes` replace top-level fields."""
    return {
        "type": "message",
        "id": "1485983408511",
        "channelId": "msteams",
        "serviceUrl": service_url,
        "from": {"id": "29:alex", "name": "Alex Wilber", "aadObjectId": ALEX},
        "recipient": {"id": "28:offhook", "name": "Offhook"},
        "conversation": {"id": "a:chat", "conversationType": "personal", "tenantId": TENANT},
        "channelData": {"tenant": {"id": TENANT}},
        "text": "help",
        **changes,
    }


def click(service_url: str, /, **action: Any) -> dict[str, Any]:
    """An `adaptiveCard/action` invoke. `action` replaces fields of `value.action`."""
    value = {"type": "Action.Execute", "verb": "approve", "data": {"request": "K7", "version": 3}}
    return activity(
        service_url,
        type="invoke",
        name="adaptiveCard/action",
        replyToId="card-1",
        value={"action": {**value, **action}, "trigger": "manual"},
    )
