"""Tables of the audit: its events, their chain, and how far that is verified and delivered."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from bot.store.models.base import Base, BigId


class EventRow(Base):
    """The audit, readable: who did what, or was denied it. Appended, and never changed except to erase a
    person; it outlives its request."""

    __tablename__ = "events"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    #: None if it is about no request. Not a foreign key: requests are purged earlier
    request_id: Mapped[str | None] = mapped_column(String(8))
    tenant_id: Mapped[str] = mapped_column(String(36), default="", server_default="")
    at: Mapped[datetime]
    actor_id: Mapped[str] = mapped_column(String(64), default="")
    actor_name: Mapped[str] = mapped_column(Text, default="")
    #: of the turn in chat; "" without one
    reference: Mapped[str] = mapped_column(String(8), default="", server_default="")
    action: Mapped[str] = mapped_column(String(32))
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict)
    #: by name of a value to which the chain only commits: its salt
    salts: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")

    __table_args__ = (
        Index(None, "request_id", "at"),
        Index(None, "actor_id", "at"),
        Index(None, "at"),
    )


class LinkRow(Base):
    """The audit's chain (`bot.store.chain`): for each event a link, appended and never changed."""

    __tablename__ = "audit_chain"

    seq: Mapped[int] = mapped_column(
        BigId, primary_key=True, autoincrement=False
    )  #: from 1, no gaps
    event_id: Mapped[int] = mapped_column(BigId)  #: not a foreign key: links outlive events
    entry: Mapped[str] = mapped_column(Text)  #: canonical JSON, as it was hashed
    prev: Mapped[str] = mapped_column(String(64))  #: hash of the link before
    hash: Mapped[str] = mapped_column(String(64))

    __table_args__ = (
        UniqueConstraint("event_id"),
        UniqueConstraint("prev"),  # no fork
    )


class AuditProgressRow(Base):
    """How far the audit's chain is verified, delivered to a webhook, and anchored in a channel."""

    __tablename__ = "audit_progress"

    name: Mapped[str] = mapped_column(String(16), primary_key=True)  #: `Progress`
    seq: Mapped[int] = mapped_column(BigId, default=0)  #: of the last link; 0 before the first
    hash: Mapped[str] = mapped_column(String(64), default="")  #: of that link
    at: Mapped[datetime | None]  #: when that was; None if never
    #: which replica works on it, until when
    owner: Mapped[str] = mapped_column(String(40), default="")
    lease_until: Mapped[datetime | None]
    #: why the chain is broken after that link: a `Fault`, as text; "" if it is whole
    fault: Mapped[str] = mapped_column(Text, default="")
