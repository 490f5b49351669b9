"""Mending with PowerShell: processes that connect once and carry out many orders, and how they end."""

from __future__ import annotations

import asyncio
import re
from collections import Counter

import pytest
import structlog
from structlog.testing import capture_logs

from bot.gateway import AccessDeniedError, GatewayError, UnavailableError
from bot.gateway.administration import Administration
from bot.gateway.powershell_administration import SECONDS, PowerShellAdministrator
from bot.gateway.pwsh import GRAPH_SCOPE, SCRIPT, TEAMS_SCOPE
from bot.preflight.facts import PolicyType
from bot.simulator.scenario import Call, Fault, FaultKind, Scenario
from tests.support import fake_pwsh
from tests.support.fake_pwsh import Behavior
from tests.support.powershell_bench import GRAPH_TOKEN, TEAMS_TOKEN, Bench, lives
from tests.support.powershell_script import read
from tests.support.waiting import PATIENCE, Clock

LOBBY = [f"lobby{number}@contoso.com" for number in range(8)]
NAME = "SIPDevices"


async def grant(administration: Administration, account: str) -> None:
    assert (await administration.assigned(account)).policies[PolicyType.CALLING] != "Other"
    await administration.grant(account, PolicyType.CALLING, NAME)


def granted(bench: Bench) -> list[str]:
    return [account for account, _, _ in bench.simulator.configapi.administration.grants]


# -- the script ----------------------------------------------------------------------------------------


def test_script_calls_only_cmdlets_of_the_list_with_values_of_the_order() -> None:
    inside = [step for step in read(SCRIPT.read_text("ascii")) if fake_pwsh.ORDERS in step.path]
    cmdlets = Counter(
        step.name
        for step in inside
        if step.kind == "command" and re.search("-Cs", step.name) and step.path[-1] != "catch"
    )
    cases = {step.path[-1].strip("'") for step in inside if step.name in cmdlets}
    assert cases == cmdlets.keys()  # the default case has none
    # To list all, and the one that a new policy is like.
    doubled = {"Get-CsTeamsIPPhonePolicy": 2, "Get-CsTeamsCallingPolicy": 2}
    assert dict(cmdlets) == {**dict.fromkeys(cmdlets, 1), **doubled}
    values = {
        value
        for step in inside
        if step.name in cmdlets
        for name, value in step.parameters.items()
        if name != "ErrorAction"
    }
    assert all(value == "Global" or value.startswith("$order .") for value in values)
    assert [step.value for step in inside if step.name == "$settings"] == [
        f"Get-Settings $defaults ( Get-Command -Name New-Cs{policy} ) $order .content"
        for policy in PolicyType
    ]


# -- processes -----------------------------------------------------------------------------------------


async def test_process_connects_once_for_many_accounts(bench: Bench) -> None:
    async with bench.administrator(accounts=3).session() as administration:
        for account in LOBBY:
            await grant(administration, account)
    assert bench.did().count("started") == 3
    assert granted(bench) == LOBBY
    orders = Counter(run["pid"] for run in bench.runs if run["what"] == "ordered")
    assert list(orders.values()) == [6, 6, 4]


async def test_concurrent_orders_share_the_process(bench: Bench) -> None:
    async with bench.administrator().session() as administration, asyncio.TaskGroup() as group:
        for account in LOBBY:
            group.create_task(grant(administration, account))
    assert bench.did().count("started") == 1
    assert sorted(granted(bench)) == LOBBY


async def test_no_process_starts_without_an_order(bench: Bench) -> None:
    async with bench.administrator().session():
        pass
    assert not bench.runs


async def test_process_gets_no_orders_once_it_is_old(bench: Bench, clock: Clock) -> None:
    async with bench.administrator().session() as administration:
        await administration.assigned(LOBBY[0])
        clock.advance(SECONDS)
        await administration.grant(LOBBY[0], PolicyType.CALLING, NAME)
    assert bench.did().count("started") == 2


async def test_second_session_waits_until_the_first_has_ended(bench: Bench) -> None:
    administrator = bench.administrator()
    async with administrator.session() as first:
        await first.assigned(LOBBY[0])
        async with administrator.session() as second:
            waiting = asyncio.create_task(second.assigned(LOBBY[1]))
            for _ in range(10):
                await asyncio.sleep(0)
            assert not waiting.done()
            assert bench.did().count("started") == 1
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
    async with administrator.session() as third:
        await third.assigned(LOBBY[1])


