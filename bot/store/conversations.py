"""Conversations that Offhook can write to, and how to reach each."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from bot.store import locks
from bot.store.database import Transaction
from bot.store.models.chat import ConversationRow

#: In Teams the id of a channel's thread is the channel's id, this, and the root message's id.
THREAD_SEPARATOR = ";messageid="


class ConversationKind(StrEnum):
    PERSONAL = "personal"
    GROUP = "group"
    CHANNEL = "channel"


@dataclass(frozen=True, slots=True)
class ConversationReference:
    """A conversation, with all it takes to send a message there."""

    tenant_id: str
    conversation_id: str  #: of a chat, a channel, or a thread in a channel
    kind: ConversationKind
    service_url: str  #: base URL of the Bot Connector that serves the conversation
    bot_id: str
    bot_name: str
    channel_id: str = ""  #: the channel that holds the conversation; "" outside channels
    team_id: str = ""  #: the team that holds the channel; "" outside channels

    @property
    def opens_thread(self) -> bool:
        """True for a channel itself, where each message sent starts a thread."""
        return bool(self.channel_id) and self.conversation_id == self.channel_id

    @property
    def channel(self) -> ConversationReference:
        """The channel itself, of a conversation that is a thread of it."""
        return replace(self, conversation_id=self.channel_id)


@dataclass(frozen=True, slots=True)
class Heard:
    """Which conversations have written to Offhook, without those that it was removed from."""

    conversations: int
    latest: datetime | None  #: UTC; None if none ever did


async def remember(tx: Transaction, reference: ConversationReference, now: datetime) -> None:
    """Store how to reach a conversation. The newest reference wins, since service URLs change.

    If the bot had been removed from there, it is back.
    """
    columns = {
        "tenant_id": reference.tenant_id,
        "kind": reference.kind.value,
        "reference": {
            "service_url": reference.service_url,
            "bot_id": reference.bot_id,
            "bot_name": reference.bot_name,
            "channel_id": reference.channel_id,
            "team_id": reference.team_id,
        },
        "seen_at": now,
        "removed_at": None,
    }
    if reference.channel_id or reference.team_id:
        await locks.channels(tx, reference.tenant_id)
    insert_into = sqlite.insert if tx.dialect.name == "sqlite" else postgresql.insert
    await tx.execute(
        insert_into(ConversationRow)
        .values(id=reference.conversation_id, **columns)
        .on_conflict_do_update(index_elements=[ConversationRow.id], set_=columns)
    )
    if reference.channel_id:
        await tx.execute(
            update(ConversationRow)
            .where(ConversationRow.removed_at.is_not(None), _installed_with(reference))
            .values(removed_at=None)
        )


async def removed(
    tx: Transaction, reference: ConversationReference, now: datetime
) -> frozenset[str]:
    """The bot was removed from a chat, or from a team with all its channels: nothing is sent there until
    an activity comes from there again. Returns the IDs of the conversations."""
    await remember(tx, reference, now)  # with a row of its own it does not borrow a reference
    gone = await tx.execute(
        update(ConversationRow)
        .where(_installed_with(reference))
        .values(removed_at=now)
        .returning(ConversationRow.id)
    )
    return frozenset(gone.scalars())


def _installed_with(reference: ConversationReference) -> ColumnElement[bool]:
    """The conversations that the bot joins and leaves together: a chat, or a team's channels and threads."""
    stored = ConversationRow.reference
    same = [ConversationRow.id == reference.conversation_id]
    if reference.channel_id:
        same.append(stored["channel_id"].as_string() == reference.channel_id)
    if reference.team_id:
        same.append(stored["team_id"].as_string() == reference.team_id)
    return and_(ConversationRow.tenant_id == reference.tenant_id, or_(*same))


async def load(
    tx: Transaction, tenant_id: str, conversation_id: str
) -> ConversationReference | None:
    """How to reach a conversation.

    A channel that never wrote to Offhook borrows the service URL of the tenant's newest conversation.
    Returns None where the bot was removed, and before the tenant's first activity.
    """
    here = ConversationRow.tenant_id == tenant_id
    channel_id = conversation_id.split(THREAD_SEPARATOR)[0]
    columns = (
        ConversationRow.id,
        ConversationRow.kind,
        ConversationRow.reference,
        ConversationRow.removed_at,
    )
    found = await tx.execute(
        select(*columns).where(ConversationRow.id.in_([conversation_id, channel_id]), here)
    )
    rows = {row.id: row for row in found}
    if any(row.removed_at is not None for row in rows.values()):
        return None
    row, borrowed = rows.get(conversation_id), False
    if row is None:
        newest = await tx.execute(
            select(*columns)
            .where(here, ConversationRow.removed_at.is_(None))
            .order_by(ConversationRow.seen_at.desc())
            .limit(1)
        )
        row, borrowed = newest.one_or_none(), True
    if row is None:
        return None
    return ConversationReference(
        tenant_id,
        conversation_id,
        ConversationKind.CHANNEL if borrowed else ConversationKind(row.kind),
        service_url=row.reference["service_url"],
        bot_id=row.reference["bot_id"],
        bot_name=row.reference["bot_name"],
        channel_id=channel_id if borrowed else row.reference.get("channel_id", ""),
        team_id="" if borrowed else row.reference.get("team_id", ""),
    )


async def tenant_of(tx: Transaction, conversation_id: str) -> str | None:
    """The tenant of a conversation; for a channel that never wrote to Offhook, that of the newest one.
    None where the bot was removed, and before the first activity."""
    rows = await tx.execute(
        select(ConversationRow.tenant_id, ConversationRow.removed_at)
        .order_by(ConversationRow.id != conversation_id, ConversationRow.seen_at.desc())
        .where((ConversationRow.id == conversation_id) | ConversationRow.removed_at.is_(None))
        .limit(1)
    )
    row = rows.one_or_none()
    return row.tenant_id if row and row.removed_at is None else None


async def heard(tx: Transaction) -> Heard:
    row = (
        await tx.execute(
            select(func.count().label("conversations"), func.max(ConversationRow.seen_at)).where(
                ConversationRow.removed_at.is_(None)
            )
        )
    ).one()
    return Heard(row[0], row[1])


async def known(tx: Transaction, conversation_ids: Collection[str]) -> frozenset[str]:
    """Those of `conversation_ids` that have written to Offhook, which was not removed from them since."""
    rows = await tx.execute(
        select(ConversationRow.id).where(
            ConversationRow.id.in_(tuple(conversation_ids)), ConversationRow.removed_at.is_(None)
        )
    )
    return frozenset(row.id for row in rows)
