"""Required Entra roles."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.identity.entra_roles import (
    PASSWORD_RESET_ROLES,
    EntraRole,
    MissingRoles,
    missing_roles,
    unverified_claims,
)
from tests.support.tokens import unsigned

OTHER = "b79fbf4d-3ef9-4689-8143-76b194e85509"  # the default user role, which every user has


@pytest.mark.parametrize(
    "held", [set(some) for size in range(5) for some in combinations(EntraRole, size)]
)
def test_missing_roles_requires_a_password_role_and_warns_of_teams_administrator(
    held: set[EntraRole],
) -> None:
    teams = bool(held & {EntraRole.TEAMS, EntraRole.GLOBAL})
    passwords = bool(held & PASSWORD_RESET_ROLES)
    expected = {
        (True, True): MissingRoles.NOTHING,
        (True, False): MissingRoles.PASSWORDS,
        (False, True): MissingRoles.TEAMS,
        (False, False): MissingRoles.BOTH,
    }[teams, passwords]
    assert missing_roles([*held, OTHER]) is expected
    assert expected.denies is not passwords
    assert missing_roles([role.upper() for role in held]) is expected


def test_global_administrator_misses_nothing() -> None:
    assert missing_roles([EntraRole.GLOBAL]) is MissingRoles.NOTHING


def test_claims_are_read_without_verification() -> None:
    assert unverified_claims(unsigned(oid="x", exp=1))["oid"] == "x"


@given(st.text())
def test_claims_are_empty_when_token_is_unreadable(text: str) -> None:
    assert unverified_claims(text) == {}
