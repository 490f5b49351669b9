"""Friction that grows with the risk."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.signin.acknowledgment import Acknowledgment, typed_number, wanted

TICK, TYPED = Acknowledgment


@pytest.mark.parametrize(
    ("phones", "against_checks", "typed_above", "asked"),
    [
        (1, False, 100, TICK),
        (100, False, 100, TICK),
        (101, False, 100, TYPED),
        (1, True, 100, TYPED),
        (1, False, 0, TYPED),
        (20_000, False, 20_000, TICK),
    ],
)
def test_number_is_typed_above_limit_or_against_checks(
    phones: int, against_checks: bool, typed_above: int, asked: Acknowledgment
) -> None:
    found = wanted(phones=phones, against_checks=against_checks, typed_above=typed_above)
    assert found is asked


@given(st.integers(0, 10**9 - 1), st.sampled_from(" .,'’_\u00a0\u2009\u202f"))
def test_number_is_read_as_people_write_it(number: int, separator: str) -> None:
    grouped = f"{number:,}".replace(",", separator)
    for value in (number, float(number), str(number), f" {number}\t", grouped, f" {grouped} "):
        assert typed_number(value) == number


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, "", "  ", "true", "24.5", 24.5, float("nan"), -3, 1e300),
        *(10**9, "-3", "1,23", "1,2345", "1,234.567"),
        *("0x10", "1e3", ["3"], {"a": 3}, "9" * 50, "²", "12a"),
    ],
)  # fmt: skip
def test_anything_else_is_no_number(value: object) -> None:
    assert typed_number(value) is None
