"""The way to a sign-in: ask for approval, approve, reject, withdraw.

Each handler answers with a sentence, or with None: then the clicker sees the card as it is now.
"""

from __future__ import annotations

from datetime import timedelta

import structlog

from bot.commands import delegation
from bot.commands.chat import Answer
from bot.commands.context import Context, Turn, denial
from bot.commands.inputs import Inputs
from bot.identity.delegations import ApproverTokens
from bot.phones import region
from bot.runner.deadlines import first_reminder
from bot.signin import policy
from bot.signin.policy import Denied
from bot.signin.request import RequestState
from bot.store import requests
from bot.store.requests import Request

log = structlog.get_logger()


async def request_approval(
    context: Context, turn: Turn, request: Request, inputs: Inputs
) -> str | None:
    decision = policy.may_request_approval(turn.actor, request.facts)
    if isinstance(decision, Denied):
        return None if decision.reason == "not-a-draft" else denial(context, decision)
    if request.ready_rows == 0:
        return context.words("ask-nothing-ready")
    # The card does not let go without the tick; a script that sends no box has left the rows out anyway.
    if request.ready_rows < request.total_rows and inputs.unticked("acknowledge"):
        return context.words("ask-leave-out", rows=request.total_rows - request.ready_rows)
    chosen = region.parse(inputs.text("region", 16))
    now = context.clock()
    expires_at = now + timedelta(seconds=context.rules.approval_ttl)
    async with context.database.write() as tx:
        if chosen is None and await requests.without_region(tx, request.id):
            return context.words("ask-region")
        moved = await requests.ask(
            tx,
            request.id,
            region=chosen,
            reason=inputs.text("reason", 300),
            expires_at=expires_at,
            remind_at=first_reminder(now, expires_at),
            now=now,
            actor=turn.actor.person,
        )
        asked = await requests.load(tx, request.id)
        if moved and asked is not None:
            await context.notifications.asked(tx, asked, now)
    context.changed()
    return None


async def withdraw(context: Context, turn: Turn, request: Request, inputs: Inputs) -> str | None:
    decision = policy.may_withdraw(turn.actor, request.facts)
    if isinstance(decision, Denied):
        return None if decision.reason == "too-late-to-withdraw" else denial(context, decision)
    async with context.database.write() as tx:
        await requests.withdraw(
            tx, request.id, request.state, actor=turn.actor.person, now=context.clock()
        )
    context.changed()
    return None


async def _undecidable(context: Context, turn: Turn, request: Request) -> tuple[bool, str | None]:
    """(True, answer) if this person cannot decide on this request now."""
    decision = policy.may_decide(
        turn.actor, request.facts, four_eyes=context.rules.four_eyes, now=context.clock()
    )
    if not isinstance(decision, Denied):
        return False, None
    if decision.reason == "expired":
        await context.deadlines.expire(request.id)
        return True, None
    if decision.reason == "already-decided":
        return True, None  # the card says who, what and when
    return True, denial(context, decision)


async def approve(
    context: Context, turn: Turn, request: Request, inputs: Inputs
) -> Answer | str | None:
    settled, answer = await _undecidable(context, turn, request)
    if settled:
        return answer
    if not inputs.ticked("acknowledge"):
        return context.words("approve-acknowledge")
    sign_in = await delegation.taken(context, turn)
    if sign_in is not None and not isinstance(sign_in, ApproverTokens):
        return sign_in
    now = context.clock()
    try:
        async with context.database.write() as tx:
            moved = await requests.approve(
                tx,
                request,
                comment=inputs.text("comment", 300),
                actor=turn.actor.person,
                now=now,
                delegation_until=delegation.until(context, now),
            )
            approved = await requests.load(tx, request.id)
            if moved and approved is not None:
                await context.notifications.approved(tx, approved, now)
    except requests.DigestMismatchError:
        log.error("request.digest_mismatch", request=request.id)  # noqa: TRY400
        return context.words("approve-changed")
    if moved:
        if context.delegations is not None and sign_in is not None:
            context.delegations.delegate(request.id, sign_in)
        log.info("request.approved", request=request.id, approver=turn.actor.person.object_id)
    context.changed()
    return None


async def reject(context: Context, turn: Turn, request: Request, inputs: Inputs) -> str | None:
    settled, answer = await _undecidable(context, turn, request)
    if settled:
        return answer
    comment = inputs.text("comment", 300)
    now = context.clock()
    async with context.database.write() as tx:
        moved = await requests.reject(
            tx, request.id, comment=comment, actor=turn.actor.person, now=now
        )
        rejected = await requests.load(tx, request.id)
        if moved and rejected is not None and rejected.state is RequestState.REJECTED:
            await context.notifications.rejected(tx, rejected, comment, now)
    context.changed()
    return None
