"""Transitions of batches, fenced by lease and attempt.

A write about a submit carries the batch's `attempt`: an answer that arrives after another replica took
over is recorded only while it is still about the same attempt. Each transition locks the request first:
it ends with its last batch, whichever replica that is on.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, insert, select, update

from bot.lifecycle import phones
from bot.lifecycle.ending import end_if_over
from bot.lifecycle.notifications import Notifications
from bot.phones.region import Region
from bot.signin import batch as states
from bot.signin.batch import BatchState
from bot.signin.digest import UNKEYED, Digests
from bot.signin.outcome import PhoneResult, PhoneStatus
from bot.signin.request import Person, Phone
from bot.signin.transition import Transition
from bot.store import audit, batches, leases, locks, requests, slots, transitions
from bot.store.batches import Batch
from bot.store.database import Database, Transaction
from bot.store.models import BatchRow, PhoneRow
from bot.store.requests import Request

#: Which of these requests (whose locks are held) may not be sent now, see `pauses.pause_closed`.
Closed = Callable[[Transaction, Collection[str]], Awaitable[Collection[str]]]

_RELEASED: Mapping[str, Any] = {"owner": "", "lease_until": None, "failing_since": None}


async def plan(tx: Transaction, request: Request, digests: Digests = UNKEYED) -> None:
    """-> planned, for all batches of an approved request, each with the digest of what it may send.

    Phones that were left out before stay so.
    """
    rows = await tx.execute(
        select(PhoneRow.number, PhoneRow.username, PhoneRow.hardware_id, PhoneRow.region)
        .where(
            PhoneRow.request_id == request.id,
            PhoneRow.ready,
            PhoneRow.status == PhoneStatus.PENDING.value,
        )
        .order_by(PhoneRow.number)
    )
    by_number = {
        number: Phone(account, hardware_id, Region(region))
        for number, account, hardware_id, region in rows
    }
    planned_batches = states.plan(
        ((number, phone.region, phone.username) for number, phone in by_number.items()),
        size=request.batch_size,
    )
    for planned in planned_batches:
        numbers = list(planned.rows)
        digest = digests.batch(
            (by_number[number] for number in numbers),
            tenant_id=request.tenant_id,
            request_id=request.id,
        )
        inserted = await tx.execute(
            insert(BatchRow)
            .values(
                request_id=request.id,
                tenant_id=request.tenant_id,
                region=planned.region.value,
                size=len(numbers),
                first_row=numbers[0],
                last_row=numbers[-1],
                state=BatchState.PLANNED.value,
                digest=digest,
            )
            .returning(BatchRow.id)
        )
        await tx.execute(
            update(PhoneRow)
            .where(PhoneRow.request_id == request.id, PhoneRow.number.in_(numbers))
            .values(batch_id=inserted.scalar_one())
        )


async def claim(
    database: Database,
    tenant_id: str,
    region: Region,
    *,
    owner: str,
    now: datetime,
    lease_until: datetime,
    only: Collection[str] | None = None,
    closed: Closed | None = None,
) -> list[Batch]:
    """planned -> intent, for as many batches as the region has free slots; requests take turns.

    Opens its own transaction: slots are counted and filled in one, under the region's lock, so no two
    replicas fill the last slot. `only`: batches of these requests, None for all. `closed`: asked about
    those that would be next; what it names leaves its slots to the next claim. Returns the batches that
    `owner` has to send before `lease_until`.
    """
    async with database.write() as tx:
        await locks.slots(tx, tenant_id, region)
        chosen = await slots.next_to_send(tx, tenant_id, region, now, only=only)
        if not chosen:
            return []
        await locks.requests(tx, *chosen.values())
        not_now = await closed(tx, set(chosen.values())) if closed else ()
        batch_ids = [each for each, request_id in chosen.items() if request_id not in not_now]
        await transitions.apply(
            tx,
            BatchRow,
            states.CLAIM,
            BatchRow.id.in_(batch_ids),
            attempt=BatchRow.attempt + 1,
            unsent_attempt=BatchRow.attempt + 1,
            owner=owner,
            lease_until=lease_until,
            sent_at=now,
            not_before=None,
            last_error="",
        )
        # One that was cancelled or acknowledged before the lock has left `planned`, and is not claimed.
        claimed = await batches.select_where(
            tx, BatchRow.id.in_(batch_ids), BatchRow.state == BatchState.INTENT.value
        )
        for batch in claimed:
            await phones.send(tx, batch)
        for request_id in {batch.request_id for batch in claimed}:
            await requests.touch(tx, request_id)
        return claimed


async def mark_sending(tx: Transaction, batch: Batch, *, owner: str, now: datetime) -> bool:
    """An intent's first byte is about to leave: from here on, only an answer tells what became of it.

    Returns False if `owner` no longer holds the batch: then it must not be sent.
    """
    marked = await tx.execute(
        update(BatchRow)
        .where(*leases.held(batch, owner), BatchRow.lease_until > now)
        .values(unsent_attempt=None)
    )
    return marked.rowcount == 1


async def _transition(
    tx: Transaction,
    batch: Batch,
    transition: Transition[BatchState],
    *where: ColumnElement[bool],
    **columns: Any,
) -> bool:
    """Compare-and-set under the request's lock, which the caller holds."""
    changed = await transitions.apply(
        tx, BatchRow, transition, *leases.same_attempt(batch), *where, **columns
    )
    return changed == 1