# -- orders without an answer ---------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["kill", "crash", "garbage", "forge"])
@pytest.mark.parametrize(("at", "took_effect"), [("ordered", False), ("done", True)])
async def test_order_without_an_answer_is_in_doubt_and_can_be_read_back(
    bench: Bench, fault: str, at: str, took_effect: bool
) -> None:
    behavior = Behavior(fault=fault, at=at, order=2)
    async with bench.administrator(behavior).session() as administration:
        await administration.assigned(LOBBY[0])
        with pytest.raises(UnavailableError, match="PowerShell exited"):
            await administration.grant(LOBBY[0], PolicyType.CALLING, None)
        found = await administration.assigned(LOBBY[0])
    assert granted(bench) == ([LOBBY[0]] if took_effect else [])
    assert found.policies[PolicyType.CALLING] == (None if took_effect else NAME)
    assert bench.did().count("started") == 2


async def test_process_and_children_are_killed_on_timeout(bench: Bench, clock: Clock) -> None:
    administrator = bench.administrator(Behavior(fault="hang", at="ordered"))
    async with administrator.session() as administration:
        reading = asyncio.create_task(administration.assigned(LOBBY[0]))
        await bench.until("hanging")
        clock.advance(PATIENCE)
        with pytest.raises(UnavailableError, match="took too long"):
            await reading
        assert not any(lives(run["pid"]) for run in bench.runs)
    await bench.nothing_left()


async def test_connection_that_hangs_is_given_up(bench: Bench, clock: Clock) -> None:
    administrator = bench.administrator(Behavior(fault="hang", at="connecting"))
    async with administrator.session() as administration:
        reading = asyncio.create_task(administration.assigned(LOBBY[0]))
        await bench.until("hanging")
        clock.advance(PATIENCE)
        with pytest.raises(UnavailableError, match="took too long"):
            await reading
        await bench.nothing_left()


async def test_cancellation_leaves_no_process(bench: Bench) -> None:
    administrator = bench.administrator(Behavior(fault="hang", at="ordered"))
    async with administrator.session() as administration:
        reading = asyncio.create_task(administration.assigned(LOBBY[0]))
        await bench.until("hanging")
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await bench.nothing_left()


# -- access ---------------------------------------------------------------------------------------------


async def test_access_is_denied_without_module_or_connection(bench: Bench) -> None:
    for behavior, message in (
        (Behavior(modules=()), "MicrosoftTeams is not installed"),
        (Behavior(connect_error="AADSTS50173: the grant has expired"), "AADSTS50173"),
    ):
        async with bench.administrator(behavior).session() as administration:
            with pytest.raises(AccessDeniedError, match=message):
                await administration.assigned(LOBBY[0])
    assert "ordered" not in bench.did()


@pytest.mark.parametrize(
    "scenario", [Scenario(faults=(Fault(call=Call.GRANT, fault=FaultKind.UNAUTHORIZED),))]
)
@pytest.mark.parametrize("plain", [True, False])
async def test_tokens_are_renewed_once_when_refused(bench: Bench, plain: bool) -> None:
    administrator = bench.administrator(Behavior(plain_errors=plain))
    async with administrator.session() as administration:
        await grant(administration, LOBBY[0])
    assert granted(bench) == [LOBBY[0]]
    assert bench.tokens.calls == [
        (GRAPH_SCOPE, False),
        (TEAMS_SCOPE, False),
        (GRAPH_SCOPE, True),
        (TEAMS_SCOPE, True),
    ]


@pytest.mark.parametrize("policy", PolicyType)
async def test_policy_that_the_module_does_not_show_is_not_taken_for_none(
    bench: Bench, policy: PolicyType
) -> None:
    administrator = bench.administrator(Behavior(hidden=policy.value))
    async with administrator.session() as administration:
        with pytest.raises(UnavailableError, match=f"returned no {policy.value}"):
            await administration.assigned(LOBBY[0])


async def test_neither_tokens_nor_accounts_reach_logs_or_errors(bench: Bench) -> None:
    structlog.reset_defaults()
    texts: list[str] = []
    with capture_logs() as logs:
        for behavior in (
            Behavior(fault="crash", at="done"),
            Behavior(connect_error=f"Bad token {TEAMS_TOKEN} for {GRAPH_TOKEN[:40]}"),
        ):
            administrator: PowerShellAdministrator = bench.administrator(behavior)
            async with administrator.session() as administration:
                with pytest.raises(GatewayError) as raised:
                    await administration.assigned(LOBBY[0])
            texts += [str(raised.value), repr(vars(raised.value))]
    assert logs
    for secret in (GRAPH_TOKEN, TEAMS_TOKEN, TEAMS_TOKEN[:30]):
        assert not any(secret in text for text in [*texts, repr(logs), str(bench.runs)])
    assert LOBBY[0] not in repr(logs)
