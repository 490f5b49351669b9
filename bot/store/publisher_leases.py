"""Which replica writes to a conversation: one at a time, and another one after its lease expired."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, or_
from sqlalchemy.dialects import postgresql, sqlite

from bot.store.database import Transaction
from bot.store.models.chat import PublisherLeaseRow


async def acquire(
    tx: Transaction, key: str, *, owner: str, now: datetime, lease_until: datetime
) -> bool:
    """Take or renew the lease of a conversation (`Post.rate_limit_key`).

    Returns False while another replica holds it.
    """
    insert_into = sqlite.insert if tx.dialect.name == "sqlite" else postgresql.insert
    columns = {"owner": owner, "lease_until": lease_until}
    acquired = await tx.execute(
        insert_into(PublisherLeaseRow)
        .values(key=key, **columns)
        .on_conflict_do_update(
            index_elements=[PublisherLeaseRow.key],
            set_=columns,
            where=or_(PublisherLeaseRow.owner == owner, PublisherLeaseRow.lease_until <= now),
        )
        .returning(PublisherLeaseRow.key)
    )
    return acquired.one_or_none() is not None


async def release(tx: Transaction, owner: str) -> None:
    """End all leases of a replica, which stops."""
    await tx.execute(delete(PublisherLeaseRow).where(PublisherLeaseRow.owner == owner))
