"""What moves a waiting request along without deciding on it: reminders, nudges, escalation."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, tzinfo
from types import MappingProxyType
from typing import Any

from sqlalchemy import ColumnElement, Update, and_, or_, update

from bot.lifecycle.notifications import Notifications
from bot.signin.reminders import MOST, NUDGE_EVERY, allowed_at, next_reminder
from bot.signin.request import Person, RequestState
from bot.store import audit
from bot.store.database import Transaction
from bot.store.models.requests import RequestRow
from bot.store.requests import Request
from bot.store.statement import statement


def _waits(request_id: str, *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    return and_(
        RequestRow.id == request_id, RequestRow.state == RequestState.WAITING.value, *conditions
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
    last = max(filter(None, (request.reminded_at, request.nudged_at)), default=None)
    at = allowed_at(now, last=last, expires_at=expires_at, zone=zone)
    if at > now or request.reminders >= MOST:
        later = request.reminders < MOST and at < expires_at
        await tx.execute(*_put_off(request.id, now, at if later else None))
        return False
    sent = request.reminders + 1
    following = next_reminder(now, sent=sent, expires_at=expires_at, zone=zone)
    if (await tx.execute(*_remind(request.id, now, following, sent))).rowcount != 1:
        return False
    await audit.record(tx, request.id, "reminded", now, reminders=sent)
    await notify.reminded(tx, request, now)
    return True


@statement
def _put_off(request_id: str, now: datetime, at: datetime | None) -> Update:
    return (
        update(RequestRow)
        .where(_waits(request_id, RequestRow.remind_at <= now))
        .values(remind_at=at)
    )


@statement
def _remind(request_id: str, now: datetime, following: datetime | None, sent: int) -> Update:
    return (
        update(RequestRow)
        .where(_waits(request_id, RequestRow.remind_at <= now))
        .values(remind_at=following, reminders=sent, reminded_at=now)
    )


async def nudge(
    tx: Transaction, notify: Notifications, request: Request, *, actor: Person, now: datetime
) -> bool:
    """Remind the approvers since the requester says so; its state stays.

    Returns False when the request has moved on, its time is over, or the last nudge is not an hour ago.
    """
    nudged = await tx.execute(*_nudge(request.id, now, now - NUDGE_EVERY))
    if nudged.rowcount == 1:
        await audit.record(tx, request.id, "nudged", now, actor)
        await notify.nudged(tx, request, now)
    return nudged.rowcount == 1


@statement
def _nudge(request_id: str, now: datetime, before: datetime) -> Update:
    again = or_(RequestRow.nudged_at.is_(None), RequestRow.nudged_at <= before)
    return (
        update(RequestRow)
        .where(_waits(request_id, RequestRow.expires_at > now, again))
        .values(
            nudged_at=now,
            version=RequestRow.version + 1,
            state_version=RequestRow.state_version + 1,
        )
    )


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
    escalated = await tx.execute(*_escalate(request.id, now, now - after, request.asked_at + after))
    if escalated.rowcount == 1:
        await audit.record(tx, request.id, "escalated", now, **trail)
        await notify.escalated(tx, request, now)
    return escalated.rowcount == 1


@statement
def _escalate(request_id: str, now: datetime, asked_by: datetime, due_at: datetime) -> Update:
    less_far = RequestRow.escalated_at < due_at
    due = and_(or_(RequestRow.escalated_at.is_(None), less_far), RequestRow.asked_at <= asked_by)
    return (
        update(RequestRow)
        .where(_waits(request_id, RequestRow.expires_at > now, due))
        .values(
            escalated_at=now,
            version=RequestRow.version + 1,
            state_version=RequestRow.state_version + 1,
        )
    )
