"""Transitions of submitted batches, by what polls find."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Update, update

from bot.lifecycle import phones
from bot.lifecycle.batches import RELEASED
from bot.lifecycle.ending import end_if_over
from bot.lifecycle.notifications import Notifications
from bot.signin import batch as states
from bot.signin.outcome import PhoneResult, PhoneStatus
from bot.store import audit, leases, locks, requests, transitions
from bot.store.batches import Batch
from bot.store.database import Transaction
from bot.store.models.batches import BatchRow
from bot.store.statement import statement


async def report(
    tx: Transaction,
    batch: Batch,
    results: Mapping[tuple[str, str], PhoneResult],
    *,
    owner: str,
    now: datetime,
) -> int:
    """Store results, by `phone_key`, of a batch that stays submitted.

    Returns how many of its phones have ended. Raises `LeaseLostError` if `owner` no longer holds it.
    """
    await locks.requests(tx, batch.request_id)
    await leases.require(tx, batch, owner)
    newly_ended, ended = await phones.report(tx, batch, results)
    if newly_ended:
        await tx.execute(*_progress(*leases.as_held(batch, owner), ended, now))
        await requests.touch(tx, batch.request_id)
    return ended


@statement
def _progress(
    batch_id: int, attempt: int, state: str, owner: str, ended: int, now: datetime
) -> Update:
    return (
        update(BatchRow)
        .where(*leases.is_held(batch_id, attempt, state, owner))
        .values(ended=ended, progress_at=now, stalled=False)
    )


async def mark_stalled(
    tx: Transaction, notify: Notifications, batch: Batch, *, owner: str, now: datetime
) -> None:
    """Tell the requester, once, that a submitted batch makes no progress."""
    await locks.requests(tx, batch.request_id)
    marked = await tx.execute(*_mark_stalled(*leases.as_held(batch, owner)))
    request = await requests.load(tx, batch.request_id)
    if marked.rowcount == 1 and request is not None:
        await requests.touch(tx, batch.request_id)
        await notify.stalled(tx, request, batch.region, now)


@statement
def _mark_stalled(batch_id: int, attempt: int, state: str, owner: str) -> Update:
    held = leases.is_held(batch_id, attempt, state, owner)
    return update(BatchRow).where(*held, ~BatchRow.stalled).values(stalled=True)


async def complete(
    tx: Transaction, notify: Notifications, batch: Batch, *, owner: str, now: datetime
) -> bool:
    """submitted -> done. Phones for which no result came end unconfirmed.

    Returns False when `owner` no longer holds the batch.
    """
    await locks.requests(tx, batch.request_id)
    completed = await transitions.apply(
        tx,
        BatchRow,
        states.COMPLETE,
        rows=leases.held(batch, owner),
        **RELEASED,
        due_at=None,
        done_at=now,
        stalled=False,
    )
    if completed:
        await phones.leave_unconfirmed(tx, batch)
        results = await phones.counts(tx, batch)
        await audit.record(
            tx,
            batch.request_id,
            "batch ended",
            now,
            batch=batch.id,
            signed_in=results.get(PhoneStatus.SIGNED_IN, 0),
            failed=results.get(PhoneStatus.FAILED, 0),
            unconfirmed=results.get(PhoneStatus.UNCONFIRMED, 0),
        )
        await requests.touch(tx, batch.request_id)
        await end_if_over(tx, notify, batch.request_id, now)
    return completed == 1
