"""What every command works with, and the few things that all of them do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.commands.chat import ConversationKind, Files, Place, Sender
from bot.commands.roles import Roles
from bot.doctor import Examine
from bot.gateway import SipGateway
from bot.identity.delegations import NO_PROOF, Delegations, Proof
from bot.lifecycle.notifications import Notifications
from bot.runner.deadlines import Deadlines
from bot.runner.projection import Projection
from bot.settings.model import Exports
from bot.signin.policy import Actor, Denied, may_see
from bot.signin.request import parse_id
from bot.store import posts, requests
from bot.store.database import Database
from bot.store.posts import NewPost
from bot.store.requests import Request
from bot.words import Words


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings that decide what commands do. Times are in seconds."""

    four_eyes: bool
    approval_ttl: float
    home_tenant: str  # "": the tenant of whoever asks
    exports: Exports


@dataclass(frozen=True, slots=True)
class Context:
    database: Database
    gateway: SipGateway
    projection: Projection
    notifications: Notifications
    deadlines: Deadlines
    roles: Roles
    files: Files
    words: Words
    rules: Rules
    clock: Callable[[], datetime]
    changed: Callable[[], None]  # wakes those who work behind the answer
    examine: Examine
    link: Callable[[str, str], str]  # (request id, what) -> address of an export, Exports.LINK only
    delegations: Delegations[SipGateway] | None = None  # None: requests run with the app's own rights


@dataclass(frozen=True, slots=True)
class Turn:
    """Who asks, and where."""

    actor: Actor
    place: Place
    account_id: str = ""  # who they are to the chat
    proof: Proof = NO_PROOF

    @property
    def personal(self) -> bool:
        return self.place.kind is ConversationKind.PERSONAL


async def turn_of(context: Context, sender: Sender, place: Place, proof: Proof = NO_PROOF) -> Turn:
    actor = await context.roles.actor(sender, place.tenant_id)
    return Turn(actor, place, sender.account_id, proof)


async def post(context: Context, place: Place, content: Mapping[str, Any]) -> None:
    """Answer in a conversation, through the outbox."""
    async with context.database.write() as tx:
        await posts.add(
            tx, NewPost(place.tenant_id, place.conversation_id, content=content), context.clock()
        )
    context.changed()


async def say(context: Context, place: Place, text: str) -> None:
    await post(context, place, {"text": text})


async def show(context: Context, place: Place, card: Mapping[str, Any], summary: str) -> None:
    await post(context, place, {"card": card, "summary": summary})


def denial(context: Context, denied: Denied) -> str:
    return context.words(f"denied-{denied.reason}", **denied.arguments)


async def visible(context: Context, turn: Turn, text: str) -> Request | None:
    """The request that somebody named, if they may see it."""
    request_id = parse_id(text)
    if request_id is None:
        return None
    async with context.database.read() as tx:
        request = await requests.load(tx, request_id)
    if request is None or isinstance(may_see(turn.actor, request.facts), Denied):
        return None
    return request
