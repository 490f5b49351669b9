"""Tables of accounts: what their checks found, and the mends of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, false
from sqlalchemy.orm import Mapped, mapped_column

from bot.store.models.base import Base, BigId


class AccountCheckRow(Base):
    """What is known about one account of a request."""

    __tablename__ = "account_checks"

    request_id: Mapped[str] = mapped_column(
        ForeignKey("requests.id", ondelete="CASCADE"), primary_key=True
    )
    account: Mapped[str] = mapped_column(Text, primary_key=True)  #: UPN, case-folded
    number: Mapped[int]  #: in the file's order, from 0
    username: Mapped[str] = mapped_column(Text)  #: as the file first names it
    result: Mapped[str] = mapped_column(String(12), default="")  #: `Result`; "" until it is checked
    verdicts: Mapped[list[Any]] = mapped_column(default=list)  #: those that are not passed
    checked_at: Mapped[datetime | None]
    #: left out by its verdicts, but signed in since the requester said so
    included: Mapped[bool] = mapped_column(default=False)
    #: `result` and `verdicts` as its approver saw them, once it is to be checked again; "" before
    approved_result: Mapped[str] = mapped_column(String(12), default="", server_default="")
    approved_verdicts: Mapped[list[Any]] = mapped_column(default=list, server_default="[]")
    #: fails for a reason that its approver did not see, so that nothing of the request is sent
    stops: Mapped[bool] = mapped_column(default=False, server_default=false())

    __table_args__ = (Index(None, "request_id", "number"),)


class MendRow(Base):
    """A request of its own to change what the checks of a sign-in request found wrong."""

    __tablename__ = "mends"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    request_id: Mapped[str] = mapped_column(ForeignKey("requests.id", ondelete="CASCADE"))
    tenant_id: Mapped[str] = mapped_column(String(36))
    state: Mapped[str] = mapped_column(String(16))
    requester_id: Mapped[str] = mapped_column(String(64))
    requester_name: Mapped[str] = mapped_column(Text)
    conversation_id: Mapped[str] = mapped_column(Text)  #: where it was asked for
    four_eyes: Mapped[bool]
    created_at: Mapped[datetime]
    reason: Mapped[str] = mapped_column(Text, default="")
    digest: Mapped[str] = mapped_column(String(64), default="")  #: of the changes, once it waits
    asked_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    decided_by_id: Mapped[str] = mapped_column(String(64), default="")
    decided_by_name: Mapped[str] = mapped_column(Text, default="")
    decided_at: Mapped[datetime | None]
    comment: Mapped[str] = mapped_column(Text, default="")
    undo_by_id: Mapped[str] = mapped_column(String(64), default="")
    undo_by_name: Mapped[str] = mapped_column(Text, default="")
    undo_asked_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]  #: when all changes were settled, last
    #: which replica works on it, until when; with approvers' delegations also: which one holds one
    owner: Mapped[str] = mapped_column(String(40), default="")
    lease_until: Mapped[datetime | None]
    due_at: Mapped[
        datetime | None
    ]  #: when the next pass over its changes is due; None unless working
    passes: Mapped[int] = mapped_column(default=0)  #: without progress, for the backoff
    refused: Mapped[str] = mapped_column(
        Text, default=""
    )  #: why Teams denies access; "" if it does not
    access_wanted_since: Mapped[datetime | None]  #: since when an approver's access is missing
    #: whether the accounts are being checked again, and the requester is to be told when they are
    rechecking: Mapped[bool] = mapped_column(default=False)

    __table_args__ = (Index(None, "state", "due_at"), Index(None, "request_id"))


class MendChangeRow(Base):
    """One change of a mend."""

    __tablename__ = "mend_changes"

    mend_id: Mapped[int] = mapped_column(
        BigId, ForeignKey("mends.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True)  #: in the order of doing it, from 0
    kind: Mapped[str] = mapped_column(String(20))
    account: Mapped[str] = mapped_column(
        Text
    )  #: UPN as in the file, case-folded; "" for the tenant
    username: Mapped[str] = mapped_column(Text)  #: UPN as in the file
    object_id: Mapped[str] = mapped_column(String(64), default="")
    replaces: Mapped[str] = mapped_column(Text)  #: as the approver is shown it
    #: what is assigned to the account itself: recorded before the first write, never read again
    before: Mapped[str | None] = mapped_column(Text)
    after: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(16))
    error: Mapped[str] = mapped_column(
        String(40), default=""
    )  #: code of the message `mend-error-<code>`
    detail: Mapped[str] = mapped_column(Text, default="")  #: Teams' own words
    since: Mapped[datetime | None]  #: of the write whose effect is waited for
    #: whether the account may be a person's or an administrator's for all that was known
    guard_unknown: Mapped[bool] = mapped_column(default=False)

    __table_args__ = (Index(None, "mend_id", "state"), Index(None, "account", "mend_id"))
