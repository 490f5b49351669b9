"""Tables of the chat: conversations, what came from them, and what is posted to them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from bot.store.models.base import Base, BigId


class ConversationRow(Base):
    """A conversation that wrote to Offhook, and how to reach it."""

    __tablename__ = "conversations"

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    tenant_id: Mapped[str] = mapped_column(String(36))
    kind: Mapped[str] = mapped_column(String(16))
    reference: Mapped[dict[str, Any]]
    seen_at: Mapped[datetime]
    removed_at: Mapped[datetime | None]  #: since when the bot is not there any more; None if it is


class FileConsentRow(Base):
    """A file that somebody was offered and has not answered yet."""

    __tablename__ = "file_consents"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)  #: cannot be guessed
    tenant_id: Mapped[str] = mapped_column(String(36))
    conversation_id: Mapped[str] = mapped_column(Text)
    person_id: Mapped[str] = mapped_column(String(64))
    request_id: Mapped[str] = mapped_column(ForeignKey("requests.id", ondelete="CASCADE"))
    export: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime]

    __table_args__ = (Index(None, "request_id"),)


class ReceivedActivityRow(Base):
    """An activity whose first delivery is done or in progress."""

    __tablename__ = "received_activities"

    #: SHA-256 of the IDs of tenant, conversation and activity
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    received_at: Mapped[datetime]

    __table_args__ = (Index(None, "received_at"),)


class PostRow(Base):
    """A message: in the outbox until it has an `activity_id`, kept current afterwards if it is a card."""

    __tablename__ = "posts"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    tenant_id: Mapped[str] = mapped_column(String(36))
    conversation_id: Mapped[str] = mapped_column(Text)  #: once sent to a channel: the thread
    activity_id: Mapped[str] = mapped_column(Text, default="")
    kind: Mapped[str] = mapped_column(String(16), default="")
    request_id: Mapped[str] = mapped_column(String(8), default="")
    content: Mapped[dict[str, Any]] = mapped_column(default=dict)
    panel: Mapped[str] = mapped_column(String(16), default="")
    page: Mapped[int] = mapped_column(default=1)
    batch_id: Mapped[int] = mapped_column(BigId, default=0)
    #: of a mend's card, else 0
    mend_id: Mapped[int] = mapped_column(BigId, default=0, server_default="0")
    revision: Mapped[int] = mapped_column(default=0)  #: grows when the panel or page changes
    shown_version: Mapped[int] = mapped_column(default=0)
    shown_revision: Mapped[int] = mapped_column(default=0)
    live: Mapped[bool] = mapped_column(default=True)  #: still to be sent or to be kept current
    attempts: Mapped[int] = mapped_column(default=0)
    not_before: Mapped[datetime | None]
    created_at: Mapped[datetime]

    __table_args__ = (
        Index(None, "live", "conversation_id"),
        Index(None, "request_id"),
        Index(None, "conversation_id", "activity_id"),
    )


class PublisherLeaseRow(Base):
    """Which replica may write to a conversation. A replica that died is replaced after `lease_until`."""

    __tablename__ = "publisher_leases"

    key: Mapped[str] = mapped_column(
        Text, primary_key=True
    )  #: what Teams limits: `Post.rate_limit_key`
    owner: Mapped[str] = mapped_column(String(40))
    lease_until: Mapped[datetime]
