"""Roles are read from tokens that nobody vouches for."""

from __future__ import annotations

import pytest

from bot.doctor.roles import AUTHENTICATION_ROLES, TEAMS_ADMINISTRATOR, Held, held
from tests.support.tokens import unsigned

AUTHENTICATION = min(AUTHENTICATION_ROLES)


@pytest.mark.parametrize(
    ("wids", "teams", "authentication"),
    [
        ([], False, False),
        ([TEAMS_ADMINISTRATOR], True, False),
        ([AUTHENTICATION], False, True),
        *(([TEAMS_ADMINISTRATOR.upper(), role], True, True) for role in AUTHENTICATION_ROLES),
        ([None, 7, {}], False, False),
        ("69091246-20e8-4a56-aa4d-066075b2a7a8", False, False),
        (None, False, False),
    ],
)
def test_the_roles_of_a_person(wids: object, teams: bool, authentication: bool) -> None:
    assert held(unsigned(wids=wids, scp="user_impersonation")) == Held(
        teams, authentication, app=False
    )


def test_an_application_is_known_as_one() -> None:
    for claims in ({"idtyp": "app"}, {"wids": [AUTHENTICATION]}):
        found = held(unsigned(**claims))
        assert found is not None
        assert found.app


@pytest.mark.parametrize(
    "text", ["", "local", "a.b.c", "….….…", unsigned()[:-30], "eyJ.eyJ.x" * 5000]
)
def test_what_is_no_token(text: str) -> None:
    assert held(text) is None
