"""Requests: one function per transition, each one conditional UPDATE (compare-and-set).

A transition returns False if the request had moved on: somebody else was first, and the caller shows
what they did. Nobody reads, decides and writes in two steps.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, case, delete, func, insert, or_, select, update

from bot.phones.region import Region
from bot.signin import batch as batches
from bot.signin.batch import BatchState
from bot.signin.outcome import PhoneStatus
from bot.signin.policy import RequestFacts
from bot.signin.request import TERMINAL_REQUEST_STATES, Person, Phone, RequestState, digest
from bot.store.database import Transaction
from bot.store.models import BatchRow, EventRow, PhoneRow, PostRow, RequestRow


@dataclass(frozen=True, slots=True)
class Request:
    """What transitions and policy need to know of a request; cards take a snapshot instead."""

    id: str
    version: int
    state: RequestState
    tenant_id: str
    requester: Person
    conversation_id: str
    file_name: str
    four_eyes: bool
    ready_rows: int
    total_rows: int
    digest: str
    asked_at: datetime | None
    expires_at: datetime | None
    decided_by: Person
    decided_at: datetime | None
    cancel_asked_at: datetime | None

    @property
    def facts(self) -> RequestFacts:
        return RequestFacts(
            self.tenant_id,
            self.state,
            self.requester.object_id,
            self.expires_at,
            self.cancel_asked_at is not None,
        )


async def load(tx: Transaction, request_id: str) -> Request | None:
    row = (
        await tx.execute(select(RequestRow.__table__).where(RequestRow.id == request_id))
    ).one_or_none()
    if row is None:
        return None
    return Request(
        id=row.id,
        version=row.version,
        state=RequestState(row.state),
        tenant_id=row.tenant_id,
        requester=Person(row.requester_id, row.requester_name),
        conversation_id=row.conversation_id,
        file_name=row.file_name,
        four_eyes=row.four_eyes,
        ready_rows=row.ready_rows,
        total_rows=row.total_rows,
        digest=row.digest,
        asked_at=row.asked_at,
        expires_at=row.expires_at,
        decided_by=Person(row.decided_by_id, row.decided_by_name),
        decided_at=row.decided_at,
        cancel_asked_at=row.cancel_asked_at,
    )


async def record(
    tx: Transaction,
    request_id: str,
    action: str,
    now: datetime,
    actor: Person | None = None,
    **detail: Any,
) -> None:
    """Add a line to the audit."""
    who = actor or Person("", "")
    await tx.execute(
        insert(EventRow).values(
            request_id=request_id,
            at=now,
            actor_id=who.object_id,
            actor_name=who.name,
            action=action,
            detail=detail,
        )
    )


async def _move(
    tx: Transaction,
    request_id: str,
    before: RequestState,
    *conditions: ColumnElement[bool],
    **values: Any,
) -> bool:
    """The compare-and-set behind every transition."""
    changed = await tx.execute(
        update(RequestRow)
        .where(RequestRow.id == request_id, RequestRow.state == before.value, *conditions)
        .values(version=RequestRow.version + 1, state_version=RequestRow.version + 1, **values)
    )
    return changed.rowcount == 1


async def touch(tx: Transaction, request_id: str, **values: Any) -> None:
    """Something that cards show has changed."""
    await tx.execute(
        update(RequestRow)
        .where(RequestRow.id == request_id)
        .values(version=RequestRow.version + 1, **values)
    )


async def unreachable(
    tx: Transaction, request_id: str, since: datetime, *, refused: str = ""
) -> None:
    """The service could not be asked, or refused us: noted when it begins, not each time."""
    values = {"refused": refused} if refused else {}
    await tx.execute(
        update(RequestRow)
        .where(RequestRow.id == request_id, RequestRow.unreachable_since.is_(None))
        .values(version=RequestRow.version + 1, unreachable_since=since, **values)
    )


async def reachable(tx: Transaction, request_id: str) -> None:
    """The service answered: what was said of not reaching it is over."""
    await tx.execute(
        update(RequestRow)
        .where(RequestRow.id == request_id, RequestRow.unreachable_since.is_not(None))
        .values(version=RequestRow.version + 1, unreachable_since=None, refused="")
    )


async def signed_in(
    tx: Transaction, request_id: str, until: datetime, *, actor: Person, now: datetime
) -> bool:
    """Somebody signed in for a running request: its work goes on with their rights."""
    changed = await tx.execute(
        update(RequestRow)
        .where(RequestRow.id == request_id, RequestRow.state == RequestState.RUNNING.value)
        .values(
            version=RequestRow.version + 1,
            delegation_until=until,
            delegation_wanted_since=None,
            refused="",
            unreachable_since=None,
        )
    )
    if changed.rowcount == 1:
        await record(tx, request_id, "signed in", now, actor)
    return changed.rowcount == 1


async def still_signed_in(
    tx: Transaction, request_ids: Collection[str], until: datetime
) -> list[str]:
    """Vouch for the sign-ins that are held here; returns the requests that still run."""
    said_otherwise = case((RequestRow.delegation_wanted_since.is_not(None), 1), else_=0)
    rows = await tx.execute(
        update(RequestRow)
        .where(RequestRow.id.in_(request_ids), RequestRow.state == RequestState.RUNNING.value)
        .values(
            version=RequestRow.version + said_otherwise,
            delegation_until=until,
            delegation_wanted_since=None,
        )
        .returning(RequestRow.id)
    )
    return list(rows.scalars())


async def signed_out(tx: Transaction, request_ids: Collection[str] | None = None) -> None:
    """Nobody is signed in for these any more, or (None) for any."""
    these = () if request_ids is None else (RequestRow.id.in_(request_ids),)
    await tx.execute(
        update(RequestRow)
        .where(RequestRow.delegation_until.is_not(None), *these)
        .values(delegation_until=None)
    )


async def want_sign_in(
    tx: Transaction, now: datetime, work: Collection[BatchState]
) -> list[Request]:
    """Running requests with batches in one of the states `work` for which nobody is signed in, and of
    which that was not said yet: it is from now on."""
    open_batches = select(BatchRow.request_id).where(
        BatchRow.state.in_([state.value for state in work])
    )
    rows = await tx.execute(
        update(RequestRow)
        .where(
            RequestRow.state == RequestState.RUNNING.value,
            RequestRow.delegation_wanted_since.is_(None),
            or_(RequestRow.delegation_until.is_(None), RequestRow.delegation_until <= now),
            RequestRow.id.in_(open_batches),
        )
        .values(version=RequestRow.version + 1, delegation_wanted_since=now)
        .returning(RequestRow.id)
    )
    found = [await load(tx, request_id) for request_id in list(rows.scalars())]
    return [request for request in found if request is not None]


async def without_region(tx: Transaction, request_id: str) -> int:
    """How many ready rows have no region yet."""
    counted = await tx.execute(
        select(func.count()).where(
            PhoneRow.request_id == request_id, PhoneRow.ready, PhoneRow.region == ""
        )
    )
    return counted.scalar_one()


async def ask(
    tx: Transaction,
    request_id: str,
    *,
    region: Region | None,
    reason: str,
    expires_at: datetime,
    remind_at: datetime,
    now: datetime,
    actor: Person,
) -> bool:
    """draft -> waiting. From here on the rows do not change; the digest binds the approval to them."""
    if region is not None:
        await tx.execute(
            update(PhoneRow)
            .where(PhoneRow.request_id == request_id, PhoneRow.ready, PhoneRow.region == "")
            .values(region=region.value)
        )
    seal = digest(await devices(tx, request_id))
    moved = await _move(
        tx,
        request_id,
        RequestState.DRAFT,
        state=RequestState.WAITING.value,
        reason=reason,
        digest=seal,
        asked_at=now,
        expires_at=expires_at,
        remind_at=remind_at,
    )
    if moved:
        await record(tx, request_id, "asked", now, actor, reason=reason, digest=seal)
    return moved


async def devices(tx: Transaction, request_id: str) -> list[Phone]:
    """The ready rows, in the file's order. Every one of them has a region."""
    rows = await tx.execute(
        select(PhoneRow.username, PhoneRow.hardware_id, PhoneRow.region)
        .where(PhoneRow.request_id == request_id, PhoneRow.ready)
        .order_by(PhoneRow.number)
    )
    return [Phone(name, hardware, Region(region)) for name, hardware, region in rows]


