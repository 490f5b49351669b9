"""Leases of batches: which replica may act on one, until when, and when it is next due."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, Update, case, func, or_, select, type_coerce, update
from sqlalchemy.orm import InstrumentedAttribute

from bot.signin.batch import BatchState
from bot.store import locks
from bot.store.batches import Batch
from bot.store.database import Transaction
from bot.store.models.batches import BatchRow
from bot.store.statement import statement
from bot.store.transitions import Rows


class LeaseLostError(Exception):
    """Another replica holds the batch, or it has moved on: nothing may be written about it."""


def same_attempt(batch: Batch) -> Rows:
    """Fencing: a write about an older attempt of the batch changes nothing."""
    return Rows(is_same_attempt, (batch.id, batch.attempt))


def is_same_attempt(batch_id: int, attempt: int) -> tuple[ColumnElement[bool], ...]:
    """The conditions of `same_attempt`."""
    return (BatchRow.id == batch_id, BatchRow.attempt == attempt)


def held(batch: Batch, owner: str) -> Rows:
    """The batch, if `owner` still holds it in the state in which it was read."""
    return Rows(is_held, as_held(batch, owner))


def as_held(batch: Batch, owner: str) -> tuple[int, int, str, str]:
    """The values of `is_held`."""
    return (batch.id, batch.attempt, batch.state.value, owner)


def is_held(batch_id: int, attempt: int, state: str, owner: str) -> tuple[ColumnElement[bool], ...]:
    """The conditions of `held`."""
    return (
        *is_same_attempt(batch_id, attempt),
        BatchRow.state == state,
        BatchRow.owner == owner,
    )


async def require(tx: Transaction, batch: Batch, owner: str) -> None:
    """Raises `LeaseLostError` unless `owner` holds the batch, which no other can take before the end of
    the transaction."""
    held_by_owner = await tx.execute(*_lock_held(*as_held(batch, owner)))
    if held_by_owner.one_or_none() is None:
        raise LeaseLostError(batch.id)


@statement
def _lock_held(batch_id: int, attempt: int, state: str, owner: str) -> Select[int]:
    held_by_owner = is_held(batch_id, attempt, state, owner)
    return select(BatchRow.id).where(*held_by_owner).with_for_update(key_share=True)


async def acquire(
    tx: Transaction, batch: Batch, *, owner: str, now: datetime, lease_until: datetime
) -> bool:
    """Take or renew the lease. Returns False if another replica holds it."""
    acquired = await tx.execute(*_acquire(*as_held(batch, owner), now, lease_until))
    return acquired.rowcount == 1


@statement
def _acquire(
    batch_id: int, attempt: int, state: str, owner: str, now: datetime, lease_until: datetime
) -> Update:
    return (
        update(BatchRow)
        .where(
            *is_same_attempt(batch_id, attempt),
            BatchRow.state == state,
            or_(
                BatchRow.owner == owner, BatchRow.lease_until.is_(None), BatchRow.lease_until <= now
            ),
        )
        .values(owner=owner, lease_until=lease_until)
    )


async def expire_all(tx: Transaction, now: datetime) -> None:
    """End every lease. Only for a process that knows that it is the only one."""
    await tx.execute(
        update(BatchRow).where(BatchRow.lease_until.is_not(None)).values(lease_until=now)
    )


async def reschedule(
    tx: Transaction,
    batch: Batch,
    *,
    owner: str,
    due_at: datetime,
    lease_until: datetime,
    polls: int | None = None,
    summary_reads: int | None = None,
    completed_at: datetime | None = None,
    progress_at: datetime | None = None,
    seen_running_at: datetime | None = None,
    failing_since: datetime | None = None,
    unreadable_seconds: float = 0.0,
) -> bool:
    """Nothing new: only when the batch is next due. Locks the request, since more may follow about it.

    Returns False if `owner` no longer holds the batch: then it stays due as it is.

    `failing_since`: since when its reads have failed, and `unreadable_seconds`: for how long of that
    Offhook asked; None and 0: the latest one succeeded. Other columns that are not given stay as they
    are.
    """
    await locks.requests(tx, batch.request_id)
    rescheduled = await tx.execute(
        *_reschedule(
            *as_held(batch, owner),
            due_at,
            lease_until,
            failing_since,
            unreadable_seconds,
            polls,
            summary_reads,
            completed_at,
            progress_at,
            seen_running_at,
            readable=not unreadable_seconds,
        )
    )
    return rescheduled.rowcount == 1


@statement
def _reschedule(
    batch_id: int,
    attempt: int,
    state: str,
    owner: str,
    due_at: datetime,
    lease_until: datetime,
    failing_since: datetime | None,
    unreadable_seconds: float,
    polls: int | None,
    summary_reads: int | None,
    completed_at: datetime | None,
    progress_at: datetime | None,
    seen_running_at: datetime | None,
    *,
    readable: bool,
) -> Update:
    return (
        update(BatchRow)
        .where(*is_held(batch_id, attempt, state, owner))
        .values(
            # Later if the tenant's polls were postponed while this one ran.
            due_at=case(
                (BatchRow.due_at > due_at, BatchRow.due_at),
                else_=type_coerce(due_at, BatchRow.due_at.type),
            ),
            lease_until=lease_until,
            failing_since=failing_since,
            unreadable_seconds=unreadable_seconds,
            unreadable_asked=False if readable else BatchRow.unreadable_asked,
            polls=_or_as_it_is(polls, BatchRow.polls),
            summary_reads=_or_as_it_is(summary_reads, BatchRow.summary_reads),
            completed_at=_or_as_it_is(completed_at, BatchRow.completed_at),
            progress_at=_or_as_it_is(progress_at, BatchRow.progress_at),
            seen_running_at=_or_as_it_is(seen_running_at, BatchRow.seen_running_at),
        )
    )


def _or_as_it_is(value: object, column: InstrumentedAttribute[Any]) -> ColumnElement[Any]:
    return func.coalesce(type_coerce(value, column.type), column)


async def looked_up(tx: Transaction, batch: Batch) -> None:
    """A done batch has been looked up: it is not due any more, and nobody's."""
    await tx.execute(*_looked_up(batch.id, batch.attempt))


