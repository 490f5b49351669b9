"""Transitions of batches about which an approver is asked, since the SIP Gateway cannot tell.

They ran or not, or their status cannot be read.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Update, update

from bot.lifecycle.batches import RELEASED, change
from bot.lifecycle.ending import end_if_over
from bot.lifecycle.notifications import Notifications
from bot.lifecycle.polling import complete
from bot.lifecycle.submission import planned_again, submitted
from bot.signin import batch as states
from bot.signin.batch import BatchState
from bot.signin.request import Person
from bot.store import audit, batches, leases, locks, requests, transitions
from bot.store.batches import Batch
from bot.store.database import Transaction
from bot.store.models.batches import BatchRow
from bot.store.statement import statement


async def ask_approver(
    tx: Transaction,
    notify: Notifications,
    batch: Batch,
    *,
    owner: str,
    error: str,
    now: datetime,
) -> bool:
    """unknown -> needs_person: the summaries could not tell, so an approver is asked on a card.

    `error`: why the summaries could not be read, "" if they could. Returns False when `owner` no
    longer holds the batch.
    """
    await locks.requests(tx, batch.request_id)
    asked = await transitions.apply(
        tx,
        BatchRow,
        states.ASK_APPROVER,
        rows=leases.held(batch, owner),
        **RELEASED,
        due_at=None,
        last_error=error,
    )
    if asked:
        await requests.touch(tx, batch.request_id)
        request = await requests.load(tx, batch.request_id)
        if request is not None:
            await notify.reconciliation_asked(tx, request, batch.id, now)
    return asked == 1


async def confirm_ran(
    tx: Transaction, batch: Batch, remote_batch_id: str, *, actor: Person, now: datetime
) -> bool:
    """needs_person -> submitted: an approver named the batch in the SIP Gateway, which has its phones.

    Returns False when the question was answered meanwhile.
    """
    await locks.requests(tx, batch.request_id)
    confirmed = await submitted(
        tx, batch, states.CONFIRM_RAN, remote_batch_id, now, owner="", lease_until=now, due_at=now
    )
    if confirmed:
        await audit.record(
            tx,
            batch.request_id,
            "batch ran",
            now,
            actor,
            batch=batch.id,
            remote_id=remote_batch_id,
        )
    return confirmed


async def confirm_not_run(
    tx: Transaction, notify: Notifications, batch: Batch, *, actor: Person, now: datetime
) -> bool:
    """needs_person -> planned: an approver says that the batch did not run, so it is sent again.

    Returns False when the question was answered meanwhile.
    """
    await locks.requests(tx, batch.request_id)
    confirmed = await planned_again(tx, batch, states.CONFIRM_NOT_RUN, not_before=now, error="")
    if confirmed:
        await audit.record(tx, batch.request_id, "batch did not run", now, actor, batch=batch.id)
        await end_if_over(tx, notify, batch.request_id, now)
    return confirmed


async def check_again(tx: Transaction, batch: Batch, *, actor: Person, now: datetime) -> bool:
    """needs_person -> unknown: an approver wants the summaries read once more.

    Returns False when the question was answered meanwhile.
    """
    await locks.requests(tx, batch.request_id)
    marked = await change(
        tx, batch, states.CHECK_AGAIN, **RELEASED, summary_reads=0, due_at=now, last_error=""
    )
    if marked:
        await audit.record(tx, batch.request_id, "batch to be checked", now, actor, batch=batch.id)
        await requests.touch(tx, batch.request_id)
    return marked


async def ask_about_unreadable(
    tx: Transaction,
    notify: Notifications,
    batch: Batch,
    *,
    owner: str,
    error: str,
    now: datetime,
) -> bool:
    """Ask an approver, once, whether to go on with a submitted batch whose status cannot be read.

    It stays submitted, and Offhook keeps polling it: the first success settles the question. `error`:
    why it cannot be read. Returns False if an approver was asked before.
    """
    await locks.requests(tx, batch.request_id)
    asked = await tx.execute(*_ask_about_unreadable(*leases.as_held(batch, owner), error))
    request = await requests.load(tx, batch.request_id)
    if asked.rowcount != 1 or request is None:
        return False
    await requests.touch(tx, batch.request_id)
    await notify.reconciliation_asked(tx, request, batch.id, now)
    return True


@statement
def _ask_about_unreadable(
    batch_id: int, attempt: int, state: str, owner: str, error: str
) -> Update:
    return (
        update(BatchRow)
        .where(*leases.is_held(batch_id, attempt, state, owner), ~BatchRow.unreadable_asked)
        .values(unreadable_asked=True, last_error=error)
    )


async def keep_polling(tx: Transaction, batch: Batch, *, actor: Person, now: datetime) -> bool:
    """An approver wants a batch polled on whose status cannot be read; they are asked again later.

    Returns False when the question was answered meanwhile.
    """
    await locks.requests(tx, batch.request_id)
    kept = await tx.execute(*_keep_polling(batch.id, batch.attempt, now))
    if kept.rowcount == 1:
        await audit.record(tx, batch.request_id, "batch to be polled", now, actor, batch=batch.id)
        await requests.touch(tx, batch.request_id)
    return kept.rowcount == 1


@statement
def _keep_polling(batch_id: int, attempt: int, now: datetime) -> Update:
    return (
        update(BatchRow)
        .where(
            *leases.is_same_attempt(batch_id, attempt),
            BatchRow.state == BatchState.SUBMITTED.value,
            BatchRow.unreadable_asked,
        )
        # Nobody's any more: a poll in flight knows the old count, and must not write it back.
        .values(
            unreadable_asked=False,
            unreadable_seconds=0.0,
            last_error="",
            due_at=now,
            owner="",
            lease_until=None,
        )
    )


async def give_up(
    tx: Transaction, notify: Notifications, batch: Batch, *, actor: Person, now: datetime
) -> bool:
    """An approver ends a batch whose status cannot be read, without results for its open phones.

    Returns False when the question was answered meanwhile, or a poll is just being recorded.
    """
    await locks.requests(tx, batch.request_id)
    current = await batches.load(tx, batch.id)
    if current is None or not current.unreadable_asked or current.attempt != batch.attempt:
        return False
    given_up = await complete(tx, notify, current, owner=current.owner, now=now)
    if given_up:
        await audit.record(tx, batch.request_id, "batch given up", now, actor, batch=batch.id)
    return given_up
