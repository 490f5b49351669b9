"""The sign-in log read over HTTP from a simulated Graph."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest

from bot.directory import sign_ins
from bot.directory.client import GraphClient
from bot.directory.sign_ins import SignInLog
from bot.identity.tokens import FixedToken
from bot.preflight.facts import Unknown, UnknownReason
from bot.simulator.scenario import Call, Fault, FaultKind, Scenario
from bot.simulator.server import Simulator
from bot.simulator.tenant import PERMISSIONS, GraphApi
from bot.simulator.tenant import SignInLog as Log

ACCOUNTS = [f"lobby{number}@contoso.com" for number in range(5)]


async def sign_in(simulator: Simulator, accounts: Sequence[str] = ACCOUNTS) -> None:
    """Let the simulated SIP Gateway sign in a phone of each account."""
    url = f"{simulator.configapi_url}/Teams.SipDevicesGatewayManagement/v1/createbatch"
    body = [
        {"Username": account, "HardwareId": f"80-5E-C0-00-00-{number:02X}"}
        for number, account in enumerate(accounts)
    ]
    headers = {"Authorization": "Bearer x"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}?TargetRegion=EMEA", json=body, headers=headers) as response,
    ):
        assert response.status == 200


@asynccontextmanager
async def signed_in(scenario: Scenario) -> AsyncGenerator[Simulator]:
    """A tenant in which all accounts have just signed in."""
    async with Simulator(scenario.model_copy(update={"batch_seconds": 0.0})) as simulator:
        await sign_in(simulator)
        yield simulator


async def read(
    simulator: Simulator,
    *,
    accounts: Sequence[str] = ACCOUNTS,
    since: datetime | None = None,
    seconds: float = 30.0,
) -> SignInLog:
    since = since or datetime.now(UTC) - timedelta(minutes=5)
    async with aiohttp.ClientSession() as session:
        client = GraphClient(session, simulator.graph_url, FixedToken())
        return await sign_ins.read(client, accounts, since, seconds=seconds)


def accounts_in(log: SignInLog) -> list[str]:
    return sorted(each.account for each in log.sign_ins)


async def test_one_call_lists_the_sign_ins_of_all_accounts() -> None:
    async with signed_in(Scenario()) as simulator:
        log = await read(simulator)
        assert simulator.graph.received == 1
    assert accounts_in(log) == ACCOUNTS
    assert log.gap is None
    assert {each.error for each in log.sign_ins} == {0}
    assert all(abs(datetime.now(UTC) - each.at) < timedelta(minutes=1) for each in log.sign_ins)


async def test_all_pages_are_read() -> None:
    async with signed_in(Scenario(graph=GraphApi(max_page=2))) as simulator:
        log = await read(simulator)
        assert simulator.graph.calls[Call.SIGN_INS] == 3
    assert accounts_in(log) == ACCOUNTS


async def test_earlier_sign_ins_are_not_read() -> None:
    async with signed_in(Scenario()) as simulator:
        log = await read(simulator, since=datetime.now(UTC) + timedelta(minutes=5))
    assert (log.sign_ins, log.gap) == ([], None)


async def test_failed_sign_in_has_its_code() -> None:
    scenario = Scenario(sign_in_log=Log(errors={ACCOUNTS[1]: 53003}))
    async with signed_in(scenario) as simulator:
        log = await read(simulator)
    assert [each.account for each in log.sign_ins if each.error == 53003] == [ACCOUNTS[1]]


async def test_log_shows_nothing_before_its_lag() -> None:
    async with signed_in(Scenario(sign_in_log=Log(lag=3600))) as simulator:
        log = await read(simulator)
    assert (log.sign_ins, log.gap) == ([], None)


async def test_accounts_are_asked_for_where_the_application_cannot_be_filtered() -> None:
    scenario = Scenario(sign_in_log=Log(filters_application=False))
    async with signed_in(scenario) as simulator:
        log = await read(simulator, accounts=ACCOUNTS[:2])
        assert simulator.graph.received == 2
    assert accounts_in(log) == ACCOUNTS[:2]
    assert log.gap is None


async def test_accounts_are_asked_for_where_the_list_is_too_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sign_ins, "MAX_PAGES", 1)
    async with signed_in(Scenario(graph=GraphApi(max_page=2))) as simulator:
        log = await read(simulator)
    assert set(accounts_in(log)) == set(ACCOUNTS)
    assert log.gap is None


async def test_rest_is_a_gap_where_too_many_accounts_would_be_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sign_ins, "MAX_ASKED", 3)
    scenario = Scenario(sign_in_log=Log(filters_application=False))
    async with signed_in(scenario) as simulator:
        log = await read(simulator)
    assert accounts_in(log) == ACCOUNTS[:3]
    assert log.gap is not None


async def test_throttled_read_is_repeated() -> None:
    scenario = Scenario(
        faults=(Fault(call=Call.SIGN_INS, fault=FaultKind.THROTTLED, retry_after=0.01),)
    )
    async with signed_in(scenario) as simulator:
        log = await read(simulator)
    assert accounts_in(log) == ACCOUNTS


@pytest.mark.parametrize(
    ("scenario", "reason"),
    [
        (
            Scenario(graph=GraphApi(permissions=PERMISSIONS - {"AuditLog.Read.All"})),
            UnknownReason.PERMISSION,
        ),
        (Scenario(graph=GraphApi(premium=False)), UnknownReason.LICENSE),
        (Scenario(graph=GraphApi(absent=("auditLogs",))), UnknownReason.CLOUD),
        (
            Scenario(
                faults=(
                    Fault(
                        call=Call.GRAPH_BATCH,
                        fault=FaultKind.THROTTLED,
                        times=0,
                        retry_after=60,
                    ),
                )
            ),
            UnknownReason.UNAVAILABLE,
        ),
        (
            Scenario(faults=(Fault(call=Call.SIGN_INS, fault=FaultKind.GARBAGE, times=0),)),
            UnknownReason.UNREADABLE,
        ),
    ],
    ids=lambda value: value.value if isinstance(value, UnknownReason) else "",
)
async def test_what_cannot_be_read_is_a_gap_with_its_reason(
    scenario: Scenario, reason: UnknownReason
) -> None:
    async with signed_in(scenario) as simulator:
        log = await read(simulator, seconds=2)
    assert log.sign_ins == []
    assert isinstance(log.gap, Unknown)
    assert log.gap.reason is reason
    if reason is UnknownReason.PERMISSION:
        assert log.gap.detail == "AuditLog.Read.All"


@pytest.mark.parametrize(
    ("row", "readable"),
    [
        ({}, False),
        ({"userPrincipalName": "a@b", "createdDateTime": "x", "status": {"errorCode": 0}}, False),
        ({"userPrincipalName": "a@b", "createdDateTime": "2026-01-02T03:04:05Z"}, False),
        (
            {
                "userPrincipalName": "a@b",
                "createdDateTime": "2026-01-02T03:04:05Z",
                "status": {"errorCode": "0"},
            },
            False,
        ),
        ({"appId": "00000000-0000-0000-0000-000000000001"}, True),  # another application's
    ],
)
async def test_entry_that_is_not_understood_is_a_gap(row: object, readable: bool) -> None:
    responses = [{"id": "0", "status": 200, "body": {"value": [row]}}]
    fault = Fault(
        call=Call.GRAPH_BATCH,
        fault=FaultKind.GARBAGE,
        body=json.dumps({"responses": responses}),
    )
    async with signed_in(Scenario()) as simulator:
        simulator.faults.add(fault)
        log = await read(simulator)
    assert log.sign_ins == []
    assert (log.gap is None) is readable
