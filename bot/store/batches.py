"""Batches: every change of state that the job's machine knows, each a fenced UPDATE.

What belongs to a submit carries its `attempt`: an answer that arrives late, after somebody else has
taken over, is recorded only if it is still about the same attempt.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, bindparam, func, or_, select, update

from bot.phones.region import Region
from bot.signin.batch import MAX_BATCHES_PER_REGION, SLOT_HOLDING_STATES, BatchState
from bot.signin.outcome import TERMINAL_PHONE_STATUSES, PhoneStatus, explain
from bot.signin.request import Phone, RequestState, phone_key
from bot.store import requests
from bot.store.database import Database, Transaction
from bot.store.models import BatchRow, PhoneRow, RequestRow

_PLACES = [state.value for state in SLOT_HOLDING_STATES]


@dataclass(frozen=True, slots=True)
class Batch:
    id: int
    request_id: str
    tenant_id: str
    region: Region
    size: int
    state: BatchState
    attempt: int
    owner: str
    lease_until: datetime | None
    remote_batch_id: str
    sent_at: datetime | None
    polls: int
    summary_reads: int
    progress_at: datetime | None
    completed_at: datetime | None
    ended: int
    stalled: bool


_COLUMNS = (
    BatchRow.id,
    BatchRow.request_id,
    BatchRow.tenant_id,
    BatchRow.region,
    BatchRow.size,
    BatchRow.state,
    BatchRow.attempt,
    BatchRow.owner,
    BatchRow.lease_until,
    BatchRow.remote_batch_id,
    BatchRow.sent_at,
    BatchRow.polls,
    BatchRow.summary_reads,
    BatchRow.progress_at,
    BatchRow.completed_at,
    BatchRow.ended,
    BatchRow.stalled,
)


async def _select(tx: Transaction, *conditions: ColumnElement[bool]) -> list[Batch]:
    rows = await tx.execute(select(*_COLUMNS).where(*conditions).order_by(BatchRow.id))
    found: list[Batch] = []
    for row in rows.mappings():
        values: dict[str, Any] = dict(row)
        values["region"] = Region(row["region"])
        values["state"] = BatchState(row["state"])
        found.append(Batch(**values))
    return found


async def load(tx: Transaction, batch_id: int) -> Batch | None:
    found = await _select(tx, BatchRow.id == batch_id)
    return found[0] if found else None


async def devices(tx: Transaction, batch: Batch) -> list[Phone]:
    rows = await tx.execute(
        select(PhoneRow.username, PhoneRow.hardware_id)
        .where(PhoneRow.request_id == batch.request_id, PhoneRow.batch_id == batch.id)
        .order_by(PhoneRow.number)
    )
    return [Phone(name, hardware, batch.region) for name, hardware in rows]


def _among(requests: Collection[str] | None) -> tuple[ColumnElement[bool], ...]:
    """Of these requests, or (None) of any."""
    return () if requests is None else (BatchRow.request_id.in_(requests),)


async def lanes_with_work(
    tx: Transaction, now: datetime, *, only: Collection[str] | None = None
) -> list[tuple[str, Region]]:
    """Tenants and regions in which a batch may be sent now, if there is a free place."""
    rows = await tx.execute(
        select(BatchRow.tenant_id, BatchRow.region).where(*_ripe(now), *_among(only)).distinct()
    )
    return [(tenant, Region(region)) for tenant, region in rows]


def _ripe(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        BatchRow.state == BatchState.PLANNED.value,
        or_(BatchRow.not_before.is_(None), BatchRow.not_before <= now),
    )


async def claim(
    database: Database,
    lane: tuple[str, Region],
    *,
    owner: str,
    now: datetime,
    lease_until: datetime,
    only: Collection[str] | None = None,
) -> list[Batch]:
    """planned -> intent, for as many batches as the lane has free places; oldest approval first.

    Counting and claiming are one transaction of writers that take turns, so no two replicas take the
    last place.
    """
    tenant, region = lane
    async with database.write() as tx:
        taken = await tx.execute(
            select(func.count()).where(
                BatchRow.tenant_id == tenant,
                BatchRow.region == region.value,
                BatchRow.state.in_(_PLACES),
            )
        )
        free = MAX_BATCHES_PER_REGION - taken.scalar_one()
        if free <= 0:
            return []
        ids = (
            await tx.execute(
                select(BatchRow.id)
                .join(RequestRow, RequestRow.id == BatchRow.request_id)
                .where(
                    *_ripe(now),
                    *_among(only),
                    BatchRow.tenant_id == tenant,
                    BatchRow.region == region.value,
                    RequestRow.state == RequestState.RUNNING.value,
                )
                .order_by(RequestRow.decided_at, BatchRow.id)
                .limit(free)
            )
        ).scalars()
        claimed = list(ids)
        if not claimed:
            return []
        await tx.execute(
            update(BatchRow)
            .where(BatchRow.id.in_(claimed), BatchRow.state == BatchState.PLANNED.value)
            .values(
                state=BatchState.INTENT.value,
                attempt=BatchRow.attempt + 1,
                owner=owner,
                lease_until=lease_until,
                sent_at=now,
                not_before=None,
                last_error="",
            )
        )
        batches = await _select(tx, BatchRow.id.in_(claimed))
        await _phones_with_service(tx, batches)
        for request_id in {batch.request_id for batch in batches}:
            await requests.touch(tx, request_id)
        return batches


async def _phones_with_service(tx: Transaction, batches: Sequence[Batch]) -> None:
    await tx.execute(
        update(PhoneRow)
        .where(
            PhoneRow.batch_id.in_([batch.id for batch in batches]),
            PhoneRow.status == PhoneStatus.PENDING.value,
        )
        .values(status=PhoneStatus.IN_PROGRESS.value)
    )


def _attempt(batch: Batch, *states: BatchState) -> tuple[ColumnElement[bool], ...]:
    return (
        BatchRow.id == batch.id,
        BatchRow.attempt == batch.attempt,
        BatchRow.state.in_([state.value for state in states]),
    )


async def submitted(
    tx: Transaction,
    batch: Batch,
    remote_batch_id: str,
    *,
    owner: str,
    lease_until: datetime,
    due_at: datetime,
    now: datetime,
) -> bool:
    """The service has it. Recorded even if the lease ran out meanwhile: a proof beats a doubt."""
    changed = await tx.execute(
        update(BatchRow)
        .where(
            *_attempt(
                batch,
                BatchState.INTENT,
                BatchState.UNKNOWN,
                BatchState.NEEDS_PERSON,
                BatchState.PLANNED,
            )
        )
        .values(
            state=BatchState.SUBMITTED.value,
            remote_batch_id=remote_batch_id,
            owner=owner,
            lease_until=lease_until,
            due_at=due_at,
            progress_at=now,
            polls=0,
            not_before=None,
            last_error="",
        )
    )
    if changed.rowcount != 1:
        return False
    await _phones_with_service(tx, [batch])
    await requests.touch(tx, batch.request_id, refused="", unreachable_since=None)
    return True


async def nothing_ran(
    tx: Transaction,
    batch: Batch,
    *,
    before: Sequence[BatchState],
    not_before: datetime,
    error: str,
    **columns: Any,
) -> bool:
    """To planned: from intent, or later, if an answer proved it; from needs_person if a person said so.

    `columns` are those of the request that this changes, such as why it cannot go on.
    """
    changed = await tx.execute(
        update(BatchRow)
        .where(*_attempt(batch, *before))
        .values(
            state=BatchState.PLANNED.value,
            owner="",
            lease_until=None,
            sent_at=None,
            not_before=not_before,
            last_error=error,
        )
    )
    if changed.rowcount != 1:
        return False
    await tx.execute(
        update(PhoneRow)
        .where(PhoneRow.request_id == batch.request_id, PhoneRow.batch_id == batch.id)
        .values(status=PhoneStatus.PENDING.value)
    )
    request = await requests.load(tx, batch.request_id)
    if request is not None and request.cancel_asked_at is not None:
        await requests.drop_planned(tx, batch.request_id)
    await requests.touch(tx, batch.request_id, **columns)
    return True


async def refused(tx: Transaction, batch: Batch, message: str, now: datetime) -> bool:
    """intent -> done: the service will not take this batch, and nothing ran."""
    changed = await tx.execute(
        update(BatchRow)
        .where(*_attempt(batch, BatchState.INTENT))
        .values(
            state=BatchState.DONE.value,
            owner="",
            lease_until=None,
            done_at=now,
            last_error=message,
            ended=batch.size,
        )
    )
    if changed.rowcount != 1:
        return False
    explained = explain(message)
    await tx.execute(
        update(PhoneRow)
        .where(PhoneRow.request_id == batch.request_id, PhoneRow.batch_id == batch.id)
        .values(
            status=PhoneStatus.FAILED.value,
            message=message,
            cause="refused" if explained.cause.code == "unknown" else explained.cause.code,
        )
    )
    await requests.touch(tx, batch.request_id)
    return True


async def unknown(tx: Transaction, batch: Batch, *, due_at: datetime, error: str) -> bool:
    """intent -> unknown, or a person wants the summaries read again."""
    changed = await tx.execute(
        update(BatchRow)
        .where(*_attempt(batch, BatchState.INTENT, BatchState.NEEDS_PERSON))
        .values(
            state=BatchState.UNKNOWN.value,
            owner="",
            lease_until=None,
            summary_reads=0,
            due_at=due_at,
            last_error=error,
        )
    )
    if changed.rowcount == 1:
        await requests.touch(tx, batch.request_id)
    return changed.rowcount == 1


async def lapsed_intents(tx: Transaction, now: datetime) -> list[Batch]:
    """Intents whose owner is gone: nobody knows whether they were sent."""
    return await _select(tx, BatchRow.state == BatchState.INTENT.value, BatchRow.lease_until <= now)


async def release_all(tx: Transaction, now: datetime) -> None:
    """End every lease. Only for a process that knows that it is the only one."""
    await tx.execute(
        update(BatchRow).where(BatchRow.lease_until.is_not(None)).values(lease_until=now)
    )


async def due(
    tx: Transaction, *, owner: str, now: datetime, only: Collection[str] | None = None
) -> list[Batch]:
    """Submitted batches to poll and unknown ones to reconcile, which are ours or nobody's."""
    return await _select(
        tx,
        BatchRow.state.in_([BatchState.SUBMITTED.value, BatchState.UNKNOWN.value]),
        BatchRow.due_at <= now,
        *_among(only),
        or_(BatchRow.owner == owner, BatchRow.lease_until.is_(None), BatchRow.lease_until <= now),
    )


