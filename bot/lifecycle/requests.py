"""Transitions of requests. The only way to make, decide, cancel and end one."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from sqlalchemy import ColumnElement, update

from bot.lifecycle import batches, holds, phones, preflight, starts, votes
from bot.lifecycle.asking import Asking, permit
from bot.lifecycle.ending import end_if_over
from bot.lifecycle.notifications import Notifications
from bot.phones.issue import Notice
from bot.phones.region import Region
from bot.phones.roster import Roster
from bot.signin import request as states
from bot.signin.digest import UNKEYED, Digests, equal
from bot.signin.overlap import Overlap, Verdict, judge
from bot.signin.request import Hold, Person, RequestState
from bot.signin.schedule import GRACE, Start
from bot.signin.transition import Transition
from bot.store import audit, drafts, evidence, locks, overlaps, requests, shown, transitions
from bot.store.account_checks import Preflight
from bot.store.chain import timestamp
from bot.store.database import Transaction
from bot.store.drafts import NewRequest
from bot.store.models import RequestRow
from bot.store.requests import Request

_AUDITED_OVERLAPS = 20  # other requests named in one event; all of them are counted


class RegionMissingError(Exception):
    """Some ready row has no region, neither from the file nor chosen by the requester."""


class NothingReadyError(Exception):
    """No row is ready."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What approvers are shown of who asks, besides the name and the reason."""

    ticket: str = ""  #: "" without one
    upn: str = ""  #: from the directory; "" if it did not tell
    account: str = ""  #: who they are to the chat


NOTHING_TOLD = Asked()


class OverlapUnexplainedError(Exception):
    """Other requests have the same phones or accounts, and the requester gave no reason."""


class DigestMismatchError(Exception):
    """The rows are not those that approval was requested for: somebody changed the database, or the
    key of the digests is another one."""


async def draft(
    tx: Transaction,
    notify: Notifications,
    new: NewRequest,
    roster: Roster,
    now: datetime,
    *,
    check_accounts: bool = False,
) -> str:
    """-> draft, from a validated file. Returns the new request's id.

    `check_accounts`: have its accounts checked before approval can be requested.
    """
    request_id = await drafts.insert_roster(tx, new, roster, now)
    if check_accounts:
        await preflight.begin(tx, request_id)
    found = await _keep_overlaps(tx, request_id, now, tenant_id=new.tenant_id)
    await audit.record(
        tx,
        request_id,
        "drafted",
        now,
        new.requester,
        file=new.file_name,
        rows=len(roster.rows),
        **_counted(found),
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
    tx: Transaction,
    notify: Notifications,
    new: NewRequest,
    failed: Request,
    now: datetime,
    *,
    check_accounts: bool = False,
    found: Sequence[Notice] = (),
) -> Retry | None:
    """-> draft, from the phones of `failed` that were not signed in; None if there are none.

    `found`: what came of looking up those without a result. Raises `RetryExistsError` if another request
    took them over.
    """
    await locks.requests(tx, failed.id)
    existing = await drafts.retry_of(tx, failed.id)
    if existing is not None:
        raise RetryExistsError(existing)
    drafted = await drafts.insert_retry(
        tx, new, failed.id, now, batch_size=failed.batch_size, found=found
    )
    if drafted is None:
        return None
    request_id, phones = drafted
    if check_accounts:
        await preflight.begin(tx, request_id)
    overlapping = await _keep_overlaps(
        tx, request_id, now, tenant_id=new.tenant_id, retry_of=failed.id
    )
    await audit.record(
        tx,
        request_id,
        "drafted",
        now,
        new.requester,
        retry_of=failed.id,
        rows=phones,
        **_counted(overlapping),
    )
    await notify.drafted(tx, new.tenant_id, new.conversation_id, request_id, now)
    return Retry(request_id, phones)


async def _keep_overlaps(
    tx: Transaction, request_id: str, now: datetime, *, tenant_id: str, retry_of: str = ""
) -> list[Overlap]:
    """Find what the request has in common with others and show it from now on."""
    found = await overlaps.find(tx, request_id, now, tenant_id=tenant_id, retry_of=retry_of)
    await overlaps.save(tx, request_id, found)
    return found


async def _overlaps(tx: Transaction, request: Request, now: datetime) -> list[Overlap]:
    return await overlaps.find(
        tx, request.id, now, tenant_id=request.tenant_id, retry_of=request.retry_of
    )


