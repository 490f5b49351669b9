"""Transitions of mends that are at work: finished, undone, without access, between two passes.

A mend belongs to a sign-in request, whose row is locked for each of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import ColumnElement, Update, select, update

from bot.lifecycle import preflight
from bot.lifecycle.mends import transition
from bot.lifecycle.notifications import Notifications
from bot.mending import change as change_states
from bot.mending import mend as states
from bot.mending.change import ChangeKind, ChangeState
from bot.mending.mend import WORKING_STATES, MendState
from bot.signin.request import Person, RequestState
from bot.signin.transition import Transition
from bot.store import account_checks, audit, due_mends, locks, mends, requests
from bot.store.database import Transaction
from bot.store.mends import Mend
from bot.store.models.accounts import MendChangeRow, MendRow
from bot.store.requests import Request
from bot.store.statement import statement

Counts = Mapping[tuple[ChangeKind, ChangeState], int]


async def _finish(
    tx: Transaction,
    mend: Mend,
    change: Transition[MendState],
    still_open: frozenset[ChangeState],
    owner: str,
    now: datetime,
) -> Counts | None:
    """Returns how many changes of each kind are in each state; None if some are open, or the mend is not
    this replica's."""
    await locks.requests(tx, mend.request_id)
    counts = await mends.counts(tx, mend.id)
    if any(state in still_open for _, state in counts):
        return None
    finished = await transition(
        tx,
        mend,
        change,
        MendRow.owner == owner,
        finished_at=now,
        due_at=None,
        owner="",
        lease_until=None,
        refused="",
        access_wanted_since=None,
    )
    return counts if finished else None


async def finish_mend(
    tx: Transaction,
    notify: Notifications,
    request: Request,
    mend: Mend,
    *,
    owner: str,
    now: datetime,
) -> bool:
    """running -> finished, once every change is settled; then the accounts are checked again.

    Returns False before, or when another replica has finished it.
    """
    counts = await _finish(tx, mend, states.FINISH, change_states.OPEN_FORWARD, owner, now)
    if counts is None:
        return False
    mended = {ChangeState.SHOWN, ChangeState.KEPT}
    accounts = await mends.accounts(tx, mend.id)
    troubled = len(await _accounts(tx, mend.id, MendChangeRow.error != ""))
    again = any(state in mended for _, state in counts) and await preflight.recheck(
        tx, mend.request_id, await _accounts(tx, mend.id), now
    )
    await tx.execute(update(MendRow).where(MendRow.id == mend.id).values(rechecking=again))
    await audit.record(
        tx,
        mend.request_id,
        "mend finished",
        now,
        mend=mend.id,
        changes=_by_state(counts),
    )
    await notify.mend_ended(
        tx,
        request,
        mend,
        "mend-told-finished",
        now,
        accounts=accounts,
        troubled=troubled,
        again=int(again),
        draft=int(request.state is RequestState.DRAFT),
    )
    return True


async def finish_undo(
    tx: Transaction,
    notify: Notifications,
    request: Request,
    mend: Mend,
    *,
    owner: str,
    now: datetime,
) -> bool:
    """undoing -> undone, once every change is settled; then the accounts are checked again.

    Returns False before, or when another replica has finished it.
    """
    counts = await _finish(tx, mend, states.FINISH_UNDO, change_states.OPEN_BACK, owner, now)
    if counts is None:
        return False
    await preflight.recheck(tx, mend.request_id, await _accounts(tx, mend.id), now)
    by_state = _by_state(counts)
    await audit.record(tx, mend.request_id, "mend undone", now, mend=mend.id, changes=by_state)
    await notify.mend_ended(
        tx,
        request,
        mend,
        "mend-told-undone",
        now,
        undone=by_state.get("undone", 0),
        left=sum(
            count
            for (kind, state), count in counts.items()
            if state is ChangeState.LEFT and kind in change_states.GRANTS
        ),
        failed=by_state.get("undo_failed", 0),
    )
    return True


def _by_state(counts: Counts) -> dict[str, int]:
    found: dict[str, int] = {}
    for (_, state), count in counts.items():
        name = state.value.replace("-", "_")
        found[name] = found.get(name, 0) + count
    return found


