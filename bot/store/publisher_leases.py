"""Which replica writes to a conversation: one at a time, and another one after its lease expired."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, or_
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects import sqlite as sqlite_dialect
from sqlalchemy.sql.dml import ReturningInsert

from bot.store.database import Transaction
from bot.store.models.chat import PublisherLeaseRow
from bot.store.statement import statement


async def acquire(
    tx: Transaction, key: str, *, owner: str, now: datetime, lease_until: datetime
) -> bool:
    """Take or renew the lease of a conversation (`Post.rate_limit_key`).

    Returns False while another replica holds it.
    """
    acquired = await tx.execute(
        *_acquire(key, owner, now, lease_until, sqlite=tx.dialect.name == "sqlite")
    )
    return acquired.one_or_none() is not None


@statement
def _acquire(
    key: str, owner: str, now: datetime, lease_until: datetime, *, sqlite: bool
) -> ReturningInsert[str]:
    insert_into = sqlite_dialect.insert if sqlite else postgresql.insert
    columns = {"owner": owner, "lease_until": lease_until}
    return (
        insert_into(PublisherLeaseRow)
        .values(key=key, **columns)
        .on_conflict_do_update(
            index_elements=[PublisherLeaseRow.key],
            set_=columns,
            where=or_(PublisherLeaseRow.owner == owner, PublisherLeaseRow.lease_until <= now),
        )
        .returning(PublisherLeaseRow.key)
    )


async def release(tx: Transaction, owner: str) -> None:
    """End all leases of a replica, which stops."""
    await tx.execute(delete(PublisherLeaseRow).where(PublisherLeaseRow.owner == owner))
