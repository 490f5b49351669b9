"""Reviews of break-glass as rows. `bot.lifecycle.break_glass` has the transitions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, insert, select, update

from bot.signin.request import Person
from bot.signin.snapshot import Review
from bot.store.database import Transaction
from bot.store.models.approvals import ReviewRow
from bot.store.statement import statement


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
    row = (await tx.execute(*_of(request_id))).one_or_none()
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


@statement
def _of(request_id: str) -> Select[*tuple[Any, ...]]:
    return select(ReviewRow.__table__).where(ReviewRow.request_id == request_id)


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
    return list((await tx.execute(*_due_to_remind(now))).scalars())


@statement
def _due_to_remind(now: datetime) -> Select[str]:
    return (
        select(ReviewRow.request_id)
        .where(ReviewRow.remind_at <= now)
        .order_by(ReviewRow.remind_at, ReviewRow.request_id)
    )


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
    count, since = (await tx.execute(*_still_open())).one()
    return OpenReviews(count, since)


@statement
def _still_open() -> Select[int, datetime]:
    return select(func.count(), func.min(ReviewRow.used_at)).where(ReviewRow.reviewed_at.is_(None))