async def look_now(tx: Transaction, request_id: str, now: datetime) -> None:
    """Whoever can look after the request's batches may take them, and do so at once."""
    of_request = BatchRow.request_id == request_id
    await tx.execute(
        update(BatchRow)
        .where(
            of_request,
            BatchRow.state.in_([BatchState.SUBMITTED.value, BatchState.UNKNOWN.value]),
        )
        .values(owner="", lease_until=None)
    )
    await tx.execute(
        update(BatchRow)
        .where(of_request, BatchRow.state == BatchState.SUBMITTED.value)
        .values(due_at=now)
    )
    await tx.execute(
        update(BatchRow)
        .where(of_request, BatchRow.state == BatchState.PLANNED.value)
        .values(not_before=None)
    )


async def take(
    tx: Transaction, batch: Batch, *, owner: str, now: datetime, lease_until: datetime
) -> bool:
    """Become, or stay, the one who looks after a batch."""
    changed = await tx.execute(
        update(BatchRow)
        .where(
            *_attempt(batch, batch.state),
            or_(
                BatchRow.owner == owner, BatchRow.lease_until.is_(None), BatchRow.lease_until <= now
            ),
        )
        .values(owner=owner, lease_until=lease_until)
    )
    return changed.rowcount == 1


def _mine(batch: Batch, owner: str, state: BatchState) -> tuple[ColumnElement[bool], ...]:
    return (*_attempt(batch, state), BatchRow.owner == owner)


