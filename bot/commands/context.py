"""What every command works with, and the few things that all of them do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from typing import Any

from bot.commands.chat import Answer, Files, Members, Mention, Sender, TextAnswer
from bot.commands.roles import Roles
from bot.doctor import RunChecks
from bot.gateway import SipGateway
from bot.gateway.administration import Administration
from bot.identity.delegations import NO_PROOF, Delegations, Proof
from bot.lifecycle import denials
from bot.lifecycle.notifications import Notifications
from bot.runner.projection import Projection
from bot.settings.model import Exports
from bot.signin import stand_in
from bot.signin.digest import UNKEYED, Digests
from bot.signin.policy import Actor, DenialReason, Denied, RequestFacts, may_see
from bot.signin.request import Person, parse_id
from bot.store import posts, requests
from bot.store.conversations import ConversationKind, ConversationReference
from bot.store.database import Database
from bot.store.posts import NewPost
from bot.store.requests import Request
from bot.words import Words
from cards.types import Verb


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings that decide what commands do."""

    four_eyes: bool
    approval_ttl: float  #: seconds
    exports: Exports
    lookup_seconds: float = (
        60.0  #: how long a retry waits for phones without a result to be looked up
    )
    chat_files: bool = True  #: whether the cloud lets bots receive and send files
    #: whether accounts are checked: of a new draft, and once more at the approval
    check_accounts: bool = False
    mends: bool = False  #: whether accounts can be mended
    zone: tzinfo = UTC  #: of the approvers
    break_glass: Collection[str] = ()  #: object ids of those who may approve their own requests


@dataclass(frozen=True, slots=True)
class Context:
    database: Database
    gateway: SipGateway  #: acts as the app
    projection: Projection
    notifications: Notifications
    roles: Roles
    files: Files
    words: Words
    rules: Rules
    clock: Callable[[], datetime]  #: UTC
    changed: Callable[[], None]  #: wakes the background loops
    run_checks: RunChecks
    #: (request id, what, for whom) -> URL of an export; `Exports.LINK` only
    link: Callable[[str, str, Person], str]
    delegations: Delegations[SipGateway] | None = None  #: None: requests run as the app
    #: the same for mends, which change accounts instead
    mend_delegations: Delegations[Administration] | None = None
    owner: str = ""  #: this replica, as it signs its leases
    #: one file at a time is read and stored, so that files hold up neither clicks nor the worker
    intake: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))
    digests: Digests = UNKEYED  #: what approvals are bound to
    members: Members | None = None  #: None where mentions cannot be resolved


@dataclass(frozen=True, slots=True)
class Turn:
    """Who asks, and where."""

    actor: Actor  #: their role in the request at hand, if there is one: see `about`
    conversation: ConversationReference
    account_id: str = ""  #: who they are to the chat
    proof: Proof = NO_PROOF
    mentions: Sequence[Mention] = ()  #: in their message
    #: their role whatever the request, once `actor` is that of one
    sender: Actor | None = None

    @property
    def personal(self) -> bool:
        return self.conversation.kind is ConversationKind.PERSONAL


async def turn_of(
    context: Context,
    sender: Sender,
    conversation: ConversationReference,
    proof: Proof = NO_PROOF,
    mentions: Sequence[Mention] = (),
) -> Turn:
    actor = await context.roles.actor(sender, conversation.tenant_id)
    return Turn(actor, conversation, sender.account_id, proof, mentions)


def about(context: Context, turn: Turn, request: RequestFacts) -> Turn:
    """The turn with the sender's role in one request, or in one mend. A stand-in has both names there."""
    sender = turn.sender or turn.actor
    actor = stand_in.about(sender, request)
    approver = actor.person.stands_in_for
    if approver is not None:
        name = context.words(
            "stand-in-name",
            person=actor.person.name or context.words("someone"),
            approver=approver.name or context.words("someone"),
        )
        actor = replace(actor, person=replace(actor.person, name=name))
    return replace(turn, actor=actor, sender=sender)


@dataclass(frozen=True, slots=True)
class ShowCard:
    """A click's answer: the card as it stands after the click."""


SHOW_CARD = ShowCard()
ClickAnswer = Answer | ShowCard

#: The card itself says why: who was first, what they did and when.
_EXPLAINED_BY_CARD = frozenset(
    {
        DenialReason.NOT_A_DRAFT,
        DenialReason.TOO_LATE_TO_WITHDRAW,
        DenialReason.ALREADY_DECIDED,
        DenialReason.EXPIRED,
        DenialReason.NOT_RUNNING,
        DenialReason.ALREADY_CANCELLING,
        DenialReason.REVIEWED,
    }
)


def denial(context: Context, denied: Denied) -> str:
    """Why somebody may not do something, as a sentence."""
    return context.words(f"denied-{denied.reason.value}")


async def audit_denial(
    context: Context, turn: Turn, what: str, reason: str, request: Request | None = None
) -> None:
    """Record that `what`, a card's verb or a command, was denied. Reads first: over the limit, a flood of
    denials does not even take the writers' turn."""
    now = context.clock()
    async with context.database.read() as tx:
        if await denials.over_limit(tx, turn.actor, now):
            return
    async with context.database.write() as tx:
        await denials.record(tx, request, what, reason, actor=turn.actor, now=now)


async def denied_click(
    context: Context, turn: Turn, verb: Verb, request: Request, denied: Denied
) -> ClickAnswer:
    await audit_denial(context, turn, verb.value, denied.reason.value, request)
    if denied.reason in _EXPLAINED_BY_CARD:
        return SHOW_CARD
    return TextAnswer(denial(context, denied))


async def post(
    context: Context, conversation: ConversationReference, content: Mapping[str, Any]
) -> None:
    """Answer in a conversation, through the outbox."""
    new = NewPost(conversation.tenant_id, conversation.conversation_id, content=content)
    async with context.database.write() as tx:
        await posts.add(tx, new, context.clock())
    context.changed()


async def say(context: Context, conversation: ConversationReference, text: str) -> None:
    await post(context, conversation, {"text": text})


async def show(
    context: Context, conversation: ConversationReference, card: Mapping[str, Any], summary: str
) -> None:
    await post(context, conversation, {"card": card, "summary": summary})


async def visible(context: Context, turn: Turn, text: str, *, change: str = "") -> Request | None:
    """The request that a person named. Returns None if there is none that they may see.

    `change`: what they want to do to it, for the audit; "" if they only look.
    """
    request_id = parse_id(text)
    if request_id is None:
        return None
    async with context.database.read() as tx:
        request = await requests.load(tx, request_id)
    if request is None:
        return None
    actor = about(context, turn, request.facts).actor
    if isinstance(decision := may_see(actor, request.facts), Denied):
        if change:
            await audit_denial(context, turn, change, decision.reason.value, request)
        return None
    return request


async def visible_or_say(
    context: Context, turn: Turn, text: str, *, change: str = ""
) -> Request | None:
    """The same; says in the conversation if there is none."""
    if not text:
        await say(context, turn.conversation, context.words("which-request"))
        return None
    request = await visible(context, turn, text, change=change)
    if request is None:
        unknown = context.words("no-such-request", request=text[:40])
        await say(context, turn.conversation, unknown)
    return request
