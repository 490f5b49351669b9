"""Overlaps of a request with others of its tenant: found in the tables, and kept as they were shown."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Delete,
    Select,
    and_,
    case,
    delete,
    distinct,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    union_all,
)
from sqlalchemy.orm import aliased

from bot.phones.issue import Column
from bot.signin import overlap
from bot.signin.outcome import PhoneStatus
from bot.signin.overlap import Overlap
from bot.signin.request import RequestState
from bot.store.conditions import Condition
from bot.store.database import Transaction
from bot.store.models.requests import OverlapRow, PhoneRow, RequestRow
from bot.store.statement import statement

_MAX_EXAMPLES = 3  # accounts named per other request
_NAMED = 3  # other requests with examples: cards show no more
_MAX_RETRIES = 100  # further back nobody looks


_mine = aliased(PhoneRow, name="mine")
_theirs = aliased(PhoneRow, name="theirs")


@dataclass(frozen=True, slots=True)
class OverlappingRow:
    """One value of a row that another request has, too."""

    row: int
    column: Column
    value: str
    other: Overlap  #: without examples


async def find(
    tx: Transaction, request_id: str, now: datetime, *, tenant_id: str, retry_of: str
) -> list[Overlap]:
    """What the request has in common with others right now, the most pressing first.

    One lookup by index for each account and each hardware ID of the request. A request that this one
    retries does not count: taking over its phones is what a retry is for.
    """
    own = [request_id, *await retried(tx, retry_of)]
    rows = await tx.execute(*_found(request_id, tenant_id, own, now - overlap.RECENT))
    found = overlap.most_pressing_first(
        Overlap(
            row.id,
            row.requester_id,
            RequestState(row.state),
            row.since or now,
            row.accounts,
            row.phones,
        )
        for row in rows
    )
    named: list[Overlap] = []
    for each in found[:_NAMED]:
        examples = await tx.execute(*_examples(request_id, each.request_id))
        named.append(replace(each, examples=examples.scalars().all()))
    return [*named, *found[_NAMED:]]


@statement
def _found(
    request_id: str, tenant_id: str, own: Sequence[str], recent: datetime
) -> Select[*tuple[Any, ...]]:
    found_hits = hits(request_id, tenant_id, own, recent).subquery()
    since = case(
        (RequestRow.state == RequestState.WAITING.value, RequestRow.asked_at),
        (RequestRow.state == RequestState.RUNNING.value, RequestRow.decided_at),
        else_=RequestRow.finished_at,
    )
    return (
        select(
            RequestRow.id,
            RequestRow.requester_id,
            RequestRow.state,
            since.label("since"),
            func.count(distinct(found_hits.c.account)).label("accounts"),
            func.count(distinct(found_hits.c.phone)).label("phones"),
        )
        .join(found_hits, found_hits.c.request_id == RequestRow.id)
        .group_by(RequestRow.id)
    )


def hits(
    request_id: str, tenant_id: str, own: Sequence[str], recent: datetime
) -> CompoundSelect[Any]:
    """Each account and each hardware ID of the request that another request than `own` has, too, unless
    that ended before `recent`."""
    accounts = _distinct(request_id, _mine.account)
    hardware_ids = _distinct(request_id, _mine.hardware_id)
    counting = [*_counts(tenant_id, own, recent), *phone_counts_of(_theirs)]
    return union_all(
        select(_theirs.request_id, _theirs.account.label("account"), null().label("phone"))
        .join(accounts, _theirs.account == accounts.c.key)
        .join(RequestRow, RequestRow.id == _theirs.request_id)
        .where(*counting),
        select(_theirs.request_id, null(), _theirs.hardware_id)
        .join(hardware_ids, _theirs.hardware_id == hardware_ids.c.key)
        .join(RequestRow, RequestRow.id == _theirs.request_id)
        .where(*counting),
    )


def _distinct(request_id: str, key: Any) -> Any:
    """The distinct values of the request's ready rows."""
    return (
        select(key.label("key"))
        .where(_mine.request_id == request_id, _mine.ready)
        .distinct()
        .subquery()
    )


def _counts(tenant_id: str, own: Sequence[str], recent: datetime) -> list[ColumnElement[bool]]:
    """`overlap.request_counts`, for requests of the tenant that are not `own`."""
    is_recent = RequestRow.finished_at > recent
    return [
        RequestRow.tenant_id == tenant_id,
        RequestRow.id.not_in(own),
        or_(
            RequestRow.state.in_(sorted(overlap.OPEN_STATES)),
            and_(RequestRow.state.in_(sorted(overlap.ENDED_STATES)), is_recent),
        ),
    ]


