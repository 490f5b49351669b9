"""What an earlier attempt did to an account's password: reset, perhaps reset, or left alone.

The SIP Gateway resets the password before it signs the phone in. It does not say how far a failed phone
got, and Microsoft does not publish which of its checks come first. So only what is proved counts as
certain: a phone that signed in did so with the new password, and what was never sent, was refused as a
whole, or names an account that does not exist left nothing to reset.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from bot.signin.outcome import CHANGED, NOT_RUN, REFUSED, PhoneStatus


class PasswordReset(StrEnum):
    RESET = "reset"  # for certain
    MAYBE = "maybe"
    NOT_RESET = "not_reset"  # for certain


#: Causes of failure that prove that nothing was reset.
_NOTHING_RAN = frozenset({REFUSED.code, CHANGED.code, NOT_RUN.code, "user-not-found"})


def of_phone(status: PhoneStatus, cause: str) -> PasswordReset:
    """From a phone's status and the code of its cause, "" if it has none."""
    match status:
        case PhoneStatus.SIGNED_IN:
            return PasswordReset.RESET
        case PhoneStatus.PENDING | PhoneStatus.NOT_RUN:
            return PasswordReset.NOT_RESET
        case PhoneStatus.FAILED if cause in _NOTHING_RAN:
            return PasswordReset.NOT_RESET
        case PhoneStatus.FAILED | PhoneStatus.IN_PROGRESS | PhoneStatus.UNCONFIRMED:
            return PasswordReset.MAYBE


def of_account(phones: Iterable[tuple[PhoneStatus, str]]) -> PasswordReset:
    """From all phones of an account, in all attempts: what is certain of one is certain of the account."""
    found = {of_phone(status, cause) for status, cause in phones}
    for reset in (PasswordReset.RESET, PasswordReset.MAYBE):
        if reset in found:
            return reset
    return PasswordReset.NOT_RESET
