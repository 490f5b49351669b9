"""Deleting what has been kept long enough.

Rows that another transaction holds are left for the next time, so that this one waits for nobody. Only
posts of deleted requests are waited for, in order of their ids.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.orm import InstrumentedAttribute

from bot.mending.mend import WORKING_STATES
from bot.signin.request import TERMINAL_REQUEST_STATES, RequestState
from bot.store import audit, file_consents, received_activities
from bot.store.chain import PURGED, timestamp
from bot.store.conditions import count
from bot.store.database import Transaction
from bot.store.models.accounts import MendRow
from bot.store.models.approvals import ReviewRow
from bot.store.models.audit import EventRow
from bot.store.models.chat import (
    ConversationRow,
    FileConsentRow,
    PostRow,
    PublisherLeaseRow,
    ReceivedActivityRow,
)
from bot.store.models.requests import RequestRow

_CHUNK = 500  # requests per DELETE
_DRAFTING = timedelta(hours=1)  # longer than anybody puts in a draft's rows


async def purge(tx: Transaction, before: datetime, *, audit_before: datetime | None = None) -> int:
    """Delete requests that ended before `before`, drafts created before it, all that belongs to them, and
    conversations that have been silent as long. Returns the number of requests deleted. Requests whose mend
    is changing accounts, or undoing that, stay: with it would go what the accounts had before. So do those
    whose use of break-glass nobody has reviewed.

    Of the audit, events before `audit_before` are deleted, if that is given; its chain stays, and both
    deletions become links of it.
    """
    now = datetime.now(UTC)
    ended = [state.value for state in TERMINAL_REQUEST_STATES]
    rows = await tx.execute(
        select(RequestRow.id)
        .where(
            (RequestRow.state.in_(ended) & (RequestRow.finished_at < before))
            | ((RequestRow.state == RequestState.DRAFT.value) & (RequestRow.created_at < before)),
            (RequestRow.total_rows > 0) | (RequestRow.created_at < now - _DRAFTING),
        )
        .with_for_update(skip_locked=True)
    )
    # Read once the requests are held: no mend of theirs is approved from then on.
    working = await tx.execute(
        select(MendRow.request_id).where(
            MendRow.state.in_([state.value for state in WORKING_STATES])
        )
    )
    unreviewed = await tx.execute(
        select(ReviewRow.request_id).where(ReviewRow.reviewed_at.is_(None))
    )
    kept = {*working.scalars(), *unreviewed.scalars()}
    request_ids = [request_id for request_id in rows.scalars() if request_id not in kept]
    for start in range(0, len(request_ids), _CHUNK):
        chunk = request_ids[start : start + _CHUNK]
        of_chunk = PostRow.request_id.in_(chunk)
        await tx.execute(select(PostRow.id).where(of_chunk).order_by(PostRow.id).with_for_update())
        await tx.execute(delete(PostRow).where(of_chunk))
        await tx.execute(delete(RequestRow).where(RequestRow.id.in_(chunk)))
    if request_ids:
        await audit.record(
            tx, None, "requests purged", now, requests=len(request_ids), before=timestamp(before)
        )
    if audit_before is not None:
        await _purge_audit(tx, min(audit_before, now), now)
    await _delete_unlocked(tx, PostRow.id, ~PostRow.live, PostRow.created_at < before)
    # A conversation that has been silent as long, and where nothing is to be sent or kept current.
    live = select(PostRow.conversation_id).where(PostRow.live)
    await _delete_unlocked(
        tx,
        ConversationRow.id,
        ConversationRow.seen_at < before,
        ConversationRow.removed_at.is_(None),  # or it would be forgotten that nothing goes there
        ConversationRow.id.not_in(live),
    )
    await _delete_unlocked(tx, PublisherLeaseRow.key, PublisherLeaseRow.lease_until < before)
    await _delete_unlocked(tx, FileConsentRow.id, FileConsentRow.created_at < before)
    return len(request_ids)


async def _purge_audit(tx: Transaction, before: datetime, now: datetime) -> None:
    old = EventRow.at < before
    events = await count(tx, old)
    if not events:
        return
    # Recorded first: SQLite would give the ID of the newest event again if that was deleted.
    await audit.record(tx, None, PURGED, now, events=events, before=timestamp(before))
    await tx.execute(delete(EventRow).where(old))


async def sweep(tx: Transaction, now: datetime) -> None:
    """Delete what serves for a day only: unanswered offers of files, and which activities were received."""
    offers_end, activities_end = now - file_consents.VALID, now - received_activities.KEPT
    await _delete_unlocked(tx, FileConsentRow.id, FileConsentRow.created_at <= offers_end)
    await _delete_unlocked(
        tx, ReceivedActivityRow.id, ReceivedActivityRow.received_at < activities_end
    )


async def _delete_unlocked(
    tx: Transaction, key: InstrumentedAttribute[str | int], *conditions: ColumnElement[bool]
) -> None:
    """Delete the rows that meet all `conditions` and that no other transaction holds."""
    free = select(key).where(*conditions).with_for_update(skip_locked=True)
    await tx.execute(delete(key.property.columns[0].table).where(key.in_(free)))
