"""A SIP Gateway that does nothing by itself, and a ledger of all that it ever accepted.

Assumptions, those of `bot.gateway.SipGateway`: what a submit sends arrives within its timeout or never,
and the list of batches shows a batch no later than `MAX_LAG_SECONDS` after that. A list that is slower
than that leads to questions and to wrong answers, which the rules allow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from bot.gateway import (
    AccessDeniedError,
    BatchRejectedError,
    BatchReport,
    BatchSummary,
    BeforeSending,
    GatewayError,
    OutcomeUnknownError,
    PhoneReport,
    ThrottledError,
    UnavailableError,
    UnknownBatchError,
    UnreachableError,
    unrecorded,
)
from bot.phones.region import Region
from bot.runner.gateways import Access, Gateways
from bot.signin.batch import MAX_BATCHES_PER_REGION
from bot.signin.request import Phone
from bot.store.batches import Batch
from tests.stateful.process import Process, Stop

MAX_LAG_SECONDS = 90.0
OFFLINE = "Device is offline."
PhoneKey = tuple[str, str]


class ClientBugError(Exception):
    """What no gateway client may raise, and one day will."""


class Reads(StrEnum):
    """How reads are answered."""

    HEALTHY = "healthy"
    UNAVAILABLE = "unavailable"
    THROTTLED = "throttled"
    DENIED = "denied"
    NOT_FOUND = "not_found"  # of a batch that it has


class Fate(StrEnum):
    """What becomes of a submit."""

    ACKNOWLEDGED = "acknowledged"
    ANSWER_LOST = "answer_lost"  # accepted
    ANSWER_GARBLED = "answer_garbled"  # accepted, and the client fails over it
    LOST = "lost"
    REJECTED = "rejected"
    THROTTLED = "throttled"
    DENIED = "denied"
    UNREACHABLE = "unreachable"


ACCEPTED = frozenset({Fate.ACKNOWLEDGED, Fate.ANSWER_LOST, Fate.ANSWER_GARBLED})


@dataclass(eq=False, slots=True)
class RemoteBatch:
    """A batch that the SIP Gateway accepted."""

    id: str
    batch: Batch  #: whose submit it was
    phones: Sequence[Phone]
    accepted_at: datetime
    results: dict[PhoneKey, str] = field(default_factory=dict[PhoneKey, str])  #: "" if signed in
    completed: bool = False  #: it says so, whatever its phones do

    @property
    def open(self) -> list[Phone]:
        return [phone for phone in self.phones if phone.key not in self.results]


@dataclass(eq=False, slots=True)
class Call:
    """A submit on its way."""

    process: Process
    batch: Batch
    phones: Sequence[Phone]
    called_at: datetime
    stop: Stop
    fate: Fate | None = None  #: None while it has not arrived
    remote: RemoteBatch | None = None

    def key(self) -> tuple[int, int]:
        return self.batch.id, self.batch.attempt


@dataclass(eq=False)
class Ledger:
    clock: Callable[[], datetime]
    submit_timeout: float  #: seconds
    #: Called with each submit, before anything else.
    on_submit: Callable[[Call], None]
    #: Called before a submit is accepted.
    on_accept: Callable[[Call], None]
    reads: Reads = Reads.HEALTHY
    lag_seconds: float = 0.0  #: until the list shows a batch
    details: bool = True  #: the list shows region, time and size
    omitted: set[str] = field(default_factory=set[str])  #: ids that the list leaves out
    accepted: list[RemoteBatch] = field(default_factory=list[RemoteBatch])
    calls: list[Call] = field(default_factory=list[Call])  #: without an answer so far

    # What the environment does ----------------------------------------------------------------

    def arrive(self, call: Call, fate: Fate) -> None:
        """Decide a submit; its answer is on its way."""
        assert call.fate is None
        if fate in ACCEPTED:
            self.on_accept(call)
            if self.running(call.batch.region) >= MAX_BATCHES_PER_REGION:
                fate = Fate.THROTTLED  # as the real one does; too many is what `on_accept` reports
        call.fate = fate
        if fate in ACCEPTED:
            call.remote = RemoteBatch(
                f"remote-{len(self.accepted) + 1}", call.batch, call.phones, self.clock()
            )
            self.accepted.append(call.remote)

    async def deliver(self, call: Call) -> None:
        """Give the answer to the process that waits for it."""
        self.calls.remove(call)
        match call.fate:
            case Fate.ACKNOWLEDGED:
                assert call.remote is not None
                await call.process.release(call.stop, result=call.remote.id)
            case Fate.REJECTED:
                await call.process.release(call.stop, error=BatchRejectedError("No such region"))
            case Fate.THROTTLED:
                await call.process.release(call.stop, error=ThrottledError("Too many batches"))
            case Fate.DENIED:
                await call.process.release(call.stop, error=AccessDeniedError("Access Denied"))
            case Fate.UNREACHABLE:
                await call.process.release(call.stop, error=UnreachableError("no connection"))
            case Fate.ANSWER_GARBLED:
                await call.process.release(call.stop, error=ClientBugError("garbled"))
            case Fate.ANSWER_LOST | Fate.LOST | None:
                await call.process.release(call.stop, error=OutcomeUnknownError("no response"))

    async def time_passed(self) -> None:
        """Calls end with their timeout; a paused process notices when it goes on."""
        for call in list(self.calls):
            if (self.clock() - call.called_at).total_seconds() < self.submit_timeout:
                continue
            call.fate = call.fate or Fate.LOST
            if call.process.dead:
                self.calls.remove(call)
            elif not call.process.paused:
                self.calls.remove(call)
                await call.process.release(call.stop, error=OutcomeUnknownError("timeout"))

    def forget(self, process: Process) -> None:
        """The process died: nobody waits for its answers, but what it sent may still arrive."""
        self.calls = [
            call for call in self.calls if call.process is not process or call.fate is None
        ]

    def in_doubt(self, key: tuple[int, int]) -> bool:
        """True while a submit of this batch and attempt may still arrive."""
        return any(call.key() == key and call.fate is None for call in self.calls)

    def waits(self, key: tuple[int, int]) -> bool:
        """True while a process that is alive waits for the answer to this submit."""
        return any(call.key() == key and not call.process.dead for call in self.calls)

    def running(self, region: Region) -> int:
        return sum(bool(remote.open) for remote in self.accepted if remote.batch.region is region)

    def of(self, key: tuple[int, int]) -> RemoteBatch | None:
        """What ran for this batch and attempt."""
        for remote in self.accepted:
            if (remote.batch.id, remote.batch.attempt) == key:
                return remote
        return None

    # What clients see -------------------------------------------------------------------------

    def status(self, remote_batch_id: str) -> BatchReport:
        self._answer_read()
        found = next((each for each in self.accepted if each.id == remote_batch_id), None)
        if found is None or self.reads is Reads.NOT_FOUND:
            raise UnknownBatchError("no such batch")
        items = [
            PhoneReport(
                phone.username.upper(),
                phone.hardware_id,
                _status(found.results.get(phone.key)),
                found.results.get(phone.key, ""),
            )
            for phone in found.phones
        ]
        completed = found.completed or not found.open
        return BatchReport(found.id, "Completed" if completed else "Whatever", items)

    def summaries(self) -> list[BatchSummary]:
        self._answer_read()
        return list(self._listed())

    def _listed(self) -> Iterator[BatchSummary]:
        now = self.clock()
        for remote in self.accepted:
            if remote.id in self.omitted:
                continue
            if now - remote.accepted_at < timedelta(seconds=self.lag_seconds):
                continue
            if self.details:
                yield BatchSummary(
                    remote.id, "", remote.batch.region, remote.accepted_at, len(remote.phones)
                )
            else:
                yield BatchSummary(remote.id, "")

    def _answer_read(self) -> None:
        errors: dict[Reads, GatewayError] = {
            Reads.UNAVAILABLE: UnavailableError("no response"),
            Reads.THROTTLED: ThrottledError("slow down"),
            Reads.DENIED: AccessDeniedError("Access Denied"),
        }
        if self.reads in errors:
            raise errors[self.reads]


def _status(result: str | None) -> str:
    if result is None:
        return "InProgress"
    return "Failed" if result else "Success"


@dataclass(frozen=True, slots=True)
class LedgerGateway:
    """The SIP Gateway as one process sees it; `batch` is the one that a submit is for."""

    ledger: Ledger
    process: Process | None  #: None for a person's click, which waits for nobody
    batch: Batch | None = None

    @property
    def submit_timeout(self) -> float:
        return self.ledger.submit_timeout

    async def submit(
        self, region: Region, phones: Sequence[Phone], before_sending: BeforeSending = unrecorded
    ) -> str:
        assert self.process is not None
        assert self.batch is not None
        assert region is self.batch.region
        called_at = self.ledger.clock()
        await before_sending()
        stop = self.process.hold(f"submit {self.batch.id}")
        call = Call(self.process, self.batch, tuple(phones), called_at, stop)
        self.ledger.calls.append(call)
        self.ledger.on_submit(call)
        answer: str = await stop.released
        return answer

    async def status(self, remote_batch_id: str) -> BatchReport:
        if self.process is not None:
            await self.process.stop("status")
        return self.ledger.status(remote_batch_id)

    async def summaries(self) -> Sequence[BatchSummary]:
        if self.process is not None:
            await self.process.stop("summaries")
        return self.ledger.summaries()


class LedgerGateways(Gateways):
    """Tells the ledger for which batch a submit is."""

    def __init__(self, ledger: Ledger, process: Process) -> None:
        super().__init__(LedgerGateway(ledger, process))
        self._ledger = ledger
        self._process = process

    def for_submit(self, batch: Batch) -> Access:
        return Access(LedgerGateway(self._ledger, self._process, batch))
