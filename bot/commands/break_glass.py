"""Clicks on break-glass: use it for one's own request, and review that somebody did."""

from __future__ import annotations

import structlog

from bot.commands import approval, delegation
from bot.commands.chat import TextAnswer
from bot.commands.context import (
    SHOW_CARD,
    ClickAnswer,
    Context,
    Turn,
    denied_click,
    facts_of,
)
from bot.commands.inputs import MAX_TEXT, Inputs
from bot.identity.delegations import ApproverTokens
from bot.identity.step_up import StepUp
from bot.lifecycle import break_glass as lifecycle
from bot.lifecycle.approvals import trail_of
from bot.lifecycle.requests import DigestMismatchError
from bot.signin import acknowledgment
from bot.signin.policy.decision import Decision
from bot.signin.policy.evaluator import may_break_glass, may_review
from bot.signin.request import MAX_TICKET
from bot.signin.shown import MAX_CHARS, kept
from bot.store.requests import Request
from cards.types import Verb

log = structlog.get_logger()


async def use(context: Context, turn: Turn, request: Request, inputs: Inputs) -> ClickAnswer:
    """Approve one's own request. Whatever stops an approval stops this, too."""
    now = context.clock()
    facts = await facts_of(context, turn, request)
    decision = may_break_glass(turn.policy, turn.own, facts, now=now)
    if not decision.allowed:
        return await approval.undecidable(context, turn, Verb.BREAK_GLASS, request, decision)
    if answer := await approval.outdated(context, turn, Verb.BREAK_GLASS, request, inputs):
        return answer
    if answer := _incomplete(context, request, inputs):
        return answer
    tokens: ApproverTokens | None = None
    step_up: StepUp | None = None
    if context.delegations is not None:
        outcome = await context.delegations.acquire(delegation.principal(turn), turn.proof)
        if not isinstance(outcome, ApproverTokens):
            await delegation.audit_denied(context, turn, Verb.BREAK_GLASS, request, outcome)
            return delegation.answer(context, outcome)
        step_up = outcome.step_up
        tokens = outcome if delegation.starts_soon(context, request) else None
    now = context.clock()
    until = delegation.vouched_until(context.delegations, now) if tokens else None
    try:
        async with context.database.write() as tx:
            used = await lifecycle.use(
                tx,
                context.notifications,
                request,
                policy=turn.policy,
                reason=inputs.text("reason", MAX_TEXT),
                ticket=inputs.text("ticket", MAX_TICKET),
                actor=turn.own,
                now=now,
                delegation_until=until,
                digests=context.digests,
                check_accounts=context.rules.check_accounts,
                trail=trail_of(step_up, kept(inputs.text("shown", MAX_CHARS))),
            )
    except DigestMismatchError:
        return await approval.digest_changed(context, turn, Verb.BREAK_GLASS, request, "rows")
    if isinstance(used, Decision):
        return await approval.undecidable(context, turn, Verb.BREAK_GLASS, request, used)
    if used:
        if context.delegations is not None and tokens is not None:
            context.delegations.delegate(request.id, tokens)
        log.warning("break_glass.used", request=request.id, person=turn.actor.person.object_id)
    context.changed()
    return SHOW_CARD


def _incomplete(context: Context, request: Request, inputs: Inputs) -> TextAnswer | None:
    """What to answer if the form is not complete."""
    if not inputs.text("reason", MAX_TEXT):
        return TextAnswer(context.words("break-glass-reason"))
    if not inputs.text("ticket", MAX_TICKET):
        return TextAnswer(context.words("break-glass-ticket"))
    if acknowledgment.typed_number(inputs.data.get("passwords")) != request.accounts:
        return TextAnswer(context.words("break-glass-passwords", accounts=request.accounts))
    if request.guarded_accounts and not inputs.ticked("confirm_guarded"):
        return TextAnswer(context.words("approve-confirm-guarded"))
    return None


async def review(context: Context, turn: Turn, request: Request, inputs: Inputs) -> ClickAnswer:
    """Confirm having seen that break-glass was used."""
    decision = may_review(turn.policy, turn.actor, await facts_of(context, turn, request))
    if not decision.allowed:
        return await denied_click(context, turn, Verb.REVIEW, request, decision)
    comment = inputs.text("comment", MAX_TEXT)
    if not comment:
        return TextAnswer(context.words("review-comment"))
    async with context.database.write() as tx:
        reviewed = await lifecycle.review(
            tx, request, comment=comment, actor=turn.actor.person, now=context.clock()
        )
    if reviewed:
        log.info("break_glass.reviewed", request=request.id, approver=turn.actor.person.object_id)
    context.changed()
    return SHOW_CARD
