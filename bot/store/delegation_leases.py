"""Which requests have an approver's delegation on some replica, and until when that is vouched for."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import case, select, update

from bot.signin.request import RequestState
from bot.store import locks
from bot.store.database import Transaction
from bot.store.models.requests import RequestRow


async def heartbeat(tx: Transaction, request_ids: Collection[str], until: datetime) -> list[str]:
    """Renew the leases of delegations held here; returns the requests that still run."""
    await locks.requests(tx, *request_ids)
    was_wanted = case((RequestRow.delegation_wanted_since.is_not(None), 1), else_=0)
    rows = await tx.execute(
        update(RequestRow)
        .where(RequestRow.id.in_(request_ids), RequestRow.state == RequestState.RUNNING.value)
        .values(
            version=RequestRow.version + was_wanted,
            delegation_until=until,
            delegation_wanted_since=None,
        )
        .returning(RequestRow.id)
    )
    return list(rows.scalars())


async def tenants(tx: Transaction, now: datetime) -> frozenset[str]:
    """Ids of the tenants for which some replica holds a delegation."""
    rows = await tx.execute(
        select(RequestRow.tenant_id)
        .where(RequestRow.state == RequestState.RUNNING.value, RequestRow.delegation_until > now)
        .distinct()
    )
    return frozenset(rows.scalars())


async def end(tx: Transaction, request_ids: Collection[str] | None = None) -> None:
    """No delegation is held any more for these requests; None: for any."""
    of_requests = () if request_ids is None else (RequestRow.id.in_(request_ids),)
    if request_ids is not None:
        await locks.requests(tx, *request_ids)
    await tx.execute(
        update(RequestRow)
        .where(RequestRow.delegation_until.is_not(None), *of_requests)
        .values(delegation_until=None)
    )
