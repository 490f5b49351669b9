"""The end of a running request: when none of its batches is open any more."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Select, select

from bot.lifecycle.notifications import Notifications
from bot.signin import request as states
from bot.signin.batch import TERMINAL_BATCH_STATES, BatchState
from bot.signin.request import Hold, RequestState
from bot.signin.snapshot import Tally
from bot.store import audit, progress, requests, transitions
from bot.store.database import Transaction
from bot.store.models.batches import BatchRow
from bot.store.models.requests import RequestRow
from bot.store.statement import statement


async def end_if_over(
    tx: Transaction, notify: Notifications, request_id: str, now: datetime
) -> RequestState:
    """running -> finished or cancelled, once every batch is done or cancelled, and nothing holds it.

    The caller holds the request's lock: its last two batches may end on two replicas at once, and the
    second to end has to see the first. Returns the state the request is in afterwards. Raises
    LookupError if there is no such request.
    """
    request = await requests.load(tx, request_id)
    if request is None:
        raise LookupError(request_id)
    batches = await tx.execute(*_states_of_batches(request_id))
    states_of_batches = {BatchState(state) for state in batches.scalars()}
    held = request.hold not in (Hold.NONE, Hold.PAUSED)  # one that is paused has batches
    still_open = held or states_of_batches - TERMINAL_BATCH_STATES
    if request.state is not RequestState.RUNNING or still_open:
        return request.state
    # A cancellation too late to stop any batch did not cancel the request. One that was held has none.
    stopped_before = not states_of_batches and request.cancel_asked_at is not None
    cancelled = BatchState.CANCELLED in states_of_batches or stopped_before
    transition = states.END_CANCELLED if cancelled else states.END_FINISHED
    ended = await transitions.apply(
        tx,
        RequestRow,
        transition,
        RequestRow.id == request_id,
        version=RequestRow.version + 1,
        state_version=RequestRow.version + 1,
        finished_at=now,
        hold=Hold.NONE.value,
        refused="",
        unreachable_since=None,
        delegation_until=None,
        delegation_wanted_since=None,
    )
    if not ended:
        return request.state
    await audit.record(tx, request_id, transition.after.value, now)
    tallies = await progress.tallies(tx, [request_id])
    await notify.ended(tx, request, transition.after, tallies.get(request_id, Tally()), now)
    return transition.after


@statement
def _states_of_batches(request_id: str) -> Select[str]:
    return select(BatchRow.state).where(BatchRow.request_id == request_id).distinct()
