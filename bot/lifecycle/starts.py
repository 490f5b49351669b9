"""Starting approved requests at their time: once, however many replicas look.

A scheduled request has no batches (see `bot.lifecycle.holds`), so nothing of it can be sent before.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Update, update

from bot.lifecycle import holds
from bot.lifecycle.notifications import Notifications
from bot.signin import schedule
from bot.signin.digest import UNKEYED, Digests
from bot.signin.policy.decision import Decision, DenialReason
from bot.signin.policy.evaluator import may_start
from bot.signin.policy.model import Policy
from bot.signin.request import Hold, Person, RequestState
from bot.signin.schedule import MISSED, OPEN, Due, Opening, Start
from bot.signin.windows import closed_at
from bot.store import audit, locks, policy_facts, requests, starts
from bot.store.chain import timestamp
from bot.store.database import Transaction
from bot.store.models.requests import RequestRow
from bot.store.requests import Request
from bot.store.statement import statement
from bot.words import Words

#: Whether the change windows let a request start at a time (UTC).
ChangeWindow = Callable[[Transaction, Request, datetime], Awaitable[Opening]]


async def always_open(_tx: Transaction, _request: Request, _at: datetime) -> Opening:
    """Without change windows."""
    return OPEN


def windows_of(policy: Callable[[], Policy], words: Words) -> ChangeWindow:
    """The change windows and freezes of the policy in force. Break-glass passes over windows."""

    async def window(tx: Transaction, request: Request, at: datetime) -> Opening:
        in_force = policy()
        closed = closed_at(in_force, at)
        if not closed.ruled or (await _starts_at(tx, closed, request, at)).allowed:
            return OPEN
        decision = await _starts_at(tx, in_force, request, at)
        never = decision.reason is DenialReason.WINDOW_NEVER
        why = words("opening-never" if never else "opening-closed")
        return Opening(False, why, decision.opens_at)

    return window


async def _starts_at(tx: Transaction, policy: Policy, request: Request, at: datetime) -> Decision:
    facts = await policy_facts.of_windows(tx, policy, request)
    return may_start(policy, replace(facts, run_at=at), now=at)


async def propose(
    tx: Transaction,
    request: Request,
    *,
    run_at: datetime | None,
    zone: str,
    typed: str,
    reason: str,
    ticket: str,
    batch_size: int,
) -> None:
    """Keep the start that a draft's card asks its requester about, and what else they entered, so that it
    need not be typed again. `run_at`: UTC; None if the clock shows what was typed twice."""
    await tx.execute(
        update(RequestRow)
        .where(RequestRow.id == request.id, RequestRow.state == RequestState.DRAFT.value)
        .values(
            run_at=run_at,
            run_zone=zone,
            run_typed=typed,
            reason=reason,
            ticket=ticket,
            batch_size=batch_size,
            version=RequestRow.version + 1,
            state_version=RequestRow.version + 1,
        )
    )


async def start(
    tx: Transaction,
    notify: Notifications,
    request: Request,
    *,
    now: datetime,
    allowed: bool | None = True,
    window: ChangeWindow = always_open,
    check_accounts: bool = False,
    digests: Digests = UNKEYED,
) -> Due | None:
    """scheduled -> checking or started, or missed: then an approver is asked.

    `allowed`: whether its requester and its approver still may, None if that cannot be told now.
    `check_accounts`: have its accounts checked again where that is due, see `holds.begin`.
    Returns None when it has moved on, or its time has not come.
    """
    await locks.requests(tx, request.id)
    current = await requests.load(tx, request.id)
    if current is None or current.run_by is None:
        return None
    opening = await window(tx, current, now)
    due = schedule.due(now, current.run_by, allowed=allowed, opening=opening)
    if due is Due.WAIT or not await holds.leave(
        tx, current.id, Hold.SCHEDULED, RequestRow.run_at <= now
    ):
        return None
    if due in MISSED:
        await holds.miss(tx, notify, current, due, now, opening=opening)
        return due
    await audit.record(tx, current.id, "start due", now)
    await _go(tx, notify, current, now, check_accounts=check_accounts, digests=digests)
    return due


async def start_now(
    tx: Transaction,
    notify: Notifications,
    request: Request,
    *,
    actor: Person,
    now: datetime,
    check_accounts: bool = False,
    digests: Digests = UNKEYED,
) -> bool:
    """missed -> checking or started: an approver said so. Returns False when it has moved on."""
    await locks.requests(tx, request.id)
    if not await holds.leave(tx, request.id, Hold.MISSED):
        return False
    await tx.execute(*_start_by(request.id, now + schedule.GRACE))
    await audit.record(tx, request.id, "start allowed", now, actor)
    await _go(tx, notify, request, now, check_accounts=check_accounts, digests=digests)
    return True


@statement
def _start_by(request_id: str, run_by: datetime) -> Update:
    return (
        update(RequestRow)
        .where(RequestRow.id == request_id)
        .values(run_by=run_by, missed="", missed_why="", opens_at=None)
    )


async def _go(
    tx: Transaction,
    notify: Notifications,
    request: Request,
    now: datetime,
    *,
    check_accounts: bool,
    digests: Digests,
) -> None:
    await requests.touch(tx, request.id, state_version=RequestRow.version + 1)
    if not (check_accounts and await holds.begin(tx, request, now)):
        await holds.release(tx, notify, request, now, digests)


async def ask_to_sign_in(
    tx: Transaction, notify: Notifications, request: Request, now: datetime
) -> bool:
    """Ask approvers, once, for the delegation with which a scheduled request is to start.

    Returns False when it has moved on, or a delegation is held, or another replica has just asked.
    """
    if (await tx.execute(*_ask_to_sign_in(request.id, now))).rowcount != 1:
        return False
    await audit.record(tx, request.id, "delegation asked", now)
    await notify.delegation_wanted(tx, request, now)
    return True


@statement
def _ask_to_sign_in(request_id: str, now: datetime) -> Update:
    return (
        update(RequestRow)
        .where(
            RequestRow.id == request_id,
            starts.scheduled(),
            starts.without_delegation(now),
            ~RequestRow.start_told,
        )
        .values(start_told=True, delegation_wanted_since=now, version=RequestRow.version + 1)
    )


def columns(start: Start | None) -> dict[str, object]:
    """The columns of a request that say when it is to start."""
    if start is None:
        return {"run_at": None, "run_zone": "", "run_typed": ""}
    return {"run_at": start.at, "run_zone": start.zone, "run_typed": start.typed}


def audited(run_at: datetime | None) -> dict[str, str]:
    """The audit's account of a start. Empty if it is at once."""
    return {"run_at": timestamp(run_at)} if run_at else {}
