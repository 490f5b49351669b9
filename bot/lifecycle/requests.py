"""Transitions of requests: approved, rejected, withdrawn, expired, cancelled; and what all of them share.

They are made in `drafts`, approval is asked for in `asking`, and they end in `ending`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import ColumnElement

from bot.lifecycle import batches, holds, phones, starts
from bot.lifecycle.ending import end_if_over
from bot.lifecycle.notifications import Notifications
from bot.lifecycle.overlaps import counted, find, hold_up
from bot.signin import request as states
from bot.signin.digest import UNKEYED, Digests, equal
from bot.signin.request import Hold, Person, RequestState
from bot.signin.schedule import GRACE
from bot.signin.transition import Transition
from bot.store import audit, locks, requests, transitions
from bot.store.database import Transaction
from bot.store.models.requests import RequestRow
from bot.store.requests import Request


class DigestMismatchError(Exception):
    """The rows are not those that approval was requested for: somebody changed the database, or the
    key of the digests is another one."""


async def change(
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
    check_accounts: bool = False,
    trail: Mapping[str, Any] = MappingProxyType({}),
    current: Request | None = None,
    break_glass: bool = False,
) -> bool:
    """waiting -> running, with its batches planned; or held until its accounts are checked once more, or
    until its time comes (`starts.start`).

    The last vote, as `bot.lifecycle.approvals` has found.

    `delegation_until`: until when the approver's delegation is vouched for, None without one.
    `check_accounts`: have its accounts checked again where that is due, see `holds.begin`. `trail`: the
    policy that allowed it and the approver's step-up, for the audit. `current`: the request, if it was
    read under these locks. `break_glass`: the requester approves it, see `break_glass.use`; for the audit.
    Returns False when the request has already moved on or its time is over, or when an approved request
    has some of its phones or accounts and the requester has not explained it; then its cards show it, and
    the requester is told. Approvals of a tenant take turns, so of two the second sees the first. Raises
    `DigestMismatchError` if the rows differ from those that approval was requested for.
    """
    await locks.approvals(tx, request.tenant_id)
    await locks.requests(tx, request.id)
    current = current or await requests.waiting(tx, request.id, now)
    if current is None or current.overlaps_version != request.overlaps_version:
        return False
    found = await find(tx, request, now)
    if await hold_up(tx, notify, current, found, actor=actor, now=now):
        return False
    if not await change(
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
        reason_wanted_since=None,
        hold=(Hold.SCHEDULED if current.run_at else Hold.NONE).value,
        run_by=current.run_at + GRACE if current.run_at else None,
    ):
        return False
    computed = digests.request(
        await requests.phones(tx, request.id),
        batch_size=request.batch_size,
        run_at=current.run_at,
    )
    if not equal(computed, request.digest):
        raise DigestMismatchError(request.id)
    scheduled = current.run_at is not None
    held = scheduled or (check_accounts and await holds.begin(tx, current, now))
    if not held:
        await batches.plan(tx, request, digests)
    await audit.record(
        tx,
        request.id,
        "approved",
        now,
        actor,
        comment=comment,
        digest=request.digest,
        **counted(found),
        **({"delegated": True} if delegation_until else {}),
        **starts.audited(current.run_at),
        **trail,
        **({"break_glass": True} if break_glass else {}),
    )
    await notify.approved(tx, request, now)
    if scheduled:
        await notify.scheduled(tx, request, actor, now)
    elif not held:
        await notify.started(tx, request, actor, request.ready_rows, now)
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
    rejected = await change(
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
    withdrawn = await change(tx, request, states.WITHDRAW, finished_at=now)
    if withdrawn:
        await audit.record(tx, request.id, "withdrawn", now, actor)
    return withdrawn


async def withdraw_scheduled(
    tx: Transaction, notify: Notifications, request: Request, *, actor: Person, now: datetime
) -> bool:
    """running -> withdrawn, if it is approved but has not been started. Returns False when it has."""
    withdrawn = await change(
        tx,
        request,
        states.WITHDRAW_SCHEDULED,
        RequestRow.hold.in_([Hold.SCHEDULED.value, Hold.MISSED.value]),
        RequestRow.cancel_asked_at.is_(None),
        finished_at=now,
        hold=Hold.NONE.value,
        delegation_until=None,
        delegation_wanted_since=None,
    )
    if withdrawn:
        await audit.record(tx, request.id, "withdrawn", now, actor)
        await notify.withdrawn(tx, request, now)
    return withdrawn


async def expire(tx: Transaction, notify: Notifications, request: Request, now: datetime) -> bool:
    """waiting -> expired, once its time is over. Returns False before, or if it has moved on."""
    expired = await change(
        tx, request, states.EXPIRE, RequestRow.expires_at <= now, finished_at=now
    )
    if expired:
        await audit.record(tx, request.id, "expired", now)
        await notify.expired(tx, request, now)
    return expired


async def redraw(tx: Transaction, request: Request) -> None:
    """Have the posted cards drawn anew: time has changed what they show."""
    await requests.touch(tx, request.id, state_version=RequestRow.version + 1)


async def cancel(
    tx: Transaction, notify: Notifications, request: Request, *, actor: Person, now: datetime
) -> bool:
    """running -> running, with nothing more to be sent; it ends with the phones already sent.

    Returns False when the request has already ended or cancellation was requested before.
    """
    cancelled = await change(
        tx,
        request,
        states.CANCEL,
        RequestRow.cancel_asked_at.is_(None),
        cancelled_by_id=actor.object_id,
        cancelled_by_name=actor.name,
        cancel_asked_at=now,
        hold=Hold.NONE.value,
    )
    if cancelled:
        await audit.record(tx, request.id, "cancel asked", now, actor)
        await batches.cancel_planned(tx, request.id)
        await phones.leave_out(tx, holds.unplanned(request.id))
        await end_if_over(tx, notify, request.id, now)
    return cancelled