async def look_later(
    tx: Transaction,
    batch: Batch,
    *,
    owner: str,
    due_at: datetime,
    lease_until: datetime,
    checks: int | None = None,
    polls: int | None = None,
    stalled: bool | None = None,
    completed_at: datetime | None = None,
) -> None:
    """Nothing new: only when to look again. `stalled` and `completed_at` are set, never unset, here."""
    values: dict[str, object] = {"due_at": due_at, "lease_until": lease_until}
    if checks is not None:
        values["summary_reads"] = checks
    if polls is not None:
        values["polls"] = polls
    if completed_at is not None:
        values["completed_at"] = completed_at
    if stalled is not None and stalled != batch.stalled:
        values["stalled"] = stalled
        await requests.touch(tx, batch.request_id)
    await tx.execute(update(BatchRow).where(*_mine(batch, owner, batch.state)).values(**values))


async def needs_person(tx: Transaction, batch: Batch, *, owner: str) -> bool:
    """unknown -> needs_person: the summaries could not tell."""
    changed = await tx.execute(
        update(BatchRow)
        .where(*_mine(batch, owner, BatchState.UNKNOWN))
        .values(state=BatchState.NEEDS_PERSON.value, owner="", lease_until=None, due_at=None)
    )
    if changed.rowcount == 1:
        await requests.touch(tx, batch.request_id)
    return changed.rowcount == 1


async def needing_person(tx: Transaction, request_id: str) -> list[int]:
    rows = await tx.execute(
        select(BatchRow.id)
        .where(BatchRow.request_id == request_id, BatchRow.state == BatchState.NEEDS_PERSON.value)
        .order_by(BatchRow.id)
    )
    return list(rows.scalars())


@dataclass(frozen=True, slots=True)
class PhoneResult:
    """What the service says of one phone."""

    status: PhoneStatus
    message: str = ""


