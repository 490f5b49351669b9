"""Locks of write transactions on PostgreSQL, held until they end. SQLite has one writer and needs none.

A transaction takes them in this order, so no two wait for each other:

1. `slots` of a region, or `approvals` or `mends` of a tenant
2. `requests`, by id: before any of their batches, phones and mends is read to be changed, or changed
3. `remote_batch_ids` or `channels` of a tenant
4. the rows that it changes
5. `audit`, for the chain: `bot.store.audit` takes it just before the commit, so nothing follows

A transaction that changes one row only, such as a lease, needs no lock. What is deleted because it is old
is skipped while another transaction holds it (`bot.store.purge`).
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Select, select, text

from bot.phones.region import Region
from bot.store.database import Transaction
from bot.store.models.requests import RequestRow
from bot.store.statement import statement

_ADVISORY = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")


async def _advisory(tx: Transaction, *names: str) -> None:
    if tx.dialect.name == "postgresql":
        await tx.execute(_ADVISORY, {"name": "/".join(("offhook", *names))})


async def slots(tx: Transaction, tenant_id: str, region: Region) -> None:
    """One claim of a tenant's region at a time: slots are counted, then filled."""
    await _advisory(tx, "slots", tenant_id, region.value)


async def approvals(tx: Transaction, tenant_id: str) -> None:
    """One approval of a tenant at a time: it looks for phones that other running requests have, too."""
    await _advisory(tx, "approvals", tenant_id)


async def mends(tx: Transaction, tenant_id: str) -> None:
    """One mend of a tenant at a time is asked for or approved: it looks for others of the same accounts."""
    await _advisory(tx, "mends", tenant_id)


async def requests(tx: Transaction, *request_ids: str) -> None:
    """One transition of a request at a time, with its batches, phones and mends.

    What is read afterwards holds until the end of the transaction. Rows that refer to the request, such
    as audit events, can still be inserted by others.
    """
    if tx.dialect.name == "postgresql":
        await tx.execute(*_lock(request_ids))


@statement
def _lock(request_ids: Sequence[str]) -> Select[str]:
    return (
        select(RequestRow.id)
        .where(RequestRow.id.in_(request_ids))
        .order_by(RequestRow.id)
        .with_for_update(key_share=True)
    )


async def audit(tx: Transaction) -> None:
    """One transaction at a time appends to the chain of the audit."""
    await _advisory(tx, "audit")


async def remote_batch_ids(tx: Transaction, tenant_id: str) -> None:
    """One batch of a tenant at a time takes an ID of the SIP Gateway that no other batch has."""
    await _advisory(tx, "remote batch ids", tenant_id)


async def channels(tx: Transaction, tenant_id: str) -> None:
    """One change at a time to a tenant's channels, which are left and joined together with their team."""
    await _advisory(tx, "channels", tenant_id)
