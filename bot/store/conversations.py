"""Conversations that Offhook can write to, and how to reach each."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Insert, Select, Update, and_, func, or_, select, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects import sqlite as sqlite_dialect
from sqlalchemy.sql.dml import ReturningUpdate

from bot.store import locks
from bot.store.database import Transaction
from bot.store.models.chat import ConversationRow
from bot.store.statement import statement

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
    if reference.channel_id or reference.team_id:
        await locks.channels(tx, reference.tenant_id)
    await tx.execute(
        *_remember(
            reference.conversation_id,
            reference.tenant_id,
            reference.kind.value,
            {
                "service_url": reference.service_url,
                "bot_id": reference.bot_id,
                "bot_name": reference.bot_name,
                "channel_id": reference.channel_id,
                "team_id": reference.team_id,
            },
            now,
            sqlite=tx.dialect.name == "sqlite",
        )
    )
    if reference.channel_id:
        await tx.execute(*_joined(*_place(reference)))


@statement
def _remember(
    conversation_id: str,
    tenant_id: str,
    kind: str,
    reference: Mapping[str, str],
    seen_at: datetime,
    *,
    sqlite: bool,
) -> Insert:
    insert_into = sqlite_dialect.insert if sqlite else postgresql.insert
    columns: dict[str, Any] = {
        "tenant_id": tenant_id,
        "kind": kind,
        "reference": reference,
        "seen_at": seen_at,
        "removed_at": None,
    }
    return (
        insert_into(ConversationRow)
        .values(id=conversation_id, **columns)
        .on_conflict_do_update(index_elements=[ConversationRow.id], set_=columns)
    )


@statement
def _joined(tenant_id: str, conversation_id: str, channel_id: str, team_id: str) -> Update:
    return (
        update(ConversationRow)
        .where(
            ConversationRow.removed_at.is_not(None),
            _installed_with(tenant_id, conversation_id, channel_id, team_id),
        )
        .values(removed_at=None)
    )


async def removed(
    tx: Transaction, reference: ConversationReference, now: datetime
) -> frozenset[str]:
    """The bot was removed from a chat, or from a team with all its channels: nothing is sent there until
    an activity comes from there again. Returns the IDs of the conversations."""
    await remember(tx, reference, now)  # with a row of its own it does not borrow a reference
    gone = await tx.execute(*_left(*_place(reference), now))
    return frozenset(gone.scalars())


@statement
def _left(
    tenant_id: str, conversation_id: str, channel_id: str, team_id: str, now: datetime
) -> ReturningUpdate[str]:
    return (
        update(ConversationRow)
        .where(_installed_with(tenant_id, conversation_id, channel_id, team_id))
        .values(removed_at=now)
        .returning(ConversationRow.id)
    )


def _place(reference: ConversationReference) -> tuple[str, str, str, str]:
    return (
        reference.tenant_id,
        reference.conversation_id,
        reference.channel_id,
        reference.team_id,
    )


def _installed_with(
    tenant_id: str, conversation_id: str, channel_id: str, team_id: str
) -> ColumnElement[bool]:
    """The conversations that the bot joins and leaves together: a chat, or a team's channels and threads."""
    channel = ConversationRow.reference["channel_id"].as_string()
    team = ConversationRow.reference["team_id"].as_string()
    return and_(
        ConversationRow.tenant_id == tenant_id,
        or_(
            ConversationRow.id == conversation_id,
            and_(channel != "", channel == channel_id),
            and_(team != "", team == team_id),
        ),
    )


async def load(
    tx: Transaction, tenant_id: str, conversation_id: str
) -> ConversationReference | None:
    """How to reach a conversation.

    A channel that never wrote to Offhook borrows the service URL of the tenant's newest conversation.
    Returns None where the bot was removed, and before the tenant's first activity.
    """
    channel_id = conversation_id.split(THREAD_SEPARATOR)[0]
    found = await tx.execute(*_of(tenant_id, [conversation_id, channel_id]))
    rows = {row.id: row for row in found}
    if any(row.removed_at is not None for row in rows.values()):
        return None
    row, borrowed = rows.get(conversation_id), False
    if row is None:
        newest = await tx.execute(*_newest(tenant_id))
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


@statement
def _of(tenant_id: str, conversation_ids: Collection[str]) -> Select[*tuple[Any, ...]]:
    return select(ConversationRow.__table__).where(
        ConversationRow.id.in_(conversation_ids), ConversationRow.tenant_id == tenant_id
    )


@statement
def _newest(tenant_id: str) -> Select[*tuple[Any, ...]]:
    return (
        select(ConversationRow.__table__)
        .where(ConversationRow.tenant_id == tenant_id, ConversationRow.removed_at.is_(None))
        .order_by(ConversationRow.seen_at.desc())
        .limit(1)
    )


async def tenant_of(tx: Transaction, conversation_id: str) -> str | None:
    """The tenant of a conversation; for a channel that never wrote to Offhook, that of the newest one.
    None where the bot was removed, and before the first activity."""
    row = (await tx.execute(*_nearest(conversation_id))).one_or_none()
    return row.tenant_id if row and row.removed_at is None else None


@statement
def _nearest(conversation_id: str) -> Select[str, datetime | None]:
    return (
        select(ConversationRow.tenant_id, ConversationRow.removed_at)
        .order_by(ConversationRow.id != conversation_id, ConversationRow.seen_at.desc())
        .where((ConversationRow.id == conversation_id) | ConversationRow.removed_at.is_(None))
        .limit(1)
    )


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
