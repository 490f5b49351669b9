"""The tables. Times are UTC; states are the enums of `bot.signin`, as text."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC datetime on both databases. SQLite stores text, which sorts by time."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None or dialect.name != "sqlite":
            return value
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        }
    )
    type_annotation_map = {datetime: UtcDateTime, dict[str, Any]: JSON, list[Any]: JSON}  # noqa: RUF012


# 64 bits on PostgreSQL; on SQLite only INTEGER autoincrements.
BigId = BigInteger().with_variant(Integer, "sqlite")


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
    total_rows: Mapped[int]
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
    opens_at: Mapped[datetime | None]  #: when the policy would let it start
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
    #: of those that the policy names, the voter and the groups that they were in
    ids: Mapped[list[Any]]
    #: `Void`: why it does not count any more; "" if it does
    void: Mapped[str] = mapped_column(String(12), default="")


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
