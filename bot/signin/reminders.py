"""When approvers are reminded of a waiting request, and when its requester may remind them.

Reminders become rarer towards the end: an approver who has not looked for hours does not look sooner for
being told every hour. They leave people their nights, unless the request would expire before the morning.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, tzinfo

MOST = 4  #: reminders of one request
SPACING = timedelta(hours=4)
NIGHT_BEGINS, NIGHT_ENDS = time(20), time(7)
NUDGE_EVERY = timedelta(hours=1)
REVIEW_EVERY = timedelta(days=1)  #: between reminders that a review of break-glass is open
_NEXT = 0.75  # of the remaining time: when it is over, the next reminder is due
_LAST = timedelta(hours=1)  # before the end: no further reminder


def daytime(at: datetime, zone: tzinfo) -> datetime:
    """`at` itself if it is not at night in the zone, else the end of that night, in UTC."""
    local = at.astimezone(zone)
    if NIGHT_ENDS <= local.time() < NIGHT_BEGINS:
        return at
    day = local.date() + timedelta(days=local.time() >= NIGHT_BEGINS)
    return datetime.combine(day, NIGHT_ENDS, zone).astimezone(UTC)


def allowed_at(
    at: datetime, *, last: datetime | None, expires_at: datetime, zone: tzinfo
) -> datetime:
    """The first moment from `at` on when approvers may be reminded; from `expires_at` on, it is too late.

    `last`: when they were reminded last, also by the requester; None if never.
    """
    if last is not None:
        at = max(at, last + SPACING)
    morning = daytime(at, zone)
    return at if expires_at <= morning else morning


def next_reminder(
    now: datetime, *, sent: int, expires_at: datetime, zone: tzinfo
) -> datetime | None:
    """When to remind approvers again after a reminder `now`, the one of number `sent`; None if it was the
    last."""
    due_at = now + (expires_at - now) * _NEXT
    if sent >= MOST or expires_at - due_at < _LAST:
        return None
    due_at = allowed_at(due_at, last=now, expires_at=expires_at, zone=zone)
    return due_at if due_at < expires_at else None
