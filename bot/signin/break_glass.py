"""Break-glass: named people approve their own request in an emergency, and another approver reviews it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from bot.signin.policy import ALLOWED, Actor, Decision, DenialReason, Denied, RequestFacts
from bot.signin.request import RequestState

#: Between reminders of a review that is open.
REVIEW_EVERY = timedelta(days=1)


def is_named(object_id: str, named: Collection[str]) -> bool:
    """Whether somebody may use break-glass. By object ID alone, so that it works without Graph."""
    return object_id.lower() in {each.lower() for each in named}


def may_break_glass(
    actor: Actor, request: RequestFacts, *, named: Collection[str], now: datetime
) -> Decision:
    """Approve one's own waiting request. `named`: object IDs of those who may."""
    if request.tenant_id != actor.tenant_id:
        return Denied(DenialReason.NO_SUCH_REQUEST)
    if actor.person.object_id != request.requester_id:
        return Denied(DenialReason.NOT_YOURS)
    if not is_named(actor.person.object_id, named):
        return Denied(DenialReason.NO_BREAK_GLASS)
    if request.state is not RequestState.WAITING:
        return Denied(DenialReason.ALREADY_DECIDED)
    if request.expires_at is not None and now >= request.expires_at:
        return Denied(DenialReason.EXPIRED)
    return ALLOWED


def may_review(
    actor: Actor, request: RequestFacts, *, used_by: str | None, reviewed: bool
) -> Decision:
    """Confirm having seen that break-glass was used: an approver other than the one who used it.

    `used_by`: object ID of that person; None if it was not used.
    """
    if request.tenant_id != actor.tenant_id:
        return Denied(DenialReason.NO_SUCH_REQUEST)
    if used_by is None:
        return Denied(DenialReason.NO_REVIEW)
    if actor.person.object_id == used_by:
        return Denied(DenialReason.OWN_REVIEW)
    if not actor.may_approve:
        return Denied(actor.not_approver)
    return Denied(DenialReason.REVIEWED) if reviewed else ALLOWED
