"""The doctor warns of every setting that weakens a safeguard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bot.doctor import FindingState
from bot.simulator.scenario import PEOPLE, Call, Fault, FaultKind, Scenario
from tests.integration.doctor.conftest import MakeHarness

SAFEGUARDS = (
    *("four-eyes", "requesters", "approvers", "step-up", "run-as", "exports", "digest-key"),
    *("accounts", "break-glass", "reviews"),
)
ALEX, MEGAN = PEOPLE[0], PEOPLE[1]
GUEST = MEGAN.model_copy(update={"guest": True})


async def test_safeguards_are_ok_when_settings_are_defaults(make_harness: MakeHarness) -> None:
    found = await (await make_harness()).examine()
    assert {found[check].state for check in SAFEGUARDS} == {FindingState.OK}


@pytest.mark.parametrize(
    ("settings", "check", "message"),
    [
        ({"four_eyes": False}, "four-eyes", "found-two-eyes"),
        ({"requesters": ("*",)}, "requesters", "found-requesters-everyone"),
        ({"approvers": (ALEX.object_id, "*")}, "approvers", "found-approvers-everyone"),
        ({"run_as": "app"}, "run-as", "found-run-as-app"),
        ({"exports": "link"}, "exports", "found-exports-link"),
        ({"break_glass": (ALEX.object_id,)}, "break-glass", "found-break-glass"),
        ({"preflight": "off"}, "accounts", "found-accounts-unchecked"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_one_weakening_causes_one_warning(
    make_harness: MakeHarness, settings: dict[str, Any], check: str, message: str
) -> None:
    found = await (await make_harness(**settings)).examine()
    warnings = {each.check: each.message for each in found.values() if each.state == "warning"}
    assert warnings == {check: message}


async def test_doctor_names_approvers_who_are_guests(make_harness: MakeHarness) -> None:
    scenario = Scenario(people=(ALEX, GUEST), anyone=False)
    group = "99999999-0000-4000-8000-000000000000"
    approvers = (ALEX.object_id, group, GUEST.object_id)
    finding = (await (await make_harness(scenario, approvers=approvers)).examine())["approvers"]
    assert (finding.state, finding.message) == (FindingState.WARNING, "found-approvers-guests")
    assert (finding.arguments["count"], finding.arguments["names"]) == (1, GUEST.name)


async def test_guests_are_unknown_when_graph_denies_the_lookup(make_harness: MakeHarness) -> None:
    fault = Fault(call=Call.USERS, fault=FaultKind.FORBIDDEN, times=0)
    opened = await make_harness(Scenario(faults=(fault,)), approvers=(ALEX.object_id,))
    finding = (await opened.examine())["approvers"]
    assert (finding.state, finding.message) == (FindingState.UNKNOWN, "found-approvers-no-answer")


async def test_members_are_not_guests(make_harness: MakeHarness) -> None:
    finding = (await (await make_harness(approvers=(ALEX.object_id,))).examine())["approvers"]
    assert (finding.state, finding.message) == (FindingState.OK, "found-approvers")


@pytest.mark.parametrize(
    ("allowed", "message"), [("", "found-policy-guests"), ('"approve"', "found-policy")]
)
async def test_approvers_of_the_policy_who_are_denied_as_guests_are_named(
    make_harness: MakeHarness, tmp_path: Path, allowed: str, message: str
) -> None:
    path = tmp_path / "policy.toml"
    people = f'approvers = ["{ALEX.object_id}", "{GUEST.object_id}"]'
    path.write_text(f'requesters = ["*"]\n{people}\nguests = [{allowed}]\n')
    harness = await make_harness(Scenario(people=(ALEX, GUEST), anyone=False), policy=path)
    finding = (await harness.examine())["policy"]
    assert finding.message == message
    assert finding.arguments.get("names", GUEST.name) == GUEST.name


@pytest.mark.parametrize(
    ("text", "state", "message"),
    [
        ("", FindingState.OK, "found-policy"),
        ("[[deny]]\n", FindingState.FAILED, "found-policy-wrong"),
        (
            "[[rule]]\nstages = [{ of = ['netops'], need = 2 }]\n",
            FindingState.WARNING,
            "found-policy-small",
        ),
    ],
)
async def test_policy_file_replaces_the_checks_of_people(
    make_harness: MakeHarness, tmp_path: Path, text: str, state: FindingState, message: str
) -> None:
    group = "99999999-0000-4000-8000-000000000000"
    path = tmp_path / "policy.toml"
    head = 'requesters = ["*"]\napprovers = ["netops"]\n'
    path.write_text(f'{head}groups = {{ netops = "{group}" }}\n{text}')
    scenario = Scenario(groups={group: (ALEX.object_id,)})
    found = await (await make_harness(scenario, policy=path)).examine()
    assert (found["policy"].state, found["policy"].message) == (state, message)
    assert not {"four-eyes", "requesters", "approvers"} & found.keys()
