"""Protocol, records and errors for the SIP Gateway's bulk sign-in.

Independent of chat, requests and the database.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bot.phones.region import Region
from bot.signin.request import Phone


@dataclass(frozen=True, slots=True)
class PhoneReport:
    """One phone in a batch, as reported by the SIP Gateway."""

    #: As reported; casing may differ from what was submitted.
    username: str
    hardware_id: str
    #: The SIP Gateway's own text. Not a closed list.
    status: str
    #: The SIP Gateway's error text; "" if none.
    error: str


@dataclass(frozen=True, slots=True)
class BatchReport:
    """The status of one batch, as reported by the SIP Gateway."""

    remote_batch_id: str
    #: The SIP Gateway's own text. Not a closed list: treat an unknown value as still running.
    status: str
    items: Sequence[PhoneReport]


@dataclass(frozen=True, slots=True)
class BatchSummary:
    """One entry in the list of the tenant's batches from the last 30 days."""

    remote_batch_id: str
    #: The SIP Gateway's own text; "" if missing.
    status: str
    #: None if missing or unknown.
    region: Region | None = None
    #: UTC; None if missing or unreadable.
    created_at: datetime | None = None
    #: Phones in the batch; None if missing.
    phone_count: int | None = None


class GatewayError(Exception):
    """Base class of all SIP Gateway errors.

    `message` is the SIP Gateway's own text where there is one. `correlation_id` identifies the call
    in Microsoft's logs; "" if unknown.

    GatewayError
    +-- NotRunError                the batch is known not to have run; it may be resubmitted
    |   +-- ThrottledError         429, or the region has no free slot
    |   +-- BatchRejectedError     the batch itself was rejected; resubmitting it will not help
    |   +-- AccessDeniedError      401 or 403: the identity lacks permission
    |   +-- UnreachableError       submit only: it ended before a byte of the batch was sent
    |   +-- ChangeRefusedError     changes only: this one was refused; another may not be
    +-- OutcomeUnknownError        submit only: it may have run; never resubmit automatically
    +-- UnavailableError           reads only: no response, or a 5xx; retry later
    +-- UnknownBatchError          reads only: the SIP Gateway has no such batch
    """

    def __init__(self, message: str, *, correlation_id: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.correlation_id = correlation_id


class NotRunError(GatewayError):
    """Nothing ran; the batch may be resubmitted."""


class ThrottledError(NotRunError):
    """The SIP Gateway is throttling, or the region has no free slot.

    `retry_after` is in seconds; None if the SIP Gateway gave none.
    """

    def __init__(
        self, message: str, *, retry_after: float | None = None, correlation_id: str = ""
    ) -> None:
        super().__init__(message, correlation_id=correlation_id)
        self.retry_after = retry_after


class BatchRejectedError(NotRunError):
    """The SIP Gateway rejected the batch itself; resubmitting it will not help."""


class AccessDeniedError(NotRunError):
    """The identity lacks permission, or its token was refused."""


class UnreachableError(NotRunError):
    """A submit ended before a byte of the batch was sent, as without a connection."""


class ChangeRefusedError(NotRunError):
    """A change to an account, a policy or the switch was refused: nothing was changed."""


class OutcomeUnknownError(GatewayError):
    """A submit may or may not have run; never resubmit it automatically."""


class UnavailableError(GatewayError):
    """A read got no usable response; retry later."""


class UnknownBatchError(GatewayError):
    """The SIP Gateway has no batch with this ID."""


#: Awaited with everything ready, directly before the first byte of a batch leaves.
BeforeSending = Callable[[], Awaitable[object]]


async def unrecorded() -> None:
    """For a submit that nobody has to know about before it is sent."""


class SipGateway(Protocol):
    """Bulk sign-in. Submits are never retried; reads may be, within their own timeout."""

    @property
    def submit_timeout(self) -> float:
        """Seconds after which a submit without a response raises `OutcomeUnknownError`."""
        ...

    async def submit(
        self, region: Region, phones: Sequence[Phone], before_sending: BeforeSending = unrecorded
    ) -> str:
        """Submit one batch and return the SIP Gateway's batch ID. Not idempotent.

        No byte of the batch leaves until `before_sending` has returned. What it raises is raised from
        here, and nothing is sent. It is awaited again before a batch is sent anew, after a 401.

        Raises a `NotRunError` (`ThrottledError`, `BatchRejectedError`, `AccessDeniedError` or
        `UnreachableError`) when nothing ran, and `OutcomeUnknownError` when it may have.
        """
        ...

    async def status(self, remote_batch_id: str) -> BatchReport:
        """The current status of a submitted batch.

        Raises `UnknownBatchError`, `UnavailableError`, `ThrottledError` or `AccessDeniedError`.
        """
        ...

    async def summaries(self) -> Sequence[BatchSummary]:
        """The tenant's batches from the last 30 days.

        Raises `UnavailableError`, `ThrottledError` or `AccessDeniedError`.
        """
        ...
