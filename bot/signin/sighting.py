"""What Entra ID's sign-in log shows of phones: a second witness beside what the SIP Gateway says.

It never changes what the SIP Gateway said. Two assumptions: that the log shows the gateway's application
sign in with an account's new password (Microsoft documents only that the gateway fetches a token with
it), and that the first such sign-in after a batch was sent is the batch's. The log names accounts, not
phones, so an account on several phones is seen on all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class SightingState(StrEnum):
    """What the log shows of one phone. Exports have these values."""

    SEEN = "seen"
    FAILING = "failing"  # only sign-ins that failed
    PENDING = "pending"  # nothing yet: the log is read again
    NOT_SEEN = "not-seen"  # nothing, and it is not read again, which proves nothing
    CANNOT_BE_SEEN = "cannot-be-seen"  # the log could not be read


@dataclass(frozen=True, slots=True)
class Sighting:
    """What the sign-in log shows of one phone."""

    state: SightingState
    at: datetime | None = None  #: UTC time of the sign-in that was seen, or that failed
    error: int = 0  #: Entra ID's error code (the number after AADSTS); 0 unless it failed
    refusal: str = ""  #: `bot.identity.aadsts.Refusal` of that error; "" unless it failed


@dataclass(frozen=True, slots=True)
class Sightings:
    """What the sign-in log shows of a request's phones that are, or may be, signed in."""

    phones: int  #: that are looked for
    seen: int
    failing: int  #: of which only failed sign-ins were seen
    pending: bool  #: whether the log will be read again
    gap: str = (
        ""  #: `bot.preflight.facts.UnknownReason` for which it could not be read; "" if it could
    )
    #: the newest failed sign-in of a phone that was not seen; None if there is none
    newest_failure: Sighting | None = None
