"""Clicks on the way to a sign-in: request approval, withdraw, approve, reject."""

from __future__ import annotations

from datetime import timedelta

import structlog

from bot.commands import delegation
from bot.commands.chat import TextAnswer
from bot.commands.context import (
    SHOW_CARD,
    ClickAnswer,
    Context,
    Turn,
    audit_denial,
    denied_click,
)
from bot.commands.inputs import Inputs
from bot.identity.delegations import ApproverTokens
from bot.lifecycle import preflight
from bot.lifecycle import requests as lifecycle
from bot.lifecycle.preflight import UnknownAccountError
from bot.lifecycle.requests import (
    DigestMismatchError,
    NothingReadyError,
    OverlapUnexplainedError,
    RegionMissingError,
)
from bot.phones import region
from bot.signin import policy
from bot.signin.batch import MAX_PHONES_PER_BATCH
from bot.signin.digest import HEX_CHARS, equal
from bot.signin.policy import DenialReason, Denied
from bot.signin.request import RequestState
from bot.store.requests import Request
from bot.store.snapshots import MAX_NAMED
from cards.types import Verb

log = structlog.get_logger()

_MAX_TEXT = 300  # characters of a reason or a comment


async def request_approval(
    context: Context, turn: Turn, request: Request, inputs: Inputs
) -> ClickAnswer:
    decision = policy.may_request_approval(turn.actor, request.facts)
    if isinstance(decision, Denied):
        return await denied_click(context, turn, Verb.REQUEST_APPROVAL, request, decision)
    if request.state is RequestState.WAITING:
        return await _explain_overlap(context, turn, request, inputs)
    if context.rules.check_accounts and request.accounts_unchecked and request.ready_rows:
        async with context.database.write() as tx:
            await preflight.begin(tx, request.id)
        context.changed()
        return TextAnswer(context.words("ask-checking"))
    if request.checking_accounts:
        return TextAnswer(context.words("ask-checking"))
    # The card requires the tick; a script that sends no box leaves the other rows out anyway.
    left_out = request.total_rows - request.ready_rows
    if left_out and inputs.unticked("acknowledge"):
        return TextAnswer(context.words("ask-leave-out", rows=left_out))
    default = 0 if inputs.given("batch_size") else request.batch_size
    batch_size = inputs.number("batch_size", default)
    if not 1 <= batch_size <= MAX_PHONES_PER_BATCH:
        return TextAnswer(context.words("ask-batch-size", limit=MAX_PHONES_PER_BATCH))
    include_failed = inputs.ticked("include_failed")
    include_guarded = inputs.choices("include_guarded", MAX_NAMED)
    reason = inputs.text("reason", _MAX_TEXT)
    if (include_failed or include_guarded) and not reason:
        return TextAnswer(context.words("ask-include-reason"))
    try:
        async with context.database.write() as tx:
            await lifecycle.request_approval(
                tx,
                context.notifications,
                request,
                region=region.parse(inputs.text("region", 16)),
                reason=reason,
                batch_size=batch_size,
                include_failed=include_failed,
                include_guarded=include_guarded,
                ttl=timedelta(seconds=context.rules.approval_ttl),
                actor=turn.actor.person,
                now=context.clock(),
                digests=context.digests,
            )
    except RegionMissingError:
        return TextAnswer(context.words("ask-region"))
    except NothingReadyError:
        return TextAnswer(context.words("ask-nothing-ready"))
    except UnknownAccountError as error:
        return TextAnswer(context.words("ask-not-guarded", account=str(error)))
    except OverlapUnexplainedError:
        return TextAnswer(context.words("ask-overlap"))
    context.changed()
    return SHOW_CARD


async def _explain_overlap(
    context: Context, turn: Turn, request: Request, inputs: Inputs
) -> ClickAnswer:
    """The requester gives the reason that holds up the approval."""
    try:
        async with context.database.write() as tx:
            await lifecycle.explain_overlap(
                tx,
                context.notifications,
                request,
                reason=inputs.text("reason", _MAX_TEXT),
                actor=turn.actor.person,
                now=context.clock(),
            )
    except OverlapUnexplainedError:
        return TextAnswer(context.words("ask-overlap"))
    context.changed()
    return SHOW_CARD


