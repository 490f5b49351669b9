"""Clicks on the way to a mend: draft it, request its approval, withdraw, approve, reject, undo."""

from __future__ import annotations

from datetime import datetime, timedelta

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
)
from bot.commands.inputs import LARGEST_ID, Inputs
from bot.identity.delegations import ApproverTokens
from bot.lifecycle import mends as lifecycle
from bot.lifecycle.mends import (
    MendConflictError,
    MendDigestMismatchError,
    NothingToMendError,
    TooManyChangesError,
)
from bot.mending.mend import MAX_CHANGES, WORKING_STATES, MendState
from bot.runner.mending import delegation_key
from bot.signin import policy
from bot.signin.digest import HEX_CHARS, equal
from bot.signin.policy import Denied
from bot.signin.request import NOTHING_RAN
from bot.store import mends
from bot.store.mends import Mend
from bot.store.requests import Request
from cards.types import Verb

log = structlog.get_logger()

_MAX_TEXT = 300  # characters of a reason or a comment


async def _mend_of(context: Context, request: Request, inputs: Inputs) -> Mend | None:
    """The mend that a button is about; None if the request has no such mend."""
    async with context.database.read() as tx:
        mend = await mends.load(tx, inputs.number("mend", 0, largest=LARGEST_ID))
    return mend if mend is not None and mend.request_id == request.id else None


def _gone(context: Context) -> TextAnswer:
    return TextAnswer(context.words("mend-gone"))


def _conflict(context: Context, error: MendConflictError) -> TextAnswer:
    text = context.words("mend-conflict", account=error.account, request=error.request_id)
    return TextAnswer(text)


async def draft(context: Context, turn: Turn, request: Request, _: Inputs) -> ClickAnswer:
    decision = policy.may_request_approval(turn.actor, request.facts)
    if isinstance(decision, Denied):
        return await denied_click(context, turn, Verb.MEND, request, decision)
    if not context.rules.mends:
        return TextAnswer(context.words("mend-off"))
    try:
        async with context.database.write() as tx:
            await lifecycle.draft_mend(
                tx,
                context.notifications,
                request,
                conversation_id=turn.conversation.conversation_id,
                four_eyes=context.rules.four_eyes,
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
    mend = await _mend_of(context, request, inputs)
    if mend is None:
        return _gone(context)
    decision = policy.may_request_approval(turn.actor, mend.facts)
    if isinstance(decision, Denied):
        return await denied_click(context, turn, Verb.MEND_REQUEST, request, decision)
    reason = inputs.text("reason", _MAX_TEXT)
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
                ttl=timedelta(seconds=context.rules.approval_ttl),
                actor=turn.actor.person,
                now=context.clock(),
                digests=context.digests,
            )
    except MendConflictError as error:
        return _conflict(context, error)
    context.changed()
    return SHOW_CARD


async def withdraw(context: Context, turn: Turn, request: Request, inputs: Inputs) -> ClickAnswer:
    mend = await _mend_of(context, request, inputs)
    if mend is None:
        return _gone(context)
    decision = policy.may_withdraw(turn.actor, mend.facts)
    if isinstance(decision, Denied):
        return await denied_click(context, turn, Verb.MEND_WITHDRAW, request, decision)
    async with context.database.write() as tx:
        await lifecycle.withdraw_mend(tx, mend, actor=turn.actor.person, now=context.clock())
    context.changed()
    return SHOW_CARD


def _may_decide(context: Context, turn: Turn, mend: Mend) -> policy.Decision:
    return policy.may_decide(
        turn.actor, mend.facts, four_eyes=context.rules.four_eyes, now=context.clock()
    )


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


def _vouched_until(context: Context, now: datetime) -> datetime | None:
    if context.mend_delegations is None:
        return None
    return now + timedelta(seconds=context.mend_delegations.lease_seconds)


