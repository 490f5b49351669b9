"""Slots: how many batches of a region may be sent now, and which."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select

from bot.phones.region import Region
from bot.signin.batch import MAX_BATCHES_PER_REGION, SLOT_HOLDING_STATES, BatchState
from bot.signin.request import Hold, RequestState
from bot.store.batches import of_requests
from bot.store.database import Transaction
from bot.store.models.batches import BatchRow
from bot.store.models.requests import RequestRow
from bot.store.statement import statement

_HOLDING = tuple(state.value for state in SLOT_HOLDING_STATES)
_DOUBTFUL = (BatchState.UNKNOWN, BatchState.NEEDS_PERSON)
_MAX_DOUBTFUL = 2  # of a region, before no more is sent there


def _sendable(
    now: datetime, request_ids: Collection[str], *, of_all: bool
) -> tuple[ColumnElement[bool], ...]:
    paused = select(RequestRow.id).where(RequestRow.hold == Hold.PAUSED.value)
    return (
        BatchRow.state == BatchState.PLANNED.value,
        or_(BatchRow.not_before.is_(None), BatchRow.not_before <= now),
        BatchRow.request_id.not_in(paused),
        *of_requests(None if of_all else request_ids),
    )


async def regions_with_work(
    tx: Transaction, now: datetime, *, only: Collection[str] | None = None
) -> list[tuple[str, Region]]:
    """Tenants and regions with a free slot and a batch that may be sent now.

    `only`: batches of these requests; None for all.
    """
    rows = await tx.execute(*_regions_with_work(now, only or (), of_all=only is None))
    return [(tenant_id, Region(region)) for tenant_id, region in rows]


@statement
def _regions_with_work(
    now: datetime, request_ids: Collection[str], *, of_all: bool
) -> Select[str, str]:
    holding = BatchRow.state.in_(_HOLDING)
    sendable = and_(*_sendable(now, request_ids, of_all=of_all))
    return (
        select(BatchRow.tenant_id, BatchRow.region)
        .where(or_(holding, sendable))
        .group_by(BatchRow.tenant_id, BatchRow.region)
        .having(
            func.count(case((holding, 1))) < MAX_BATCHES_PER_REGION,
            func.count(case((sendable, 1))) > 0,
        )
        .order_by(BatchRow.tenant_id, BatchRow.region)
    )


async def next_to_send(
    tx: Transaction,
    tenant_id: str,
    region: Region,
    now: datetime,
    *,
    only: Collection[str] | None = None,
) -> dict[int, str]:
    """The batches that fill the region's free slots, by id, each with the id of its request.

    Requests take turns: the one with the fewest open batches in the region is next; of several, the one
    that has waited longest since its latest submit there, or since its approval if it had none.

    None while the region is held: by a batch that was put back and has to wait (the SIP Gateway
    throttles, denies or does not answer: others would fare the same), or by two of unknown outcome.
    """
    counted = await tx.execute(*_by_state(tenant_id, region.value))
    by_state = {BatchState(state): count for state, count in counted}
    doubtful = sum(by_state.get(state, 0) for state in _DOUBTFUL)
    free_slots = MAX_BATCHES_PER_REGION - sum(
        by_state.get(state, 0) for state in SLOT_HOLDING_STATES
    )
    if free_slots <= 0 or doubtful >= _MAX_DOUBTFUL:
        return {}
    if (await tx.execute(*_put_back(tenant_id, region.value, now))).scalar_one():
        return {}
    rows = await tx.execute(
        *_next_to_send(
            tenant_id,
            region.value,
            now,
            only or (),
            free_slots,
            of_all=only is None,
        )
    )
    return {row.id: row.request_id for row in rows}


def _of_region(tenant_id: str, region: str) -> tuple[ColumnElement[bool], ...]:
    return (BatchRow.tenant_id == tenant_id, BatchRow.region == region)


@statement
def _by_state(tenant_id: str, region: str) -> Select[str, int]:
    return (
        select(BatchRow.state, func.count())
        .where(*_of_region(tenant_id, region))
        .group_by(BatchRow.state)
    )


@statement
def _put_back(tenant_id: str, region: str, now: datetime) -> Select[int]:
    return select(func.count()).where(
        *_of_region(tenant_id, region),
        BatchRow.state == BatchState.PLANNED.value,
        BatchRow.not_before > now,
        BatchRow.last_error != "",
    )


@statement
def _next_to_send(
    tenant_id: str,
    region: str,
    now: datetime,
    request_ids: Collection[str],
    limit: int,
    *,
    of_all: bool,
) -> Select[int, str]:
    running = select(RequestRow.id).where(RequestRow.state == RequestState.RUNNING.value)
    in_region = (
        select(
            BatchRow.request_id,
            func.count(case((BatchRow.state.in_(_HOLDING), 1))).label("open_batches"),
            func.max(BatchRow.sent_at).label("latest_submit"),
        )
        .where(*_of_region(tenant_id, region), BatchRow.request_id.in_(running))
        .group_by(BatchRow.request_id)
        .subquery()
    )
    place_in_request = func.row_number().over(
        partition_by=BatchRow.request_id, order_by=BatchRow.id
    )
    return (
        select(BatchRow.id, BatchRow.request_id)
        .join(RequestRow, RequestRow.id == BatchRow.request_id)
        .join(in_region, in_region.c.request_id == BatchRow.request_id)
        .where(
            *_sendable(now, request_ids, of_all=of_all),
            *_of_region(tenant_id, region),
            RequestRow.state == RequestState.RUNNING.value,
        )
        .order_by(
            in_region.c.open_batches + place_in_request,
            func.coalesce(in_region.c.latest_submit, RequestRow.decided_at),
            RequestRow.decided_at,
            BatchRow.id,
        )
        .limit(limit)
    )