def phone_counts_of(phone: Any) -> list[Condition]:
    """`overlap.phone_counts`, for rows of an alias of `PhoneRow`."""
    return [
        phone.ready,
        phone.status != PhoneStatus.NOT_RUN.value,
        phone.cause.not_in(sorted(overlap.NOT_RESET_CAUSES)),
    ]


async def retried(tx: Transaction, request_id: str) -> list[str]:
    """This request, and those that it retried in turn."""
    chain: list[str] = []
    while request_id and len(chain) < _MAX_RETRIES:
        chain.append(request_id)
        request_id = (await tx.execute(*_retry_of(request_id))).scalar() or ""
    return chain


@statement
def _retry_of(request_id: str) -> Select[str]:
    return select(RequestRow.retry_of).where(RequestRow.id == request_id)


def _shares(column: Column, other_id: Any) -> ColumnElement[bool]:
    """Whether the other request has the same account, or the same hardware ID, as a row of `_mine`."""
    same = (
        _theirs.account == _mine.account
        if column is Column.USERNAME
        else _theirs.hardware_id == _mine.hardware_id
    )
    return (
        select(literal(1))
        .where(same, _theirs.request_id == other_id, *phone_counts_of(_theirs))
        .correlate_except(_theirs)
        .exists()
    )


@statement
def _examples(request_id: str, other_id: str) -> Select[str]:
    """The UPNs of the first rows that overlap with the other request."""
    return (
        select(_mine.username)
        .where(
            _mine.request_id == request_id,
            _mine.ready,
            or_(_shares(Column.USERNAME, other_id), _shares(Column.HARDWARE_ID, other_id)),
        )
        .order_by(_mine.number)
        .limit(_MAX_EXAMPLES)
    )


async def save(tx: Transaction, request_id: str, overlaps: Iterable[Overlap]) -> None:
    """Keep what cards show from now on, in place of what they showed before."""
    await tx.execute(*_forget(request_id))
    rows = [
        {
            "request_id": request_id,
            "other_id": each.request_id,
            "requester_id": each.requester_id,
            "state": each.state.value,
            "since": each.since,
            "accounts": each.accounts,
            "phones": each.phones,
            "examples": list(each.examples),
        }
        for each in overlaps
    ]
    if rows:
        await tx.execute(_ADD, rows)


_ADD = insert(OverlapRow)


@statement
def _forget(request_id: str) -> Delete:
    return delete(OverlapRow).where(OverlapRow.request_id == request_id)


async def shown(tx: Transaction, request_id: str) -> list[Overlap]:
    """What cards show, the most pressing first."""
    rows = await tx.execute(*_shown(request_id))
    return overlap.most_pressing_first(
        Overlap(
            row.other_id,
            row.requester_id,
            RequestState(row.state),
            row.since,
            row.accounts,
            row.phones,
            row.examples,
        )
        for row in rows
    )


@statement
def _shown(request_id: str) -> Select[*tuple[Any, ...]]:
    return select(OverlapRow.__table__).where(OverlapRow.request_id == request_id)


async def all_rows(
    tx: Transaction, request_id: str, *, chunk: int = 1000
) -> AsyncIterator[OverlappingRow]:
    """Every value that a request shown as overlapping has, too, once for each such request; in row order,
    read in chunks."""
    others = {each.request_id: each for each in await shown(tx, request_id)}
    last = await tx.execute(
        select(func.max(PhoneRow.number)).where(PhoneRow.request_id == request_id)
    )
    if not others:
        return
    for start in range(0, (last.scalar() or 0) + 1, chunk):
        of_chunk = [
            _mine.request_id == request_id,
            _mine.ready,
            _mine.number.between(start, start + chunk - 1),
        ]
        rows = await tx.execute(
            union_all(
                *(
                    select(
                        _mine.number.label("row"),
                        literal(column.value).label("column"),
                        (_mine.username if column is Column.USERNAME else _mine.hardware_id).label(
                            "value"
                        ),
                        OverlapRow.other_id.label("other_id"),
                    )
                    .join(OverlapRow, OverlapRow.request_id == _mine.request_id)
                    .where(*of_chunk, _shares(column, OverlapRow.other_id))
                    for column in (Column.USERNAME, Column.HARDWARE_ID)
                )
            ).order_by("row", "other_id")
        )
        for row in rows:
            yield OverlappingRow(row.row, Column(row.column), row.value, others[row.other_id])