@statement
def _looked_up(batch_id: int, attempt: int) -> Update:
    return (
        update(BatchRow)
        .where(*is_same_attempt(batch_id, attempt), BatchRow.state == BatchState.DONE.value)
        .values(due_at=None, owner="", lease_until=None)
    )


async def postpone_polls(tx: Transaction, tenant_id: str, until: datetime) -> None:
    """Poll no batch of the tenant before `until`: the SIP Gateway throttles.

    A transaction of its own, for it changes batches of several requests: what another one is changing
    just now is skipped, and postponed by its own poll.
    """
    due = (await tx.execute(*_lock_due(tenant_id, until))).scalars().all()
    await tx.execute(*_postpone(due, until))


@statement
def _lock_due(tenant_id: str, until: datetime) -> Select[int]:
    return (
        select(BatchRow.id)
        .where(
            BatchRow.tenant_id == tenant_id,
            BatchRow.state == BatchState.SUBMITTED.value,
            BatchRow.due_at < until,
        )
        .with_for_update(skip_locked=True)
    )


@statement
def _postpone(batch_ids: Sequence[int], until: datetime) -> Update:
    return update(BatchRow).where(BatchRow.id.in_(batch_ids)).values(due_at=until)


async def make_due(tx: Transaction, request_id: str, now: datetime) -> None:
    """Let any replica that can act on the request's batches take them, and do so at once.

    The caller holds the request's lock.
    """
    await tx.execute(*_release(request_id))
    await tx.execute(*_poll(request_id, now))
    await tx.execute(*_send(request_id))


@statement
def _release(request_id: str) -> Update:
    return (
        update(BatchRow)
        .where(
            BatchRow.request_id == request_id,
            BatchRow.state.in_([BatchState.SUBMITTED.value, BatchState.UNKNOWN.value]),
        )
        .values(owner="", lease_until=None)
    )


@statement
def _poll(request_id: str, now: datetime) -> Update:
    submitted = BatchRow.state == BatchState.SUBMITTED.value
    return (
        update(BatchRow)
        .where(BatchRow.request_id == request_id, submitted)
        # Nobody has been able to read it since it was due, so its silence says nothing.
        .values(due_at=now, failing_since=func.coalesce(BatchRow.failing_since, BatchRow.due_at))
    )


@statement
def _send(request_id: str) -> Update:
    planned = BatchRow.state == BatchState.PLANNED.value
    return (
        update(BatchRow).where(BatchRow.request_id == request_id, planned).values(not_before=None)
    )
