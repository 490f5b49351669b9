"""The audit: who did what to which request, and when. Lines are appended, never changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, select

from bot.signin.request import Person
from bot.store.database import Transaction
from bot.store.models import EventRow


@dataclass(frozen=True, slots=True)
class AuditedAction:
    """A line of the audit, without the person and the values."""

    at: datetime  #: UTC
    action: str


async def record(
    tx: Transaction,
    request_id: str | None,
    action: str,
    now: datetime,
    actor: Person | None = None,
    **detail: Any,
) -> None:
    """Append a line. `request_id` is None if there is no request, `actor` for what Offhook did by itself;
    `detail` must be JSON-safe."""
    person = actor or Person("", "")
    await tx.execute(
        insert(EventRow).values(
            request_id=request_id,
            at=now,
            actor_id=person.object_id,
            actor_name=person.name,
            action=action,
            detail=detail,
        )
    )


async def count_since(tx: Transaction, actor: Person, action: str, since: datetime) -> int:
    """How many lines there are of this action by this person after `since`."""
    counted = await tx.execute(
        select(func.count()).where(
            EventRow.actor_id == actor.object_id, EventRow.at > since, EventRow.action == action
        )
    )
    return counted.scalar_one()


async def record_once(
    tx: Transaction, request_id: str, action: str, now: datetime, **detail: Any
) -> bool:
    """Append a line about what Offhook did, unless one with the same detail is there already.

    Returns whether it was appended.
    """
    lines = await tx.execute(
        select(EventRow.detail).where(EventRow.request_id == request_id, EventRow.action == action)
    )
    if detail in lines.scalars().all():
        return False
    await record(tx, request_id, action, now, **detail)
    return True


async def recent_actions(tx: Transaction, limit: int) -> list[AuditedAction]:
    """The newest lines, newest first."""
    rows = await tx.execute(
        select(EventRow.at, EventRow.action).order_by(EventRow.id.desc()).limit(limit)
    )
    return [AuditedAction(row.at, row.action) for row in rows]
