"""The catalogue of the service's messages: each is known, each has words, and no other is guessed."""

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
    UNKNOWN,
    PhoneStatus,
    Retry,
    explain,
)
from bot.words import Words

FIX, NOW, SMALLER = Retry.AFTER_FIX, Retry.AS_IT_STANDS, Retry.SMALLER
# Microsoft, "Configure SIP Gateway", error table: message, cause, may it be retried, is it the URL?
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
]


@pytest.mark.parametrize(("message", "code", "retry", "shows_url"), CATALOGUE)
def test_a_message_of_the_catalogue(message: str, code: str, retry: Retry, shows_url: bool) -> None:
    cause = explain(message).cause
    assert (cause.code, cause.retry, cause.shows_url) == (code, retry, shows_url)


@given(st.sampled_from(CATALOGUE), st.data())
def test_case_and_white_space_do_not_matter(
    entry: tuple[str, str, Retry, bool], data: st.DataObject
) -> None:
    space = st.sampled_from((" ", "  ", "\n", "\t "))
    spelling = data.draw(st.sampled_from((str.upper, str.lower, str.swapcase)))
    message = "".join(data.draw(space) if letter == " " else letter for letter in entry[0])
    assert explain(spelling(message)).cause.code == entry[1]


@given(st.text(max_size=200))
def test_any_message_is_explained_or_shown_as_it_came(message: str) -> None:
    assert explain(message).cause in CAUSES.values()


@pytest.mark.parametrize("message", ["", "Something new", "Device", "User missing", "0x80070005"])
def test_what_is_not_in_the_catalogue_is_unknown(message: str) -> None:
    assert explain(message).cause is UNKNOWN


def test_the_address_that_the_service_saw_is_told() -> None:
    assert explain(CATALOGUE[8][0]).address == "203.0.113.7"
    assert explain("Device is offline.").address == ""


def test_every_code_is_one_cause_and_has_words() -> None:
    words = Words()
    listed = {code for _, code, _, _ in CATALOGUE}
    assert set(CAUSES) == listed | {"unknown", "no-result", "not-run", "refused"}
    for code, cause in CAUSES.items():
        assert cause.code == code
        assert words(f"cause-{code}")
        assert words.part(f"cause-{code}", "fix")
    assert {UNKNOWN, NO_RESULT, NOT_RUN, REFUSED} <= set(CAUSES.values())


def test_everything_that_ended_but_signed_in_can_be_retried() -> None:
    assert (
        set(PhoneStatus) - {PhoneStatus.PENDING, PhoneStatus.IN_PROGRESS} == TERMINAL_PHONE_STATUSES
    )
    assert TERMINAL_PHONE_STATUSES - {PhoneStatus.SIGNED_IN} == RETRYABLE_PHONE_STATUSES
