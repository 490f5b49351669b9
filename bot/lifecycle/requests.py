"""Transitions of requests. The only way to make, decide, cancel and end one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, update

from bot.lifecycle import batches
from bot.lifecycle.ending import end_if_over
from bot.lifecycle.notifications import Notifications
from bot.phones.region import Region
from bot.phones.roster import Roster
from bot.signin import request as states
from bot.signin.digest import UNKEYED, Digests, equal
from bot.signin.request import Person, RequestState
from bot.signin.transition import Transition
from bot.store import audit, drafts, locks, requests, transitions
from bot.store.database import Transaction
from bot.store.drafts import NewRequest
from bot.store.models import RequestRow
from bot.store.requests import Request

# After a reminder the next is due when three quarters of the remaining time are over: an approver who
# has not looked for hours does not look sooner for being told every hour. None in the last hour.
_NEXT_REMINDER = 0.75
_LAST_REMINDER = timedelta(hours=1)


class RegionMissingError(Exception):
    """Some ready row has no region, neither from the file nor chosen by the requester."""


class DigestMismatchError(Exception):
    """The rows are not those that approval was requested for: somebody changed the database, or the
    key of the digests is another one."""


async def draft(
    tx: Transaction, notify: Notifications, new: NewRequest, roster: Roster, now: datetime
) -> str:
    """-> draft, from a validated file. Returns the new request's id."""
    request_id = await drafts.insert_roster(tx, new, roster, now)
    await audit.record(
        tx,
        request_id,
        "drafted",
        now,
        new.requester,
        file=new.file_name,
        rows=len(roster.rows),
    )
    await notify.drafted(tx, new.tenant_id, new.conversation_id, request_id, now)
    return request_id


@dataclass(frozen=True, slots=True)
class Retry:
    request_id: str
    phones: int


class RetryExistsError(Exception):
    """Another request took over the phones that were not signed in."""

    def __init__(self, request_id: str) -> None:
        super().__init__(request_id)
        self.request_id = request_id


async def draft_retry(
    tx: Transaction, notify: Notifications, new: NewRequest, failed: Request, now: datetime
) -> Retry | None:
    """-> draft, from the phones of `failed` that were not signed in; None if there are none.

    Raises `RetryExistsError` if another request took them over.
    """
    await locks.requests(tx, failed.id)
    existing = await drafts.retry_of(tx, failed.id)
    if existing is not None:
        raise RetryExistsError(existing)
    drafted = await drafts.insert_retry(tx, new, failed.id, now, batch_size=failed.batch_size)
    if drafted is None:
        return None
    request_id, phones = drafted
    await audit.record(
        tx, request_id, "drafted", now, new.requester, retry_of=failed.id, rows=phones
    )
    await notify.drafted(tx, new.tenant_id, new.conversation_id, request_id, now)
    return Retry(request_id, phones)


async def _transition(
    tx: Transaction,
    request: Request,
    transition: Transition[RequestState],
    *conditions: ColumnElement[bool],
    **columns: Any,
) -> bool:
    changed = await transitions.apply(
        tx,
        RequestRow,
        transition,
        RequestRow.id == request.id,
        *conditions,
        version=RequestRow.version + 1,
        state_version=RequestRow.version + 1,
        **columns,
    )
    return changed == 1


async def request_approval(
    tx: Transaction,
    notify: Notifications,
    request: Request,
    *,
    region: Region | None,
    reason: str,
    ttl: timedelta,
    actor: Person,
    now: datetime,
    batch_size: int | None = None,
    digests: Digests = UNKEYED,
) -> bool:
    """draft -> waiting. From here on the rows do not change; the digest binds the approval to them.

    `region`: for the rows whose file gave none. `ttl`: how long approvers have. `batch_size`: phones per
    batch at most, None for what the draft says.
    Returns False when the request has already moved on. Raises `RegionMissingError`.
    """
    batch_size = batch_size or request.batch_size
    if not await _transition(
        tx,
        request,
        states.REQUEST_APPROVAL,
        reason=reason,
        asked_at=now,
        expires_at=now + ttl,
        remind_at=now + ttl / 2,
        batch_size=batch_size,
    ):
        return False
    if region is not None:
        await requests.set_region(tx, request.id, region)
    if await requests.without_region(tx, request.id):
        raise RegionMissingError(request.id)
    sealed = digests.request(await requests.phones(tx, request.id), batch_size=batch_size)
    await tx.execute(update(RequestRow).where(RequestRow.id == request.id).values(digest=sealed))
    await audit.record(tx, request.id, "asked", now, actor, reason=reason, digest=sealed)
    await notify.approval_requested(tx, request, now)
    return True


