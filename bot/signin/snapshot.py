"""A snapshot: everything a card can show of a request, as committed at one moment.

The store builds it and cards read nothing else, so a card never shows what is not committed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar

from bot.phones.issue import Issue, Notice
from bot.phones.region import Region
from bot.signin.batch import MAX_PHONES_PER_BATCH, BatchState
from bot.signin.evidence import NO_EVIDENCE, Evidence
from bot.signin.listing import Mark
from bot.signin.outcome import Cause, PhoneStatus
from bot.signin.overlap import Overlap
from bot.signin.request import Hold, Person, RequestState
from bot.signin.schedule import Due
from bot.signin.sighting import Sighting, Sightings

Item = TypeVar("Item")

#: Guarded accounts that can be included in a request, each confirmed by name; failures listed.
MAX_NAMED = 10


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """One page of a list."""

    items: Sequence[Item]
    number: int  #: from 1
    size: int  #: items per page
    total: int  #: items on all pages

    @property
    def pages(self) -> int:
        return max(1, -(-self.total // self.size))


@dataclass(frozen=True, slots=True)
class AccountChecks:
    """What is known about the accounts. Numbers count accounts, each by its gravest verdict."""

    complete: bool  #: False while accounts are being checked
    total: int
    refused: int = 0  #: never signed in
    guarded: int = 0  #: look like people's
    failed: int = 0  #: the sign-in will fail
    warnings: int = 0
    unknown: int = 0  #: no problem found, but not everything is known
    passed: int = 0
    included: int = 0  #: left out by their verdicts, but taken along since the requester said so
    #: UPNs that the requester may include by name, and those that were; the first ones
    guarded_accounts: Sequence[str] = ()
    included_accounts: Sequence[str] = ()  #: guarded ones only
    checked_at: datetime | None = None  #: UTC time of the last check; None while incomplete
    scripted: bool = False  #: cmdlets can mend something, before approval
    lacks_numbers: bool = (
        False  #: accounts that may be signed in lack a phone number, before approval
    )

    @property
    def checked(self) -> int:
        return (
            self.refused + self.guarded + self.failed + self.warnings + self.unknown + self.passed
        )


@dataclass(frozen=True, slots=True)
class NewFailure:
    """An account that fails its second check for a reason that its approver did not see."""

    username: str
    code: str  #: names the message `issue-account-<code>`
    arguments: Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class AccountHold:
    """Why nothing of an approved request is sent yet: its accounts are or were checked once more."""

    state: Hold
    total: int  #: accounts to be checked again
    checked: int  #: of these, so far
    accounts: int = 0  #: that fail for a new reason
    phones: int = 0  #: of these accounts
    failures: Sequence[NewFailure] = ()  #: of the first ones


@dataclass(frozen=True, slots=True)
class MissedStart:
    """Why an approved request did not start at its time."""

    reason: Due
    why: str = ""  #: what the policy said; "" unless `reason` is that
    opens_at: datetime | None = None  #: UTC; when the policy lets it start, None if it does not say


@dataclass(frozen=True, slots=True)
class Pause:
    """A request that has started waits for a change window to go on."""

    opens_at: datetime | None  #: UTC; None if none opens by the policy


@dataclass(frozen=True, slots=True)
class ProvisioningWindows:
    """Where the ready rows with a time of provisioning stand, before approval. Times are UTC."""

    at: datetime  #: for when they were counted: now, or the start if it is set
    too_early: int
    in_time: int
    nearly_too_late: int
    too_late: int
    without_time: int  #: ready rows of which it is not known
    #: when the next of the phones that are not too late will be; None if all are
    next_deadline: datetime | None
    #: UPNs of the first phones that are too early, nearly too late, too late; up to three each
    early_examples: Sequence[str] = ()
    nearly_late_examples: Sequence[str] = ()
    late_examples: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class RosterSummary:
    """What the file held."""

    file_name: str
    total: int  #: rows
    ready: int  #: rows that can run
    accounts: int  #: distinct accounts in the ready rows, whose passwords a sign-in resets
    not_ready: int  #: rows that never run
    warnings: int
    notes: int
    without_region: int  #: ready rows without a region in the file; the requester chooses one
    notices: Sequence[Notice]
    issues: Page[Issue]  #: errors, then warnings, then notes; each in row order
    shared_accounts: Sequence[str] = ()  #: up to three accounts on several phones, while waiting
    account_checks: AccountChecks | None = None  #: None if only the file was checked
    windows: ProvisioningWindows | None = None  #: None if no time is known, or after the approval


@dataclass(frozen=True, slots=True)
class Tally:
    """How many phones have each status."""

    pending: int = 0
    in_progress: int = 0
    signed_in: int = 0
    failed: int = 0
    not_run: int = 0
    unconfirmed: int = 0

    @property
    def total(self) -> int:
        return self.pending + self.in_progress + self.ended

    @property
    def ended(self) -> int:
        return self.signed_in + self.failed + self.not_run + self.unconfirmed


@dataclass(frozen=True, slots=True)
class RegionProgress:
    region: Region
    phones: Tally
    batches: Mapping[BatchState, int]  #: number of batches by state; planned ones before approval

    @property
    def batch_count(self) -> int:
        return sum(self.batches.values())


@dataclass(frozen=True, slots=True)
class CauseGroup:
    """Failures of one cause."""

    cause: Cause
    count: int
    message: str  #: the SIP Gateway's own text, shown for the causes `unknown` and `refused`
    examples: Sequence[str]  #: up to three UPNs
    vendors: Mapping[str, int] = field(default_factory=dict[str, int])  #: device kind -> phones


@dataclass(frozen=True, slots=True)
class ReconciliationQuestion:
    """A batch of unknown outcome that only an approver can settle, or (with a `remote_batch_id`) a
    submitted one whose status cannot be read: to be polled on, or given up?"""

    batch_id: int
    region: Region
    phones: int
    sent_at: datetime | None  #: UTC; None if it was restored from a backup made before it was sent
    first_row: int
    last_row: int
    attempt: int = 1  #: which submit of the batch the question is about
    error: str = ""  #: why the summaries or the status could not be read, "" if they could
    examples: Sequence[str] = ()  #: UPNs of its first phones, up to three
    remote_batch_id: str = ""  #: "" if its outcome is unknown


@dataclass(frozen=True, slots=True)
class SlotHolder:
    """Another request whose batches take slots of a region."""

    request_id: str
    requester_id: str  #: object id
    signed_out: bool  #: nobody is signed in for it
    asks: bool  #: an approver has to answer a question about a batch of it in the region


@dataclass(frozen=True, slots=True)
class RegionWait:
    """A region in which nothing of the request is sent yet, since others take all of its slots."""

    region: Region
    holders: Sequence[SlotHolder]


@dataclass(frozen=True, slots=True)
class StalledBatch:
    """A submitted batch without progress for an hour."""

    region: Region
    remote_batch_id: str
    phones_open: int
    since: datetime  #: UTC time of the last progress


@dataclass(frozen=True, slots=True)
class PhoneSnapshot:
    """One ready row and its status."""

    row: int
    username: str
    hardware_id: str
    region: Region | None  #: None if neither the file nor the requester gave one yet
    status: PhoneStatus
    message: str  #: the SIP Gateway's own error text, verbatim
    cause: Cause | None  #: None unless it failed, was left out or is unconfirmed
    remote_batch_id: str  #: "" until the SIP Gateway gave one
    provisioned_at: datetime | None = None  #: UTC; None if the file does not say
    account_check: str = (
        ""  #: `bot.preflight.verdict.Result` of its account; "" if not checked, or not read
    )
    sighting: Sighting | None = None  #: None if it is not looked for in the sign-in log
    marks: Sequence[Mark] = ()  #: why it is unusual; empty if not read


@dataclass(frozen=True, slots=True)
class Review:
    """A use of break-glass, and what came of its review. Times are UTC."""

    used_by: Person
    used_at: datetime
    reason: str
    ticket: str
    reviewed_by: Person | None = None  #: None while it is open
    reviewed_at: datetime | None = None
    comment: str = ""  #: the reviewer's
    votes: int = 1  #: of other people, that an approval would still have needed


@dataclass(frozen=True, slots=True)
class RequestSnapshot:
    """Times are UTC. Persons are None until they acted."""

    id: str
    version: int
    state: RequestState
    tenant_id: str
    requester: Person
    roster: RosterSummary
    regions: Sequence[RegionProgress]  #: of the ready rows with a region
    causes: Sequence[CauseGroup]
    questions: Sequence[ReconciliationQuestion]
    stalled: Sequence[StalledBatch]
    phones: Page[PhoneSnapshot]  #: as the card's filter and page select
    four_eyes: bool
    created_at: datetime
    waits: Sequence[RegionWait] = ()  #: while running
    unsettled: Sequence[int] = ()  #: ids of batches of unknown outcome that Offhook is checking
    batch_size: int = MAX_PHONES_PER_BATCH  #: phones per batch, at most
    digest: str = ""  #: `Digests.request`; "" while draft
    reason: str = ""
    retry_of: str = ""  #: id of the request whose failed phones these are, "" if none
    asked_at: datetime | None = None
    expires_at: datetime | None = None
    decided_by: Person | None = None
    decided_at: datetime | None = None
    comment: str = ""
    cancelled_by: Person | None = None
    cancel_asked_at: datetime | None = None
    finished_at: datetime | None = None
    refused: str = ""  #: why the SIP Gateway denies access right now, in its own words
    unreachable_since: datetime | None = None  #: since when polls fail; the phones keep going
    delegation_wanted_since: datetime | None = None  #: since when no approver's delegation is held
    overlaps: Sequence[Overlap] = ()  #: with other requests, the most pressing first
    reason_wanted_since: datetime | None = None  #: since when they have to be explained
    hold: AccountHold | None = None  #: None unless it holds the request
    run_at: datetime | None = None  #: None to start once approved; a proposal while draft
    run_by: datetime | None = (
        None  #: the latest start without asking an approver; None before approval
    )
    run_zone: str = ""  #: IANA name of the zone in which `run_at` was typed
    run_typed: str = ""  #: as typed, YYYY-MM-DDTHH:MM
    scheduled: bool = False  #: approved, and waits for `run_at`
    missed: MissedStart | None = None  #: None unless it waits for somebody to start it
    pause: Pause | None = None  #: None unless it waits for a change window to go on
    rechecked: Sequence[Notice] = ()  #: what came of checking accounts again at the approval
    sightings: Sightings | None = None  #: in the sign-in log; None if no phone is looked for there
    ticket: str = ""  #: the requester's; "" without one
    requester_upn: str = ""  #: from the directory, when approval was requested; "" if unknown
    requester_account: str = ""  #: who the requester is to the chat; "" if unknown
    evidence: Evidence = NO_EVIDENCE
    shown: str = ""  #: what an approval of this card is for (`bot.signin.shown`); "" unless waiting
    review: Review | None = None  #: of break-glass; None if it was not used
    nudged_at: datetime | None = None  #: when the requester reminded the approvers last
    escalated_at: datetime | None = None  #: since when those of the escalation are approvers, too

    @property
    def phones_by_status(self) -> Tally:
        def total(name: str) -> int:
            return sum(getattr(region.phones, name) for region in self.regions)

        return Tally(*(total(status.value) for status in PhoneStatus))

    @property
    def batch_count(self) -> int:
        return sum(region.batch_count for region in self.regions)


@dataclass(frozen=True, slots=True)
class FoundPhone:
    """A phone of a request that `history` was asked for."""

    username: str
    hardware_id: str
    status: PhoneStatus
    sent_at: datetime | None  #: when its batch was sent; None if it was not


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """One request in the list of `history` or `status`."""

    id: str
    state: RequestState
    requester: Person
    file_name: str
    created_at: datetime
    phones: Tally
    decided_by: Person | None = None
    decided_at: datetime | None = None
    found: Sequence[FoundPhone] = ()  #: the first phones that were asked for; empty if none were
    found_count: int = 0  #: how many of its phones were asked for
    run_at: datetime | None = None  #: UTC; None unless it waits for its time
    run_zone: str = ""  #: of `run_at`
    missed: bool = False  #: it missed its time, and waits for somebody to start it
    paused: bool = False  #: it waits for a change window to go on
    review_open: bool = False  #: break-glass was used, and nobody has reviewed it yet


@dataclass(frozen=True, slots=True)
class History:
    """Requests, newest first."""

    lines: Sequence[HistoryLine]
    total: int  #: requests that there are, shown or not