async def apply(
    tx: Transaction,
    batch: Batch,
    results: Mapping[tuple[str, str], PhoneResult],
    *,
    owner: str,
    now: datetime,
) -> int | None:
    """Write down results by (username, hardware id); returns how many phones have ended.

    None if the batch is not ours any more: then nothing is written.
    """
    owned = await tx.execute(select(BatchRow.id).where(*_mine(batch, owner, batch.state)))
    if owned.one_or_none() is None:
        return None
    rows = (
        await tx.execute(
            select(PhoneRow.number, PhoneRow.username, PhoneRow.hardware_id, PhoneRow.status).where(
                PhoneRow.request_id == batch.request_id, PhoneRow.batch_id == batch.id
            )
        )
    ).all()
    changes: list[dict[str, object]] = []
    ended = 0
    for row in rows:
        before = PhoneStatus(row.status)
        result = results.get(phone_key(row.username, row.hardware_id))
        after = before if result is None or before in TERMINAL_PHONE_STATUSES else result.status
        ended += after in TERMINAL_PHONE_STATUSES
        if result is not None and after is not before:
            cause = ""
            if after is PhoneStatus.FAILED:
                cause = explain(result.message).cause.code
            changes.append({"n": row.number, "s": after.value, "m": result.message, "c": cause})
    if changes:
        await tx.execute(
            update(PhoneRow)
            .where(PhoneRow.request_id == batch.request_id, PhoneRow.number == bindparam("n"))
            .values(status=bindparam("s"), message=bindparam("m"), cause=bindparam("c")),
            changes,
            execution_options={"synchronize_session": False},
        )
        await tx.execute(
            update(BatchRow)
            .where(BatchRow.id == batch.id)
            .values(ended=ended, progress_at=now, stalled=False)
        )
        await requests.touch(tx, batch.request_id, unreachable_since=None)
    return ended


async def done(tx: Transaction, batch: Batch, *, owner: str, now: datetime) -> bool:
    """submitted -> done. Phones of which the service never said how they went stay unconfirmed."""
    changed = await tx.execute(
        update(BatchRow)
        .where(*_mine(batch, owner, BatchState.SUBMITTED))
        .values(
            state=BatchState.DONE.value,
            owner="",
            lease_until=None,
            due_at=None,
            done_at=now,
            stalled=False,
        )
    )
    if changed.rowcount != 1:
        return False
    await tx.execute(
        update(PhoneRow)
        .where(
            PhoneRow.request_id == batch.request_id,
            PhoneRow.batch_id == batch.id,
            PhoneRow.status.not_in([status.value for status in TERMINAL_PHONE_STATUSES]),
        )
        .values(status=PhoneStatus.UNCONFIRMED.value, cause="no-result")
    )
    await requests.touch(tx, batch.request_id)
    return True


async def known_remote_batch_ids(tx: Transaction, tenant_id: str) -> set[str]:
    rows = await tx.execute(
        select(BatchRow.remote_batch_id).where(
            BatchRow.tenant_id == tenant_id, BatchRow.remote_batch_id != ""
        )
    )
    return set(rows.scalars())


async def durations(tx: Transaction, region: Region, *, newest: int = 5) -> list[float]:
    """Seconds that the newest finished batches of a region took, scaled by nothing."""
    rows = await tx.execute(
        select(BatchRow.sent_at, BatchRow.done_at)
        .where(
            BatchRow.region == region.value,
            BatchRow.state == BatchState.DONE.value,
            BatchRow.remote_batch_id != "",
            BatchRow.done_at.is_not(None),
        )
        .order_by(BatchRow.done_at.desc())
        .limit(newest)
    )
    return [(done_at - sent_at).total_seconds() for sent_at, done_at in rows if sent_at and done_at]


async def next_moment(
    tx: Transaction, *, send: Collection[str] | None = None, look: Collection[str] | None = None
) -> datetime | None:
    """When the next batch wants attention; None if nothing is due by itself.

    `send` and `look`: the requests whose batches can be sent and looked after, None for all.
    """
    looks = await tx.execute(
        select(func.min(BatchRow.due_at)).where(
            BatchRow.state.in_([BatchState.SUBMITTED.value, BatchState.UNKNOWN.value]),
            *_among(look),
        )
    )
    lease = await tx.execute(
        select(func.min(BatchRow.lease_until)).where(BatchRow.state == BatchState.INTENT.value)
    )
    wait = await tx.execute(
        select(func.min(BatchRow.not_before)).where(
            BatchRow.state == BatchState.PLANNED.value, *_among(send)
        )
    )
    return min(
        (moment for moment in (looks.scalar(), lease.scalar(), wait.scalar()) if moment),
        default=None,
    )


async def counts(tx: Transaction) -> dict[str, int]:
    """Batches by state, for the metrics."""
    rows = await tx.execute(select(BatchRow.state, func.count()).group_by(BatchRow.state))
    return {row.state: row[1] for row in rows}
