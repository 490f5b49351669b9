"""Batches as rows: reads. Their states change in `bot.lifecycle`, their leases in `leases`."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select

from bot.phones.region import Region
from bot.signin.batch import BatchState
from bot.signin.request import Phone
from bot.store.database import Transaction
from bot.store.models.batches import BatchRow
from bot.store.models.requests import PhoneRow
from bot.store.statement import statement

_REMEMBERED = 20  # finished batches from which the duration of the next is estimated


@dataclass(frozen=True, slots=True)
class Reach:
    """Batches that a replica can read: of these requests, and of any request of these tenants."""

    request_ids: Collection[str]
    tenant_ids: Collection[str]


_NOWHERE = Reach((), ())
_FOLLOWED = (BatchState.SUBMITTED.value, BatchState.UNKNOWN.value, BatchState.DONE.value)


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch as it was read. Times are UTC; each field is a column of `BatchRow`."""

    id: int
    request_id: str
    tenant_id: str
    region: Region
    size: int  #: phones
    state: BatchState
    attempt: int  #: submits so far; the fencing token of every write about one of them
    unsent_attempt: int | None  #: the attempt of which no byte has left; None once one may have
    owner: str  #: replica that holds the lease, "" if none
    lease_until: datetime | None  #: until when `owner` may act; None if nobody holds a lease
    remote_batch_id: str  #: "" until the SIP Gateway gave one
    sent_at: datetime | None  #: when it was claimed for its latest submit
    polls: int  #: since the submit
    summary_reads: int  #: conclusive ones, while its outcome is unknown
    progress_at: datetime | None  #: of the latest news
    seen_running_at: datetime | None  #: by the latest poll that was answered, or its submit
    completed_at: datetime | None  #: when the SIP Gateway first called it complete
    ended: int  #: phones that have ended
    unreadable_seconds: float  #: spent polling in vain since the last success
    unreadable_asked: bool  #: a person was asked what to do about that
    stalled: bool  #: people were told that it makes no progress
    due_at: datetime | None  #: of the next poll, reconciliation or look-up; None if none
    failing_since: datetime | None  #: first failed read of this spell; None after a success
    digest: str  #: of its phones as they were planned; see `Digests.match_batch`

    @property
    def unsent(self) -> bool:
        """True while it is certain that no byte of the latest attempt has left."""
        return self.unsent_attempt == self.attempt


_COLUMNS = tuple(getattr(BatchRow, field.name) for field in fields(Batch))


async def select_where(tx: Transaction, *conditions: ColumnElement[bool]) -> list[Batch]:
    """The batches that meet all `conditions`, oldest first."""
    return await _read(tx, _where(*conditions), {})


