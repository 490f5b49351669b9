"""Pages of a request's phones, as cards show them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Row, or_, select

from bot.phones.region import Region
from bot.signin.listing import UNUSUAL, Mark, PhoneFilter
from bot.signin.outcome import CAUSES, UNKNOWN, PhoneStatus
from bot.signin.snapshot import Page, PhoneSnapshot
from bot.store import evidence, sightings
from bot.store.conditions import Condition, count
from bot.store.database import Transaction
from bot.store.models.batches import BatchRow, SightingRow
from bot.store.models.requests import PhoneRow

PAGE_SIZE = 10  # items per page


def columns() -> Any:
    """A query for rows of phones; `snapshot_of` reads them."""
    return (
        select(
            PhoneRow.number,
            PhoneRow.username,
            PhoneRow.hardware_id,
            PhoneRow.region,
            PhoneRow.ready,
            PhoneRow.status,
            PhoneRow.message,
            PhoneRow.cause,
            PhoneRow.provisioned_at,
            BatchRow.remote_batch_id,
            *sightings.PHONE_COLUMNS,
        )
        .outerjoin(BatchRow, BatchRow.id == PhoneRow.batch_id)
        .outerjoin(SightingRow, SightingRow.batch_id == PhoneRow.batch_id)
    )


def snapshot_of(row: Row[Any]) -> PhoneSnapshot:
    return PhoneSnapshot(
        row=row.number,
        username=row.username,
        hardware_id=row.hardware_id,
        region=Region(row.region) if row.region else None,
        status=PhoneStatus(row.status),
        message=row.message,
        cause=CAUSES.get(row.cause, UNKNOWN) if row.cause else None,
        remote_batch_id=row.remote_batch_id or "",
        provisioned_at=row.provisioned_at,
        sighting=sightings.sighting_of(row),
        marks=[mark for mark in Mark if getattr(row, _label(mark), False)],
    )


def _label(mark: Mark) -> str:
    return f"mark_{mark.value}"


def nearest(page: int, total: int) -> int:
    """The nearest page that exists, since clients choose the page."""
    return min(max(page, 1), max(1, -(-total // PAGE_SIZE)))


async def load(
    tx: Transaction,
    request: Row[Any],
    page: int,
    *,
    only_failed: bool,
    phone_filter: PhoneFilter,
    marked_at: datetime | None,
) -> Page[PhoneSnapshot]:
    """A page of the ready phones of a request, given its row. `marked_at`: UTC time for which they are
    marked as unusual; None for no marks, and no filter for them."""
    conditions: list[Condition] = [PhoneRow.request_id == request.id, PhoneRow.ready]
    if only_failed:
        conditions.append(PhoneRow.cause != "")
    if phone_filter.which in set(Region):
        conditions.append(PhoneRow.region == phone_filter.which)
    if phone_filter.prefix:
        conditions.append(PhoneRow.account.startswith(phone_filter.prefix, autoescape=True))
    marks = evidence.marks(request, marked_at) if marked_at else {}
    if phone_filter.which == UNUSUAL and marks:
        conditions.append(or_(*marks.values()))
    total = await count(tx, *conditions)
    number = nearest(page, total)
    rows = await tx.execute(
        columns()
        .add_columns(*(condition.label(_label(mark)) for mark, condition in marks.items()))
        .where(*conditions)
        .order_by(PhoneRow.number)
        .limit(PAGE_SIZE)
        .offset((number - 1) * PAGE_SIZE)
    )
    return Page([snapshot_of(row) for row in rows], number, PAGE_SIZE, total)
