"""Which roles are enough."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.identity.entra_roles import PASSWORD_RESET_ROLES, EntraRole, MissingRoles, unverified_claims, missing_roles
from tests.support.tokens import unsigned

OTHER = "b79fbf4d-3ef9-4689-8143-76b194e85509"  # what everybody has


@pytest.mark.parametrize(
    "held", [set(some) for size in range(5) for some in combinations(EntraRole, size)]
)
def test_teams_administrator_and_one_that_may_reset_passwords(held: set[EntraRole]) -> None:
    teams, passwords = EntraRole.TEAMS in held, bool(held & PASSWORD_RESET_ROLES)
    expected = {
        (True, True): MissingRoles.NOTHING,
        (True, False): MissingRoles.PASSWORDS,
        (False, True): MissingRoles.TEAMS,
        (False, False): MissingRoles.BOTH,
    }[teams, passwords]
    assert missing_roles([*held, OTHER]) is expected
    assert missing_roles([role.upper() for role in held]) is expected


def test_claims() -> None:
    assert unverified_claims(unsigned(oid="x", exp=1))["oid"] == "x"


@given(st.text())
def test_what_is_no_token_has_no_claims(text: str) -> None:
    assert unverified_claims(text) == {}
