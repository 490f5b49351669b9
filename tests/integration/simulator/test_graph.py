"""The simulated Graph, beyond what the tests of the directory cover."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from bot.simulator.scenario import PEOPLE, Scenario
from bot.simulator.server import Simulator

ALEX = PEOPLE[0]
AUTH = {"Authorization": "Bearer local"}


@pytest.mark.parametrize("key", [ALEX.object_id, ALEX.principal, ALEX.principal.upper()])
async def test_user_has_id_name_and_principal(session: aiohttp.ClientSession, key: str) -> None:
    async with (
        Simulator(Scenario(latency=0.001)) as far,
        session.get(f"{far.graph_url}/v1.0/users/{key}", headers=AUTH) as answer,
    ):
        assert (await answer.json())["displayName"] == "Alex Wilber"


async def test_graph_requires_a_token(session: aiohttp.ClientSession) -> None:
    async with (
        Simulator() as far,
        session.get(f"{far.graph_url}/v1.0/users/{ALEX.object_id}") as answer,
    ):
        assert answer.status == 401


@pytest.mark.parametrize("body", [{}, [], {"groupIds": 1}, {"groupIds": ["x"] * 21}])
async def test_check_member_groups_accepts_at_most_twenty_groups(
    session: aiohttp.ClientSession, body: Any
) -> None:
    async with Simulator() as far:
        url = f"{far.graph_url}/v1.0/users/{ALEX.object_id}/checkMemberGroups"
        async with session.post(url, json=body, headers=AUTH) as answer:
            assert answer.status == 400
