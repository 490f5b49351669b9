"""Deleting what has been kept long enough."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, select

from bot.signin.request import TERMINAL_REQUEST_STATES, RequestState
from bot.store import file_consents, publisher_leases, received_activities
from bot.store.database import Transaction
from bot.store.models import (
    ConversationRow,
    EventRow,
    FileConsentRow,
    PostRow,
    ReceivedActivityRow,
    RequestRow,
)

_CHUNK = 500  # requests per DELETE


async def purge(tx: Transaction, before: datetime) -> int:
    """Delete requests that ended before `before`, drafts created before it, all that belongs to them,
    audit events of no request, and conversations that have been silent as long. Returns the number of
    requests deleted."""
    ended = [state.value for state in TERMINAL_REQUEST_STATES]
    rows = await tx.execute(
        select(RequestRow.id).where(
            (RequestRow.state.in_(ended) & (RequestRow.finished_at < before))
            | ((RequestRow.state == RequestState.DRAFT.value) & (RequestRow.created_at < before))
        )
    )
    request_ids = list(rows.scalars())
    for start in range(0, len(request_ids), _CHUNK):
        chunk = request_ids[start : start + _CHUNK]
        await tx.execute(delete(PostRow).where(PostRow.request_id.in_(chunk)))
        await tx.execute(delete(RequestRow).where(RequestRow.id.in_(chunk)))
    await tx.execute(delete(EventRow).where(EventRow.request_id.is_(None), EventRow.at < before))
    await tx.execute(delete(PostRow).where(~PostRow.live, PostRow.created_at < before))
    # A conversation that has been silent as long, and where nothing is to be sent or kept current.
    live = select(PostRow.conversation_id).where(PostRow.live)
    await tx.execute(
        delete(ConversationRow).where(
            ConversationRow.seen_at < before,
            ConversationRow.removed_at.is_(
                None
            ),  # or it would be forgotten that nothing goes there
            ConversationRow.id.not_in(live),
        )
    )
    await publisher_leases.delete_expired(tx, before)
    await tx.execute(delete(FileConsentRow).where(FileConsentRow.created_at < before))
    return len(request_ids)


async def sweep(tx: Transaction, now: datetime) -> None:
    """Delete what serves for a day only: unanswered offers of files, and which activities were received."""
    offers_end, activities_end = now - file_consents.VALID, now - received_activities.KEPT
    await tx.execute(delete(FileConsentRow).where(FileConsentRow.created_at <= offers_end))
    await tx.execute(
        delete(ReceivedActivityRow).where(ReceivedActivityRow.received_at < activities_end)
    )
