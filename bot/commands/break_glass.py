"""Clicks on break-glass: use it for one's own request, and review that somebody did."""

from __future__ import annotations

import structlog

from bot.commands import approval, delegation
from bot.commands.chat import TextAnswer
from bot.commands.context import SHOW_CARD, ClickAnswer, Context, Turn, denied_click
from bot.commands.inputs import Inputs
from bot.identity.delegations import ApproverTokens
from bot.lifecycle import break_glass as lifecycle
from bot.lifecycle.requests import DigestMismatchError
from bot.signin.break_glass import may_break_glass, may_review
from bot.signin.digest import HEX_CHARS, equal
from bot.signin.policy import Denied
from bot.store import reviews
from bot.store.requests import Request
from cards.types import Verb

log = structlog.get_logger()

_MAX_TEXT = 300  # characters of a reason or a comment
_MAX_TICKET = 60


async def use(context: Context, turn: Turn, request: Request, inputs: Inputs) -> ClickAnswer:
    """Approve one's own request. Whatever stops an approval stops this, too."""
    now = context.clock()
    decision = may_break_glass(turn.actor, request.facts, named=context.rules.break_glass, now=now)
    if isinstance(decision, Denied):
        return await approval.undecidable(context, turn, Verb.BREAK_GLASS, request, decision)
    if not equal(inputs.text("digest", HEX_CHARS), request.digest):
        return await approval.digest_changed(context, turn, request, "card", Verb.BREAK_GLASS)
    if request.overlaps_version > inputs.number("version", 0):
        return SHOW_CARD  # the clicked card did not show the overlap, or not the reason for it
    if answer := _incomplete(context, request, inputs):
        return answer
    tokens: ApproverTokens | None = None
    if context.delegations is not None:
        outcome = await context.delegations.acquire(delegation.principal(turn), turn.proof)
        if not isinstance(outcome, ApproverTokens):
            await delegation.audit_denied(context, turn, Verb.BREAK_GLASS, request, outcome)
            return delegation.answer(context, outcome)
        tokens = outcome
    now = context.clock()
    try:
        async with context.database.write() as tx:
            used = await lifecycle.use(
                tx,
                context.notifications,
                request,
                reason=inputs.text("reason", _MAX_TEXT),
                ticket=inputs.text("ticket", _MAX_TICKET),
                actor=turn.actor.person,
                now=now,
                delegation_until=delegation.vouched_until(context, now),
                digests=context.digests,
                check_accounts=context.rules.check_accounts,
            )
    except DigestMismatchError:
        return await approval.digest_changed(context, turn, request, "rows", Verb.BREAK_GLASS)
    if used:
        if context.delegations is not None and tokens is not None:
            context.delegations.delegate(request.id, tokens)
        log.warning("break_glass.used", request=request.id, person=turn.actor.person.object_id)
    context.changed()
    return SHOW_CARD


def _incomplete(context: Context, request: Request, inputs: Inputs) -> TextAnswer | None:
    """What to answer if the form is not complete."""
    if not inputs.text("reason", _MAX_TEXT):
        return TextAnswer(context.words("break-glass-reason"))
    if not inputs.text("ticket", _MAX_TICKET):
        return TextAnswer(context.words("break-glass-ticket"))
    if inputs.number("passwords", 0) != request.accounts:
        return TextAnswer(context.words("break-glass-passwords", accounts=request.accounts))
    if request.guarded_accounts and not inputs.ticked("confirm_guarded"):
        return TextAnswer(context.words("approve-confirm-guarded"))
    return None


async def review(context: Context, turn: Turn, request: Request, inputs: Inputs) -> ClickAnswer:
    """Confirm having seen that break-glass was used."""
    async with context.database.read() as tx:
        found = await reviews.load(tx, request.id)
    decision = may_review(
        turn.actor,
        request.facts,
        used_by=found.used_by.object_id if found else None,
        reviewed=found is not None and found.reviewed_at is not None,
    )
    if isinstance(decision, Denied):
        return await denied_click(context, turn, Verb.REVIEW, request, decision)
    comment = inputs.text("comment", _MAX_TEXT)
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