def _counted(found: Sequence[Overlap]) -> dict[str, Any]:
    """The audit's account of overlaps. Empty if there are none."""
    if not found:
        return {}
    lines = [
        {"request": each.request_id, "accounts": each.accounts, "phones": each.phones}
        for each in found[:_AUDITED_OVERLAPS]
    ]
    return {"overlaps": len(found), "overlapping": lines}


def _told(run_at: datetime | None) -> dict[str, str]:
    """The audit's account of a start. Empty if it is at once."""
    return {"run_at": timestamp(run_at)} if run_at else {}


async def _want_reason(
    tx: Transaction,
    notify: Notifications,
    request: Request,
    found: Sequence[Overlap],
    now: datetime,
    actor: Person,
    **typed: object,
) -> None:
    """Show what is found, and hold the request up until its requester explains it. The card keeps the
    request's reason, ticket and batch size, and the start that was `typed` on a draft's."""
    await votes.void_changed(tx, notify, request, now)
    await overlaps.save(tx, request.id, found)
    await requests.touch(
        tx,
        request.id,
        reason_wanted_since=now,
        overlaps_version=RequestRow.version + 1,
        state_version=RequestRow.version + 1,
        reason=request.reason,
        ticket=request.ticket,
        batch_size=request.batch_size,
        **typed,
    )
    await audit.record(tx, request.id, "overlap found", now, actor, **_counted(found))


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
    include_failed: bool = False,
    include_guarded: Collection[str] = (),
    asking: Asking | None = None,
    told: Asked = NOTHING_TOLD,
    start: Start | None = None,
) -> bool:
    """draft -> waiting. From here on rows and start do not change; the digest binds the approval to them.

    `region`: for the rows whose file gave none. `ttl`: how long approvers have, but never longer than
    until the `start`, which is None to start once it is approved. `batch_size`: phones per
    batch at most, None for what the draft says. `include_failed`, `include_guarded`: accounts to take along
    although the checks left them out, see `preflight.include`. `told`: what else approvers are shown.
    `asking`: who asks, and the policy that has to permit it; None: it was asked already.
    Returns False when the request has already moved on, or when others have the same phones or accounts
    and the draft's card did not show it; then it does now. Raises `RegionMissingError`,
    `UnknownAccountError`, `NothingReadyError`, `AskingDeniedError`, and `OverlapUnexplainedError` if the card
    did show it and `reason` is blank.
    """
    batch_size = batch_size or request.batch_size
    if asking is not None and asking.policy.accounts_per_day is not None:
        await locks.approvals(tx, request.tenant_id)  # what is asked for is counted, then added
    await locks.requests(tx, request.id)
    current = await requests.load(tx, request.id)
    if current is None or current.state is not RequestState.DRAFT:
        return False
    included = await preflight.include(tx, request.id, failed=include_failed, named=include_guarded)
    current = await requests.load(tx, request.id)
    if current is None or not current.ready_rows:
        raise NothingReadyError(request.id)
    if asking is not None:
        await permit(tx, asking, current, region=region, reason=reason, ticket=told.ticket, now=now)
    found = await _overlaps(tx, request, now)
    match judge(found, await overlaps.shown(tx, request.id), reason):
        case Verdict.NEW:
            entered = replace(request, reason=reason, ticket=told.ticket, batch_size=batch_size)
            typed = starts.columns(start) | {"run_at": None}
            await _want_reason(tx, notify, entered, found, now, actor, **typed)
            return False
        case Verdict.UNEXPLAINED:
            raise OverlapUnexplainedError(request.id)
        case Verdict.CLEAR | Verdict.EXPLAINED:
            await overlaps.save(tx, request.id, found)
    expires_at = now + ttl if start is None else min(now + ttl, start.at)
    if not await _transition(
        tx,
        request,
        states.REQUEST_APPROVAL,
        RequestRow.preflight != Preflight.CHECKING.value,
        **starts.columns(start),
        reason=reason,
        ticket=told.ticket,
        requester_upn=told.upn,
        requester_account=told.account,
        asked_at=now,
        expires_at=expires_at,
        remind_at=now + (expires_at - now) / 2,
        batch_size=batch_size,
        reason_wanted_since=None,
        overlaps_version=RequestRow.version + 1 if found else 0,
    ):
        return False
    if region is not None:
        await requests.set_region(tx, request.id, region)
    if await requests.without_region(tx, request.id):
        raise RegionMissingError(request.id)
    sealed = digests.request(
        await requests.phones(tx, request.id),
        batch_size=batch_size,
        run_at=start.at if start else None,
    )
    current = replace(current, batch_size=batch_size, reason=reason, ticket=told.ticket)
    gathered = (await evidence.gather(tx, current, now)).document()
    await tx.execute(
        update(RequestRow)
        .where(RequestRow.id == request.id)
        .values(digest=sealed, evidence=gathered)
    )
    ticket = {"ticket": told.ticket} if told.ticket else {}
    await audit.record(
        tx,
        request.id,
        "asked",
        now,
        actor,
        reason=reason,
        digest=sealed,
        shown=await shown.load(tx, current, now),
        **ticket,
        **_counted(found),
        **_told(start.at if start else None),
    )
    if included.accounts:
        await audit.record(
            tx,
            request.id,
            "accounts included",
            now,
            actor,
            accounts=included.accounts,
            guarded=included.guarded,
        )
    await notify.approval_requested(tx, request, now)
    return True


