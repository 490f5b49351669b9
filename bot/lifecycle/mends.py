"""Transitions of mends. The only way to make, decide, end and undo one.

A mend belongs to a sign-in request, whose row is locked for each of them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement

from bot.identity.step_up import StepUp
from bot.lifecycle import mend_changes
from bot.lifecycle.notifications import Notifications
from bot.lifecycle.preflight import UnknownAccountError
from bot.mending import change as change_states
from bot.mending import mend as states
from bot.mending.change import ChangeKind
from bot.mending.mend import MAX_CHANGES, OPEN_MEND_STATES, WORKING_STATES, MendState
from bot.mending.plan import nameable, plan
from bot.signin.digest import UNKEYED, Digests, equal
from bot.signin.request import NOTHING_RAN, Person, RequestState
from bot.signin.transition import Transition
from bot.store import audit, locks, mends, requests, transitions
from bot.store.database import Transaction
from bot.store.mends import Mend
from bot.store.models.accounts import MendRow
from bot.store.models.requests import RequestRow
from bot.store.requests import Request


class NothingToMendError(Exception):
    """The checks found nothing that can be mended, or only what has to be named."""


class TooManyChangesError(Exception):
    """More than `MAX_CHANGES`."""


class MendConflictError(Exception):
    """Another mend has one of the accounts."""

    def __init__(self, request_id: str, account: str) -> None:
        super().__init__(request_id, account)
        self.request_id = request_id  #: of the other mend
        self.account = account


class MendDigestMismatchError(Exception):
    """The changes are not those that approval was requested for."""


async def transition(
    tx: Transaction,
    mend: Mend,
    change: Transition[MendState],
    *conditions: ColumnElement[bool],
    **columns: Any,
) -> bool:
    changed = await transitions.apply(
        tx, MendRow, change, MendRow.id == mend.id, *conditions, **columns
    )
    if changed:
        # The request's other cards show that there is a mend.
        await requests.touch(tx, mend.request_id, state_version=RequestRow.version + 1)
    return changed == 1


def _parts(changes: Sequence[Any]) -> list[list[str]]:
    return [
        [
            each.kind.value,
            each.account,
            each.replaces,
            each.after,
            *(["guard-unknown"] if each.guard_unknown else []),
        ]
        for each in changes
    ]


async def draft_mend(
    tx: Transaction,
    notify: Notifications,
    request: Request,
    *,
    conversation_id: str,
    four_eyes: bool,
    actor: Person,
    now: datetime,
) -> int | None:
    """-> draft, of what the checks of a draft found. Returns the mend's id.

    Returns None when the request has moved on, or has a mend that is not settled. Raises
    `NothingToMendError` or `TooManyChangesError`.
    """
    await locks.requests(tx, request.id)
    current = await requests.load(tx, request.id)
    if (
        current is None
        or current.state is not RequestState.DRAFT
        or current.checking_accounts
        or await mends.open_of_request(tx, request.id) is not None
    ):
        return None
    reports, switch_off = await mends.found_of(tx, request.id)
    changes = plan(reports, switch_off=switch_off)
    if not changes and not nameable(reports):
        raise NothingToMendError(request.id)
    if len(changes) > MAX_CHANGES:
        raise TooManyChangesError(request.id)
    mend_id = await mends.insert_mend(
        tx,
        request_id=request.id,
        tenant_id=request.tenant_id,
        requester=actor,
        conversation_id=conversation_id,
        four_eyes=four_eyes,
        changes=changes,
        now=now,
    )
    mend = await mends.load(tx, mend_id)
    assert mend is not None  # noqa: S101 - inserted above
    await requests.touch(tx, request.id, state_version=RequestRow.version + 1)
    await audit.record(
        tx, request.id, "mend drafted", now, actor, mend=mend_id, changes=len(changes)
    )
    await notify.mend_drafted(tx, request, mend, now)
    return mend_id


async def _ended_without_sign_in(tx: Transaction, mend: Mend) -> bool:
    """Whether there is nothing left to mend for."""
    request = await requests.load(tx, mend.request_id)
    return request is None or request.state in NOTHING_RAN


async def _want_no_other(
    tx: Transaction, mend: Mend, among: frozenset[MendState], *, since: datetime | None = None
) -> None:
    """`since`: only mends that were approved then or later."""
    conflict = await mends.conflicting(tx, mend, among, since=since)
    if conflict is not None:
        raise MendConflictError(*conflict)


async def request_mend(
    tx: Transaction,
    notify: Notifications,
    request: Request,
    mend: Mend,
    *,
    reason: str,
    named: Collection[str] = (),
    ttl: timedelta,
    actor: Person,
    now: datetime,
    digests: Digests = UNKEYED,
) -> bool:
    """draft -> waiting. The digest binds the approval to the changes.

    `named`: accounts, in any case, that are mended although the guard's checks do not know of them.
    Returns False when the mend has already moved on, or its sign-in request ended without a sign-in.
    Raises `MendConflictError` if another one that waits or is being done has one of the accounts,
    `UnknownAccountError` for a name that is not one of these accounts, and `NothingToMendError`.
    """
    await locks.mends(tx, mend.tenant_id)
    await locks.requests(tx, mend.request_id)
    current = await mends.load(tx, mend.id)
    if current is None or current.state is not MendState.DRAFT:
        return False
    if await _ended_without_sign_in(tx, mend):
        return False
    await _include(tx, mend, {name.casefold() for name in named})
    await _want_no_other(tx, mend, OPEN_MEND_STATES)
    changes = await mends.changes(tx, mend.id)
    if not changes:
        raise NothingToMendError(mend.request_id)
    sealed = digests.mend(_parts(changes), tenant_id=mend.tenant_id, request_id=mend.request_id)
    if not await transition(
        tx,
        mend,
        states.REQUEST,
        reason=reason,
        digest=sealed,
        asked_at=now,
        expires_at=now + ttl,
    ):
        return False
    await audit.record(
        tx,
        mend.request_id,
        "mend asked",
        now,
        actor,
        mend=mend.id,
        reason=reason,
        digest=sealed,
        changes=len(changes),
        **_named(await mends.named(tx, mend.id)),
    )
    await notify.mend_asks_approvers(tx, request, mend, now)
    return True


async def _include(tx: Transaction, mend: Mend, named: set[str]) -> None:
    """Plan the changes of accounts that are mended only if they are named, case-folded."""
    if not named:
        return
    reports, _ = await mends.found_of(tx, mend.request_id)
    if unknown := named - {name.casefold() for name in nameable(reports)}:
        raise UnknownAccountError(min(unknown))
    planned = await mends.changes(tx, mend.id)
    kinds = {each.kind for each in planned if not each.account}
    chosen = [each for each in reports if each.username.casefold() in named]
    added = [each for each in plan(chosen, switch_off=False, named=named) if each.kind not in kinds]
    await mends.add_changes(tx, mend.id, added, first=len(planned))


def _named(accounts: Sequence[str]) -> dict[str, Any]:
    """For the audit: the accounts that were named."""
    return {"named": list(accounts)} if accounts else {}


async def approve_mend(
    tx: Transaction,
    mend: Mend,
    *,
    comment: str,
    actor: Person,
    now: datetime,
    owner: str,
    lease_until: datetime | None,
    digests: Digests = UNKEYED,
    step_up: StepUp | None = None,
) -> bool:
    """waiting -> running. Approvals of a tenant's mends take turns.

    `owner`, `lease_until`: the replica that holds the approver's delegation, and until when it vouches
    for it; None without delegations. `step_up`: what the approver's sign-in proved, if that was asked.
    Returns False when the mend has already moved on, its time is over,
    or its sign-in request ended without a sign-in. Raises `MendConflictError` if another mend that is
    being done has one of the accounts, and `MendDigestMismatchError`.
    """
    await locks.mends(tx, mend.tenant_id)
    await locks.requests(tx, mend.request_id)
    if await _ended_without_sign_in(tx, mend):
        return False
    await _want_no_other(tx, mend, WORKING_STATES)
    changes = await mends.changes(tx, mend.id)
    computed = digests.mend(_parts(changes), tenant_id=mend.tenant_id, request_id=mend.request_id)
    if not await transition(
        tx,
        mend,
        states.APPROVE,
        MendRow.digest == mend.digest,
        MendRow.expires_at > now,
        decided_by_id=actor.object_id,
        decided_by_name=actor.name,
        decided_at=now,
        comment=comment,
        owner=owner if lease_until else "",
        lease_until=lease_until,
        due_at=now,
    ):
        return False
    if not equal(computed, mend.digest):
        raise MendDigestMismatchError(mend.id)
    await audit.record(
        tx,
        mend.request_id,
        "mend approved",
        now,
        actor,
        mend=mend.id,
        comment=comment,
        digest=mend.digest,
        **_named(await mends.named(tx, mend.id)),
        **({"delegated": True} if lease_until else {}),
        **({"step_up": step_up.detail} if step_up else {}),
    )
    return True


async def reject_mend(
    tx: Transaction,
    notify: Notifications,
    request: Request,
    mend: Mend,
    *,
    comment: str,
    actor: Person,
    now: datetime,
) -> bool:
    """waiting -> rejected. Returns False when the mend has already moved on or its time is over."""
    await locks.requests(tx, mend.request_id)
    rejected = await transition(
        tx,
        mend,
        states.REJECT,
        MendRow.expires_at > now,
        decided_by_id=actor.object_id,
        decided_by_name=actor.name,
        decided_at=now,
        finished_at=now,
        comment=comment,
    )
    if rejected:
        await audit.record(
            tx, mend.request_id, "mend rejected", now, actor, mend=mend.id, comment=comment
        )
        approver = actor.name or notify.words("someone")
        message = "mend-told-rejected-with-comment" if comment else "mend-told-rejected"
        extra = {"comment": comment} if comment else {}
        await notify.mend_ended(tx, request, mend, message, now, approver=approver, **extra)
    return rejected


async def withdraw_mend(tx: Transaction, mend: Mend, *, actor: Person, now: datetime) -> bool:
    """draft or waiting -> withdrawn. Returns False when the mend has already moved on."""
    await locks.requests(tx, mend.request_id)
    withdrawn = await transition(tx, mend, states.WITHDRAW, finished_at=now)
    if withdrawn:
        await audit.record(tx, mend.request_id, "mend withdrawn", now, actor, mend=mend.id)
    return withdrawn


async def expire_mend(
    tx: Transaction, notify: Notifications, request: Request, mend: Mend, now: datetime
) -> bool:
    """waiting -> expired, once its time is over. Returns False before, or if it has moved on."""
    await locks.requests(tx, mend.request_id)
    expired = await transition(tx, mend, states.EXPIRE, MendRow.expires_at <= now, finished_at=now)
    if expired:
        await audit.record(tx, mend.request_id, "mend expired", now, mend=mend.id)
        await notify.mend_ended(tx, request, mend, "mend-told-expired", now)
    return expired


async def undo_mend(
    tx: Transaction,
    mend: Mend,
    *,
    actor: Person,
    now: datetime,
    switch_off: bool,
    owner: str,
    lease_until: datetime | None,
) -> bool:
    """finished -> undoing: set back what the mend changed.

    `switch_off`: also the tenant's switch, if the mend switched it on. Policies that it created stay.
    Returns False when the mend has moved on. Raises `MendConflictError` if another mend that is being
    done has one of the accounts, or one approved later that is not undone: what was before it is this
    one's.
    """
    await locks.mends(tx, mend.tenant_id)
    await locks.requests(tx, mend.request_id)
    await _want_no_other(tx, mend, WORKING_STATES)
    await _want_no_other(tx, mend, frozenset({MendState.FINISHED}), since=mend.decided_at)
    if not await transition(
        tx,
        mend,
        states.UNDO,
        undo_by_id=actor.object_id,
        undo_by_name=actor.name,
        undo_asked_at=now,
        owner=owner if lease_until else "",
        lease_until=lease_until,
        due_at=now,
        passes=0,
        rechecking=False,
    ):
        return False
    staying = [*change_states.CREATIONS, *([] if switch_off else [ChangeKind.BULK_SIGN_IN])]
    await mend_changes.leave_changes(tx, mend, staying)
    undone = await mend_changes.undo_changes(tx, mend, now)
    await audit.record(
        tx,
        mend.request_id,
        "mend undo approved",
        now,
        actor,
        mend=mend.id,
        changes=undone,
        switch_off=switch_off,
        **({"delegated": True} if lease_until else {}),
    )
    return True
