"""Graph permissions in tiers: each is tested by a read that needs it, and alone when it is missing."""

from __future__ import annotations

import pytest

from bot.directory.permissions import PERMISSIONS, UNITS, UNITS_CHECK, Permission, Tier
from bot.doctor import Finding, FindingState, report
from bot.simulator.scenario import Scenario
from bot.simulator.tenant import PERMISSIONS as ALL
from bot.simulator.tenant import GraphApi
from bot.words import Words
from tests.integration.doctor.conftest import MakeHarness

GROUP, UNIT, NEITHER = (f"10000000-0000-0000-0000-{number:012}" for number in range(3))


def without(*permissions: str, **more: object) -> Scenario:
    graph = GraphApi(permissions=ALL - set(permissions))
    return Scenario.model_validate({"graph": graph, **more})


async def graph_findings(
    make_harness: MakeHarness, scenario: Scenario, **settings: object
) -> dict[str, Finding]:
    found = await (await make_harness(scenario, **settings)).examine()
    return {check: each for check, each in found.items() if check.startswith("graph-")}


@pytest.mark.parametrize("missing", PERMISSIONS, ids=lambda each: each.name)
async def test_each_missing_permission_is_found_alone_with_what_is_lost(
    make_harness: MakeHarness, missing: Permission
) -> None:
    found = await graph_findings(make_harness, without(missing.name))
    wrong = {check: each for check, each in found.items() if each.state is not FindingState.OK}
    assert [*wrong] == [missing.check]
    finding = wrong[missing.check]
    basic = missing.tier is Tier.BASIC
    assert finding.state is (FindingState.FAILED if basic else FindingState.WARNING)
    assert finding.message == "found-permission-missing"
    assert Words()(finding.message, **finding.arguments).startswith(missing.name)
    fix = report.fix_of(finding, Words())
    assert f"infra/grant.sh --apply {missing.tier.value}" in fix
    assert "Without it, " in fix


async def test_findings_are_grouped_by_tier(make_harness: MakeHarness) -> None:
    found = await graph_findings(make_harness, Scenario())
    titles = [Words()(f"check-{check}").partition(":")[0] for check in found]
    assert titles == ["Graph, basic"] * 2 + ["Graph, reading"] * 5


async def test_reading_permissions_are_not_tested_while_accounts_are_not_checked(
    make_harness: MakeHarness,
) -> None:
    found = await graph_findings(make_harness, Scenario(), preflight="off", accounts=(UNIT,))
    assert [*found] == ["graph-users", "graph-groups"]


async def test_sign_in_log_is_named_as_an_assumption(make_harness: MakeHarness) -> None:
    finding = (await graph_findings(make_harness, Scenario()))["graph-sign-ins"]
    assert finding.state is FindingState.OK
    assert "is an assumption" in Words()(finding.message, **finding.arguments)


async def test_missing_license_is_told_from_a_missing_permission(
    make_harness: MakeHarness,
) -> None:
    found = await graph_findings(make_harness, Scenario(graph=GraphApi(premium=False)))
    finding = found["graph-sign-ins"]
    assert (finding.state, finding.message) == (
        FindingState.WARNING,
        "found-permission-no-license",
    )


async def test_api_that_the_cloud_lacks_is_no_fault(make_harness: MakeHarness) -> None:
    scenario = Scenario(graph=GraphApi(absent=("admin/teams",)))
    finding = (await graph_findings(make_harness, scenario))["graph-teams"]
    assert (finding.state, finding.message) == (FindingState.UNKNOWN, "found-permission-no-api")


@pytest.mark.parametrize(
    ("accounts", "state", "message"),
    [
        ((UNIT,), FindingState.WARNING, "found-permission-missing"),
        ((GROUP, UNIT), FindingState.WARNING, "found-permission-missing"),
        ((GROUP,), FindingState.OK, "found-no-units"),
    ],
)
async def test_administrative_units_need_a_permission_only_if_they_are_allowed(
    make_harness: MakeHarness, accounts: tuple[str, ...], state: FindingState, message: str
) -> None:
    scenario = without(UNITS, groups={GROUP: []}, administrative_units={UNIT: []})
    finding = (await graph_findings(make_harness, scenario, accounts=accounts))[UNITS_CHECK]
    assert (finding.state, finding.message) == (state, message)


@pytest.mark.parametrize(
    ("accounts", "message"), [((UNIT,), "found-permission"), ((NEITHER,), "found-no-units")]
)
async def test_administrative_units_are_read_with_their_permission(
    make_harness: MakeHarness, accounts: tuple[str, ...], message: str
) -> None:
    scenario = Scenario(administrative_units={UNIT: ()})
    finding = (await graph_findings(make_harness, scenario, accounts=accounts))[UNITS_CHECK]
    assert (finding.state, finding.message) == (FindingState.OK, message)


async def test_patterns_of_names_need_no_permission_for_units(make_harness: MakeHarness) -> None:
    scenario = without(UNITS)
    found = await graph_findings(make_harness, scenario, accounts=("lobby.*@contoso.com",))
    assert UNITS_CHECK not in found