class DigestMismatchError(Exception):
    """The rows are not those that approval was asked for: somebody changed the database."""


async def approve(
    tx: Transaction,
    request: Request,
    *,
    comment: str,
    actor: Person,
    now: datetime,
    delegation_until: datetime | None = None,
) -> bool:
    """waiting -> running, and the batches are planned in the same transaction.

    `delegation_until`: how long the approver's rights are vouched for at first.
    Raises `DigestMismatch` if the rows differ from what the approver was shown.
    """
    moved = await _move(
        tx,
        request.id,
        RequestState.WAITING,
        RequestRow.digest == request.digest,
        RequestRow.expires_at > now,
        state=RequestState.RUNNING.value,
        decided_by_id=actor.object_id,
        decided_by_name=actor.name,
        decided_at=now,
        comment=comment,
        delegation_until=delegation_until,
    )
    if not moved:
        return False
    if digest(await devices(tx, request.id)) != request.digest:
        raise DigestMismatchError(request.id)
    await _plan(tx, request)
    await record(tx, request.id, "approved", now, actor, comment=comment, digest=request.digest)
    return True


async def _plan(tx: Transaction, request: Request) -> None:
    rows = await tx.execute(
        select(PhoneRow.number, PhoneRow.region)
        .where(PhoneRow.request_id == request.id, PhoneRow.ready)
        .order_by(PhoneRow.number)
    )
    for planned in batches.plan((number, Region(region)) for number, region in rows):
        numbers = list(planned.rows)
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
            )
            .returning(BatchRow.id)
        )
        await tx.execute(
            update(PhoneRow)
            .where(PhoneRow.request_id == request.id, PhoneRow.number.in_(numbers))
            .values(batch_id=inserted.scalar_one())
        )