async def withdraw(context: Context, turn: Turn, request: Request, _: Inputs) -> ClickAnswer:
    decision = policy.may_withdraw(turn.actor, request.facts)
    if isinstance(decision, Denied):
        return await denied_click(context, turn, Verb.WITHDRAW, request, decision)
    async with context.database.write() as tx:
        await lifecycle.withdraw(tx, request, actor=turn.actor.person, now=context.clock())
    context.changed()
    return SHOW_CARD


def _may_decide(context: Context, turn: Turn, request: Request) -> policy.Decision:
    return policy.may_decide(
        turn.actor, request.facts, four_eyes=context.rules.four_eyes, now=context.clock()
    )


async def undecidable(
    context: Context, turn: Turn, verb: Verb, request: Request, denied: Denied
) -> ClickAnswer:
    """What to answer to a decision that is denied."""
    if denied.reason is DenialReason.EXPIRED:
        # The click came before the deadlines loop: expire it now, so that the card says so.
        async with context.database.write() as tx:
            await lifecycle.expire(tx, context.notifications, request, context.clock())
        context.changed()
    return await denied_click(context, turn, verb, request, denied)


async def digest_changed(
    context: Context, turn: Turn, request: Request, differs: str, verb: Verb = Verb.APPROVE
) -> ClickAnswer:
    """What the card showed (`card`), or the rows (`rows`), have another digest than the request."""
    log.error("request.digest_mismatched", request=request.id, differs=differs)
    await audit_denial(context, turn, verb.value, "digest-mismatched", request)
    return TextAnswer(context.words("approve-changed"))


async def approve(context: Context, turn: Turn, request: Request, inputs: Inputs) -> ClickAnswer:
    decision = _may_decide(context, turn, request)
    if isinstance(decision, Denied):
        return await undecidable(context, turn, Verb.APPROVE, request, decision)
    # Cards posted by earlier versions carry no digest.
    if inputs.given("digest") and not equal(inputs.text("digest", HEX_CHARS), request.digest):
        return await digest_changed(context, turn, request, "card")
    if request.overlaps_version > inputs.number("version", 0):
        return SHOW_CARD  # the clicked card did not show the overlap, or not the reason for it
    if not inputs.ticked("acknowledge"):
        return TextAnswer(context.words("approve-acknowledge"))
    if request.guarded_accounts and not inputs.ticked("confirm_guarded"):
        return TextAnswer(context.words("approve-confirm-guarded"))
    tokens: ApproverTokens | None = None
    if context.delegations is not None:
        outcome = await context.delegations.acquire(delegation.principal(turn), turn.proof)
        if not isinstance(outcome, ApproverTokens):
            await delegation.audit_denied(context, turn, Verb.APPROVE, request, outcome)
            return delegation.answer(context, outcome)
        tokens = outcome
    now = context.clock()
    try:
        async with context.database.write() as tx:
            approved = await lifecycle.approve(
                tx,
                context.notifications,
                request,
                comment=inputs.text("comment", _MAX_TEXT),
                actor=turn.actor.person,
                now=now,
                delegation_until=delegation.vouched_until(context, now),
                digests=context.digests,
                check_accounts=context.rules.check_accounts,
            )
    except DigestMismatchError:
        return await digest_changed(context, turn, request, "rows")
    if approved:
        if context.delegations is not None and tokens is not None:
            context.delegations.delegate(request.id, tokens)
        log.info("request.approved", request=request.id, approver=turn.actor.person.object_id)
    context.changed()
    return SHOW_CARD


async def reject(context: Context, turn: Turn, request: Request, inputs: Inputs) -> ClickAnswer:
    decision = _may_decide(context, turn, request)
    if isinstance(decision, Denied):
        return await undecidable(context, turn, Verb.REJECT, request, decision)
    async with context.database.write() as tx:
        await lifecycle.reject(
            tx,
            context.notifications,
            request,
            comment=inputs.text("comment", _MAX_TEXT),
            actor=turn.actor.person,
            now=context.clock(),
        )
    context.changed()
    return SHOW_CARD
