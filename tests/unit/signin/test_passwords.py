"""What is known of an account's password after an attempt: only what is proved is certain."""

from __future__ import annotations

import pytest

from bot.signin.outcome import CAUSES, PhoneStatus
from bot.signin.passwords import PasswordReset, of_account, of_phone

RESET, MAYBE, NOT_RESET = PasswordReset.RESET, PasswordReset.MAYBE, PasswordReset.NOT_RESET
#: Failures after which no password was reset: nothing was sent, nothing ran, or there is no account.
NOTHING_RESET = {"refused", "changed-after-approval", "not-run", "user-not-found"}


@pytest.mark.parametrize("cause", ["", *CAUSES])
@pytest.mark.parametrize("status", PhoneStatus)
def test_reset_follows_from_status_and_cause(status: PhoneStatus, cause: str) -> None:
    expected = {
        PhoneStatus.PENDING: NOT_RESET,
        PhoneStatus.IN_PROGRESS: MAYBE,
        PhoneStatus.SIGNED_IN: RESET,
        PhoneStatus.FAILED: NOT_RESET if cause in NOTHING_RESET else MAYBE,
        PhoneStatus.NOT_RUN: NOT_RESET,
        PhoneStatus.UNCONFIRMED: MAYBE,
    }
    assert of_phone(status, cause) is expected[status]


@pytest.mark.parametrize(
    ("phones", "expected"),
    [
        ([], NOT_RESET),
        ([("not_run", "not-run")], NOT_RESET),
        ([("failed", "refused"), ("not_run", "not-run")], NOT_RESET),
        ([("not_run", "not-run"), ("unconfirmed", "no-result")], MAYBE),
        ([("failed", "device-offline"), ("failed", "refused")], MAYBE),
        ([("failed", "device-offline"), ("signed_in", "")], RESET),
        ([("signed_in", ""), ("not_run", "not-run"), ("unconfirmed", "no-result")], RESET),
    ],
)
def test_account_is_as_certain_as_its_most_certain_phone(
    phones: list[tuple[str, str]], expected: PasswordReset
) -> None:
    assert of_account((PhoneStatus(status), cause) for status, cause in phones) is expected
