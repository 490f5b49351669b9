"""What moves a waiting request along without deciding on it: reminders, nudges, escalation."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, tzinfo
from types import MappingProxyType
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, update

from bot.lifecycle.notifications import Notifications
from bot.signin.reminders import MOST, NUDGE_EVERY, allowed_at, next_reminder
from bot.signin.request import Person, RequestState
from bot.store import audit
from bot.store.database import Transaction
from bot.store.models.requests import RequestRow
from bot.store.requests import Request


def _waits(request: Request, *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    return and_(
        RequestRow.id == request.id, RequestRow.state == RequestState.WAITING.value, *conditions
    )


async def remind(
    tx: Transaction, notify: Notifications, request: Request, now: datetime, *, zone: tzinfo
) -> bool:
    """Remind the approvers of a waiting request; its state stays. `zone`: that of the approvers.

    Returns False if no reminder is due, for instance because another replica has just sent it, or if
    it has to wait: for the morning, or since they were reminded not long ago.
    """
    expires_at = request.expires_at
    if expires_at is None:
        return False
    due = RequestRow.remind_at <= now
    last = max(filter(None, (request.reminded_at, request.nudged_at)), default=None)
    at = allowed_at(now, last=last, expires_at=expires_at, zone=zone)
    if at > now or request.reminders >= MOST:
        later = request.reminders < MOST and at < expires_at
        await tx.execute(
            update(RequestRow).where(_waits(request, due)).values(remind_at=at if later else None)
        )
        return False
    sent = request.reminders + 1
    reminded = await tx.execute(
        update(RequestRow)
        .where(_waits(request, due))
        .values(
            remind_at=next_reminder(now, sent=sent, expires_at=expires_at, zone=zone),
            reminders=sent,
            reminded_at=now,
        )
    )
    if reminded.rowcount != 1:
        return False
    await audit.record(tx, request.id, "reminded", now, reminders=sent)
    await notify.reminded(tx, request, now)
    return True


async def nudge(
    tx: Transaction, notify: Notifications, request: Request, *, actor: Person, now: datetime
) -> bool:
    """Remind the approvers since the requester says so; its state stays.

    Returns False when the request has moved on, its time is over, or the last nudge is not an hour ago.
    """
    again = or_(RequestRow.nudged_at.is_(None), RequestRow.nudged_at <= now - NUDGE_EVERY)
    nudged = await tx.execute(
        update(RequestRow)
        .where(_waits(request, RequestRow.expires_at > now, again))
        .values(
            nudged_at=now,
            version=RequestRow.version + 1,
            state_version=RequestRow.state_version + 1,
        )
    )
    if nudged.rowcount == 1:
        await audit.record(tx, request.id, "nudged", now, actor)
        await notify.nudged(tx, request, now)
    return nudged.rowcount == 1


async def escalate(
    tx: Transaction,
    notify: Notifications,
    request: Request,
    now: datetime,
    *,
    after: timedelta,
    trail: Mapping[str, Any] = MappingProxyType({}),
) -> bool:
    """Those of an escalation become approvers of a waiting request, too; its state stays.

    `after`: how long others had it for themselves. `trail`: which escalation of which policy, for the
    audit. Returns False before, if it has moved on, or if it was escalated that far before.
    """
    if request.asked_at is None:
        return False
    less_far = RequestRow.escalated_at < request.asked_at + after
    due = and_(or_(RequestRow.escalated_at.is_(None), less_far), RequestRow.asked_at <= now - after)
    escalated = await tx.execute(
        update(RequestRow)
        .where(_waits(request, RequestRow.expires_at > now, due))
        .values(
            escalated_at=now,
            version=RequestRow.version + 1,
            state_version=RequestRow.state_version + 1,
        )
    )
    if escalated.rowcount == 1:
        await audit.record(tx, request.id, "escalated", now, **trail)
        await notify.escalated(tx, request, now)
    return escalated.rowcount == 1
