"""Clicks on the way to a mend: draft it, request its approval, withdraw, approve, reject, undo."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial

import structlog

from bot.commands import delegation
from bot.commands.chat import Answer, TextAnswer
from bot.commands.context import (
    SHOW_CARD,
    ClickAnswer,
    Context,
    Turn,
    about,
    audit_denial,
    denied_click,
    facts_of,
)
from bot.commands.inputs import LARGEST_ID, MAX_TEXT, Inputs
from bot.identity.delegations import ApproverTokens
from bot.lifecycle import mending
from bot.lifecycle import mends as lifecycle
from bot.lifecycle.mends import (
    MendConflictError,
    MendDigestMismatchError,
    NothingToMendError,
    TooManyChangesError,
)
from bot.lifecycle.preflight import UnknownAccountError
from bot.mending.mend import MAX_CHANGES, MAX_NAMED, WORKING_STATES, MendState
from bot.runner.mending import delegation_key
from bot.signin.digest import HEX_CHARS, equal
from bot.signin.policy.decision import Decision
from bot.signin.policy.evaluator import (
    may_decide,
    may_delegate,
    may_request_mend,
    may_undo,
    may_withdraw,
)
from bot.signin.policy.facts import Actor, RequestFacts
from bot.signin.policy.model import Policy
from bot.signin.request import NOTHING_RAN
from bot.store import mends
from bot.store.mends import Mend
from bot.store.requests import Request
from cards.types import Verb

log = structlog.get_logger()


#: Whether somebody may do something to a mend.
_Rule = Callable[[Policy, Actor, RequestFacts], Decision]


def _deciding(context: Context) -> _Rule:
    return partial(may_decide, now=context.clock())


async def _permitted(
    context: Context, turn: Turn, request: Request, inputs: Inputs, verb: Verb, rule: _Rule
) -> tuple[Turn, Mend] | ClickAnswer:
    """The mend that a button is about, and the turn with the sender's role in it; or what to answer, if
    there is none or the rule denies it.

    Rules see it with the traits of its request: the same people decide, and one approver is enough.
    """
    async with context.database.read() as tx:
        mend = await mends.load(tx, inputs.number("mend", 0, largest=LARGEST_ID))
    if mend is None or mend.request_id != request.id:
        return TextAnswer(context.words("mend-gone"))
    of_request = await facts_of(context, turn, request)
    facts = replace(mend.facts, traits=of_request.traits, makers=of_request.makers)
    turn = about(context, turn, facts)
    decision = rule(turn.policy, turn.actor, facts)
    if not decision.allowed:
        return await denied_click(context, turn, verb, request, decision)
    return turn, mend


def _conflict(context: Context, error: MendConflictError) -> TextAnswer:
    text = context.words("mend-conflict", account=error.account, request=error.request_id)
    return TextAnswer(text)


async def draft(context: Context, turn: Turn, request: Request, _: Inputs) -> ClickAnswer:
    facts = await facts_of(context, turn, request)
    decision = may_request_mend(turn.policy, turn.actor, facts)
    if not decision.allowed:
        return await denied_click(context, turn, Verb.MEND, request, decision)
    if not context.rules.check_accounts:
        return TextAnswer(context.words("mend-off"))
    try:
        async with context.database.write() as tx:
            await lifecycle.draft_mend(
                tx,
                context.notifications,
                request,
                conversation_id=turn.conversation.conversation_id,
                four_eyes=turn.policy.four_eyes,
                actor=turn.actor.person,
                now=context.clock(),
            )
    except NothingToMendError:
        return TextAnswer(context.words("mend-nothing"))
    except TooManyChangesError:
        return TextAnswer(context.words("mend-too-many", limit=MAX_CHANGES))
    context.changed()
    return SHOW_CARD


async def request_approval(
    context: Context, turn: Turn, request: Request, inputs: Inputs
) -> ClickAnswer:
    permitted = await _permitted(
        context, turn, request, inputs, Verb.MEND_REQUEST, may_request_mend
    )
    if not isinstance(permitted, tuple):
        return permitted
    turn, mend = permitted
    if not context.rules.check_accounts:
        return TextAnswer(context.words("mend-turned-off"))
    reason = inputs.text("reason", MAX_TEXT)
    if not reason:
        return TextAnswer(context.words("mend-want-reason"))
    try:
        async with context.database.write() as tx:
            await lifecycle.request_mend(
                tx,
                context.notifications,
                request,
                mend,
                reason=reason,
                named=inputs.choices("include_unknown", MAX_NAMED),
                ttl=timedelta(seconds=context.rules.approval_ttl),
                actor=turn.actor.person,
                now=context.clock(),
                digests=context.digests,
            )
    except MendConflictError as error:
        return _conflict(context, error)
    except UnknownAccountError as error:
        return TextAnswer(context.words("mend-not-nameable", account=str(error)))
    except NothingToMendError:
        return TextAnswer(context.words("mend-name-some"))
    context.changed()
    return SHOW_CARD


async def withdraw(context: Context, turn: Turn, request: Request, inputs: Inputs) -> ClickAnswer:
    permitted = await _permitted(context, turn, request, inputs, Verb.MEND_WITHDRAW, may_withdraw)
    if not isinstance(permitted, tuple):
        return permitted
    turn, mend = permitted
    async with context.database.write() as tx:
        await lifecycle.withdraw_mend(tx, mend, actor=turn.actor.person, now=context.clock())
    context.changed()
    return SHOW_CARD


async def _access(
    context: Context, turn: Turn, verb: Verb, request: Request
) -> ApproverTokens | Answer | None:
    """The approver's tokens, None if mends run as the app; or what to answer without them."""
    if context.mend_delegations is None:
        return None
    outcome = await context.mend_delegations.acquire(delegation.principal(turn), turn.proof)
    if isinstance(outcome, ApproverTokens):
        return outcome
    await delegation.audit_denied(context, turn, verb, request, outcome)
    return delegation.answer(context, outcome, why="mend-sign-in-why")


