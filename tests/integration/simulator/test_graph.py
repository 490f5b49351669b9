"""The simulated Graph, beyond what the tests of the directory cover."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from bot.simulator.scenario import PEOPLE, Call, Fault, FaultKind, Scenario, message
from bot.simulator.server import Simulator
from bot.simulator.tenant import Account, GraphApi

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


Items = list[dict[str, Any]]


async def batch(
    far: Simulator, session: aiohttp.ClientSession, items: Items, version: str
) -> Items:
    url = f"{far.graph_url}/{version}/$batch"
    async with session.post(url, json={"requests": items}, headers=AUTH) as answer:
        assert answer.status == 200
        return sorted((await answer.json())["responses"], key=lambda each: each["id"])


async def test_each_request_of_a_batch_has_its_own_status(session: aiohttp.ClientSession) -> None:
    fault = Fault(call=Call.GROUPS, fault=FaultKind.THROTTLED, retry_after=7)
    groups = f"/users/{ALEX.object_id}/checkMemberGroups"
    items = [
        {"id": "0", "method": "GET", "url": f"/users/{ALEX.object_id}"},
        {"id": "1", "method": "POST", "url": groups, "body": {"groupIds": []}},
        {"id": "2", "method": "GET", "url": "/users/nobody@example.com"},
        {"id": "3", "method": "GET", "url": "/teamwork/devices"},
        {"id": "4", "method": "GET", "url": f"/users/{ALEX.object_id}/authentication/requirements"},
    ]
    async with Simulator(Scenario(faults=(fault,))) as far:
        answers = await batch(far, session, items, "v1.0")
    assert [each["status"] for each in answers] == [200, 429, 404, 400, 400]
    assert answers[1]["headers"]["Retry-After"] == "7.0"


@pytest.mark.parametrize("requests", [None, [{"id": "0"}] * 21])
async def test_batch_holds_at_most_twenty_requests(
    session: aiohttp.ClientSession, requests: Any
) -> None:
    async with Simulator() as far:
        url = f"{far.graph_url}/v1.0/$batch"
        async with session.post(url, json={"requests": requests}, headers=AUTH) as answer:
            assert answer.status == 400


async def test_filter_takes_at_most_fifteen_values(session: aiohttp.ClientSession) -> None:
    values = ",".join(f"'phone-{number}@contoso.com'" for number in range(16))
    url = f"/users?$filter=userPrincipalName%20in%20({values})"
    async with Simulator() as far:
        [answer] = await batch(far, session, [{"id": "0", "method": "GET", "url": url}], "v1.0")
    assert answer["status"] == 400
    assert answer["body"]["error"]["code"] == "Request_UnsupportedQuery"


async def test_permission_can_be_granted_while_graph_runs(session: aiohttp.ClientSession) -> None:
    async with Simulator(Scenario(graph=GraphApi(permissions=frozenset()))) as far:
        url = f"{far.graph_url}/v1.0/users/{ALEX.object_id}"
        async with session.get(url, headers=AUTH) as answer:
            assert answer.status == 403
            assert (await answer.json())["error"]["code"] == "Authorization_RequestDenied"
        far.graph.permissions.add("User.Read.All")
        async with session.get(url, headers=AUTH) as answer:
            assert answer.status == 200


async def test_deleted_account_is_gone_by_name_and_id(session: aiohttp.ClientSession) -> None:
    async with Simulator() as far:
        entry = far.accounts.find("lobby@contoso.com")
        assert entry is not None
        url = f"/users/{entry.object_id}/authentication/requirements"
        item = {"id": "0", "method": "GET", "url": url}
        [before] = await batch(far, session, [item], "beta")
        far.accounts.set("LOBBY@contoso.com", Account(exists=False))
        [after] = await batch(far, session, [item], "beta")
    assert (before["status"], after["status"]) == (200, 404)


@pytest.mark.parametrize(
    ("scenario", "code"),
    [
        (Scenario(), ""),
        (Scenario(account_domains=("fabrikam.com",)), "user-not-found"),
        (Scenario(accounts={"lobby@contoso.com": Account(exists=False)}), "user-not-found"),
        (Scenario(accounts={"Lobby@Contoso.com": Account(number=False)}), "no-phone-number"),
        (
            Scenario(accounts={"lobby@contoso.com": Account(calling_policy="")}),
            "no-sip-calling-policy",
        ),
        (Scenario(accounts={"lobby@contoso.com": Account(ip_phone_policy="")}), "no-cap-policy"),
        (Scenario(ip_phone_policies={"CommonAreaPhone": "UserSignIn"}), "no-cap-policy"),
        (Scenario(trusted_addresses=False), "ip-not-trusted"),
    ],
)
async def test_gateway_fails_accounts_for_what_graph_says_of_them(
    session: aiohttp.ClientSession, scenario: Scenario, code: str
) -> None:
    async with Simulator(scenario.model_copy(update={"batch_seconds": 0})) as far:
        base = f"{far.configapi_url}/Teams.SipDevicesGatewayManagement/v1"
        body = [{"Username": "lobby@contoso.com", "HardwareId": "00-04-F2-00-00-01"}]
        url = f"{base}/createbatch?TargetRegion=EMEA"
        async with session.post(url, json=body, headers=AUTH) as answer:
            batch_id = (await answer.json())["batchId"]
        async with session.get(f"{base}/batchstatus?batchid={batch_id}", headers=AUTH) as answer:
            [item] = (await answer.json())["batchItem"]
    assert item["error"] == (message(code) if code else "")


@pytest.mark.parametrize(
    "code", ["user-not-found", "no-phone-number", "no-sip-calling-policy", "no-cap-policy"]
)
async def test_account_is_as_its_outcome_says(code: str) -> None:
    async with Simulator(Scenario(outcomes={"Lobby@contoso.com": (code,)})) as far:
        assert far.accounts.failure("lobby@contoso.com") == code
