"""What became of a phone, and the catalogue of the service's error messages.

The words for a cause are in the message catalogue: `cause-<code>` says what is wrong,
`cause-<code>.fix` what to do. Messages: Microsoft, "Configure SIP Gateway", error table.
A message that is not in the catalogue is shown as it came.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class PhoneStatus(StrEnum):
    PENDING = "pending"  # not sent yet
    IN_PROGRESS = "in_progress"  # with the service
    SIGNED_IN = "signed_in"
    FAILED = "failed"
    NOT_RUN = "not_run"  # cancelled before it was sent; its password was not touched
    UNCONFIRMED = "unconfirmed"  # the batch ended and the service never said how this one went


TERMINAL_PHONE_STATUSES = frozenset(
    {PhoneStatus.SIGNED_IN, PhoneStatus.FAILED, PhoneStatus.NOT_RUN, PhoneStatus.UNCONFIRMED}
)
# What "Retry failed" takes along.
RETRYABLE_PHONE_STATUSES = TERMINAL_PHONE_STATUSES - {PhoneStatus.SIGNED_IN}


class Retry(StrEnum):
    """May the same row simply be sent again?"""

    AFTER_FIX = "after_fix"
    AS_IT_STANDS = "as_it_stands"
    SMALLER = "smaller"  # as it stands, in a smaller batch and later


@dataclass(frozen=True, slots=True)
class Cause:
    code: str
    retry: Retry = Retry.AFTER_FIX
    shows_url: bool = False  # the fix is in the phone's provisioning URL: show it


@dataclass(frozen=True, slots=True)
class Explanation:
    """A failure in the catalogue's terms; `address` is the public IP that the service named, if any."""

    cause: Cause
    address: str = ""


UNKNOWN = Cause("unknown")  # shown as it came
NO_RESULT = Cause("no-result", Retry.AFTER_FIX)
NOT_RUN = Cause("not-run", Retry.AS_IT_STANDS)
REFUSED = Cause("refused")  # the service refused the batch as a whole, with a message of its own

# Message pattern -> cause. Patterns are matched without case, on text with white space folded.
_CATALOGUE: tuple[tuple[str, Cause], ...] = (
    (r"user not found in tenant", Cause("user-not-found")),
    (r"user missing phone number assignment", Cause("no-phone-number")),
    (r"user missing [`'\"]?allowsipdevicescalling[`'\"]? policy", Cause("no-sip-calling-policy")),
    (r"user missing cap policy", Cause("no-cap-policy")),
    (r"device not found in records", Cause("device-not-found", shows_url=True)),
    (r"bulksignin tag missing", Cause("no-tenant-tag", shows_url=True)),
    (r"device is offline", Cause("device-offline", Retry.AS_IT_STANDS)),
    (r"public ip not configured as trusted ip", Cause("ip-not-trusted", shows_url=True)),
    (r"public ip .*is not trusted", Cause("ip-not-trusted", shows_url=True)),
    (r"bulk sign-?in deadline expired", Cause("deadline-expired", shows_url=True)),
    (r"duplicate devices found", Cause("duplicate-devices")),
    (r"input hardware-?id is of wrong format", Cause("wrong-hardware-id")),
    (r"on-premises ad configuration failure", Cause("ad-configuration")),
    (r"on-premises ad throttling", Cause("ad-throttling", Retry.SMALLER)),
    (r"password writeback service failed", Cause("password-writeback")),
    (r"access denied", Cause("access-denied")),
)
_COMPILED = tuple((re.compile(pattern), cause) for pattern, cause in _CATALOGUE)
CAUSES = {
    cause.code: cause
    for cause in (*(cause for _, cause in _CATALOGUE), UNKNOWN, NO_RESULT, NOT_RUN, REFUSED)
}
_ADDRESS = re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}\b")


def explain(message: str) -> Explanation:
    """The cause behind an error message of the service; `unknown` for one that is not listed."""
    folded = " ".join(message.split()).lower()
    for pattern, cause in _COMPILED:
        if pattern.search(folded):
            found = _ADDRESS.search(message)
            return Explanation(cause, found.group() if found else "")
    return Explanation(UNKNOWN)
