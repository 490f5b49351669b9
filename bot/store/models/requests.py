"""Tables of requests: their phones, and what the file and other requests say of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, false, text
from sqlalchemy.orm import Mapped, mapped_column

from bot.store.models.base import Base, BigId

# An index of ready rows only, on either database.
_READY: Mapping[str, Any] = MappingProxyType(
    {"postgresql_where": text("ready"), "sqlite_where": text("ready = 1")}
)

# PostgreSQL then uses the index for LIKE 'prefix%', too, whatever the collation.
_PREFIX_OF_ACCOUNT: Mapping[str, str] = MappingProxyType({"account": "text_pattern_ops"})
_PREFIX_OF_HARDWARE_ID: Mapping[str, str] = MappingProxyType({"hardware_id": "text_pattern_ops"})


class RequestRow(Base):
    __tablename__ = "requests"

    id: Mapped[str] = mapped_column(String(8), primary_key=True)
    tenant_id: Mapped[str] = mapped_column(String(36))
    state: Mapped[str] = mapped_column(String(16))
    version: Mapped[int] = mapped_column(default=1)  #: grows with every change a card can show
    #: `version` at the last transition, or change of the overlaps: what every card shows
    state_version: Mapped[int] = mapped_column(default=1)
    requester_id: Mapped[str] = mapped_column(String(64))
    requester_name: Mapped[str] = mapped_column(Text)
    conversation_id: Mapped[str] = mapped_column(Text)  #: where the request was made
    file_name: Mapped[str] = mapped_column(Text)
    total_rows: Mapped[int]  #: 0 while a draft's rows are put in: nobody sees it yet
    ready_rows: Mapped[int]
    accounts: Mapped[int]  #: distinct accounts in the ready rows
    warnings: Mapped[int]
    notes: Mapped[int]
    notices: Mapped[list[Any]]
    four_eyes: Mapped[bool]
    created_at: Mapped[datetime]
    retry_of: Mapped[str] = mapped_column(String(8), default="")
    batch_size: Mapped[int] = mapped_column(default=100, server_default="100")  #: phones, at most
    reason: Mapped[str] = mapped_column(Text, default="")
    digest: Mapped[str] = mapped_column(String(64), default="")
    asked_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    remind_at: Mapped[datetime | None]
    decided_by_id: Mapped[str] = mapped_column(String(64), default="")
    decided_by_name: Mapped[str] = mapped_column(Text, default="")
    decided_at: Mapped[datetime | None]
    comment: Mapped[str] = mapped_column(Text, default="")
    cancelled_by_id: Mapped[str] = mapped_column(String(64), default="")
    cancelled_by_name: Mapped[str] = mapped_column(Text, default="")
    cancel_asked_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    #: why the SIP Gateway denies access, in its own words, until it works again; "" if it does not
    refused: Mapped[str] = mapped_column(Text, default="")
    unreachable_since: Mapped[datetime | None]  #: since when the SIP Gateway has not answered
    #: until when some replica vouches that it holds a delegation; None without delegations
    delegation_until: Mapped[datetime | None]
    delegation_wanted_since: Mapped[datetime | None]  #: since when no replica holds one
    #: `Preflight`: whether its accounts are checked; "off" for what was drafted before there were checks
    preflight: Mapped[str] = mapped_column(String(12), default="off", server_default="off")
    preflight_owner: Mapped[str] = mapped_column(String(40), default="", server_default="")
    #: until when `preflight_owner` may check; None if nobody
    preflight_until: Mapped[datetime | None]
    accounts_checked_at: Mapped[datetime | None]  #: when the last of its accounts was checked
    #: accounts that look like people's, included by name
    guarded_accounts: Mapped[int] = mapped_column(default=0, server_default="0")
    #: what was found about the tenant along with the accounts: verdicts that are not passed
    tenant_verdicts: Mapped[list[Any]] = mapped_column(default=list, server_default="[]")
    #: `Hold`: whether nothing of a running request is sent, since its accounts are checked again
    hold: Mapped[str] = mapped_column(String(12), default="", server_default="")
    #: `version` at which new failures held it last; 0 if none did
    hold_version: Mapped[int] = mapped_column(default=0, server_default="0")
    #: when it is to start; None: once it is approved. While draft, what its requester is asked about
    run_at: Mapped[datetime | None]
    #: the latest time to start without asking an approver; None until it is approved, or without `run_at`
    run_by: Mapped[datetime | None]
    run_zone: Mapped[str] = mapped_column(String(64), default="", server_default="")  #: IANA name
    #: as its requester typed it, YYYY-MM-DDTHH:MM
    run_typed: Mapped[str] = mapped_column(String(16), default="", server_default="")
    #: an approver was asked to sign in for the start
    start_told: Mapped[bool] = mapped_column(default=False, server_default=false())
    #: `Due`: why it did not start at its time; "" if it did, or may still
    missed: Mapped[str] = mapped_column(String(12), default="", server_default="")
    #: what the policy said then
    missed_why: Mapped[str] = mapped_column(Text, default="", server_default="")
    opens_at: Mapped[datetime | None]  #: when the policy would let it start, or go on
    #: the tenant's verdicts that hold it
    tenant_stops: Mapped[list[Any]] = mapped_column(default=list, server_default="[]")
    #: what came of checking accounts again at the approval
    recheck_notices: Mapped[list[Any]] = mapped_column(default=list, server_default="[]")
    #: `version` at which the overlaps, or the reason for them, changed last; 0 without overlaps
    overlaps_version: Mapped[int] = mapped_column(default=0, server_default="0")
    #: since when an overlap that the requester has not explained holds up the approval
    reason_wanted_since: Mapped[datetime | None]
    #: fields of `bot.mending.plan.Mendable`, as the checks found it; empty if nothing can be mended
    mendable: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")
    #: what is known of the tenant from before says nothing to the checks any more; None if it does
    facts_stale_at: Mapped[datetime | None]
    ticket: Mapped[str] = mapped_column(Text, default="", server_default="")
    #: UPN of the requester, from the directory when approval was requested; "" if it did not tell
    requester_upn: Mapped[str] = mapped_column(Text, default="", server_default="")
    #: who the requester is to the chat, when approval was requested
    requester_account: Mapped[str] = mapped_column(Text, default="", server_default="")
    #: fields of `bot.signin.evidence.Evidence`, when approval was requested; empty before
    evidence: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")
    #: reminders that Offhook sent by itself, and when the last
    reminders: Mapped[int] = mapped_column(default=0, server_default="0")
    reminded_at: Mapped[datetime | None]
    nudged_at: Mapped[datetime | None]  #: when its requester reminded the approvers last
    escalated_at: Mapped[datetime | None]  #: when others became approvers, too, last

    __table_args__ = (
        Index(None, "tenant_id", "created_at"),
        Index(None, "state", "expires_at"),
        Index(None, "hold", "run_at"),
    )


class PhoneRow(Base):
    """One row of the file."""

    __tablename__ = "phones"

    request_id: Mapped[str] = mapped_column(
        ForeignKey("requests.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True)  #: as spreadsheets number the row
    username: Mapped[str] = mapped_column(Text)
    #: the username as `phone_key` has it if the row is ready, else ""
    account: Mapped[str] = mapped_column(Text, default="", server_default="")
    hardware_id: Mapped[str] = mapped_column(Text)
    region: Mapped[str] = mapped_column(String(8), default="")
    region_given: Mapped[bool] = mapped_column(default=False)  #: by the file, not chosen on a card
    ready: Mapped[bool]
    #: not ready only because of its account's verdicts
    left_out: Mapped[bool] = mapped_column(default=False, server_default=false())
    status: Mapped[str] = mapped_column(String(16))
    message: Mapped[str] = mapped_column(Text, default="")
    cause: Mapped[str] = mapped_column(String(40), default="")
    provisioned_at: Mapped[datetime | None]  #: as the file says
    kind: Mapped[str] = mapped_column(String(40), default="")  #: `DeviceKind`, from OUI and port
    batch_id: Mapped[int | None] = mapped_column(BigId)
    seen_at: Mapped[
        datetime | None
    ]  #: first successful sign-in in Entra ID's log after it was sent
    sign_in_failed_at: Mapped[datetime | None]  #: newest failed one in the log; None once seen
    #: Entra ID's error code of that, the number after AADSTS
    sign_in_error: Mapped[int] = mapped_column(default=0, server_default="0")

    __table_args__ = (
        Index(None, "batch_id"),
        # What `bot.store.overlaps` and `history` look up, the latter also by how a value begins. Other
        # rows' values may be too long to index.
        Index(None, "account", "request_id", postgresql_ops=_PREFIX_OF_ACCOUNT, **_READY),
        Index(None, "hardware_id", "request_id", postgresql_ops=_PREFIX_OF_HARDWARE_ID, **_READY),
    )


class IssueRow(Base):
    """One issue of a row, as a message id and its arguments."""

    __tablename__ = "issues"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    request_id: Mapped[str] = mapped_column(ForeignKey("requests.id", ondelete="CASCADE"))
    rank: Mapped[int]  #: errors before warnings before notes
    row: Mapped[int]
    column: Mapped[str] = mapped_column(String(16))
    value: Mapped[str] = mapped_column(Text)
    code: Mapped[str] = mapped_column(String(64))
    severity: Mapped[str] = mapped_column(String(8))
    arguments: Mapped[dict[str, Any]]

    __table_args__ = (Index(None, "request_id", "rank", "row"),)


class OverlapRow(Base):
    """What a request has in common with one other, as its requester or approvers were shown it last."""

    __tablename__ = "overlaps"

    request_id: Mapped[str] = mapped_column(
        ForeignKey("requests.id", ondelete="CASCADE"), primary_key=True
    )
    other_id: Mapped[str] = mapped_column(String(8), primary_key=True)
    requester_id: Mapped[str] = mapped_column(String(64))  #: of the other request
    state: Mapped[str] = mapped_column(String(16))  #: of the other request, when it was found
    since: Mapped[datetime]
    accounts: Mapped[int]
    phones: Mapped[int]
    examples: Mapped[list[Any]]  #: UPNs of the first rows that overlap