async def approve(
    tx: Transaction,
    notify: Notifications,
    request: Request,
    *,
    comment: str,
    actor: Person,
    now: datetime,
    delegation_until: datetime | None = None,
    digests: Digests = UNKEYED,
) -> bool:
    """waiting -> running, with its batches planned.

    `delegation_until`: until when the approver's delegation is vouched for, None without one.
    Returns False when the request has already moved on or its time is over. Raises
    `DigestMismatchError` if the rows differ from those that approval was requested for.
    """
    if not await _transition(
        tx,
        request,
        states.APPROVE,
        RequestRow.digest == request.digest,
        RequestRow.expires_at > now,
        decided_by_id=actor.object_id,
        decided_by_name=actor.name,
        decided_at=now,
        comment=comment,
        delegation_until=delegation_until,
    ):
        return False
    computed = digests.request(await requests.phones(tx, request.id), batch_size=request.batch_size)
    if not equal(computed, request.digest):
        raise DigestMismatchError(request.id)
    await batches.plan(tx, request, digests)
    await audit.record(
        tx, request.id, "approved", now, actor, comment=comment, digest=request.digest
    )
    await notify.approved(tx, request, actor, now)
    return True


async def reject(
    tx: Transaction,
    notify: Notifications,
    request: Request,
    *,
    comment: str,
    actor: Person,
    now: datetime,
) -> bool:
    """waiting -> rejected. Returns False when the request has already moved on or its time is over."""
    rejected = await _transition(
        tx,
        request,
        states.REJECT,
        RequestRow.expires_at > now,
        decided_by_id=actor.object_id,
        decided_by_name=actor.name,
        decided_at=now,
        finished_at=now,
        comment=comment,
    )
    if rejected:
        await audit.record(tx, request.id, "rejected", now, actor, comment=comment)
        await notify.rejected(tx, request, actor, comment, now)
    return rejected


async def withdraw(tx: Transaction, request: Request, *, actor: Person, now: datetime) -> bool:
    """draft or waiting -> withdrawn. Returns False when the request has already moved on."""
    withdrawn = await _transition(tx, request, states.WITHDRAW, finished_at=now)
    if withdrawn:
        await audit.record(tx, request.id, "withdrawn", now, actor)
    return withdrawn


async def expire(tx: Transaction, notify: Notifications, request: Request, now: datetime) -> bool:
    """waiting -> expired, once its time is over. Returns False before, or if it has moved on."""
    expired = await _transition(
        tx, request, states.EXPIRE, RequestRow.expires_at <= now, finished_at=now
    )
    if expired:
        await audit.record(tx, request.id, "expired", now)
        await notify.expired(tx, request, now)
    return expired


def next_reminder(now: datetime, expires_at: datetime) -> datetime | None:
    """When to remind approvers after a reminder `now`; None if it was the last."""
    due_at = now + (expires_at - now) * _NEXT_REMINDER
    return due_at if expires_at - due_at >= _LAST_REMINDER else None


async def remind(tx: Transaction, notify: Notifications, request: Request, now: datetime) -> bool:
    """Remind the approvers of a waiting request; its state stays.

    Returns False if no reminder is due, for instance because another replica has just sent it.
    """
    if request.expires_at is None:
        return False
    reminded = await tx.execute(
        update(RequestRow)
        .where(
            RequestRow.id == request.id,
            RequestRow.state == RequestState.WAITING.value,
            RequestRow.remind_at <= now,
        )
        .values(remind_at=next_reminder(now, request.expires_at))
    )
    if reminded.rowcount == 1:
        await notify.reminded(tx, request, now)
    return reminded.rowcount == 1


async def cancel(
    tx: Transaction, notify: Notifications, request: Request, *, actor: Person, now: datetime
) -> bool:
    """running -> running, with nothing more to be sent; it ends with the phones already sent.

    Returns False when the request has already ended or cancellation was requested before.
    """
    cancelled = await _transition(
        tx,
        request,
        states.CANCEL,
        RequestRow.cancel_asked_at.is_(None),
        cancelled_by_id=actor.object_id,
        cancelled_by_name=actor.name,
        cancel_asked_at=now,
    )
    if cancelled:
        await audit.record(tx, request.id, "cancel asked", now, actor)
        await batches.cancel_planned(tx, request.id)
        await end_if_over(tx, notify, request.id, now)
    return cancelled
