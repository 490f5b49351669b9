"""A snapshot: everything that a card can show of a request, as committed at one moment.

The store builds it, the cards read it. No card asks for more, so a card can never show a promise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar

from bot.phones.issue import Issue, Notice
from bot.phones.region import Region
from bot.signin.batch import BatchState
from bot.signin.outcome import Cause, PhoneStatus
from bot.signin.request import Person, RequestState

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """`number` counts from 1; `total` is the number of items on all pages."""

    items: Sequence[Item]
    number: int
    size: int
    total: int

    @property
    def pages(self) -> int:
        return max(1, -(-self.total // self.size))


@dataclass(frozen=True, slots=True)
class RosterSummary:
    """What the file held. `ready` rows can run; `not_ready` rows never do."""

    file_name: str
    total: int
    ready: int
    accounts: int  # distinct accounts in the ready rows: whose passwords a sign-in resets
    not_ready: int
    warnings: int
    notes: int
    without_region: int  # ready rows whose file gave no region: the admin chooses one for them
    notices: Sequence[Notice]
    issues: Page[Issue]  # errors first, then warnings, then notes; in row order


@dataclass(frozen=True, slots=True)
class Tally:
    """How many phones stand where."""

    pending: int = 0
    in_progress: int = 0
    signed_in: int = 0
    failed: int = 0
    not_run: int = 0
    unconfirmed: int = 0

    @property
    def total(self) -> int:
        return (
            self.pending
            + self.in_progress
            + self.signed_in
            + self.failed
            + self.not_run
            + self.unconfirmed
        )

    @property
    def ended(self) -> int:
        return self.signed_in + self.failed + self.not_run + self.unconfirmed


@dataclass(frozen=True, slots=True)
class RegionProgress:
    region: Region
    phones: Tally
    batches: Mapping[BatchState, int]

    @property
    def batch_count(self) -> int:
        return sum(self.batches.values())


@dataclass(frozen=True, slots=True)
class CauseGroup:
    """Failures of one cause. For `unknown` and `refused`, `message` is the service's own text."""

    cause: Cause
    count: int
    message: str
    examples: Sequence[str]  # some usernames, three at most
    vendors: Mapping[str, int] = field(default_factory=dict[str, int])  # device kind code -> phones


@dataclass(frozen=True, slots=True)
class ReconciliationQuestion:
    """A batch that may or may not have run, and only a person can find out."""

    batch_id: int  # our number of it, as `reconcile` takes it
    region: Region
    phones: int
    sent_at: datetime
    first_row: int
    last_row: int
    attempt: int = 1  # which sending of the batch this is about


@dataclass(frozen=True, slots=True)
class StalledBatch:
    """A batch that the service has, but of which nothing new was heard for a long time."""

    region: Region
    remote_batch_id: str
    phones_open: int
    since: datetime


@dataclass(frozen=True, slots=True)
class PhoneSnapshot:
    """One ready row and where it stands."""

    row: int
    username: str
    hardware_id: str
    region: Region | None
    status: PhoneStatus
    message: str  # the service's own error text, as it came
    cause: Cause | None
    remote_batch_id: str  # the service's id, "" before there is one


@dataclass(frozen=True, slots=True)
class RequestSnapshot:
    id: str
    version: int
    state: RequestState
    tenant_id: str
    requester: Person
    roster: RosterSummary
    regions: Sequence[RegionProgress]  # of the ready rows that have a region
    causes: Sequence[CauseGroup]
    questions: Sequence[ReconciliationQuestion]
    stalled: Sequence[StalledBatch]
    phones: Page[PhoneSnapshot]  # those that the card's filter and page ask for
    four_eyes: bool
    created_at: datetime
    digest: str = ""  # SHA-256 hex; "" while draft
    reason: str = ""
    retry_of: str = ""
    asked_at: datetime | None = None
    expires_at: datetime | None = None
    decided_by: Person | None = None
    decided_at: datetime | None = None
    comment: str = ""
    cancelled_by: Person | None = None
    cancel_asked_at: datetime | None = None
    finished_at: datetime | None = None
    refused: str = ""  # why the service cannot be used at all just now, in its own words
    unreachable_since: datetime | None = None  # polls have failed since then; work goes on
    delegation_wanted_since: datetime | None = (
        None  # nobody whose rights it could run with is signed in
    )

    @property
    def phones_by_status(self) -> Tally:
        def total(name: str) -> int:
            return sum(getattr(region.phones, name) for region in self.regions)

        return Tally(*(total(status.value) for status in PhoneStatus))

    @property
    def batch_count(self) -> int:
        return sum(region.batch_count for region in self.regions)


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """One request in the `history` list."""

    id: str
    state: RequestState
    requester: Person
    file_name: str
    created_at: datetime
    phones: Tally
    decided_by: Person | None = None