async def reject(
    tx: Transaction, request_id: str, *, comment: str, actor: Person, now: datetime
) -> bool:
    moved = await _move(
        tx,
        request_id,
        RequestState.WAITING,
        RequestRow.expires_at > now,
        state=RequestState.REJECTED.value,
        decided_by_id=actor.object_id,
        decided_by_name=actor.name,
        decided_at=now,
        finished_at=now,
        comment=comment,
    )
    if moved:
        await record(tx, request_id, "rejected", now, actor, comment=comment)
    return moved


async def withdraw(
    tx: Transaction, request_id: str, before: RequestState, *, actor: Person, now: datetime
) -> bool:
    """draft or waiting -> withdrawn."""
    moved = await _move(tx, request_id, before, state=RequestState.WITHDRAWN.value, finished_at=now)
    if moved:
        await record(tx, request_id, "withdrawn", now, actor)
    return moved


async def expire(tx: Transaction, request_id: str, now: datetime) -> bool:
    """waiting -> expired, once its time is over."""
    moved = await _move(
        tx,
        request_id,
        RequestState.WAITING,
        RequestRow.expires_at <= now,
        state=RequestState.EXPIRED.value,
        finished_at=now,
    )
    if moved:
        await record(tx, request_id, "expired", now)
    return moved


async def due_to_expire(tx: Transaction, now: datetime) -> list[str]:
    rows = await tx.execute(
        select(RequestRow.id).where(
            RequestRow.state == RequestState.WAITING.value, RequestRow.expires_at <= now
        )
    )
    return list(rows.scalars())


async def due_to_remind(tx: Transaction, now: datetime) -> list[str]:
    rows = await tx.execute(
        select(RequestRow.id).where(
            RequestRow.state == RequestState.WAITING.value,
            RequestRow.remind_at <= now,
            RequestRow.expires_at > now,
        )
    )
    return list(rows.scalars())


