"""The doctor on the authentication context of approvals."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from bot.doctor import FindingState
from bot.simulator.scenario import Scenario
from bot.simulator.tenant import PERMISSIONS, AccessPolicy, GraphApi
from tests.integration.doctor.conftest import MakeHarness

FRESH = AccessPolicy(name="approvals", contexts=("c1",), every_time=True)
OTHERS = (
    AccessPolicy(name="everybody", every_time=True),
    AccessPolicy(name="another", contexts=("c10",), every_time=True),
    AccessPolicy(name="off", contexts=("c1",), every_time=True, state="disabled"),
    AccessPolicy(
        name="trial", contexts=("c1",), every_time=True, state="enabledForReportingButNotEnforced"
    ),
)
CONTEXTS, POLICIES = "AuthenticationContext.Read.All", "Policy.Read.All"


@pytest.mark.parametrize(
    ("contexts", "policies", "denied", "state", "message"),
    [
        (["c1"], [*OTHERS, FRESH], (), "ok", "found-step-up"),
        (["c1"], [FRESH], (CONTEXTS,), "ok", "found-step-up"),
        (["c1"], OTHERS, (), "warning", "found-step-up-no-policy"),
        (["c1"], [], (CONTEXTS,), "warning", "found-step-up-no-policy"),
        (
            ["c1"],
            [FRESH.model_copy(update={"every_time": False})],
            (),
            "warning",
            "found-step-up-not-fresh",
        ),
        (["c10"], [FRESH], (), "failed", "found-step-up-no-context"),
        (["c1"], [FRESH], (POLICIES,), "unknown", "found-step-up-unknown"),
        ([], [FRESH], (POLICIES, CONTEXTS), "unknown", "found-step-up-unknown"),
    ],
)
async def test_context_needs_a_policy_that_asks_every_time(
    make_harness: MakeHarness,
    contexts: Sequence[str],
    policies: Sequence[AccessPolicy],
    denied: Sequence[str],
    state: str,
    message: str,
) -> None:
    scenario = Scenario(
        authentication_contexts=tuple(contexts),
        conditional_access=tuple(policies),
        graph=GraphApi(permissions=PERMISSIONS - set(denied), page_size=2),
    )
    opened = await make_harness(
        scenario, step_up="c1", app_id="a", app_password="b", authority_url="http://127.0.0.1:1"
    )
    finding = (await opened.examine())["step-up"]
    assert (finding.state, finding.message) == (FindingState(state), message)


async def test_off_is_no_weakening(make_harness: MakeHarness) -> None:
    finding = (await (await make_harness()).examine())["step-up"]
    assert (finding.state, finding.message) == (FindingState.OK, "found-step-up-off")
