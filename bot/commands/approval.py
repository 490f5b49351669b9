"""Clicks on the way to a sign-in: request approval, withdraw, approve, reject."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import structlog

from bot.commands import delegation
from bot.commands.chat import TextAnswer
from bot.commands.context import (
    SHOW_CARD,
    ClickAnswer,
    Context,
    ShowCard,
    Turn,
    audit_denial,
    denied_click,
)
from bot.commands.inputs import Inputs, cleaned
from bot.identity.delegations import ApproverTokens
from bot.lifecycle import preflight
from bot.lifecycle import requests as lifecycle
from bot.lifecycle.preflight import UnknownAccountError
from bot.lifecycle.requests import (
    Asked,
    DigestMismatchError,
    NothingReadyError,
    OverlapUnexplainedError,
    RegionMissingError,
)
from bot.phones import region
from bot.signin import acknowledgment, policy
from bot.signin.acknowledgment import Acknowledgment
from bot.signin.batch import MAX_PHONES_PER_BATCH
from bot.signin.digest import HEX_CHARS, equal
from bot.signin.policy import DenialReason, Denied
from bot.signin.request import MAX_TICKET, RequestState
from bot.signin.shown import MAX_CHARS, Aspect, changed
from bot.store import account_checks, shown
from bot.store.requests import Request
from bot.store.snapshots import MAX_NAMED
from cards.types import Verb

log = structlog.get_logger()

_MAX_TEXT = 300  # characters of a reason or a comment
_MAX_UPN = 200  # characters
_DIRECTORY_SECONDS = 1.5  # of the two that a click may take


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
    asked = Asked(
        ticket=inputs.text("ticket", MAX_TICKET),
        upn=await _upn(context, turn),
        account=turn.account_id,
    )
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
                asked=asked,
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


async def _upn(context: Context, turn: Turn) -> str:
    """The requester's UPN by the directory; "" if it does not answer in time for a click."""
    try:
        async with asyncio.timeout(_DIRECTORY_SECONDS):
            profile = await context.roles.profile(turn.actor.person.object_id)
    except TimeoutError:
        return ""
    return cleaned(profile.user_principal_name, _MAX_UPN) if profile else ""


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


async def _undecidable(
    context: Context, turn: Turn, verb: Verb, request: Request, denied: Denied
) -> ClickAnswer:
    if denied.reason is DenialReason.EXPIRED:
        # The click came before the deadlines loop: expire it now, so that the card says so.
        async with context.database.write() as tx:
            await lifecycle.expire(tx, context.notifications, request, context.clock())
        context.changed()
    return await denied_click(context, turn, verb, request, denied)


async def _changed(context: Context, turn: Turn, request: Request, differs: str) -> ClickAnswer:
    """What the card showed (`card`), or the rows (`rows`), have another digest than the request."""
    log.error("request.digest_mismatched", request=request.id, differs=differs)
    await audit_denial(context, turn, Verb.APPROVE.value, "digest-mismatched", request)
    return TextAnswer(context.words("approve-changed"))


async def _changed_since(context: Context, request: Request, inputs: Inputs) -> Sequence[Aspect]:
    """What the clicked card did not show as it is now."""
    if not inputs.given("shown"):
        # Cards posted by earlier versions: the overlap, or the reason for it.
        outdated = request.overlaps_version > inputs.number("version", 0)
        return [Aspect.OVERLAP] if outdated else []
    async with context.database.read() as tx:
        now = await shown.load(tx, request, context.clock())
    return changed(inputs.text("shown", MAX_CHARS), now)


async def _missing(context: Context, request: Request, inputs: Inputs) -> TextAnswer | None:
    """What is still to be done before approving: tick the box, or type the number of passwords."""
    async with context.database.read() as tx:
        included = await account_checks.included(tx, request.id)
    asked = acknowledgment.wanted(
        phones=request.ready_rows,
        against_checks=included > 0,
        typed_above=context.rules.typed_above,
    )
    if asked is Acknowledgment.TICK:
        ticked = inputs.ticked("acknowledge")
        return None if ticked else TextAnswer(context.words("approve-acknowledge"))
    typed = acknowledgment.typed_number(inputs.data.get("acknowledge"))
    if typed == request.accounts:
        return None
    number = "none" if typed is None else str(typed)
    return TextAnswer(context.words("approve-type-number", accounts=request.accounts, typed=number))


async def approve(context: Context, turn: Turn, request: Request, inputs: Inputs) -> ClickAnswer:
    decision = _may_decide(context, turn, request)
    if isinstance(decision, Denied):
        return await _undecidable(context, turn, Verb.APPROVE, request, decision)
    # Cards posted by earlier versions carry no digest.
    if inputs.given("digest") and not equal(inputs.text("digest", HEX_CHARS), request.digest):
        return await _changed(context, turn, request, "card")
    if outdated := await _changed_since(context, request, inputs):
        await audit_denial(context, turn, Verb.APPROVE.value, "card-outdated", request)
        if Aspect.WINDOWS in outdated:  # no transition has told the posted cards
            async with context.database.write() as tx:
                await lifecycle.redraw(tx, request)
            context.changed()
        return ShowCard(outdated)
    if missing := await _missing(context, request, inputs):
        return missing
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
        return await _changed(context, turn, request, "rows")
    if approved:
        if context.delegations is not None and tokens is not None:
            context.delegations.delegate(request.id, tokens)
        log.info("request.approved", request=request.id, approver=turn.actor.person.object_id)
    context.changed()
    return SHOW_CARD


async def reject(context: Context, turn: Turn, request: Request, inputs: Inputs) -> ClickAnswer:
    decision = _may_decide(context, turn, request)
    if isinstance(decision, Denied):
        return await _undecidable(context, turn, Verb.REJECT, request, decision)
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
