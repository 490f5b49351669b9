"""What an answer that is no success proves: the same for every way to the service.

How a full region, a lack of rights and a lost batch read in a 4xx is not published: assumptions.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from bot.gateway import (
    AccessDeniedError,
    BatchRejectedError,
    GatewayError,
    OutcomeUnknownError,
    ThrottledError,
    UnavailableError,
    UnknownBatchError,
)

MAX_RETRY_AFTER = 3600.0

_NO_PLACE = re.compile(r"concurrent|too many \w*\s?(batches|requests)", re.IGNORECASE)
_NO_RIGHTS = re.compile(r"access (is )?denied|unauthori[sz]ed|forbidden", re.IGNORECASE)
_NO_BATCH = re.compile(r"batch.*(not found|does not exist|unknown|invalid)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Failure:
    """An answer that is no success. `status`: of HTTP; None where only the service's words are known."""

    status: int | None
    message: str
    retry_after: float | None = None  # seconds
    correlation_id: str = ""

    @property
    def unauthorised(self) -> bool:
        """The token was refused, before anything was done: a newer one may help."""
        return self.status == 401 or (
            self.status is None and "unauthorized" in self.message.casefold()
        )

    def of_submit(self) -> GatewayError:
        """Only an answer from before the work began proves that nothing ran."""
        match self.status:
            case 429:
                return self._throttled()
            case 401 | 403:
                return self._as(AccessDeniedError)
            case 408:  # some proxies say so of a service that was slow, not of a request that was
                return self._as(OutcomeUnknownError)
            case int(status) if not 400 <= status < 500:
                return self._as(OutcomeUnknownError)
            case _ if _NO_RIGHTS.search(self.message):
                return self._as(AccessDeniedError)
            case _ if _NO_PLACE.search(self.message):
                return self._throttled()
            case None:
                return self._as(OutcomeUnknownError)
            case _:
                return self._as(BatchRejectedError)

    def of_read(self) -> GatewayError:
        match self.status:
            case 429:
                return self._throttled()
            case 401 | 403:
                return self._as(AccessDeniedError)
            case 400 | None if _NO_RIGHTS.search(self.message):
                return self._as(AccessDeniedError)
            case None if _NO_PLACE.search(self.message):
                return self._throttled()
            case _:
                return self._as(UnavailableError)

    def of_status(self) -> GatewayError:
        """Of a read that names a batch."""
        if self.status == 404 or (self.status in (400, None) and _NO_BATCH.search(self.message)):
            return self._as(UnknownBatchError)
        return self.of_read()

    def _as(self, kind: type[GatewayError]) -> GatewayError:
        return kind(self.message, correlation_id=self.correlation_id)

    def _throttled(self) -> ThrottledError:
        return ThrottledError(
            self.message, retry_after=self.retry_after, correlation_id=self.correlation_id
        )


def seconds(retry_after: str | None) -> float | None:
    """`Retry-After` in seconds or as an HTTP date; None if it is missing or makes no sense."""
    if not retry_after:
        return None
    try:
        wait = float(retry_after)
    except ValueError:
        try:
            moment = parsedate_to_datetime(retry_after)
        except ValueError:
            return None
        wait = (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return min(max(wait, 0.0), MAX_RETRY_AFTER) if math.isfinite(wait) else None
