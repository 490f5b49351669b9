"""What is known about conversations and what was done lately, for those who look after the service."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from bot.store.database import Transaction
from bot.store.models import ConversationRow, EventRow


@dataclass(frozen=True, slots=True)
class Heard:
    """How many conversations have ever written to us, and when one did last."""

    conversations: int
    latest: datetime | None


@dataclass(frozen=True, slots=True)
class Action:
    """A line of the audit, without who and without the values."""

    at: datetime
    action: str


async def heard(tx: Transaction) -> Heard:
    row = (
        await tx.execute(
            select(func.count().label("conversations"), func.max(ConversationRow.seen_at))
        )
    ).one()
    return Heard(row[0], row[1])


async def known(tx: Transaction, conversations: Collection[str]) -> frozenset[str]:
    """Those of `conversations` that have written to us."""
    rows = await tx.execute(
        select(ConversationRow.id).where(ConversationRow.id.in_(tuple(conversations)))
    )
    return frozenset(row.id for row in rows)


async def recent_actions(tx: Transaction, most: int) -> list[Action]:
    """The newest lines of the audit, the newest first."""
    rows = await tx.execute(
        select(EventRow.at, EventRow.action).order_by(EventRow.id.desc()).limit(most)
    )
    return [Action(row.at, row.action) for row in rows]
