"""Pages of a request's phones, as cards show them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, func, or_, select

from bot.phones.region import Region
from bot.preflight.clocks import SAFE, SETTLES
from bot.signin.evidence import Evidence
from bot.signin.listing import UNUSUAL, Mark, PhoneFilter
from bot.signin.outcome import CAUSES, UNKNOWN, PhoneStatus
from bot.signin.snapshot import Page, PhoneSnapshot
from bot.store import evidence, sightings
from bot.store.conditions import Condition
from bot.store.database import Transaction
from bot.store.models.batches import BatchRow, SightingRow
from bot.store.models.requests import PhoneRow
from bot.store.statement import statement

PAGE_SIZE = 10  # items per page
_ESCAPE = "/"


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
    compared = Evidence.of_document(request.evidence).compared
    shape = _Shape(
        only_failed=only_failed,
        of_region=phone_filter.which in set(Region),
        by_prefix=bool(phone_filter.prefix),
        only_unusual=phone_filter.which == UNUSUAL and marked_at is not None,
        marked=marked_at is not None,
        compared=compared is not None,
    )
    at = marked_at or request.created_at  # which no statement without marks has
    values = (
        request.id,
        phone_filter.which,
        _escaped(phone_filter.prefix),
        at - SETTLES,
        at - SAFE,
        compared.request_id if compared else "",
    )
    total = (await tx.execute(*_count(*values, shape=shape))).scalar_one()
    number = nearest(page, total)
    rows = await tx.execute(*_page(*values, (number - 1) * PAGE_SIZE, shape=shape))
    return Page([snapshot_of(row) for row in rows], number, PAGE_SIZE, total)


@dataclass(frozen=True, slots=True)
class _Shape:
    """Which conditions the phones of a page meet, and whether they are marked."""

    only_failed: bool
    of_region: bool
    by_prefix: bool
    only_unusual: bool
    marked: bool
    compared: bool  #: with another request, for the marks


@statement
def _count(
    request_id: str,
    region: str,
    prefix: str,
    settles: datetime,
    safe: datetime,
    compared_id: str,
    *,
    shape: _Shape,
) -> Select[int]:
    marks = _marks(request_id, settles, safe, compared_id, shape)
    return select(func.count()).where(*_conditions(request_id, region, prefix, marks, shape))


@statement
def _page(
    request_id: str,
    region: str,
    prefix: str,
    settles: datetime,
    safe: datetime,
    compared_id: str,
    offset: int,
    *,
    shape: _Shape,
) -> Select[*tuple[Any, ...]]:
    marks = _marks(request_id, settles, safe, compared_id, shape)
    return (
        columns()
        .add_columns(*(condition.label(_label(mark)) for mark, condition in marks.items()))
        .where(*_conditions(request_id, region, prefix, marks, shape))
        .order_by(PhoneRow.number)
        .limit(PAGE_SIZE)
        .offset(offset)
    )


def _marks(
    request_id: str,
    settles: datetime,
    safe: datetime,
    compared_id: str,
    shape: _Shape,
) -> Mapping[Mark, ColumnElement[bool]]:
    if not shape.marked:
        return {}
    return evidence.marks(request_id, settles, safe, compared_id, compared=shape.compared)


def _conditions(
    request_id: str,
    region: str,
    prefix: str,
    marks: Mapping[Mark, ColumnElement[bool]],
    shape: _Shape,
) -> list[Condition]:
    conditions: list[Condition] = [PhoneRow.request_id == request_id, PhoneRow.ready]
    if shape.only_failed:
        conditions.append(PhoneRow.cause != "")
    if shape.of_region:
        conditions.append(PhoneRow.region == region)
    if shape.by_prefix:
        conditions.append(PhoneRow.account.startswith(prefix, escape=_ESCAPE))
    if shape.only_unusual:
        conditions.append(or_(*marks.values()))
    return conditions


def _escaped(prefix: str) -> str:
    """The prefix without wildcards, for LIKE."""
    for character in (_ESCAPE, "%", "_"):
        prefix = prefix.replace(character, _ESCAPE + character)
    return prefix
