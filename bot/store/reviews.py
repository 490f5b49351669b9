"""Reviews of break-glass as rows. `bot.lifecycle.break_glass` has the transitions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, insert, select, update

from bot.signin.request import Person
from bot.signin.snapshot import Review
from bot.store.database import Transaction
from bot.store.models.approvals import ReviewRow


@dataclass(frozen=True, slots=True)
class OpenReviews:
    count: int
    since: datetime | None  #: UTC; of the oldest, None if there is none


async def add(
    tx: Transaction,
    request_id: str,
    *,
    reason: str,
    ticket: str,
    votes: int,
    actor: Person,
    now: datetime,
    remind_at: datetime,
) -> None:
    """Break-glass was used for a request, so its review is open. `votes`: those that it passed over."""
    await tx.execute(
        insert(ReviewRow).values(
            request_id=request_id,
            used_by_id=actor.object_id,
            used_by_name=actor.name,
            used_at=now,
            reason=reason,
            ticket=ticket,
            votes=votes,
            remind_at=remind_at,
        )
    )


async def load(tx: Transaction, request_id: str) -> Review | None:
    """None if break-glass was not used for the request."""
    rows = await tx.execute(select(ReviewRow.__table__).where(ReviewRow.request_id == request_id))
    row = rows.one_or_none()
    if row is None:
        return None
    reviewer = Person(row.reviewed_by_id, row.reviewed_by_name)
    return Review(
        Person(row.used_by_id, row.used_by_name),
        row.used_at,
        row.reason,
        row.ticket,
        reviewer if row.reviewed_at is not None else None,
        row.reviewed_at,
        row.comment,
        row.votes,
    )


async def close(
    tx: Transaction, request_id: str, *, comment: str, actor: Person, now: datetime
) -> bool:
    """Returns False if it is not open, or by the same person who used break-glass."""
    closed = await tx.execute(
        update(ReviewRow)
        .where(
            ReviewRow.request_id == request_id,
            ReviewRow.reviewed_at.is_(None),
            ReviewRow.used_by_id != actor.object_id,
        )
        .values(
            reviewed_by_id=actor.object_id,
            reviewed_by_name=actor.name,
            reviewed_at=now,
            comment=comment,
            remind_at=None,
        )
    )
    return closed.rowcount == 1


async def due_to_remind(tx: Transaction, now: datetime) -> list[str]:
    """IDs of the requests whose open review approvers are to be reminded of."""
    rows = await tx.execute(
        select(ReviewRow.request_id)
        .where(ReviewRow.remind_at <= now)
        .order_by(ReviewRow.remind_at, ReviewRow.request_id)
    )
    return list(rows.scalars())


async def remind_again(
    tx: Transaction, request_id: str, now: datetime, remind_at: datetime
) -> bool:
    """Returns False if no reminder is due, for instance because another replica has just sent it."""
    moved = await tx.execute(
        update(ReviewRow)
        .where(ReviewRow.request_id == request_id, ReviewRow.remind_at <= now)
        .values(remind_at=remind_at)
    )
    return moved.rowcount == 1


async def still_open(tx: Transaction) -> OpenReviews:
    rows = await tx.execute(
        select(func.count(), func.min(ReviewRow.used_at)).where(ReviewRow.reviewed_at.is_(None))
    )
    count, since = rows.one()
    return OpenReviews(count, since)
