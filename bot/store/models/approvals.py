"""Tables of approvals: votes, reviews of break-glass, and stand-ins."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from bot.store.models.base import Base


class VoteRow(Base):
    """An approval of a waiting request that counts until the request changes: one per person."""

    __tablename__ = "votes"

    request_id: Mapped[str] = mapped_column(
        ForeignKey("requests.id", ondelete="CASCADE"), primary_key=True
    )
    voter_id: Mapped[str] = mapped_column(String(64), primary_key=True)  #: object ID
    voter_name: Mapped[str] = mapped_column(Text)
    #: object ID of the approver for whom they voted as a stand-in; "" if in nobody's place
    for_id: Mapped[str] = mapped_column(String(64), default="")
    at: Mapped[datetime]
    comment: Mapped[str] = mapped_column(Text, default="")
    digest: Mapped[str] = mapped_column(String(64))  #: of the request, as the voter was shown it
    overlaps_version: Mapped[int]  #: likewise
    #: what else the voter was shown (`bot.signin.shown`); "" if their card did not say
    shown: Mapped[str] = mapped_column(Text, default="", server_default="")
    #: of those that the policy names, the voter and the groups that they were in
    ids: Mapped[list[Any]]
    #: `Void`: why it does not count any more; "" if it does
    void: Mapped[str] = mapped_column(String(12), default="")


class ReviewRow(Base):
    """The use of break-glass for a request, and its review by another approver."""

    __tablename__ = "reviews"

    request_id: Mapped[str] = mapped_column(
        ForeignKey("requests.id", ondelete="CASCADE"), primary_key=True
    )
    used_by_id: Mapped[str] = mapped_column(String(64))
    used_by_name: Mapped[str] = mapped_column(Text)
    used_at: Mapped[datetime]
    reason: Mapped[str] = mapped_column(Text)
    ticket: Mapped[str] = mapped_column(Text)
    votes: Mapped[int]  #: of other people, that an approval would still have needed
    remind_at: Mapped[datetime | None]  #: None once it is closed
    reviewed_by_id: Mapped[str] = mapped_column(String(64), default="", server_default="")
    reviewed_by_name: Mapped[str] = mapped_column(Text, default="", server_default="")
    reviewed_at: Mapped[datetime | None]  #: None while it is open
    comment: Mapped[str] = mapped_column(Text, default="", server_default="")

    __table_args__ = (Index(None, "remind_at"),)


class StandInRow(Base):
    """Who stands in for an approver, and until when. Deleted when it ends; the audit has the past."""

    __tablename__ = "stand_ins"

    tenant_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    approver_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    approver_name: Mapped[str] = mapped_column(Text)
    stand_in_id: Mapped[str] = mapped_column(String(64))
    stand_in_name: Mapped[str] = mapped_column(Text)
    until: Mapped[datetime]

    __table_args__ = (Index(None, "tenant_id", "stand_in_id"), Index(None, "until"))
