"""Tables of batches, of the look for their phones in the sign-in log, and of retries asked for."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Double, ForeignKey, Index, String, Text, false
from sqlalchemy.orm import Mapped, mapped_column

from bot.store.models.base import Base, BigId


class BatchRow(Base):
    __tablename__ = "batches"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    request_id: Mapped[str] = mapped_column(ForeignKey("requests.id", ondelete="CASCADE"))
    tenant_id: Mapped[str] = mapped_column(String(36))
    region: Mapped[str] = mapped_column(String(8))
    size: Mapped[int]
    first_row: Mapped[int]
    last_row: Mapped[int]
    state: Mapped[str] = mapped_column(String(16))
    #: submits so far; the fencing token: an answer is recorded only for its own attempt
    attempt: Mapped[int] = mapped_column(default=0)
    #: set to `attempt` by the claim, None from just before the first byte leaves. A replica of an older
    #: version sets neither, so that its attempts never count as unsent.
    unsent_attempt: Mapped[int | None]
    owner: Mapped[str] = mapped_column(String(40), default="")
    lease_until: Mapped[datetime | None]
    not_before: Mapped[datetime | None]  #: planned: earliest time of the next submit
    remote_batch_id: Mapped[str] = mapped_column(Text, default="")
    sent_at: Mapped[datetime | None]
    polls: Mapped[int] = mapped_column(default=0)
    summary_reads: Mapped[int] = mapped_column(
        default=0
    )  # unknown: how often the summaries were read
    #: submitted: next poll; unknown: next reconciliation; done: to be looked up before a retry
    due_at: Mapped[datetime | None]
    progress_at: Mapped[datetime | None]  #: of the latest news
    #: when a poll, or the answer to its submit, last showed it running
    seen_running_at: Mapped[datetime | None]
    ended: Mapped[int] = mapped_column(default=0)  #: phones that have ended
    failing_since: Mapped[datetime | None]  #: first failed read of this spell; None after a success
    #: how long Offhook has been polling in vain since the last success; its own absence not counted
    unreadable_seconds: Mapped[float] = mapped_column(Double, default=0.0, server_default="0")
    #: whether a person was asked what to do about that
    unreadable_asked: Mapped[bool] = mapped_column(default=False, server_default=false())
    stalled: Mapped[bool] = mapped_column(default=False)
    completed_at: Mapped[datetime | None]  #: when the SIP Gateway first called it complete
    done_at: Mapped[datetime | None]
    last_error: Mapped[str] = mapped_column(Text, default="")
    #: of the phones, when it was planned; "" for a batch that was planned before there were digests
    digest: Mapped[str] = mapped_column(String(64), default="", server_default="")

    __table_args__ = (
        Index(None, "state", "due_at"),
        Index(None, "tenant_id", "region", "state"),
        Index(None, "tenant_id", "region", "done_at"),
        Index(None, "request_id"),
        Index(None, "done_at"),
    )


class SightingRow(Base):
    """A batch that has ended, whose phones are looked for in Entra ID's sign-in log."""

    __tablename__ = "sightings"

    batch_id: Mapped[int] = mapped_column(
        BigId,
        ForeignKey("batches.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    )
    request_id: Mapped[str] = mapped_column(ForeignKey("requests.id", ondelete="CASCADE"))
    tenant_id: Mapped[str] = mapped_column(String(36))
    since: Mapped[datetime]  #: when the batch was sent: what signed in before is not its work
    looks: Mapped[int] = mapped_column(default=0)  #: at the log so far; the fencing token
    due_at: Mapped[datetime | None]  #: of the next look; None after the last
    owner: Mapped[str] = mapped_column(String(40), default="")
    lease_until: Mapped[datetime | None]
    #: `UnknownReason` for which the last look saw nothing; "" if the log could be read
    gap: Mapped[str] = mapped_column(String(12), default="")

    __table_args__ = (Index(None, "due_at"), Index(None, "request_id"))


class AskedRetryRow(Base):
    """A retry that somebody asked for, until the phones without a result have been looked up."""

    __tablename__ = "asked_retries"

    #: of the request whose phones are retried
    request_id: Mapped[str] = mapped_column(
        ForeignKey("requests.id", ondelete="CASCADE"), primary_key=True
    )
    requester_id: Mapped[str] = mapped_column(String(64))
    requester_name: Mapped[str] = mapped_column(Text)
    conversation_id: Mapped[str] = mapped_column(Text)  #: where they asked
    four_eyes: Mapped[bool]
    until: Mapped[datetime]  #: the retry is drafted then, whatever was found
    phones: Mapped[int]  #: to be looked up
    looked_up: Mapped[int] = mapped_column(default=0)  #: phones of batches that could be read
    signed_in: Mapped[int] = mapped_column(default=0)  #: found so
    failed: Mapped[int] = mapped_column(default=0)  #: found so
