"""Maps a failed SIP Gateway response to a `GatewayError`, for both backends.

How the SIP Gateway words a full region, a missing permission or an unknown batch in a 4xx is not
published; the patterns below are assumptions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bot.gateway import (
    AccessDeniedError,
    BatchRejectedError,
    ChangeRefusedError,
    GatewayError,
    OutcomeUnknownError,
    ThrottledError,
    UnavailableError,
    UnknownBatchError,
)

_REGION_FULL = re.compile(r"concurrent|too many \w*\s?(batches|requests)", re.IGNORECASE)
_ACCESS_DENIED = re.compile(r"access (is )?denied|unauthori[sz]ed|forbidden", re.IGNORECASE)
_BATCH_NOT_FOUND = re.compile(r"batch.*(not found|does not exist|unknown|invalid)", re.IGNORECASE)
# Of cmdlets, which report no status: as people quote them in issues of MicrosoftDocs/office-docs-powershell
# (9103, 9199, 9669).
_CODES = r"(ClientError|BadArgument|BadRequest|NotFound|Conflict|InvalidArgument|InvalidInput)\b"
_REFUSED_CODE = re.compile(_CODES, re.IGNORECASE)
_REFUSED = re.compile(
    rf"^\[{_CODES}\]|not found|does not exist|already exists|can('t|not) be granted|not a user policy",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Failure:
    """A response other than success."""

    #: HTTP status; None when only the message is known.
    status: int | None
    message: str
    #: Seconds; None if not given.
    retry_after: float | None = None
    #: "" if unknown.
    correlation_id: str = ""
    #: PowerShell's name for the error, which begins with the answer's code; "" if unknown.
    error_id: str = ""

    @property
    def unauthorized(self) -> bool:
        """The token was refused before anything ran; a newer token may be accepted."""
        return self.status == 401 or (
            self.status is None and "unauthorized" in self.message.casefold()
        )

    def of_submit(self) -> GatewayError:
        """The error for a failed submit: `NotRunError` only where nothing can have run."""
        match self.status:
            case 429:
                return self._throttled()
            case 401 | 403:
                return self._error(AccessDeniedError)
            case 408:  # some proxies send it when the server was slow, not the request
                return self._error(OutcomeUnknownError)
            case int(status) if not 400 <= status < 500:
                return self._error(OutcomeUnknownError)
            case _ if _ACCESS_DENIED.search(self.message):
                return self._error(AccessDeniedError)
            case _ if _REGION_FULL.search(self.message):
                return self._throttled()
            case None:
                return self._error(OutcomeUnknownError)
            case _:
                return self._error(BatchRejectedError)

    def of_read(self) -> GatewayError:
        """The error for a failed read."""
        match self.status:
            case 429:
                return self._throttled()
            case 401 | 403:
                return self._error(AccessDeniedError)
            case 400 | None if _ACCESS_DENIED.search(self.message):
                return self._error(AccessDeniedError)
            case None if _REGION_FULL.search(self.message):
                return self._throttled()
            case _:
                return self._error(UnavailableError)

    def of_status(self) -> GatewayError:
        """The error for a failed read of one batch."""
        if self.status == 404 or (
            self.status in (400, None) and _BATCH_NOT_FOUND.search(self.message)
        ):
            return self._error(UnknownBatchError)
        return self.of_read()

    def of_change(self) -> GatewayError:
        """The error for a failed change, or for a failed read of one account."""
        if self.status in (400, 404, 405, 409, 422) and not _ACCESS_DENIED.search(self.message):
            return self._error(ChangeRefusedError)
        error = self.of_read()
        refused = _REFUSED_CODE.match(self.error_id) or _REFUSED.search(self.message)
        if self.status is None and refused and isinstance(error, UnavailableError):
            return self._error(ChangeRefusedError)
        return error

    def _error(self, kind: type[GatewayError]) -> GatewayError:
        return kind(self.message, correlation_id=self.correlation_id)

    def _throttled(self) -> ThrottledError:
        return ThrottledError(
            self.message, retry_after=self.retry_after, correlation_id=self.correlation_id
        )
