"""The tenant's settings read over HTTP from a simulated Graph."""

from __future__ import annotations

import aiohttp
import pytest

from bot.directory import tenant
from bot.directory.client import GraphClient
from bot.identity.tokens import FixedToken
from bot.preflight.facts import TenantFacts, Unknown, UnknownReason
from bot.simulator.scenario import Call, Fault, FaultKind, Scenario
from bot.simulator.server import Simulator
from bot.simulator.tenant import GATEWAY_APPLICATIONS, PERMISSIONS, GraphApi


async def read(scenario: Scenario, facts: TenantFacts | None = None) -> TenantFacts:
    async with Simulator(scenario) as simulator, aiohttp.ClientSession() as session:
        client = GraphClient(session, simulator.graph_url, FixedToken())
        read = await tenant.read(client, facts or TenantFacts(), seconds=2)
        assert simulator.graph.received == 1
        return read


@pytest.mark.parametrize("on", [True, False])
async def test_security_defaults_are_read(on: bool) -> None:
    assert (await read(Scenario(security_defaults=on))).security_defaults is on


async def test_gateway_principals_that_exist_are_told_from_those_that_do_not() -> None:
    facts = await read(Scenario(gateway_principals=GATEWAY_APPLICATIONS[:1]))
    expected = {each: each == GATEWAY_APPLICATIONS[0] for each in tenant.GATEWAY_APPLICATIONS}
    assert facts.gateway_principals == expected


async def test_facts_from_elsewhere_are_kept() -> None:
    assert (await read(Scenario(), TenantFacts(trusted_addresses=3))).trusted_addresses == 3


@pytest.mark.parametrize(
    ("permission", "field", "other"),
    [
        ("Policy.Read.All", "security_defaults", "gateway_principals"),
        ("Application.Read.All", "gateway_principals", "security_defaults"),
    ],
)
async def test_missing_permission_leaves_only_its_own_facts_unknown(
    permission: str, field: str, other: str
) -> None:
    facts = await read(Scenario(graph=GraphApi(permissions=PERMISSIONS - {permission})))
    assert getattr(facts, field) == Unknown(UnknownReason.PERMISSION, permission)
    assert not isinstance(getattr(facts, other), Unknown)


async def test_settings_are_unavailable_when_throttled_beyond_the_deadline() -> None:
    fault = Fault(call=Call.GRAPH_BATCH, fault=FaultKind.THROTTLED, times=0, retry_after=60)
    facts = await read(Scenario(faults=(fault,)))
    for fact in (facts.security_defaults, facts.gateway_principals):
        assert isinstance(fact, Unknown)
        assert fact.reason is UnknownReason.UNAVAILABLE
