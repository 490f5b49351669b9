"""A phone's outcome, and the catalogue of the SIP Gateway's error messages.

The words for a cause are in the message catalogue: `cause-<code>` says what is wrong,
`cause-<code>.fix` what to do. Messages: Microsoft, "Configure SIP Gateway", error table.
A message missing from the catalogue is shown verbatim.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from bot.signin.transition import Transition, terminal


class PhoneStatus(StrEnum):
    PENDING = "pending"  # not sent yet
    IN_PROGRESS = "in_progress"  # sent, or about to be
    SIGNED_IN = "signed_in"
    FAILED = "failed"
    NOT_RUN = "not_run"  # cancelled before it was sent; its password was not reset
    UNCONFIRMED = "unconfirmed"  # the batch ended without a result for this phone


def _transition(name: str, before: PhoneStatus, after: PhoneStatus) -> Transition[PhoneStatus]:
    return Transition(name, frozenset({before}), after)


SEND = _transition("send", PhoneStatus.PENDING, PhoneStatus.IN_PROGRESS)
TAKE_BACK = _transition("take_back", PhoneStatus.IN_PROGRESS, PhoneStatus.PENDING)
REPORT_SIGNED_IN = _transition("report", PhoneStatus.IN_PROGRESS, PhoneStatus.SIGNED_IN)
REPORT_FAILED = _transition("report", PhoneStatus.IN_PROGRESS, PhoneStatus.FAILED)
FAIL_ALL = _transition("fail_all", PhoneStatus.IN_PROGRESS, PhoneStatus.FAILED)
LEAVE_OUT = _transition("leave_out", PhoneStatus.PENDING, PhoneStatus.NOT_RUN)
LEAVE_UNCONFIRMED = _transition(
    "leave_unconfirmed", PhoneStatus.IN_PROGRESS, PhoneStatus.UNCONFIRMED
)

LOOK_UP_SIGNED_IN = _transition("look_up", PhoneStatus.UNCONFIRMED, PhoneStatus.SIGNED_IN)
LOOK_UP_FAILED = _transition("look_up", PhoneStatus.UNCONFIRMED, PhoneStatus.FAILED)

_WHILE_RUNNING = (
    SEND,
    TAKE_BACK,
    REPORT_SIGNED_IN,
    REPORT_FAILED,
    FAIL_ALL,
    LEAVE_OUT,
    LEAVE_UNCONFIRMED,
)
#: Every change of a phone's status that can happen; a phone of a new request is `pending`.
TRANSITIONS = (*_WHILE_RUNNING, LOOK_UP_SIGNED_IN, LOOK_UP_FAILED)
#: Final while its request runs. One that ended `unconfirmed` is looked up again before a retry.
TERMINAL_PHONE_STATUSES = terminal(PhoneStatus, _WHILE_RUNNING)
#: What "Retry failed" takes along.
RETRYABLE_PHONE_STATUSES = TERMINAL_PHONE_STATUSES - {PhoneStatus.SIGNED_IN}


@dataclass(frozen=True, slots=True)
class PhoneResult:
    """What the SIP Gateway's report says of one phone."""

    status: PhoneStatus  #: in progress, signed in or failed
    message: str = ""  #: the SIP Gateway's own error text if failed


class Retry(StrEnum):
    """Whether and how the same row may be retried."""

    AFTER_FIX = "after_fix"
    AS_IT_STANDS = "as_it_stands"  # unchanged
    SMALLER = "smaller"  # unchanged, later and in a smaller batch


@dataclass(frozen=True, slots=True)
class Cause:
    code: str  #: names the message `cause-<code>`
    retry: Retry = Retry.AFTER_FIX
    shows_url: bool = False  #: the fix needs the provisioning URL, so cards show it


@dataclass(frozen=True, slots=True)
class Explanation:
    """A failure in the catalogue's terms."""

    cause: Cause
    address: str = ""  #: the public IP address the SIP Gateway named, "" if none


UNKNOWN = Cause("unknown")  # shown verbatim
NO_RESULT = Cause("no-result", Retry.AFTER_FIX)
NOT_RUN = Cause("not-run", Retry.AS_IT_STANDS)
REFUSED = Cause("refused")  # the SIP Gateway rejected the whole batch, with a message of its own
CHANGED = Cause("changed-after-approval")  # not sent: its phones are not those that were approved
FAILED_CHECK = Cause("failed-check")  # left out by an approver: its account failed its second check
#: Offhook's own message about the phones of such a batch.
CHANGED_MESSAGE = "Not sent: this batch was changed after its approval."

# Message pattern -> cause. Matched case-insensitively with white space folded.
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
_OWN_MESSAGES = ((f"^{re.escape(CHANGED_MESSAGE.lower())}$", CHANGED),)
_COMPILED = tuple((re.compile(pattern), cause) for pattern, cause in (*_CATALOGUE, *_OWN_MESSAGES))
CAUSES = {
    cause.code: cause
    for cause in (
        *(cause for _, cause in _CATALOGUE),
        UNKNOWN,
        NO_RESULT,
        NOT_RUN,
        REFUSED,
        CHANGED,
        FAILED_CHECK,
    )
}
_ADDRESS = re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}\b")


def explain(message: str) -> Explanation:
    """The cause behind an error message of the SIP Gateway or of Offhook; `unknown` if it is not listed."""
    folded = " ".join(message.split()).lower()
    for pattern, cause in _COMPILED:
        if pattern.search(folded):
            address = _ADDRESS.search(message)
            return Explanation(cause, address.group() if address else "")
    return Explanation(UNKNOWN)
