"""What every command works with, and the few things that all of them do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from types import MappingProxyType
from typing import Any

from bot.commands.chat import Answer, Files, Members, Mention, Sender, TextAnswer
from bot.commands.roles import Roles
from bot.doctor import RunChecks
from bot.gateway import SipGateway
from bot.gateway.administration import Administrator
from bot.identity.delegations import NO_PROOF, Delegations, Proof
from bot.lifecycle import denials
from bot.lifecycle.notifications import Notifications
from bot.lifecycle.starts import ChangeWindow, always_open
from bot.runner.projection import Projection
from bot.settings.values import Exports
from bot.signin import stand_in
from bot.signin.acknowledgment import TYPED_ABOVE
from bot.signin.digest import UNKEYED, Digests
from bot.signin.policy.decision import Decision, DenialReason, Ruling
from bot.signin.policy.facts import Actor, RequestFacts
from bot.signin.policy.model import Policy
from bot.signin.policy.roles import approver
from bot.signin.policy.sight import may_see, may_see_all, sight
from bot.signin.request import Person, parse_id
from bot.signin.shown import Aspect
from bot.store import policy_facts, posts, requests
from bot.store.conversations import ConversationKind, ConversationReference
from bot.store.database import Database
from bot.store.posts import NewPost
from bot.store.requests import Request
from bot.words import Words
from cards.types import Verb


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings that decide what commands do."""

    approval_ttl: float  #: seconds
    exports: Exports
    lookup_seconds: float = (
        60.0  #: how long a retry waits for phones without a result to be looked up
    )
    chat_files: bool = True  #: whether the cloud lets bots receive and send files
    #: whether accounts are checked, of a new draft and once more at the approval, and can be mended
    check_accounts: bool = False
    typed_above: int = TYPED_ABOVE  #: phones up to which an approver ticks a box, without more
    zone: tzinfo = UTC  #: of the approvers


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
    mend_delegations: Delegations[Administrator] | None = None
    owner: str = ""  #: this replica, as it signs its leases
    #: one file at a time is read and stored, so that files hold up neither clicks nor the worker
    intake: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))
    digests: Digests = UNKEYED  #: what approvals are bound to
    window: ChangeWindow = always_open  #: when requests may start
    members: Members | None = None  #: None where mentions cannot be resolved


@dataclass(frozen=True, slots=True)
class Turn:
    """Who asks, and where; judged by one policy, whatever changes meanwhile."""

    policy: Policy
    actor: Actor  #: with their role in the request at hand, if there is one: see `about`
    conversation: ConversationReference
    account_id: str = ""  #: who they are to the chat
    proof: Proof = NO_PROOF
    timezone: str = ""  #: as their client says; "" if it does not. Hostile.
    mentions: Sequence[Mention] = ()  #: in their message
    #: their role whatever the request, once `actor` is that of one
    sender: Actor | None = None

    @property
    def own(self) -> Actor:
        """Whoever asks, in nobody's place."""
        return self.sender or self.actor

    @property
    def personal(self) -> bool:
        return self.conversation.kind is ConversationKind.PERSONAL

    @property
    def approves(self) -> bool:
        """Whether they may approve something, so that they are shown what approvers decide about."""
        return approver(self.policy, self.actor).allowed

    @property
    def sees_others(self) -> bool:
        """Whether they may know of others' requests, of all or of some."""
        return may_see_all(self.policy, self.actor).allowed

    @property
    def sees_all(self) -> bool:
        """Whether they may know of everybody's requests."""
        return sight(self.policy, self.actor).everything

    @property
    def limited(self) -> bool:
        """Whether the policy's views hide requests from them."""
        return bool(self.policy.views) and not self.sees_all


async def turn_of(
    context: Context,
    sender: Sender,
    conversation: ConversationReference,
    proof: Proof = NO_PROOF,
    timezone: str = "",
    mentions: Sequence[Mention] = (),
) -> Turn:
    policy = context.roles.policy
    actor = await context.roles.actor(sender, conversation.tenant_id, policy)
    return Turn(policy, actor, conversation, sender.account_id, proof, timezone, mentions)


async def facts_of(context: Context, turn: Turn, request: Request) -> RequestFacts:
    """The request as the policy looks at it."""
    async with context.database.read() as tx:
        return await policy_facts.of_request(tx, turn.policy, request)


async def facts_for_sight(context: Context, turn: Turn, request: Request) -> RequestFacts:
    """The same as far as it says who may see the request: what it is about is read only if views decide."""
    return await facts_of(context, turn, request) if turn.policy.views else request.facts


async def about_request(context: Context, turn: Turn, request: Request) -> Turn:
    """The turn with the sender's role in one request."""
    sender, policy = turn.own, turn.policy
    if not sender.stands_in_for and sender.among(policy.escalation_people) is Ruling.NO:
        return turn
    return about(context, turn, await facts_of(context, turn, request))


def about(context: Context, turn: Turn, request: RequestFacts) -> Turn:
    """The turn with the sender's role in one request, or in one mend. A stand-in has both names there."""
    sender = turn.own
    actor = stand_in.about(turn.policy, sender, request)
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

    #: what the clicked card did not show, so that the click had no effect
    changed: Sequence[Aspect] = ()


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
        DenialReason.ALREADY_VOTED,
        DenialReason.REVIEWED,
    }
)


def denial(context: Context, decision: Decision) -> str:
    """Why somebody may not do something and who may, as a sentence."""
    return decision.sentence(context.words)


async def audit_denial(
    context: Context,
    turn: Turn,
    what: str,
    reason: str,
    request: Request | None = None,
    *,
    trail: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Record that `what`, a card's verb or a command, was denied. Reads first: over the limit, a flood of
    denials does not even take the writers' turn."""
    now = context.clock()
    async with context.database.read() as tx:
        if await denials.over_limit(tx, turn.actor, now):
            return
    async with context.database.write() as tx:
        await denials.record(tx, request, what, reason, actor=turn.actor, now=now, trail=trail)


async def audit_decision(
    context: Context, turn: Turn, what: str, decision: Decision, request: Request | None = None
) -> None:
    """Record that the policy denied `what`, or could not tell."""
    reason = str(decision.reason)
    await audit_denial(context, turn, what, reason, request, trail=decision.trail)


async def denied_click(
    context: Context, turn: Turn, verb: Verb, request: Request, decision: Decision
) -> ClickAnswer:
    # A second click of the same person is no attempt at anything.
    if decision.reason is not DenialReason.ALREADY_VOTED:
        await audit_decision(context, turn, verb.value, decision, request)
    if decision.reason in _EXPLAINED_BY_CARD:
        facts = await facts_for_sight(context, turn, request)
        if may_see(turn.policy, turn.actor, facts).allowed:
            return SHOW_CARD
    return TextAnswer(denial(context, decision))


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
    turn = await about_request(context, turn, request)
    facts = await facts_for_sight(context, turn, request)
    if not (decision := may_see(turn.policy, turn.actor, facts)).allowed:
        if change:
            await audit_decision(context, turn, change, decision, request)
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
        await say(context, turn.conversation, unknown_request(context, turn, text))
    return request


def unknown_request(context: Context, turn: Turn, text: str) -> str:
    """What to say if there is no request that they may see. While it cannot be told what they may see, that
    is said whether or not there is one."""
    decision = may_see_all(turn.policy, turn.actor)
    if decision.answer is Ruling.CANNOT_TELL:
        return denial(context, decision)
    return context.words("no-such-request", request=text[:40])
