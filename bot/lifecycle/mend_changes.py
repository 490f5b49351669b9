"""Transitions of a mend's changes, made by the replica that holds the mend's lease.

Each returns False when another replica has taken over, or the change has moved on; then nothing changes.
What is changed for whom, with what was before and what comes after, is audited once per change.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import select

from bot.mending import change as states
from bot.mending.change import Change, ChangeKind, ChangeState
from bot.signin.transition import Transition
from bot.store import audit, locks, requests, transitions
from bot.store.database import Transaction
from bot.store.mends import Mend
from bot.store.models.accounts import MendChangeRow, MendRow


async def _transition(
    tx: Transaction,
    mend: Mend,
    change: Change,
    transition: Transition[ChangeState],
    owner: str,
    **columns: Any,
) -> bool:
    await locks.requests(tx, mend.request_id)
    held = select(MendRow.id).where(MendRow.id == mend.id, MendRow.owner == owner)
    changed = await transitions.apply(
        tx,
        MendChangeRow,
        transition,
        MendChangeRow.mend_id.in_(held),
        MendChangeRow.number == change.number,
        **columns,
    )
    if changed:
        await requests.touch(tx, mend.request_id)
    return changed == 1


def _audited(mend: Mend, change: Change) -> dict[str, Any]:
    return {"mend": mend.id, "kind": change.kind.value, "account": change.account}


async def intend(
    tx: Transaction,
    mend: Mend,
    change: Change,
    *,
    owner: str,
    before: str | None,
    object_id: str,
) -> bool:
    """planned -> intent, with what was there before: committed before anything is written."""
    return await _transition(
        tx, mend, change, states.INTEND, owner, before=before, object_id=object_id
    )


async def keep(tx: Transaction, mend: Mend, change: Change, *, owner: str) -> bool:
    """planned -> kept: it is so already."""
    return await _transition(tx, mend, change, states.KEEP, owner)


async def apply_change(
    tx: Transaction, mend: Mend, change: Change, *, owner: str, now: datetime
) -> bool:
    """intent -> applied: it was written, or shows although the answer was lost."""
    applied = await _transition(tx, mend, change, states.APPLY, owner, since=now)
    if applied:
        await audit.record(
            tx,
            mend.request_id,
            "mend changed",
            now,
            was=change.before,
            becomes=change.after,
            **_audited(mend, change),
        )
    return applied


async def show_change(tx: Transaction, mend: Mend, change: Change, *, owner: str) -> bool:
    """applied -> shown: it was read back."""
    return await _transition(tx, mend, change, states.SHOW, owner)


async def fail_change(
    tx: Transaction,
    mend: Mend,
    change: Change,
    error: str,
    detail: str,
    *,
    owner: str,
    now: datetime,
) -> bool:
    """planned or intent -> failed: it was refused, and nothing changed.

    `error`: code of the message `mend-error-<code>`; `detail`: Teams' own words or a value.
    """
    failed = await _transition(
        tx, mend, change, states.FAIL, owner, error=error, detail=detail, since=now
    )
    if failed:
        await audit.record(
            tx,
            mend.request_id,
            "mend change failed",
            now,
            error=error,
            detail=detail,
            **_audited(mend, change),
        )
    return failed


async def give_up_change(
    tx: Transaction,
    mend: Mend,
    change: Change,
    error: str,
    found: str,
    *,
    owner: str,
    now: datetime,
) -> bool:
    """intent or applied -> unshown: it did not show in time, was refused after a lost answer, or somebody
    changed it meanwhile; it may still show.

    `error`: code of the message `mend-error-<code>`; `found`: what is there now, "" if that is not known.
    """
    given_up = await _transition(tx, mend, change, states.GIVE_UP, owner, error=error, detail=found)
    if given_up:
        await audit.record(
            tx,
            mend.request_id,
            "mend change not shown",
            now,
            error=error,
            found=found,
            **_audited(mend, change),
        )
    return given_up


async def leave_changes(tx: Transaction, mend: Mend, kinds: Collection[ChangeKind]) -> int:
    """shown or unshown -> left, of these kinds: an undo of the mend does not set them back.

    Returns how many. Called with the mend's request locked.
    """
    return await transitions.apply(
        tx,
        MendChangeRow,
        states.LEAVE_UNASKED,
        MendChangeRow.mend_id == mend.id,
        MendChangeRow.kind.in_([kind.value for kind in kinds]),
    )


async def undo_changes(tx: Transaction, mend: Mend, now: datetime) -> int:
    """shown or unshown -> undoing: an undo of the mend sets them back.

    Returns how many. Called with the mend's request locked.
    """
    return await transitions.apply(
        tx,
        MendChangeRow,
        states.UNDO,
        MendChangeRow.mend_id == mend.id,
        since=now,
        error="",
        detail="",
    )


async def restore_change(
    tx: Transaction, mend: Mend, change: Change, *, owner: str, now: datetime
) -> bool:
    """undoing -> restored: what was before was written."""
    restored = await _transition(tx, mend, change, states.RESTORE, owner, since=now)
    if restored:
        await audit.record(
            tx,
            mend.request_id,
            "mend restored",
            now,
            was=change.after,
            becomes=change.before,
            **_audited(mend, change),
        )
    return restored


async def show_undone(tx: Transaction, mend: Mend, change: Change, *, owner: str) -> bool:
    """restored -> undone: it was read back."""
    return await _transition(tx, mend, change, states.SHOW_UNDONE, owner)


async def leave_change(
    tx: Transaction, mend: Mend, change: Change, found: str, *, owner: str, now: datetime
) -> bool:
    """undoing -> left: somebody else changed it since; `found` is what is there now."""
    left = await _transition(
        tx, mend, change, states.LEAVE, owner, error="changed-after", detail=found
    )
    if left:
        await audit.record(
            tx, mend.request_id, "mend change left", now, found=found, **_audited(mend, change)
        )
    return left


async def fail_undo(
    tx: Transaction,
    mend: Mend,
    change: Change,
    error: str,
    detail: str,
    *,
    owner: str,
    now: datetime,
) -> bool:
    """undoing or restored -> undo_failed: it was refused, or does not show in time."""
    failed = await _transition(
        tx, mend, change, states.FAIL_UNDO, owner, error=error, detail=detail
    )
    if failed:
        await audit.record(
            tx,
            mend.request_id,
            "mend undo failed",
            now,
            error=error,
            detail=detail,
            **_audited(mend, change),
        )
    return failed
