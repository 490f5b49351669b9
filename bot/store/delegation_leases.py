"""Which requests have an approver's delegation on some replica, and until when that is vouched for."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, Select, case, or_, select, update
from sqlalchemy.sql.dml import ReturningUpdate

from bot.signin.batch import BatchState
from bot.signin.request import Hold, RequestState
from bot.signin.schedule import NOTICE
from bot.store import locks
from bot.store.database import Transaction
from bot.store.models.batches import BatchRow
from bot.store.models.requests import RequestRow
from bot.store.statement import statement

_UNDER_WAY = (BatchState.INTENT.value, BatchState.SUBMITTED.value, BatchState.UNKNOWN.value)


def needed_to_send(soon: datetime) -> ColumnElement[bool]:
    """Requests that need a delegation for what is not sent yet: not those that are paused, until shortly
    before they go on. `soon`: in `NOTICE` from now."""
    return or_(RequestRow.hold != Hold.PAUSED.value, RequestRow.opens_at <= soon)


async def heartbeat(
    tx: Transaction, request_ids: Collection[str], until: datetime, now: datetime
) -> list[str]:
    """Renew the leases of delegations held here; returns the requests that still run, and need theirs."""
    await locks.requests(tx, *request_ids)
    return list((await tx.execute(*_renew(request_ids, until, now + NOTICE))).scalars())


@statement
def _renew(request_ids: Collection[str], until: datetime, soon: datetime) -> ReturningUpdate[str]:
    under_way = select(BatchRow.request_id).where(BatchRow.state.in_(_UNDER_WAY))
    was_wanted = case((RequestRow.delegation_wanted_since.is_not(None), 1), else_=0)
    return (
        update(RequestRow)
        .where(
            RequestRow.id.in_(request_ids),
            RequestRow.state == RequestState.RUNNING.value,
            or_(needed_to_send(soon), RequestRow.id.in_(under_way)),
        )
        .values(
            version=RequestRow.version + was_wanted,
            delegation_until=until,
            delegation_wanted_since=None,
        )
        .returning(RequestRow.id)
    )


async def tenants(tx: Transaction, now: datetime) -> frozenset[str]:
    """Ids of the tenants for which some replica holds a delegation."""
    return frozenset((await tx.execute(*_tenants(now))).scalars())


@statement
def _tenants(now: datetime) -> Select[str]:
    return (
        select(RequestRow.tenant_id)
        .where(RequestRow.state == RequestState.RUNNING.value, RequestRow.delegation_until > now)
        .distinct()
    )


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
