"""Transitions of batches that are submitted: what was sent, and what the answer proves."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Update, update

from bot.lifecycle import phones
from bot.lifecycle.batches import RELEASED, cancel_planned, change
from bot.lifecycle.ending import end_if_over
from bot.lifecycle.notifications import Notifications
from bot.signin import batch as states
from bot.signin.batch import BatchState
from bot.signin.transition import Transition
from bot.store import audit, batches, leases, locks, requests
from bot.store.batches import Batch
from bot.store.database import Transaction
from bot.store.models.batches import BatchRow
from bot.store.statement import statement


async def mark_sending(tx: Transaction, batch: Batch, *, owner: str, now: datetime) -> bool:
    """An intent's first byte is about to leave: from here on, only an answer tells what became of it.

    Returns False if `owner` no longer holds the batch: then it must not be sent.
    """
    marked = await tx.execute(*_mark_sending(*leases.as_held(batch, owner), now))
    return marked.rowcount == 1


@statement
def _mark_sending(batch_id: int, attempt: int, state: str, owner: str, now: datetime) -> Update:
    held = leases.is_held(batch_id, attempt, state, owner)
    return update(BatchRow).where(*held, BatchRow.lease_until > now).values(unsent_attempt=None)


async def submitted(
    tx: Transaction,
    batch: Batch,
    transition: Transition[BatchState],
    remote_batch_id: str,
    now: datetime,
    **columns: Any,
) -> bool:
    """The SIP Gateway has the batch, and Offhook follows it; the caller holds the request's lock.

    Returns False when the batch has moved on, or another one has this id.
    """
    await locks.remote_batch_ids(tx, batch.tenant_id)
    if remote_batch_id.casefold() in await batches.known_remote_batch_ids(tx, batch.tenant_id):
        return False  # no two batches are one in the SIP Gateway
    if not await change(
        tx,
        batch,
        transition,
        remote_batch_id=remote_batch_id,
        progress_at=now,
        seen_running_at=now,
        failing_since=None,
        unreadable_seconds=0.0,
        unreadable_asked=False,
        polls=0,
        not_before=None,
        last_error="",
        **columns,
    ):
        return False
    await phones.send(tx, batch)
    await requests.touch(tx, batch.request_id, refused="", unreachable_since=None)
    return True


async def acknowledge(
    tx: Transaction,
    batch: Batch,
    remote_batch_id: str,
    *,
    owner: str,
    lease_until: datetime,
    due_at: datetime,
    now: datetime,
) -> bool:
    """intent, unknown, needs_person or planned -> submitted: the SIP Gateway has the batch.

    An acknowledgment overrides every doubt, even after the lease expired and even an approver's "did
    not run", as long as the batch has not been claimed again. Returns False once it has moved on.
    """
    await locks.requests(tx, batch.request_id)
    stored = await batches.load(tx, batch.id)
    if stored is not None and (stored.attempt, stored.remote_batch_id) == (
        batch.attempt,
        remote_batch_id,
    ):
        return True  # recorded before; only the answer of the commit was lost
    acknowledged = await submitted(
        tx,
        batch,
        states.ACKNOWLEDGE,
        remote_batch_id,
        now,
        owner=owner,
        lease_until=lease_until,
        due_at=due_at,
    )
    if acknowledged:
        await audit.record(
            tx,
            batch.request_id,
            "batch sent",
            now,
            batch=batch.id,
            attempt=batch.attempt,
            region=batch.region.value,
            phones=batch.size,
            digest=batch.digest,
            remote_id=remote_batch_id,
        )
    return acknowledged


async def planned_again(
    tx: Transaction,
    batch: Batch,
    transition: Transition[BatchState],
    *where: ColumnElement[bool],
    not_before: datetime,
    error: str,
    **request_columns: Any,
) -> bool:
    """Nothing ran: the batch is sent again, unless its request is cancelled; the caller holds its lock.

    Returns False when the batch has moved on.
    """
    if not await change(
        tx,
        batch,
        transition,
        *where,
        **RELEASED,
        sent_at=None,
        due_at=None,
        not_before=not_before,
        last_error=error,
    ):
        return False
    await phones.take_back(tx, batch)
    request = await requests.load(tx, batch.request_id)
    if request is not None and request.cancel_asked_at is not None:
        await cancel_planned(tx, batch.request_id)
    await requests.touch(tx, batch.request_id, **request_columns)
    return True


async def requeue(
    tx: Transaction,
    notify: Notifications,
    batch: Batch,
    *,
    not_before: datetime,
    error: str,
    now: datetime,
    **request_columns: Any,
) -> bool:
    """intent, unknown or needs_person -> planned: an answer proves that nothing ran.

    `not_before`: when it may be sent again. `request_columns`: what else changes about the request,
    such as why it is held up. Returns False when the batch has already moved on.
    """
    await locks.requests(tx, batch.request_id)
    requeued = await planned_again(
        tx, batch, states.REQUEUE, not_before=not_before, error=error, **request_columns
    )
    if requeued:
        await end_if_over(tx, notify, batch.request_id, now)
    return requeued


async def release_unsent(
    tx: Transaction, notify: Notifications, batch: Batch, *, now: datetime
) -> bool:
    """intent -> planned: the lease expired before `mark_sending`, so nothing was sent, nor will be.

    Whoever held it can no longer mark it. Returns False when the batch has already moved on, or was
    marked after all.
    """
    await locks.requests(tx, batch.request_id)
    released = await planned_again(
        tx,
        batch,
        states.RELEASE_UNSENT,
        BatchRow.unsent_attempt == batch.attempt,
        not_before=now,
        error="",
    )
    if released:
        await end_if_over(tx, notify, batch.request_id, now)
    return released


async def reject(
    tx: Transaction, notify: Notifications, batch: Batch, message: str, now: datetime
) -> bool:
    """intent, unknown or needs_person -> done: nothing ran. The SIP Gateway refuses this batch, with
    `message`; or Offhook does not send it, since it is not what was approved (`CHANGED_MESSAGE`).

    Returns False when the batch has already moved on.
    """
    await locks.requests(tx, batch.request_id)
    rejected = await change(
        tx,
        batch,
        states.REJECT,
        **RELEASED,
        due_at=None,
        done_at=now,
        last_error=message,
        ended=batch.size,
    )
    if rejected:
        await phones.fail_all(tx, batch, message)
        await audit.record(
            tx,
            batch.request_id,
            "batch refused",
            now,
            batch=batch.id,
            attempt=batch.attempt,
            phones=batch.size,
            message=message,
        )
        await requests.touch(tx, batch.request_id)
        await end_if_over(tx, notify, batch.request_id, now)
    return rejected


async def mark_unknown(
    tx: Transaction, batch: Batch, *, due_at: datetime, error: str, now: datetime
) -> bool:
    """intent -> unknown: whether it ran is not known; the summaries are read at `due_at`.

    Returns False when the batch has already moved on.
    """
    await locks.requests(tx, batch.request_id)
    marked = await change(
        tx,
        batch,
        states.MARK_UNKNOWN,
        **RELEASED,
        summary_reads=0,
        due_at=due_at,
        last_error=error,
    )
    if marked:
        await audit.record(
            tx,
            batch.request_id,
            "batch unknown",
            now,
            batch=batch.id,
            attempt=batch.attempt,
            phones=batch.size,
            message=error,
        )
        await requests.touch(tx, batch.request_id)
    return marked


async def report_late(
    tx: Transaction, notify: Notifications, batch: Batch, remote_batch_id: str, now: datetime
) -> bool:
    """The SIP Gateway took a batch that has moved on since, so that nobody follows it: say so, once.

    That is, an approver said that it did not run, and then it was cancelled or sent again. Returns
    False if another batch has this id, or there is nobody left to tell.
    """
    await locks.requests(tx, batch.request_id)
    request = await requests.load(tx, batch.request_id)
    stored = await batches.load(tx, batch.id)
    known = await batches.known_remote_batch_ids(tx, batch.tenant_id)
    if request is None or stored is None or remote_batch_id.casefold() in known:
        return False
    sent_again = stored.attempt > batch.attempt
    if not await audit.record_once(
        tx, batch.request_id, "batch ran after all", now, batch=batch.id, remote_id=remote_batch_id
    ):
        return False
    await notify.ran_after_all(
        tx, request, batch.region, batch.size, remote_batch_id, now, sent_again=sent_again
    )
    return True