def _delegate(context: Context, mend: Mend, tokens: ApproverTokens | None) -> None:
    if context.mend_delegations is not None and tokens is not None:
        context.mend_delegations.delegate(delegation_key(mend.id), tokens)


async def approve(context: Context, turn: Turn, request: Request, inputs: Inputs) -> ClickAnswer:
    permitted = await _permitted(
        context, turn, request, inputs, Verb.MEND_APPROVE, _deciding(context)
    )
    if not isinstance(permitted, tuple):
        return permitted
    turn, mend = permitted
    if request.state in NOTHING_RAN:
        return SHOW_CARD
    if not context.rules.check_accounts:
        return TextAnswer(context.words("mend-turned-off"))
    if not equal(inputs.text("digest", HEX_CHARS), mend.digest):
        return await _changed(context, turn, request, "card")
    if not inputs.ticked("acknowledge"):
        return TextAnswer(context.words("mend-acknowledge"))
    async with context.database.read() as tx:
        named = await mends.named(tx, mend.id)
    if named and not inputs.ticked("confirm_unknown"):
        return TextAnswer(context.words("mend-confirm-unknown"))
    tokens = await _access(context, turn, Verb.MEND_APPROVE, request)
    if tokens is not None and not isinstance(tokens, ApproverTokens):
        return tokens
    now = context.clock()
    try:
        async with context.database.write() as tx:
            approved = await lifecycle.approve_mend(
                tx,
                mend,
                comment=inputs.text("comment", MAX_TEXT),
                actor=turn.actor.person,
                now=now,
                owner=context.owner,
                lease_until=delegation.vouched_until(context.mend_delegations, now),
                digests=context.digests,
                step_up=tokens.step_up if tokens else None,
            )
    except MendConflictError as error:
        return _conflict(context, error)
    except MendDigestMismatchError:
        return await _changed(context, turn, request, "rows")
    if approved:
        _delegate(context, mend, tokens)
        log.info("mend.approved", mend=mend.id, approver=turn.actor.person.object_id)
    context.changed()
    return SHOW_CARD


async def _changed(context: Context, turn: Turn, request: Request, differs: str) -> ClickAnswer:
    """What the card showed, or the changes as stored, have another digest than the mend."""
    log.error("mend.digest_mismatched", request=request.id, differs=differs)
    await audit_denial(context, turn, Verb.MEND_APPROVE.value, "digest-mismatched", request)
    return TextAnswer(context.words("mend-changed"))


async def reject(context: Context, turn: Turn, request: Request, inputs: Inputs) -> ClickAnswer:
    permitted = await _permitted(
        context, turn, request, inputs, Verb.MEND_REJECT, _deciding(context)
    )
    if not isinstance(permitted, tuple):
        return permitted
    turn, mend = permitted
    async with context.database.write() as tx:
        await lifecycle.reject_mend(
            tx,
            context.notifications,
            request,
            mend,
            comment=inputs.text("comment", MAX_TEXT),
            actor=turn.actor.person,
            now=context.clock(),
        )
    context.changed()
    return SHOW_CARD


async def give_access(
    context: Context, turn: Turn, request: Request, inputs: Inputs
) -> ClickAnswer:
    """Let a mend go on with the access of whoever clicked."""
    permitted = await _permitted(context, turn, request, inputs, Verb.MEND_SIGN_IN, may_delegate)
    if not isinstance(permitted, tuple):
        return permitted
    turn, mend = permitted
    tokens = await _access(context, turn, Verb.MEND_SIGN_IN, request)
    if tokens is None or mend.state not in WORKING_STATES:
        return SHOW_CARD
    if not isinstance(tokens, ApproverTokens):
        return tokens
    now = context.clock()
    async with context.database.write() as tx:
        given = await mending.give_access(
            tx,
            mend,
            owner=context.owner,
            until=delegation.vouched_until(context.mend_delegations, now) or now,
            actor=turn.actor.person,
            now=now,
        )
    if given:
        _delegate(context, mend, tokens)
    context.changed()
    return SHOW_CARD


async def undo(context: Context, turn: Turn, request: Request, inputs: Inputs) -> ClickAnswer:
    """Set back what a finished mend changed: whoever could have approved it."""
    permitted = await _permitted(context, turn, request, inputs, Verb.MEND_UNDO, may_undo)
    if not isinstance(permitted, tuple):
        return permitted
    turn, mend = permitted
    if mend.state is not MendState.FINISHED:
        return SHOW_CARD
    if not inputs.ticked("acknowledge"):
        return TextAnswer(context.words("mend-undo-acknowledge"))
    tokens = await _access(context, turn, Verb.MEND_UNDO, request)
    if tokens is not None and not isinstance(tokens, ApproverTokens):
        return tokens
    now = context.clock()
    try:
        async with context.database.write() as tx:
            undoing = await lifecycle.undo_mend(
                tx,
                mend,
                actor=turn.actor.person,
                now=now,
                switch_off=inputs.ticked("switch_off"),
                owner=context.owner,
                lease_until=delegation.vouched_until(context.mend_delegations, now),
            )
    except MendConflictError as error:
        return _conflict(context, error)
    if undoing:
        _delegate(context, mend, tokens)
        log.info("mend.undo_approved", mend=mend.id, approver=turn.actor.person.object_id)
    context.changed()
    return SHOW_CARD
