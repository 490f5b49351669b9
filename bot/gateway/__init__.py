"""The SIP Gateway's bulk sign-in behind one Protocol. Knows nothing of chat, requests or databases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bot.phones.region import Region
from bot.signin.request import Phone


@dataclass(frozen=True, slots=True)
class PhoneReport:
    """One phone as the service reports it; texts as they came."""

    username: str
    hardware_id: str
    status: str
    error: str


@dataclass(frozen=True, slots=True)
class BatchReport:
    """A batch as the service reports it. `status` is not a closed list: unknown means running."""

    remote_batch_id: str
    status: str
    items: Sequence[PhoneReport]


@dataclass(frozen=True, slots=True)
class BatchSummary:
    """One line of the tenant's batches of the last 30 days. What the service left out is None."""

    remote_batch_id: str
    status: str
    region: Region | None = None
    created_at: datetime | None = None
    devices: int | None = None


class GatewayError(Exception):
    """Base of all that can go wrong. `message` is the service's own text; `correlation_id` finds the
    call in Microsoft's logs.

    GatewayError
    +-- NotRun               the answer proves that nothing ran; the batch may be sent again
    |   +-- Throttled        429, or no free place in the region; `retry_after` in seconds if given
    |   +-- Refused          this batch as such was refused, and would be again
    |   +-- Denied           401/403: the identity may not do this
    |   +-- Unreachable      submit only: nobody was reached, so no byte of the batch was sent
    +-- OutcomeUnknown       submit only: it may or may not have run; never send it again unasked
    +-- Unavailable          reads only: no answer, or a 5xx; ask again later
    +-- UnknownBatch         reads only: the service has no such batch
    """

    def __init__(self, message: str, *, correlation_id: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.correlation_id = correlation_id


class NotRunError(GatewayError):
    pass


class ThrottledError(NotRunError):
    def __init__(
        self, message: str, *, retry_after: float | None = None, correlation_id: str = ""
    ) -> None:
        super().__init__(message, correlation_id=correlation_id)
        self.retry_after = retry_after


class BatchRejectedError(NotRunError):
    pass


class AccessDeniedError(NotRunError):
    pass


class UnreachableError(NotRunError):
    pass


class OutcomeUnknownError(GatewayError):
    pass


class UnavailableError(GatewayError):
    pass


class UnknownBatchError(GatewayError):
    pass


class SipGateway(Protocol):
    """Bulk sign-in. No method retries a submit; reads may retry within `timeout` seconds."""

    @property
    def submit_timeout(self) -> float:
        """Seconds after which a submit without an answer becomes `OutcomeUnknown`."""
        ...

    async def submit(self, region: Region, devices: Sequence[Phone]) -> str:
        """Send one batch; returns the service's batch id.

        Raises `Throttled`, `Refused`, `Denied`, `Unreachable` (nothing ran) or `OutcomeUnknown`.
        """
        ...

    async def status(self, batch_id: str) -> BatchReport:
        """Raises `Unavailable`, `Throttled`, `Denied`, `UnknownBatch`."""
        ...

    async def summaries(self) -> Sequence[BatchSummary]:
        """The tenant's batches of the last 30 days. Raises `Unavailable`, `Throttled`, `Denied`."""
        ...