def _delegate(context: Context, mend: Mend, tokens: ApproverTokens | None) -> None:
    if context.mend_delegations is not None and tokens is not None:
        context.mend_delegations.delegate(delegation_key(mend.id), tokens)


async def approve(context: Context, turn: Turn, request: Request, inputs: Inputs) -> ClickAnswer:
    mend = await _mend_of(context, request, inputs)
    if mend is None:
        return _gone(context)
    turn = about(context, turn, mend.facts)
    decision = _may_decide(context, turn, mend)
    if isinstance(decision, Denied):
        return await denied_click(context, turn, Verb.MEND_APPROVE, request, decision)
    if request.state in NOTHING_RAN:
        return SHOW_CARD
    if not equal(inputs.text("digest", HEX_CHARS), mend.digest):
        return await _changed(context, turn, request, "card")
    if not inputs.ticked("acknowledge"):
        return TextAnswer(context.words("mend-acknowledge"))
    tokens = await _access(context, turn, Verb.MEND_APPROVE, request)
    if tokens is not None and not isinstance(tokens, ApproverTokens):
        return tokens
    now = context.clock()
    try:
        async with context.database.write() as tx:
            approved = await lifecycle.approve_mend(
                tx,
                mend,
                comment=inputs.text("comment", _MAX_TEXT),
                actor=turn.actor.person,
                now=now,
                owner=context.owner,
                lease_until=_vouched_until(context, now),
                digests=context.digests,
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
    mend = await _mend_of(context, request, inputs)
    if mend is None:
        return _gone(context)
    turn = about(context, turn, mend.facts)
    decision = _may_decide(context, turn, mend)
    if isinstance(decision, Denied):
        return await denied_click(context, turn, Verb.MEND_REJECT, request, decision)
    async with context.database.write() as tx:
        await lifecycle.reject_mend(
            tx,
            context.notifications,
            request,
            mend,
            comment=inputs.text("comment", _MAX_TEXT),
            actor=turn.actor.person,
            now=context.clock(),
        )
    context.changed()
    return SHOW_CARD


async def give_access(
    context: Context, turn: Turn, request: Request, inputs: Inputs
) -> ClickAnswer:
    """Let a mend go on with the access of whoever clicked."""
    mend = await _mend_of(context, request, inputs)
    if mend is None:
        return _gone(context)
    turn = about(context, turn, mend.facts)
    decision = policy.may_delegate(turn.actor, mend.facts, four_eyes=context.rules.four_eyes)
    if isinstance(decision, Denied):
        return await denied_click(context, turn, Verb.MEND_SIGN_IN, request, decision)
    tokens = await _access(context, turn, Verb.MEND_SIGN_IN, request)
    if tokens is None or mend.state not in WORKING_STATES:
        return SHOW_CARD
    if not isinstance(tokens, ApproverTokens):
        return tokens
    now = context.clock()
    async with context.database.write() as tx:
        given = await lifecycle.give_access(
            tx,
            mend,
            owner=context.owner,
            until=_vouched_until(context, now) or now,
            actor=turn.actor.person,
            now=now,
        )
    if given:
        _delegate(context, mend, tokens)
    context.changed()
    return SHOW_CARD


async def undo(context: Context, turn: Turn, request: Request, inputs: Inputs) -> ClickAnswer:
    """Set back what a finished mend changed: whoever could have approved it."""
    mend = await _mend_of(context, request, inputs)
    if mend is None:
        return _gone(context)
    turn = about(context, turn, mend.facts)
    decision = policy.may_undo(turn.actor, mend.facts, four_eyes=context.rules.four_eyes)
    if isinstance(decision, Denied):
        return await denied_click(context, turn, Verb.MEND_UNDO, request, decision)
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
                lease_until=_vouched_until(context, now),
            )
    except MendConflictError as error:
        return _conflict(context, error)
    if undoing:
        _delegate(context, mend, tokens)
        log.info("mend.undo_approved", mend=mend.id, approver=turn.actor.person.object_id)
    context.changed()
    return SHOW_CARD
