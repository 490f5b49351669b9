"""Which activities were received, over all replicas, so that one that is delivered twice has one effect."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta

from sqlalchemy import Delete, delete
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects import sqlite as sqlite_dialect
from sqlalchemy.sql.dml import ReturningInsert

from bot.store.conversations import ConversationReference
from bot.store.database import Transaction
from bot.store.models.chat import ReceivedActivityRow
from bot.store.statement import statement

#: How long activities are remembered. The connector repeats a delivery within minutes, if at all.
KEPT = timedelta(days=1)


def key(conversation: ConversationReference, activity_id: str) -> str:
    """Activity IDs are unique in a conversation only, and of any length."""
    parts = [conversation.tenant_id, conversation.conversation_id, activity_id]
    # JSON: unambiguous, whatever the ids contain.
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


async def claim(tx: Transaction, activity_key: str, now: datetime) -> bool:
    """Returns True for the first delivery of an activity."""
    added = await tx.execute(*_claim(activity_key, now, sqlite=tx.dialect.name == "sqlite"))
    return added.one_or_none() is not None


@statement
def _claim(activity_key: str, now: datetime, *, sqlite: bool) -> ReturningInsert[str]:
    insert_into = sqlite_dialect.insert if sqlite else postgresql.insert
    return (
        insert_into(ReceivedActivityRow)
        .values(id=activity_key, received_at=now)
        .on_conflict_do_nothing()
        .returning(ReceivedActivityRow.id)
    )


async def release(tx: Transaction, activity_key: str) -> None:
    """The activity had no effect: the next delivery counts."""
    await tx.execute(*_release(activity_key))


@statement
def _release(activity_key: str) -> Delete:
    return delete(ReceivedActivityRow).where(ReceivedActivityRow.id == activity_key)
