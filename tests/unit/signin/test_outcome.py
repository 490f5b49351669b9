"""The catalogue of the SIP Gateway's error messages: each is known and has words; no other is guessed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.signin.outcome import (
    CAUSES,
    NO_RESULT,
    NOT_RUN,
    REFUSED,
    RETRYABLE_PHONE_STATUSES,
    TERMINAL_PHONE_STATUSES,
    TRANSITIONS,
    UNKNOWN,
    PhoneStatus,
    Retry,
    explain,
)
from bot.words import Words

FIX, NOW, SMALLER = Retry.AFTER_FIX, Retry.AS_IT_STANDS, Retry.SMALLER
# Microsoft, "Configure SIP Gateway", error table: message, cause, how to retry, whether the fix needs
# the provisioning URL.
CATALOGUE = [
    ("User not found in tenant.", "user-not-found", FIX, False),
    ("User missing phone number assignment.", "no-phone-number", FIX, False),
    (
        "User missing AllowSIPDevicesCalling policy assignment",
        "no-sip-calling-policy",
        FIX,
        False,
    ),
    ("User missing CAP policy assignment.", "no-cap-policy", FIX, False),
    ("Device not found in records.", "device-not-found", FIX, True),
    ("BulkSignIn Tag missing for the device", "no-tenant-tag", FIX, True),
    ("Device is offline.", "device-offline", NOW, False),
    ("Public IP not configured as Trusted IP.", "ip-not-trusted", FIX, True),
    (
        "Public IP IPv4 - 203.0.113.7, IPv6 - 2001:db8::1 for the device is not trusted. "
        "Please whitelist the public IP in TAC",
        "ip-not-trusted",
        FIX,
        True,
    ),
    ("Bulk Sign-in deadline expired.", "deadline-expired", FIX, True),
    ("Duplicate devices found for bulk sign-in.", "duplicate-devices", FIX, False),
    ("Input hardware-ID is of wrong format", "wrong-hardware-id", FIX, False),
    ("On-premises AD configuration failure.", "ad-configuration", FIX, False),
    ("On-premises AD throttling detected", "ad-throttling", SMALLER, False),
    (
        "The Password writeback service failed to set a password on the tenant's local directory.",
        "password-writeback",
        FIX,
        False,
    ),
    ("Access Denied", "access-denied", FIX, False),
    ("Not sent: this batch was changed after its approval.", "changed-after-approval", FIX, False),
]


@pytest.mark.parametrize(("message", "code", "retry", "shows_url"), CATALOGUE)
def test_explain_finds_cause_of_catalogued_message(
    message: str, code: str, retry: Retry, shows_url: bool
) -> None:
    cause = explain(message).cause
    assert (cause.code, cause.retry, cause.shows_url) == (code, retry, shows_url)


@given(st.sampled_from(CATALOGUE), st.data())
def test_explain_ignores_case_and_white_space(
    entry: tuple[str, str, Retry, bool], data: st.DataObject
) -> None:
    space = st.sampled_from((" ", "  ", "\n", "\t "))
    spelling = data.draw(st.sampled_from((str.upper, str.lower, str.swapcase)))
    message = "".join(data.draw(space) if letter == " " else letter for letter in entry[0])
    assert explain(spelling(message)).cause.code == entry[1]


@given(st.text(max_size=200))
def test_explain_returns_known_cause_for_any_message(message: str) -> None:
    assert explain(message).cause in CAUSES.values()


@pytest.mark.parametrize("message", ["", "Something new", "Device", "User missing", "0x80070005"])
def test_explain_returns_unknown_for_message_missing_from_catalogue(message: str) -> None:
    assert explain(message).cause is UNKNOWN


def test_explain_returns_address_named_in_message() -> None:
    assert explain(CATALOGUE[8][0]).address == "203.0.113.7"
    assert explain("Device is offline.").address == ""


def test_every_cause_has_one_code_and_words() -> None:
    words = Words()
    listed = {code for _, code, _, _ in CATALOGUE}
    assert set(CAUSES) == listed | {
        "unknown",
        "no-result",
        "not-run",
        "refused",
        "changed-after-approval",
        "failed-check",
    }
    for code, cause in CAUSES.items():
        assert cause.code == code
        assert words(f"cause-{code}")
        assert words.part(f"cause-{code}", "fix")
    assert {UNKNOWN, NO_RESULT, NOT_RUN, REFUSED} <= set(CAUSES.values())


def test_phones_that_ended_without_sign_in_can_be_retried() -> None:
    assert (
        set(PhoneStatus) - {PhoneStatus.PENDING, PhoneStatus.IN_PROGRESS} == TERMINAL_PHONE_STATUSES
    )
    assert TERMINAL_PHONE_STATUSES - {PhoneStatus.SIGNED_IN} == RETRYABLE_PHONE_STATUSES


def following(status: PhoneStatus) -> set[PhoneStatus]:
    """The statuses that one transition leads to."""
    return {each.after for each in TRANSITIONS if status in each.before}


def test_every_status_is_reached_from_pending() -> None:
    reached = {PhoneStatus.PENDING}
    for _ in PhoneStatus:
        reached |= {after for status in reached for after in following(status)}
    assert reached == set(PhoneStatus)


def test_phone_gets_result_only_after_it_was_sent() -> None:
    assert following(PhoneStatus.PENDING) == {PhoneStatus.IN_PROGRESS, PhoneStatus.NOT_RUN}
