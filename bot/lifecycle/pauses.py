"""Pausing a request that has started while no change window is open: what is under way runs to its end,
nothing more is sent.

Asked in the transaction that would claim its next batch, so that no replica claims one of a request whose
window has closed. Until then nothing is stored, and a request that is under no window costs nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import Update, update

from bot.lifecycle import holds
from bot.lifecycle.notifications import Notifications
from bot.lifecycle.starts import ChangeWindow
from bot.signin.request import Hold, RequestState
from bot.signin.schedule import Opening
from bot.store import audit, locks, requests
from bot.store.chain import timestamp
from bot.store.database import Transaction
from bot.store.models.requests import RequestRow
from bot.store.requests import Request
from bot.store.statement import statement


async def pause_closed(
    tx: Transaction,
    notify: Notifications,
    request_ids: Collection[str],
    window: ChangeWindow,
    now: datetime,
) -> Sequence[str]:
    """started -> paused, for those of the requests of which nothing may be sent now. Returns their ids.

    The caller holds their locks.
    """
    closed: list[str] = []
    for request_id in sorted(request_ids):
        request = await requests.load(tx, request_id)
        if request is None:
            continue
        opening = await window(tx, request, now)
        if not opening.open:
            closed.append(request_id)
            await _pause(tx, notify, request, opening, now)
    return closed


async def _pause(
    tx: Transaction, notify: Notifications, request: Request, opening: Opening, now: datetime
) -> None:
    paused = await tx.execute(*_hold(request.id, opening.opens_at))
    if paused.rowcount != 1:
        return
    known = {"opens_at": timestamp(opening.opens_at)} if opening.opens_at else {}
    await audit.record(tx, request.id, "paused", now, None, **known)
    await notify.paused(tx, request, opening.opens_at, now)


@statement
def _hold(request_id: str, opens_at: datetime | None) -> Update:
    return (
        update(RequestRow)
        .where(
            RequestRow.id == request_id,
            RequestRow.state == RequestState.RUNNING.value,
            RequestRow.hold == Hold.NONE.value,
            RequestRow.cancel_asked_at.is_(None),
        )
        .values(
            hold=Hold.PAUSED.value,
            opens_at=opens_at,
            version=RequestRow.version + 1,
            state_version=RequestRow.version + 1,
        )
    )


async def resume(tx: Transaction, request: Request, now: datetime, *, window: ChangeWindow) -> bool:
    """paused -> started, once a window is open. Returns False while none is: then its cards say until when,
    if that has changed with the policy."""
    await locks.requests(tx, request.id)
    opening = await window(tx, request, now)
    if not opening.open:
        if opening.opens_at != request.opens_at:
            await requests.touch(tx, request.id, opens_at=opening.opens_at)
        return False
    if not await holds.leave(tx, request.id, Hold.PAUSED):
        return False
    await requests.touch(tx, request.id, opens_at=None, state_version=RequestRow.version + 1)
    await audit.record(tx, request.id, "resumed", now)
    return True
