"""Filters that clients send."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bot.signin.listing import ALL, MAX_PREFIX, UNUSUAL, PhoneFilter, parse


@given(st.text(), st.text())
def test_unknown_filter_shows_everything(which: str, prefix: str) -> None:
    chosen = parse(which, prefix)
    assert chosen.which in ("", UNUSUAL, "NOAM", "EMEA", "APAC")
    assert len(chosen.prefix) <= MAX_PREFIX


def test_filter_is_named_for_the_audit() -> None:
    assert str(parse("all", "")) == str(ALL) == "all"
    assert str(parse("EMEA", " Lobby ")) == "EMEA lobby"
    assert str(PhoneFilter(UNUSUAL)) == "unusual"
