"""What an approval is bound to, and what a batch is checked against before it is sent."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.phones.region import Region
from bot.signin.digest import UNKEYED, Digests, equal
from bot.signin.request import Phone

PHONES = st.builds(
    Phone,
    username=st.text(max_size=20),
    hardware_id=st.text(max_size=20),
    region=st.sampled_from(Region),
)
LOBBY = Phone("lobby@contoso.com", "80-5E-C0-12-34-56", Region.EMEA)
ENCODED = b'["EMEA", "lobby@contoso.com", "80-5E-C0-12-34-56"]'
KEYED = Digests(b"a key of 16 bytes or more")
NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)
STARTS = st.none() | st.integers(0, 3).map(lambda hours: NOON + timedelta(hours=hours))
DIGESTS = pytest.mark.parametrize("digests", [UNKEYED, KEYED], ids=["unkeyed", "keyed"])
TENANT, REQUEST = "tenant-1", "K7QF2M9X"


def of_batch(digests: Digests, phones: list[Phone]) -> str:
    return digests.batch(phones, tenant_id=TENANT, request_id=REQUEST)


def matches(digests: Digests, stored: str, phones: list[Phone]) -> bool:
    return digests.match_batch(stored, phones, tenant_id=TENANT, request_id=REQUEST)


@DIGESTS
@given(
    st.lists(PHONES, max_size=5),
    st.lists(PHONES, max_size=5),
    st.integers(1, 100),
    st.integers(1, 100),
    STARTS,
    STARTS,
)
def test_digests_are_equal_only_for_same_sign_ins_at_the_same_time(
    digests: Digests,
    one: list[Phone],
    other: list[Phone],
    size: int,
    other_size: int,
    start: datetime | None,
    other_start: datetime | None,
) -> None:
    same = (one, size, start) == (other, other_size, other_start)
    assert (
        digests.request(one, batch_size=size, run_at=start)
        == digests.request(other, batch_size=other_size, run_at=other_start)
    ) is same
    assert (of_batch(digests, one) == of_batch(digests, other)) is (one == other)


@DIGESTS
@given(phones=st.lists(PHONES, min_size=1, max_size=5), data=st.data())
def test_digest_changes_with_any_phone(
    digests: Digests, phones: list[Phone], data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(phones) - 1))
    changed = replace(phones[at], username=phones[at].username + "x")
    others = [*phones[:at], changed, *phones[at + 1 :]]
    assert digests.request(phones, batch_size=100) != digests.request(others, batch_size=100)
    assert not matches(digests, of_batch(digests, phones), others)


def test_digest_is_the_one_that_stored_approvals_are_bound_to() -> None:
    """`printf '["EMEA", "lobby@contoso.com", "80-5E-C0-12-34-56"]' | sha256sum`"""
    expected = "514efeec2db0a8b071cfea57acfaca1c5c779fecaa8ed3362dce8dbca2b98ee9"
    assert UNKEYED.request([LOBBY], batch_size=100) == expected


def test_digest_covers_batch_size_unless_it_is_the_largest() -> None:
    expected = hashlib.sha256(b'["batch_size", 20]' + ENCODED).hexdigest()
    assert UNKEYED.request([LOBBY], batch_size=20) == expected


def test_digest_covers_start_unless_it_is_at_once() -> None:
    start = NOON.astimezone(ZoneInfo("Europe/Berlin"))
    expected = hashlib.sha256(b'["run_at", "2026-12-01T12:00:00Z"]' + ENCODED).hexdigest()
    assert UNKEYED.request([LOBBY], batch_size=100, run_at=start) == expected


def test_digest_is_hmac_sha_256_with_key() -> None:
    expected = hmac.new(KEYED.key, ENCODED, "sha256").hexdigest()
    assert KEYED.request([LOBBY], batch_size=100) == expected


def test_digest_of_batch_is_bound_to_its_request_and_tenant() -> None:
    stored = of_batch(KEYED, [LOBBY])
    assert matches(KEYED, stored, [LOBBY])
    assert not KEYED.match_batch(stored, [LOBBY], tenant_id=TENANT, request_id="0")
    assert not KEYED.match_batch(stored, [LOBBY], tenant_id="tenant-2", request_id=REQUEST)
    assert not matches(KEYED, KEYED.request([LOBBY], batch_size=100), [LOBBY])
    assert not matches(KEYED, of_batch(UNKEYED, [LOBBY]), [LOBBY])


def test_batch_without_digest_matches_only_without_key() -> None:
    """With a key, whoever can write to the database cannot switch the check off."""
    assert matches(UNKEYED, "", [LOBBY])
    assert not matches(KEYED, "", [LOBBY])


def test_text_form_of_digests_hides_the_key() -> None:
    assert "key of" not in repr(KEYED)


@given(st.text(), st.text())
def test_equal_compares_any_texts(one: str, other: str) -> None:
    assert equal(one, one)
    assert equal(one, other) is (one == other)
