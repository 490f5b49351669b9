"""What every backend's `Administration` promises, against a simulated tenant."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import pytest

from bot.gateway import (
    AccessDeniedError,
    ChangeRefusedError,
    GatewayError,
    ThrottledError,
    UnavailableError,
)
from bot.gateway.administration import Administration
from bot.gateway.policies import SWITCH
from bot.mending.change import OFF
from bot.mending.content import difference
from bot.preflight.facts import POLICY_NAME, PolicyType
from bot.simulator.policies import CALLING
from bot.simulator.scenario import Call, Fault, FaultKind, Scenario
from bot.simulator.server import Simulator
from bot.simulator.tenant import Account
from tests.integration.gateway.backends import BACKENDS, Backend

LOBBY = "lobby@contoso.com"
ODD = "o'hara-!#^~.`$(x)_%+\u2019\u00fc\u201c@contoso.com"
NOBODY = "nobody@contoso.com"
ACCOUNT = Account(ip_phone_policy="Desk", calling_policy="")
SCENARIO = Scenario(
    accounts={LOBBY: ACCOUNT, ODD: ACCOUNT, NOBODY: Account(exists=False)},
    ip_phone_policies={**Scenario().ip_phone_policies, "Desk": "UserSignIn"},
)


@pytest.fixture(params=BACKENDS.values(), ids=[*BACKENDS])
def backend(request: pytest.FixtureRequest) -> Backend:
    return request.param


class Teams:
    def __init__(self, administration: Administration, simulator: Simulator) -> None:
        self.administration = administration
        self.simulator = simulator

    def fail(self, call: Call, kind: FaultKind, **more: Any) -> None:
        self.simulator.faults.add(Fault(call=call, fault=kind, times=0, **more))

    def policies_of(self, account: str) -> tuple[str, str]:
        entry = self.simulator.accounts.find(account)
        assert entry is not None
        return entry.account.ip_phone_policy, entry.account.calling_policy


@pytest.fixture
async def teams(backend: Backend) -> AsyncGenerator[Teams]:
    async with (
        backend(SCENARIO) as simulated,
        simulated.administrator.session() as administration,
    ):
        yield Teams(administration, simulated.simulator)


@pytest.mark.parametrize("account", [LOBBY, ODD])
async def test_account_is_read_granted_and_set_back(teams: Teams, account: str) -> None:
    administration = teams.administration
    found = await administration.assigned(account)
    assert found.policies == {PolicyType.IP_PHONE: "Desk", PolicyType.CALLING: None}

    await administration.grant(found.object_id, PolicyType.CALLING, "SIPDevices")
    await administration.grant(account, PolicyType.IP_PHONE, "CommonAreaPhone")
    assert teams.policies_of(account) == ("CommonAreaPhone", "SIPDevices")
    assert (await administration.assigned(found.object_id)).policies[
        PolicyType.CALLING
    ] == "SIPDevices"

    await administration.grant(account, PolicyType.IP_PHONE, None)
    assert teams.policies_of(account) == ("", "SIPDevices")


@pytest.mark.parametrize("policy", PolicyType)
async def test_created_policy_is_as_wanted_and_otherwise_as_the_global_one(
    teams: Teams, policy: PolicyType
) -> None:
    await teams.administration.create(policy, POLICY_NAME)
    created = (await teams.administration.instances(policy.value))[POLICY_NAME.casefold()]
    assert difference(policy, created) is None
    if policy is PolicyType.CALLING:
        stored = teams.simulator.accounts.policies.find(CALLING, POLICY_NAME)
        assert stored is not None
        assert stored["AllowPrivateCalling"] is True
    with pytest.raises(ChangeRefusedError, match="already exists"):
        await teams.administration.create(policy, POLICY_NAME)


async def test_switch_is_set_and_read(teams: Teams) -> None:
    await teams.administration.switch(OFF)
    found = await teams.administration.instances(SWITCH)
    assert found["global"]["bulksignin"] == OFF
    with pytest.raises(ValueError, match="on"):
        await teams.administration.switch("on")


async def test_account_or_policy_that_is_not_there_is_refused(teams: Teams) -> None:
    with pytest.raises(ChangeRefusedError, match="not found"):
        await teams.administration.assigned(NOBODY)
    with pytest.raises(ChangeRefusedError, match="not found"):
        await teams.administration.grant(LOBBY, PolicyType.CALLING, "None such")
    assert teams.policies_of(LOBBY) == ("Desk", "")


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (FaultKind.FORBIDDEN, AccessDeniedError),
        (FaultKind.THROTTLED, ThrottledError),
        (FaultKind.SERVER_ERROR, UnavailableError),
        (FaultKind.DROP_ACCEPTED, UnavailableError),
    ],
)
async def test_failed_change_tells_whether_it_can_have_taken_effect(
    teams: Teams, kind: FaultKind, error: type[GatewayError]
) -> None:
    teams.fail(Call.GRANT, kind)
    with pytest.raises(GatewayError) as raised:
        await teams.administration.grant(LOBBY, PolicyType.CALLING, "SIPDevices")
    assert type(raised.value) is error
    granted = (await teams.administration.assigned(LOBBY)).policies[PolicyType.CALLING]
    assert granted == ("SIPDevices" if kind is FaultKind.DROP_ACCEPTED else None)