async def take_reminder(tx: Transaction, request_id: str, now: datetime) -> bool:
    """True for the one who may send the reminder that is due."""
    taken = await tx.execute(
        update(RequestRow)
        .where(
            RequestRow.id == request_id,
            RequestRow.state == RequestState.WAITING.value,
            RequestRow.remind_at <= now,
        )
        .values(remind_at=None)
    )
    return taken.rowcount == 1


async def remind_next(tx: Transaction, request_id: str, at: datetime | None) -> None:
    await tx.execute(update(RequestRow).where(RequestRow.id == request_id).values(remind_at=at))


async def cancel(tx: Transaction, request_id: str, *, actor: Person, now: datetime) -> bool:
    """Stop what was not sent. The state changes once the phones that were sent have ended."""
    moved = await _move(
        tx,
        request_id,
        RequestState.RUNNING,
        RequestRow.cancel_asked_at.is_(None),
        cancelled_by_id=actor.object_id,
        cancelled_by_name=actor.name,
        cancel_asked_at=now,
    )
    if moved:
        await record(tx, request_id, "cancel asked", now, actor)
        await drop_planned(tx, request_id)
    return moved


async def drop_planned(tx: Transaction, request_id: str) -> None:
    """Batches that were not sent never will be; their phones are left as they are."""
    planned = select(BatchRow.id).where(
        BatchRow.request_id == request_id, BatchRow.state == BatchState.PLANNED.value
    )
    await tx.execute(
        update(PhoneRow)
        .where(PhoneRow.request_id == request_id, PhoneRow.batch_id.in_(planned))
        .values(status=PhoneStatus.NOT_RUN.value, cause="not-run")
    )
    await tx.execute(
        update(BatchRow)
        .where(BatchRow.request_id == request_id, BatchRow.state == BatchState.PLANNED.value)
        .values(state=BatchState.CANCELLED.value)
    )


async def finish(tx: Transaction, request_id: str, now: datetime) -> RequestState | None:
    """running -> finished or cancelled, if no batch is open any more; else None."""
    still_open = await tx.execute(
        select(func.count()).where(
            BatchRow.request_id == request_id,
            BatchRow.state.not_in([state.value for state in batches.TERMINAL_BATCH_STATES]),
        )
    )
    if still_open.scalar_one():
        return None
    request = await load(tx, request_id)
    if request is None:
        return None
    left_out = await tx.execute(
        select(func.count()).where(
            BatchRow.request_id == request_id, BatchRow.state == BatchState.CANCELLED.value
        )
    )
    # A cancel that came too late to stop anything did not cancel the request.
    after = RequestState.CANCELLED if left_out.scalar_one() else RequestState.FINISHED
    if not await _move(
        tx,
        request_id,
        RequestState.RUNNING,
        state=after.value,
        finished_at=now,
        refused="",
        unreachable_since=None,
        delegation_until=None,
        delegation_wanted_since=None,
    ):
        return None
    await record(tx, request_id, after.value, now)
    return after


async def purge(tx: Transaction, before: datetime) -> int:
    """Delete requests that ended before `before`, and drafts as old, with all that belongs to them."""
    ended = [state.value for state in TERMINAL_REQUEST_STATES]
    old = list(
        (
            await tx.execute(
                select(RequestRow.id).where(
                    (RequestRow.state.in_(ended) & (RequestRow.finished_at < before))
                    | (
                        (RequestRow.state == RequestState.DRAFT.value)
                        & (RequestRow.created_at < before)
                    )
                )
            )
        ).scalars()
    )
    for at in range(0, len(old), 500):
        some = old[at : at + 500]
        await tx.execute(delete(PostRow).where(PostRow.request_id.in_(some)))
        await tx.execute(delete(RequestRow).where(RequestRow.id.in_(some)))
    await tx.execute(delete(PostRow).where(~PostRow.live, PostRow.created_at < before))
    return len(old)
