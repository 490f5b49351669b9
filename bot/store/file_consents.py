"""Files that somebody was offered, until they answer the consent card: each offer counts once."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, insert

from bot.store.database import Transaction
from bot.store.models.chat import FileConsentRow

#: How long an offer can be accepted.
VALID = timedelta(days=1)
MAX_ID = 32  # characters


@dataclass(frozen=True, slots=True)
class Offer:
    """Who was asked, where, and for which file."""

    tenant_id: str
    conversation_id: str  #: of the 1:1 chat that has the card
    person_id: str  #: object ID
    request_id: str
    export: str  #: which export of the request


async def add(tx: Transaction, offer: Offer, now: datetime) -> str:
    """Returns the offer's ID, which nobody can guess: its card carries it."""
    consent_id = secrets.token_urlsafe(16)
    await tx.execute(
        insert(FileConsentRow).values(
            id=consent_id,
            tenant_id=offer.tenant_id,
            conversation_id=offer.conversation_id,
            person_id=offer.person_id,
            request_id=offer.request_id,
            export=offer.export,
            created_at=now,
        )
    )
    return consent_id


async def take(
    tx: Transaction,
    consent_id: str,
    *,
    tenant_id: str,
    conversation_id: str,
    person_id: str,
    now: datetime,
) -> Offer | None:
    """The offer, for its only answer. Returns None unless this person was offered it in this
    conversation, recently, and has not answered yet."""
    taken = await tx.execute(
        delete(FileConsentRow)
        .where(
            FileConsentRow.id == consent_id,
            FileConsentRow.tenant_id == tenant_id,
            FileConsentRow.conversation_id == conversation_id,
            FileConsentRow.person_id == person_id,
            FileConsentRow.created_at > now - VALID,
        )
        .returning(FileConsentRow.request_id, FileConsentRow.export)
    )
    row = taken.one_or_none()
    if row is None:
        return None
    return Offer(tenant_id, conversation_id, person_id, row.request_id, row.export)