async def _submitted(
    tx: Transaction,
    batch: Batch,
    transition: Transition[BatchState],
    remote_batch_id: str,
    now: datetime,
    **columns: Any,
) -> bool:
    await locks.remote_batch_ids(tx, batch.tenant_id)
    if remote_batch_id.casefold() in await batches.known_remote_batch_ids(tx, batch.tenant_id):
        return False  # no two batches are one in the SIP Gateway
    if not await _transition(
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
    acknowledged = await _submitted(
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


async def confirm_ran(
    tx: Transaction, batch: Batch, remote_batch_id: str, *, actor: Person, now: datetime
) -> bool:
    """needs_person -> submitted: an approver named the batch in the SIP Gateway, which has its phones.

    Returns False when the question was answered meanwhile.
    """
    await locks.requests(tx, batch.request_id)
    confirmed = await _submitted(
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


async def _planned_again(
    tx: Transaction,
    batch: Batch,
    transition: Transition[BatchState],
    *where: ColumnElement[bool],
    not_before: datetime,
    error: str,
    **request_columns: Any,
) -> bool:
    if not await _transition(
        tx,
        batch,
        transition,
        *where,
        **_RELEASED,
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
    requeued = await _planned_again(
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
    released = await _planned_again(
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


async def confirm_not_run(
    tx: Transaction, notify: Notifications, batch: Batch, *, actor: Person, now: datetime
) -> bool:
    """needs_person -> planned: an approver says that the batch did not run, so it is sent again.

    Returns False when the question was answered meanwhile.
    """
    await locks.requests(tx, batch.request_id)
    confirmed = await _planned_again(tx, batch, states.CONFIRM_NOT_RUN, not_before=now, error="")
    if confirmed:
        await audit.record(tx, batch.request_id, "batch did not run", now, actor, batch=batch.id)
        await end_if_over(tx, notify, batch.request_id, now)
    return confirmed


async def reject(
    tx: Transaction, notify: Notifications, batch: Batch, message: str, now: datetime
) -> bool:
    """intent, unknown or needs_person -> done: nothing ran. The SIP Gateway refuses this batch, with
    `message`; or Offhook does not send it, since it is not what was approved (`CHANGED_MESSAGE`).

    Returns False when the batch has already moved on.
    """
    await locks.requests(tx, batch.request_id)
    rejected = await _transition(
        tx,
        batch,
        states.REJECT,
        **_RELEASED,
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
    marked = await _transition(
        tx,
        batch,
        states.MARK_UNKNOWN,
        **_RELEASED,
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


async def check_again(tx: Transaction, batch: Batch, *, actor: Person, now: datetime) -> bool:
    """needs_person -> unknown: an approver wants the summaries read once more.

    Returns False when the question was answered meanwhile.
    """
    await locks.requests(tx, batch.request_id)
    marked = await _transition(
        tx, batch, states.CHECK_AGAIN, **_RELEASED, summary_reads=0, due_at=now, last_error=""
    )
    if marked:
        await audit.record(tx, batch.request_id, "batch to be checked", now, actor, batch=batch.id)
        await requests.touch(tx, batch.request_id)
    return marked


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
        *leases.held(batch, owner),
        **_RELEASED,
        due_at=None,
        last_error=error,
    )
    if asked:
        await requests.touch(tx, batch.request_id)
        request = await requests.load(tx, batch.request_id)
        if request is not None:
            await notify.reconciliation_asked(tx, request, batch.id, now)
    return asked == 1


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
    asked = await tx.execute(
        update(BatchRow)
        .where(*leases.held(batch, owner), ~BatchRow.unreadable_asked)
        .values(unreadable_asked=True, last_error=error)
    )
    request = await requests.load(tx, batch.request_id)
    if asked.rowcount != 1 or request is None:
        return False
    await requests.touch(tx, batch.request_id)
    await notify.reconciliation_asked(tx, request, batch.id, now)
    return True


async def keep_polling(tx: Transaction, batch: Batch, *, actor: Person, now: datetime) -> bool:
    """An approver wants a batch polled on whose status cannot be read; they are asked again later.

    Returns False when the question was answered meanwhile.
    """
    await locks.requests(tx, batch.request_id)
    kept = await tx.execute(
        update(BatchRow)
        .where(
            *leases.same_attempt(batch),
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
    if kept.rowcount == 1:
        await audit.record(tx, batch.request_id, "batch to be polled", now, actor, batch=batch.id)
        await requests.touch(tx, batch.request_id)
    return kept.rowcount == 1


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
        await tx.execute(
            update(BatchRow)
            .where(*leases.held(batch, owner))
            .values(ended=ended, progress_at=now, stalled=False)
        )
        await requests.touch(tx, batch.request_id, unreachable_since=None)
    return ended


async def mark_stalled(
    tx: Transaction, notify: Notifications, batch: Batch, *, owner: str, now: datetime
) -> None:
    """Tell the requester, once, that a submitted batch makes no progress."""
    await locks.requests(tx, batch.request_id)
    marked = await tx.execute(
        update(BatchRow).where(*leases.held(batch, owner), ~BatchRow.stalled).values(stalled=True)
    )
    request = await requests.load(tx, batch.request_id)
    if marked.rowcount == 1 and request is not None:
        await requests.touch(tx, batch.request_id)
        await notify.stalled(tx, request, batch.region, now)


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
        *leases.held(batch, owner),
        **_RELEASED,
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


async def cancel_planned(tx: Transaction, request_id: str) -> None:
    """planned -> cancelled, for every batch of the request that was not sent.

    The caller holds the request's lock.
    """
    planned = await tx.execute(
        select(BatchRow.id).where(
            BatchRow.request_id == request_id, BatchRow.state == BatchState.PLANNED.value
        )
    )
    batch_ids = list(planned.scalars())
    await phones.leave_out(tx, PhoneRow.batch_id.in_(batch_ids))
    await transitions.apply(tx, BatchRow, states.CANCEL_PLANNED, BatchRow.id.in_(batch_ids))
