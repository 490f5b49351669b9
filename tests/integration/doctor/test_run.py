"""The doctor against simulated remote services: success, each failure, and no side effects."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bot.doctor import Finding, FindingState
from bot.identity.entra_roles import PASSWORD_RESET_ROLES, EntraRole
from bot.simulator.scenario import Call, Fault, FaultKind, Scenario
from tests.integration.doctor.conftest import (
    BOT,
    CHANNEL,
    CONFIGAPI,
    GRAPH,
    TIMEOUT,
    FakeTokens,
    MakeHarness,
)
from tests.support.tokens import unsigned
from tests.support.waiting import Clock

APP = "aaaaaaaa-0000-0000-0000-000000000001"
CHECKS = [
    *(
        "settings",
        "cloud",
        "database",
        "audit",
        "four-eyes",
        "requesters",
        "approvers",
        "step-up",
        "run-as",
        "exports",
        "digest-key",
        "accounts",
        "break-glass",
        "reviews",
    ),
    *("token-bot", "token-configapi", "roles", "configapi", "bulk-sign-in"),
    *("tenant-switch", "trusted-addresses", "token-graph", "graph-users", "graph-groups"),
    *("graph-teams", "graph-policies", "graph-roles", "graph-sign-ins", "graph-applications"),
    "teams",
]


def states(found: Mapping[str, Finding], state: FindingState) -> dict[str, str]:
    return {each.check: each.message for each in found.values() if each.state is state}


async def test_all_checks_pass_when_everything_works(make_harness: MakeHarness) -> None:
    opened = await make_harness(approvals=CHANNEL)
    found = await opened.examine()
    assert [*found] == CHECKS
    assert states(found, FindingState.FAILED) == {}
    assert states(found, FindingState.UNKNOWN) == {"roles": "found-roles-dummy"}
    assert found["token-configapi"].message == "found-token-dummy"
    assert found["configapi"].arguments == {"host": "admin1a.online.lync.com"}
    assert found["bulk-sign-in"].arguments == {"batches": 0}
    assert found["trusted-addresses"].arguments == {"addresses": 1}
    assert found["teams"].arguments == {"conversations": 2}


async def test_doctor_only_reads(make_harness: MakeHarness, tmp_path: Path) -> None:
    opened = await make_harness()
    before = (tmp_path / "offhook.db").read_bytes()
    await opened.examine()
    assert set(opened.methods) == {"GET"}
    calls = opened.simulator.configapi.calls + opened.simulator.graph.calls
    assert set(calls) == {
        *(Call.DISCOVERY, Call.BATCH_SUMMARIES, Call.POLICIES),
        *(Call.LIST_USERS, Call.LIST_GROUPS, Call.CONFIGURATION, Call.SECURITY_DEFAULTS),
        *(Call.ROLES, Call.SIGN_INS, Call.SERVICE_PRINCIPALS),
    }
    assert opened.simulator.configapi.submits == []
    assert opened.simulator.configapi.password_resets == {}
    assert not opened.simulator.connector.messages
    assert (tmp_path / "offhook.db").read_bytes() == before


def always(call: Call, fault: FaultKind, **more: Any) -> Scenario:
    return Scenario(faults=(Fault(call=call, fault=fault, times=0, **more),))


@pytest.mark.parametrize(
    ("scenario", "check", "message"),
    [
        (
            always(Call.BATCH_SUMMARIES, FaultKind.FORBIDDEN),
            "bulk-sign-in",
            "found-summaries-denied",
        ),
        (
            always(Call.BATCH_SUMMARIES, FaultKind.GARBAGE),
            "bulk-sign-in",
            "found-summaries-no-answer",
        ),
        (always(Call.DISCOVERY, FaultKind.FORBIDDEN), "configapi", "found-configapi-denied"),
        (always(Call.DISCOVERY, FaultKind.GARBAGE), "configapi", "found-configapi-no-answer"),
        (Scenario(bulk_sign_in=False), "tenant-switch", "found-switch-off"),
        (Scenario(trusted_addresses=False), "trusted-addresses", "found-addresses-none"),
        (always(Call.LIST_USERS, FaultKind.FORBIDDEN), "graph-users", "found-permission-missing"),
        (always(Call.LIST_GROUPS, FaultKind.FORBIDDEN), "graph-groups", "found-permission-missing"),
        (always(Call.LIST_GROUPS, FaultKind.GARBAGE), "graph-groups", "found-permission-no-answer"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_one_fault_causes_one_failed_check(
    make_harness: MakeHarness, scenario: Scenario, check: str, message: str
) -> None:
    found = await (await make_harness(scenario)).examine()
    assert states(found, FindingState.FAILED) == {check: message}
    assert [*found] == CHECKS


@pytest.mark.parametrize(
    ("read_timeout", "message"), [(TIMEOUT / 2, "found-summaries-no-answer"), (600, "found-slow")]
)
async def test_hanging_check_times_out_without_delaying_others(
    make_harness: MakeHarness, clock: Clock, read_timeout: float, message: str
) -> None:
    scenario = always(Call.BATCH_SUMMARIES, FaultKind.TIMEOUT_LOST)
    found = await (await make_harness(scenario, read_timeout=read_timeout)).examine(hung=clock)
    assert states(found, FindingState.FAILED) == {"bulk-sign-in": message}
    assert [*found] == CHECKS


async def test_gateway_checks_fail_when_configapi_is_unavailable(make_harness: MakeHarness) -> None:
    found = await (await make_harness(always(Call.DISCOVERY, FaultKind.UNAVAILABLE))).examine()
    assert states(found, FindingState.FAILED) == {
        "configapi": "found-configapi-no-answer",
        "bulk-sign-in": "found-summaries-no-answer",
        "tenant-switch": "found-policy-no-answer",
        "trusted-addresses": "found-policy-no-answer",
    }
    assert len(str(found["configapi"].arguments["correlation"])) == 36


async def test_policy_checks_are_unknown_when_access_is_denied(make_harness: MakeHarness) -> None:
    found = await (await make_harness(always(Call.POLICIES, FaultKind.FORBIDDEN))).examine()
    assert states(found, FindingState.FAILED) == {}
    assert {"tenant-switch", "trusted-addresses"} <= set(states(found, FindingState.UNKNOWN))


async def test_finding_quotes_the_gateways_message(make_harness: MakeHarness) -> None:
    scenario = always(Call.BATCH_SUMMARIES, FaultKind.FORBIDDEN, message="Access Denied")
    finding = (await (await make_harness(scenario)).examine())["bulk-sign-in"]
    assert finding.arguments["message"] == "Access Denied"
    assert len(str(finding.arguments["correlation"])) == 36


async def test_dependent_checks_are_skipped_when_token_is_refused(
    make_harness: MakeHarness,
) -> None:
    refused = PermissionError("no token: AADSTS7000215")
    tokens = FakeTokens(errors={CONFIGAPI: refused, BOT: ValueError()})
    opened = await make_harness(tokens=tokens, app_id=APP, app_password="secret")
    found = await opened.examine()
    assert found["token-configapi"].message == "found-token-refused"
    assert found["token-configapi"].arguments == {"message": "AADSTS7000215"}
    assert found["token-bot"] == Finding("token-bot", FindingState.UNKNOWN, "found-fault")
    assert found["bulk-sign-in"].message == "found-no-token"
    assert found["graph-users"].state is FindingState.OK
    assert opened.simulator.configapi.calls == {}
    assert sorted(found) == sorted(CHECKS)


async def test_graph_checks_are_skipped_when_token_endpoint_is_unreachable(
    make_harness: MakeHarness,
) -> None:
    tokens = FakeTokens(errors={GRAPH: ConnectionError("no token: no route")})
    found = await (await make_harness(tokens=tokens)).examine()
    assert found["token-graph"].message == "found-token-unreachable"
    assert found["graph-users"].message == found["graph-groups"].message == "found-no-token"


@pytest.mark.parametrize(
    ("wids", "state", "message"),
    [
        ([EntraRole.TEAMS, *PASSWORD_RESET_ROLES], FindingState.OK, "found-roles"),
        ([EntraRole.TEAMS], FindingState.FAILED, "found-roles-no-authentication"),
        ([*PASSWORD_RESET_ROLES], FindingState.OK, "found-roles"),
        ([EntraRole.GLOBAL], FindingState.OK, "found-roles"),
        ([EntraRole.AUTHENTICATION], FindingState.WARNING, "found-roles-no-teams"),
        ([EntraRole.PRIVILEGED_AUTHENTICATION], FindingState.WARNING, "found-roles-no-teams"),
        ([], FindingState.FAILED, "found-roles-none"),
        (None, FindingState.FAILED, "found-roles-none"),
        ([7, None, {}], FindingState.FAILED, "found-roles-none"),
    ],
)
async def test_roles_are_checked_in_an_approvers_token(
    make_harness: MakeHarness, wids: object, state: FindingState, message: str
) -> None:
    tokens = FakeTokens(unsigned(wids=wids, scp="user_impersonation"))
    found = await (await make_harness(tokens=tokens)).examine()
    assert (found["roles"].state, found["roles"].message) == (state, message)


async def test_roles_are_unknown_in_an_application_token(make_harness: MakeHarness) -> None:
    found = await (await make_harness(tokens=FakeTokens(unsigned(idtyp="app")))).examine()
    assert states(found, FindingState.UNKNOWN) == {"roles": "found-roles-app"}


async def test_gateway_checks_are_unknown_without_a_delegation(make_harness: MakeHarness) -> None:
    opened = await make_harness()
    found = {each.check: each for each in await opened.doctor.run(None)}
    assert sorted(found) == sorted(CHECKS)
    assert found["token-configapi"].message == found["bulk-sign-in"].message == "found-nobody"
    assert found["database"].state is found["graph-users"].state is FindingState.OK
    assert opened.simulator.configapi.calls == {}


async def test_database_check_fails_when_database_is_unreachable(make_harness: MakeHarness) -> None:
    opened = await make_harness(
        database_url="postgresql://bot:secret@127.0.0.1:1/offhook",
        known_channels=False,
        migrated=False,
    )
    found = await opened.examine()
    assert states(found, FindingState.FAILED) == {"database": "found-database-trouble"}
    assert found["teams"].message == "found-teams-no-database"
    assert "secret" not in repr(found)


async def test_missing_database_is_not_created(make_harness: MakeHarness, tmp_path: Path) -> None:
    found = await (await make_harness(known_channels=False, migrated=False)).examine()
    assert states(found, FindingState.FAILED) == {}
    assert found["database"].message == "found-database-new"
    assert found["teams"].message == "found-teams-silent"
    assert list(tmp_path.iterdir()) == []


async def test_teams_check_is_silent_before_the_first_message(make_harness: MakeHarness) -> None:
    found = await (await make_harness(known_channels=False)).examine()
    assert found["teams"].message == "found-teams-silent"


async def test_teams_check_names_an_unknown_channel(make_harness: MakeHarness) -> None:
    found = await (await make_harness(notifications="19:other@thread.tacv2")).examine()
    assert found["teams"].message == "found-teams-channel"
    assert found["teams"].arguments["settings"] == "OFFHOOK_NOTIFICATIONS"


async def test_settings_check_suggests_the_correct_variable(
    make_harness: MakeHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OFFHOOK_APROVERS", "*")
    found = await (await make_harness()).examine()
    assert found["settings"].message == "found-settings-strangers"
    assert found["settings"].arguments["names"] == "OFFHOOK_APROVERS (OFFHOOK_APPROVERS?)"