async def _accounts(tx: Transaction, mend_id: int, *of_change: ColumnElement[bool]) -> list[str]:
    """The accounts that the mend changes, or those with such a change."""
    rows = await tx.execute(
        select(MendChangeRow.account)
        .where(MendChangeRow.mend_id == mend_id, MendChangeRow.account != "", *of_change)
        .distinct()
    )
    return list(rows.scalars())


async def tell_rechecked(
    tx: Transaction, notify: Notifications, request: Request, mend: Mend, now: datetime
) -> bool:
    """Tell the requester what checking the accounts again has found; the mend's state stays.

    Returns False if they were told.
    """
    await locks.requests(tx, mend.request_id)
    told = await tx.execute(
        update(MendRow).where(MendRow.id == mend.id, MendRow.rechecking).values(rechecking=False)
    )
    if told.rowcount == 1:
        accounts = await _accounts(tx, mend.id)
        failing = await account_checks.left_out(tx, mend.request_id, accounts)
        await notify.mend_ended(
            tx,
            request,
            mend,
            "mend-told-rechecked",
            now,
            accounts=len(accounts),
            failing=failing,
            ready=request.ready_rows,
        )
    return told.rowcount == 1


async def lose_access(
    tx: Transaction,
    notify: Notifications,
    request: Request,
    mend: Mend,
    now: datetime,
    *,
    reason: str,
) -> bool:
    """Nobody's access can be used to go on: ask approvers for theirs; the mend's state stays.

    `reason`: why Teams denied it, "" if the delegation is just not held any more. Returns False if they
    were asked, it has moved on, or, without a reason, a replica vouches for it by now.
    """
    unheld = () if reason else (due_mends.lapsed(now),)
    await locks.requests(tx, mend.request_id)
    asked = await tx.execute(
        update(MendRow)
        .where(
            MendRow.id == mend.id,
            MendRow.state.in_([state.value for state in WORKING_STATES]),
            MendRow.access_wanted_since.is_(None),
            *unheld,
        )
        .values(access_wanted_since=now, refused=reason, owner="", lease_until=None)
    )
    if asked.rowcount != 1:
        return False
    await requests.touch(tx, mend.request_id)
    await audit.record(tx, mend.request_id, "mend access lost", now, mend=mend.id, reason=reason)
    await notify.mend_asks_approvers(tx, request, mend, now)
    return True


async def give_access(
    tx: Transaction, mend: Mend, *, owner: str, until: datetime, actor: Person, now: datetime
) -> bool:
    """An approver lets a mend go on with their access; its state stays. `owner` holds it, and vouches
    `until` then. Returns False when the mend has ended."""
    await locks.requests(tx, mend.request_id)
    given = await tx.execute(
        update(MendRow)
        .where(
            MendRow.id == mend.id,
            MendRow.state.in_([state.value for state in WORKING_STATES]),
        )
        .values(owner=owner, lease_until=until, due_at=now, access_wanted_since=None, refused="")
    )
    if given.rowcount != 1:
        return False
    await requests.touch(tx, mend.request_id)
    await audit.record(tx, mend.request_id, "mend access given", now, actor, mend=mend.id)
    return True


async def end_pass(
    tx: Transaction,
    mend: Mend,
    *,
    owner: str,
    due_at: datetime,
    progressed: bool,
    refused: str,
) -> None:
    """All that can be done now is done; the next pass is due then. `refused`: why Teams denied access, ""
    if it did not."""
    await locks.requests(tx, mend.request_id)
    ended = await tx.execute(*_end_pass(mend.id, owner, due_at, refused, progressed=progressed))
    if ended.rowcount:
        await requests.touch(tx, mend.request_id)


@statement
def _end_pass(
    mend_id: int, owner: str, due_at: datetime, refused: str, *, progressed: bool
) -> Update:
    return (
        update(MendRow)
        .where(MendRow.id == mend_id, MendRow.owner == owner)
        .values(due_at=due_at, passes=0 if progressed else MendRow.passes + 1, refused=refused)
    )