async def explain_overlap(
    tx: Transaction,
    notify: Notifications,
    request: Request,
    *,
    reason: str,
    actor: Person,
    now: datetime,
) -> bool:
    """Give the reason that a waiting request's overlap wants; its state stays, and approvers get its card.

    Returns False when the request has moved on, needs no reason, or has an overlap that its card did not
    show; then it does now. Raises `OverlapUnexplainedError` if `reason` is blank.
    """
    if not reason.strip():
        raise OverlapUnexplainedError(request.id)
    await locks.requests(tx, request.id)
    current = await _waiting(tx, request, now)
    if current is None or current.reason_wanted_since is None:
        return False
    found = await _overlaps(tx, request, now)
    if judge(found, await overlaps.shown(tx, request.id), reason) is Verdict.NEW:
        await _want_reason(tx, notify, request, found, now, actor)
        return False
    await overlaps.save(tx, request.id, found)
    await votes.void_changed(tx, notify, request, now)
    await requests.touch(
        tx,
        request.id,
        reason=reason,
        reason_wanted_since=None,
        overlaps_version=RequestRow.version + 1,
        state_version=RequestRow.version + 1,
    )
    await audit.record(
        tx,
        request.id,
        "overlap explained",
        now,
        actor,
        reason=reason,
        shown=await shown.load(tx, replace(current, reason=reason), now),
        **_counted(found),
    )
    await notify.approval_requested(tx, request, now)
    return True


async def _waiting(tx: Transaction, request: Request, now: datetime) -> Request | None:
    """The request as it is now; None unless it waits and its time is not over."""
    current = await requests.load(tx, request.id)
    if current is None or current.state is not RequestState.WAITING:
        return None
    return current if current.expires_at is not None and current.expires_at > now else None


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
    current = current or await _waiting(tx, request, now)
    if current is None or current.overlaps_version != request.overlaps_version:
        return False
    found = await _overlaps(tx, request, now)
    if await _hold_up(tx, notify, current, found, actor=actor, now=now):
        return False
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
        **_counted(found),
        **({"delegated": True} if delegation_until else {}),
        **_told(current.run_at),
        **trail,
        **({"break_glass": True} if break_glass else {}),
    )
    await notify.approved(tx, request, now)
    if scheduled:
        await notify.scheduled(tx, request, actor, now)
    elif not held:
        await notify.started(tx, request, actor, request.ready_rows, now)
    return True


async def _hold_up(
    tx: Transaction,
    notify: Notifications,
    request: Request,
    found: Sequence[Overlap],
    *,
    actor: Person,
    now: datetime,
) -> bool:
    """Whether an approved request that the requester has not explained holds up the approval.

    One that waits holds up nobody: its own approval will find this one.
    """
    approved = [each for each in found if each.approved]
    verdict = judge(approved, await overlaps.shown(tx, request.id), request.reason)
    wanted = request.reason_wanted_since is not None
    if verdict is Verdict.CLEAR or (verdict is Verdict.EXPLAINED and not wanted):
        return False
    if not wanted or verdict is Verdict.NEW:
        await _want_reason(tx, notify, request, found, now, actor)
        await notify.reason_wanted(tx, request, now)
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


async def withdraw_scheduled(
    tx: Transaction, notify: Notifications, request: Request, *, actor: Person, now: datetime
) -> bool:
    """running -> withdrawn, if it is approved but has not been started. Returns False when it has."""
    withdrawn = await _transition(
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
    expired = await _transition(
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
    cancelled = await _transition(
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
