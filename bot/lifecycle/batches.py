"""Transitions of batches: planned, claimed, cancelled; and what all their transitions share.

Those of a submit are in `submission`, of a submitted batch in `polling`, of one whose outcome is not known
in `reconciliation`. They are fenced by lease and attempt: a write about a submit carries the batch's
`attempt`, so an answer that arrives after another replica took over is recorded only while it is still about
the same attempt. Each locks the request first: it ends with its last batch, whichever replica that is on.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, Update, insert, select, update

from bot.lifecycle import phones
from bot.phones.region import Region
from bot.signin import batch as states
from bot.signin.batch import BatchState
from bot.signin.digest import UNKEYED, Digests
from bot.signin.outcome import PhoneStatus
from bot.signin.request import Phone
from bot.signin.transition import Transition
from bot.store import batches, leases, locks, requests, slots, transitions
from bot.store.batches import Batch
from bot.store.database import Database, Transaction
from bot.store.models.batches import BatchRow
from bot.store.models.requests import PhoneRow
from bot.store.requests import Request
from bot.store.statement import statement

#: Columns of a batch that nobody works on any more.
RELEASED: Mapping[str, Any] = {"owner": "", "lease_until": None, "failing_since": None}
#: Which of these requests (whose locks are held) may not be sent now, see `pauses.pause_closed`.
Closed = Callable[[Transaction, Collection[str]], Awaitable[Collection[str]]]


async def plan(tx: Transaction, request: Request, digests: Digests = UNKEYED) -> None:
    """-> planned, for all batches of an approved request, each with the digest of what it may send.

    Phones that were left out before stay so.
    """
    rows = await tx.execute(*_pending(request.id))
    by_number = {
        number: Phone(account, hardware_id, Region(region))
        for number, account, hardware_id, region in rows
    }
    planned_batches = states.plan(
        ((number, phone.region, phone.username) for number, phone in by_number.items()),
        size=request.batch_size,
    )
    if not planned_batches:
        return
    added = await tx.execute(
        _ADD,
        [
            {
                "request_id": request.id,
                "tenant_id": request.tenant_id,
                "region": planned.region.value,
                "size": len(planned.rows),
                "first_row": planned.rows[0],
                "last_row": planned.rows[-1],
                "state": BatchState.PLANNED.value,
                "digest": digests.batch(
                    map(by_number.__getitem__, planned.rows),
                    tenant_id=request.tenant_id,
                    request_id=request.id,
                ),
            }
            for planned in planned_batches
        ],
    )
    for batch_id, planned in zip(added.scalars().all(), planned_batches, strict=True):
        await tx.execute(*_put_in(request.id, planned.rows, batch_id))


_ADD = insert(BatchRow).returning(BatchRow.id, sort_by_parameter_order=True)


@statement
def _pending(request_id: str) -> Select[int, str, str, str]:
    return (
        select(PhoneRow.number, PhoneRow.username, PhoneRow.hardware_id, PhoneRow.region)
        .where(
            PhoneRow.request_id == request_id,
            PhoneRow.ready,
            PhoneRow.status == PhoneStatus.PENDING.value,
        )
        .order_by(PhoneRow.number)
    )


@statement
def _put_in(request_id: str, numbers: Sequence[int], batch_id: int) -> Update:
    return (
        update(PhoneRow)
        .where(PhoneRow.request_id == request_id, PhoneRow.number.in_(numbers))
        .values(batch_id=batch_id)
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
        claimed = await batches.intents(tx, batch_ids)
        for batch in claimed:
            await phones.send(tx, batch)
        for request_id in {batch.request_id for batch in claimed}:
            await requests.touch(tx, request_id)
        return claimed


async def cancel_planned(tx: Transaction, request_id: str) -> None:
    """planned -> cancelled, for every batch of the request that was not sent.

    The caller holds the request's lock.
    """
    batch_ids = list((await tx.execute(*_planned(request_id))).scalars())
    await phones.leave_out(tx, PhoneRow.batch_id.in_(batch_ids))
    await transitions.apply(tx, BatchRow, states.CANCEL_PLANNED, BatchRow.id.in_(batch_ids))


@statement
def _planned(request_id: str) -> Select[int]:
    planned = BatchRow.state == BatchState.PLANNED.value
    return select(BatchRow.id).where(BatchRow.request_id == request_id, planned)


async def change(
    tx: Transaction,
    batch: Batch,
    transition: Transition[BatchState],
    *where: ColumnElement[bool],
    **columns: Any,
) -> bool:
    """Compare-and-set under the request's lock, which the caller holds.

    Returns False when the batch has moved on, or was claimed again.
    """
    changed = await transitions.apply(
        tx, BatchRow, transition, *where, rows=leases.same_attempt(batch), **columns
    )
    return changed == 1