def _where(*conditions: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    return select(*_COLUMNS).where(*conditions).order_by(BatchRow.id)


async def _read(
    tx: Transaction, query: Select[*tuple[Any, ...]], values: dict[str, Any]
) -> list[Batch]:
    rows = await tx.execute(query, values)
    return [_batch(dict(row)) for row in rows.mappings()]


def _batch(columns: dict[Any, Any]) -> Batch:
    columns["region"] = Region(columns["region"])
    columns["state"] = BatchState(columns["state"])
    return Batch(**columns)


async def load(tx: Transaction, batch_id: int) -> Batch | None:
    """Returns None if there is no such batch."""
    batches = await _read(tx, *_by_id(batch_id))
    return batches[0] if batches else None


@statement
def _by_id(batch_id: int) -> Select[*tuple[Any, ...]]:
    return _where(BatchRow.id == batch_id)


async def intents(tx: Transaction, batch_ids: Collection[int]) -> list[Batch]:
    """Those of the batches that are intents."""
    return await _read(tx, *_intents(batch_ids))


@statement
def _intents(batch_ids: Collection[int]) -> Select[*tuple[Any, ...]]:
    return _where(BatchRow.id.in_(batch_ids), BatchRow.state == BatchState.INTENT.value)


async def phones(tx: Transaction, batch: Batch) -> list[Phone]:
    """The batch's phones in the file's order."""
    rows = await tx.execute(*_phones(batch.id))
    return [Phone(name, hardware_id, batch.region) for name, hardware_id in rows]


@statement
def _phones(batch_id: int) -> Select[str, str]:
    # Without the request, for which SQLite would read all of its phones, since those are in order.
    return (
        select(PhoneRow.username, PhoneRow.hardware_id)
        .where(PhoneRow.batch_id == batch_id)
        .order_by(PhoneRow.number)
    )


def of_requests(request_ids: Collection[str] | None) -> tuple[ColumnElement[bool], ...]:
    """Batches of these requests; None: of all."""
    return () if request_ids is None else (BatchRow.request_id.in_(request_ids),)


def _within(
    request_ids: Collection[str], tenant_ids: Collection[str], *, everywhere: bool
) -> tuple[ColumnElement[bool], ...]:
    """Batches within a reach."""
    reached = or_(BatchRow.request_id.in_(request_ids), BatchRow.tenant_id.in_(tenant_ids))
    return () if everywhere else (reached,)


async def lapsed_intents(tx: Transaction, now: datetime) -> list[Batch]:
    """Intents whose lease has expired: `unsent` ones were not sent, of the others it is unknown."""
    return await _read(tx, *_lapsed_intents(now))


@statement
def _lapsed_intents(now: datetime) -> Select[*tuple[Any, ...]]:
    return _where(BatchRow.state == BatchState.INTENT.value, BatchRow.lease_until <= now)


async def due(
    tx: Transaction, *, owner: str, now: datetime, only: Reach | None = None
) -> list[Batch]:
    """Submitted batches to poll, unknown ones to reconcile, and done ones to look up before a retry,
    that `owner` or nobody holds.

    `only`: batches within reach; None for all.
    """
    reach = only or _NOWHERE
    query = _due(owner, now, reach.request_ids, reach.tenant_ids, everywhere=only is None)
    return await _read(tx, *query)


@statement
def _due(
    owner: str,
    now: datetime,
    request_ids: Collection[str],
    tenant_ids: Collection[str],
    *,
    everywhere: bool,
) -> Select[*tuple[Any, ...]]:
    return _where(
        BatchRow.state.in_(_FOLLOWED),
        BatchRow.due_at <= now,
        *_within(request_ids, tenant_ids, everywhere=everywhere),
        or_(BatchRow.owner == owner, BatchRow.lease_until.is_(None), BatchRow.lease_until <= now),
    )


async def next_due_at(
    tx: Transaction,
    now: datetime,
    *,
    sendable: Collection[str] | None = None,
    readable: Reach | None = None,
) -> datetime | None:
    """When the next batch will be due that is not yet; None if none will.

    `sendable`: the requests whose batches can be sent; `readable`: the batches that can be polled.
    None for all.
    """
    reach = readable or _NOWHERE
    moments = await tx.execute(
        *_next_due(
            now,
            sendable or (),
            reach.request_ids,
            reach.tenant_ids,
            all_sendable=sendable is None,
            all_readable=readable is None,
        )
    )
    return min((moment for moment in moments.one() if moment), default=None)


@statement
def _next_due(
    now: datetime,
    sendable_ids: Collection[str],
    request_ids: Collection[str],
    tenant_ids: Collection[str],
    *,
    all_sendable: bool,
    all_readable: bool,
) -> Select[datetime | None, datetime | None, datetime | None]:
    polls = select(func.min(BatchRow.due_at)).where(
        BatchRow.state.in_(_FOLLOWED),
        BatchRow.due_at > now,
        *_within(request_ids, tenant_ids, everywhere=all_readable),
    )
    leases = select(func.min(BatchRow.lease_until)).where(
        BatchRow.state == BatchState.INTENT.value, BatchRow.lease_until > now
    )
    backoffs = select(func.min(BatchRow.not_before)).where(
        BatchRow.state == BatchState.PLANNED.value,
        BatchRow.not_before > now,
        *of_requests(None if all_sendable else sendable_ids),
    )
    return select(polls.scalar_subquery(), leases.scalar_subquery(), backoffs.scalar_subquery())


def asks_approver() -> ColumnElement[bool]:
    """Batches of unknown outcome, and submitted ones that have been unreadable for too long."""
    unreadable = and_(BatchRow.state == BatchState.SUBMITTED.value, BatchRow.unreadable_asked)
    return or_(BatchRow.state == BatchState.NEEDS_PERSON.value, unreadable)


async def needing_person(tx: Transaction, request_id: str) -> list[int]:
    """Ids of the batches about which an approver is asked."""
    return list((await tx.execute(*_needing_person(request_id))).scalars())


@statement
def _needing_person(request_id: str) -> Select[int]:
    return (
        select(BatchRow.id)
        .where(BatchRow.request_id == request_id, asks_approver())
        .order_by(BatchRow.id)
    )


async def known_remote_batch_ids(tx: Transaction, tenant_id: str) -> set[str]:
    """The SIP Gateway's ids of the tenant's batches, casefolded."""
    rows = await tx.execute(*_remote_batch_ids(tenant_id))
    return {remote_batch_id.casefold() for remote_batch_id in rows.scalars()}


@statement
def _remote_batch_ids(tenant_id: str) -> Select[str]:
    return select(BatchRow.remote_batch_id).where(
        BatchRow.tenant_id == tenant_id, BatchRow.remote_batch_id != ""
    )


async def durations(tx: Transaction, batch: Batch) -> list[tuple[float, float]]:
    """`durations_like`, for batches like this one."""
    return await durations_like(tx, batch.tenant_id, batch.region, batch.size)


async def durations_like(
    tx: Transaction, tenant_id: str, region: Region, size: int
) -> list[tuple[float, float]]:
    """How long the newest finished batches of the tenant and region took that have about `size` phones.

    For each, the seconds after its submit when it was last seen running and first seen ended.
    """
    rows = await tx.execute(*_durations(tenant_id, region.value))
    similar = [
        ((running - sent).total_seconds(), (done - sent).total_seconds())
        for finished, sent, running, done in rows
        if sent and running and done and size <= 2 * finished <= 4 * size
    ]
    return similar[:_REMEMBERED]


@statement
def _durations(
    tenant_id: str, region: str
) -> Select[int, datetime | None, datetime | None, datetime | None]:
    return (
        select(BatchRow.size, BatchRow.sent_at, BatchRow.seen_running_at, BatchRow.done_at)
        .where(
            BatchRow.tenant_id == tenant_id,
            BatchRow.region == region,
            BatchRow.done_at.is_not(None),
            BatchRow.seen_running_at.is_not(None),
        )
        .order_by(BatchRow.done_at.desc())
        .limit(2 * _REMEMBERED)
    )


async def counts(tx: Transaction) -> dict[str, int]:
    """Batches by state, for the metrics."""
    rows = await tx.execute(select(BatchRow.state, func.count()).group_by(BatchRow.state))
    return {row.state: row[1] for row in rows}
