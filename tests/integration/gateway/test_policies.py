"""The tenant's policies, switch and addresses read over HTTP from a simulated ConfigAPI."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.gateway import policies
from bot.gateway.configapi import ConfigApiGateway
from bot.identity.tokens import FixedToken
from bot.preflight.facts import CallingPolicy, TenantFacts, Unknown, UnknownReason
from bot.simulator import tenant
from bot.simulator.scenario import Call, Fault, FaultKind, Scenario
from bot.simulator.server import Simulator

FIELDS = ("bulk_sign_in", "trusted_addresses", "ip_phone_policies", "calling_policies")


async def read(scenario: Scenario, facts: TenantFacts | None = None) -> TenantFacts:
    async with Simulator(scenario) as simulator, aiohttp.ClientSession() as session:
        gateway = ConfigApiGateway(
            session, simulator.configapi_url, FixedToken(), read_timeout=2.0, pauses=(0.001,)
        )
        return await policies.read(gateway, facts or TenantFacts())


async def test_policies_are_read_by_lowercase_name_without_tag() -> None:
    scenario = Scenario(
        ip_phone_policies={"Global": "UserSignIn", "Lobby Phones": "CommonAreaPhoneSignin"},
        calling_policies={
            "Global": tenant.CallingPolicy(),
            "No SIP": tenant.CallingPolicy(sip_devices=False, call_redirect="Disabled"),
        },
    )
    facts = await read(scenario, TenantFacts(security_defaults=True))
    assert facts == TenantFacts(
        bulk_sign_in=True,
        trusted_addresses=1,
        security_defaults=True,
        ip_phone_policies={"global": "usersignin", "lobby phones": "commonareaphonesignin"},
        calling_policies={
            "global": CallingPolicy(sip_devices=True, call_redirect="Enabled"),
            "no sip": CallingPolicy(sip_devices=False, call_redirect="Disabled"),
        },
    )


async def test_switch_that_is_off_and_no_addresses_are_known() -> None:
    facts = await read(Scenario(bulk_sign_in=False, trusted_addresses=False))
    assert (facts.bulk_sign_in, facts.trusted_addresses) == (False, 0)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (FaultKind.FORBIDDEN, UnknownReason.APPROVER),
        (FaultKind.UNAUTHORIZED, UnknownReason.APPROVER),
        (FaultKind.UNAVAILABLE, UnknownReason.UNAVAILABLE),
        (FaultKind.DROP_LOST, UnknownReason.UNAVAILABLE),
        (FaultKind.GARBAGE, UnknownReason.UNAVAILABLE),
    ],
)
async def test_settings_are_unknown_when_configapi_fails(
    kind: FaultKind, reason: UnknownReason
) -> None:
    facts = await read(Scenario(faults=(Fault(call=Call.POLICIES, fault=kind, times=0),)))
    for field in FIELDS:
        fact = getattr(facts, field)
        assert isinstance(fact, Unknown), field
        assert fact.reason is reason, field


class Instances:
    """Responds to every type with the same instances, which need not be of that type."""

    def __init__(self, instances: Sequence[Mapping[str, object]]) -> None:
        self._instances = instances

    async def configurations(self, kind: str) -> Sequence[Mapping[str, object]]:
        del kind
        return self._instances


ANY = st.one_of(st.none(), st.booleans(), st.integers(), st.text(), st.lists(st.none()))
NAMES = ("identity", "signinmode", "allowsipdevicescalling", "allowcallredirect", "bulksignin")


@given(st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, ANY))))
async def test_policy_is_unknown_unless_its_content_is_readable(
    instances: list[dict[str, Any]],
) -> None:
    facts = await policies.read(Instances(instances), TenantFacts())
    if not isinstance(facts.ip_phone_policies, Unknown):
        assert all(each["signinmode"] for each in instances)
    if not isinstance(facts.calling_policies, Unknown):
        assert all(isinstance(each["allowsipdevicescalling"], bool) for each in instances)
    if not isinstance(facts.bulk_sign_in, Unknown):
        states = {str(each.get("bulksignin")).casefold() for each in instances}
        assert ("enabled" if facts.bulk_sign_in else "disabled") in states
