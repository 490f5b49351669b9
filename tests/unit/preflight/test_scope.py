"""The allowed accounts, the nearest name, and the windows of time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.preflight import similar
from bot.preflight.clocks import DEADLINE, SAFE, SETTLES, Window, window
from bot.settings.scope import AccountScope, ScopeError, parse_scope

GROUP = "AAAAAAAA-2222-3333-4444-555555555555"


def test_scope_tells_object_ids_from_patterns() -> None:
    parsed = parse_scope([f" {GROUP} ", "Lobby.*@Contoso.com"])

    assert parsed == AccountScope(frozenset({GROUP.lower()}), frozenset({"lobby.*@contoso.com"}))
    assert not parsed.everything
    assert parse_scope([]).everything


@pytest.mark.parametrize("entry", ["", "lobby", "a@b@c", "a b@c", "*", "1234", "@contoso.com"])
def test_scope_refuses_what_is_neither(entry: str) -> None:
    with pytest.raises(ScopeError, match="neither"):
        parse_scope([entry])


@pytest.mark.parametrize(
    ("pattern", "principal", "expected"),
    [
        ("*@contoso.com", "Lobby.01@CONTOSO.com", True),
        ("*@contoso.com", "lobby.01@contoso.com.evil.example", False),
        ("*@contoso.com", "lobby.01@sub.contoso.com", False),
        ("lobby.*@contoso.com", "xlobby.01@contoso.com", False),
        ("lobby.??@contoso.com", "lobby.01@contoso.com", False),
        ("lobby.01@contoso.com", "lobby101@contoso.com", False),
        ("lobby.[01]@contoso.com", "lobby.0@contoso.com", False),
        ("*@*", "anyone@anywhere", True),
        ("a*a@contoso.com", "a@contoso.com", False),
        ("*aba*@contoso.com", "abababa@contoso.com", True),
        ("**********@contoso.com", f"{'a' * 200}@fabrikam.com", False),
        ("*a*a*a*a*a*a*a*a*@contoso.com", f"{'a' * 200}@fabrikam.com", False),
    ],
)
def test_only_the_star_stands_for_other_text(pattern: str, principal: str, expected: bool) -> None:
    assert parse_scope([pattern]).matches(principal) is expected


@given(st.text(max_size=40))
def test_pattern_without_a_star_matches_itself_only(principal: str) -> None:
    matched = AccountScope(patterns=frozenset({"a.b@c.d"})).matches(principal)

    assert matched == (principal.casefold() == "a.b@c.d")


def test_nearest_name_is_found_in_any_case() -> None:
    candidates = ["Lobby.Berlin.02@contoso.com", "lobby.paris.02@contoso.com"]

    assert similar.nearest("lobby.berln.02@contoso.com", candidates) == candidates[0]
    assert similar.nearest("reception@fabrikam.com", candidates) is None
    assert similar.nearest("lobby.berln.02@contoso.com", []) is None


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        (-timedelta(hours=1), Window.TOO_EARLY),
        (timedelta(0), Window.TOO_EARLY),
        (SETTLES - timedelta(seconds=1), Window.TOO_EARLY),
        (SETTLES, Window.IN_TIME),
        (SAFE, Window.IN_TIME),
        (SAFE + timedelta(seconds=1), Window.NEARLY_TOO_LATE),
        (DEADLINE, Window.NEARLY_TOO_LATE),
        (DEADLINE + timedelta(seconds=1), Window.TOO_LATE),
    ],
)
def test_window_follows_the_hours_since_provisioning(age: timedelta, expected: Window) -> None:
    now = datetime(2026, 11, 24, 12, tzinfo=UTC)

    assert window(now - age, now) is expected
