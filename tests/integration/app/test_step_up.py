"""`OFFHOOK_STEP_UP=c1`: a decision needs a sign-in of whoever clicks that satisfies an authentication
context."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from bot.simulator.client import TENANT, button, texts
from bot.simulator.connector import Posted
from bot.simulator.scenario import PEOPLE, Call, Fault, FaultKind, Person, Scenario
from bot.simulator.tenant import AccessPolicy, Account
from tests.integration.app.conftest import MakeBot
from tests.integration.app.test_approver import approve, click, signing_in, sso, submitters
from tests.integration.app.test_break_glass import FORM, waiting_card
from tests.integration.app.test_mend import LOBBY, PLAIN, asked, checked
from tests.integration.app.test_overlap import audited
from tests.integration.app.test_policy import DESK, HEAD, NETOPS, SOC
from tests.integration.app.test_preflight import submitted, tenant
from tests.integration.app.test_recheck import FIRST, SECOND, THIRD, held
from tests.integration.app.test_recheck_approver import without_roles
from tests.support.running_bot import (
    ADELE,
    ALEX,
    CHAT,
    ISAIAH,
    MEGAN,
    Answer,
    RunningBot,
    has_button,
    phones_csv,
    text_of,
)

ENFORCED = AccessPolicy(name="approvals", contexts=("c1",), every_time=True)
SCENARIO: dict[str, Any] = {
    "batch_seconds": 0.1,
    "authentication_contexts": ("c1",),
    "conditional_access": (ENFORCED,),
}
WANTED = "wants a fresh sign-in for this decision (authentication context c1)"


@pytest.fixture
async def bot(make_bot: MakeBot) -> RunningBot:
    return await make_bot(gateway=Scenario(**SCENARIO), as_approver=True, step_up="c1")


def code(bot: RunningBot, person: Person, *satisfied: str) -> dict[str, Any]:
    """What a Teams client adds to a click after the sign-in page."""
    return {"state": bot.gateway.entra.sign_in(person, TENANT, *satisfied)}


def asks_for_step_up(card: dict[str, Any]) -> bool:
    """Whether a sign-in card asks for one; single sign-on is not offered."""
    return WANTED in card["text"] and "tokenExchangeResource" not in card


def step_ups(bot: RunningBot, action: str) -> list[dict[str, Any] | None]:
    return [cast(dict[str, Any], detail).get("step_up") for _, _, detail in audited(bot, action)]


def assert_recent(step_up: dict[str, Any] | None) -> None:
    assert step_up is not None
    assert (step_up["acrs"], step_up["amr"]) == (["c1"], ["pwd", "mfa"])
    assert 0 <= time.time() - step_up["auth_time"] < 600


def refusals(bot: RunningBot) -> list[str]:
    return [detail["reason"] for _, _, detail in audited(bot, "denied")]


async def test_approver_is_asked_for_the_context_and_approves_with_it(bot: RunningBot) -> None:
    approval = await bot.submit_for_approval(phones_csv(1))
    signing_in(await approve(bot, approval))  # not signed in at all
    assert asks_for_step_up(signing_in(await approve(bot, approval, **sso(bot, MEGAN))))
    answer = await approve(bot, approval, **code(bot, MEGAN))
    assert "does not satisfy authentication context c1" in answer.text
    assert "AADSTS50076" in answer.text
    assert refusals(bot) == ["sign-in-step-up"]
    assert audited(bot, "approved") == []
    assert not bot.gateway.configapi.submits

    since = bot.now
    await approve(bot, approval, **code(bot, MEGAN, "c1"))
    await bot.wait_for_results(since=since)
    [step_up] = step_ups(bot, "approved")
    assert_recent(step_up)
    assert submitters(bot) == [MEGAN.object_id]


async def test_each_approval_asks_entra_id_again(bot: RunningBot) -> None:
    """The tokens of the first one are still good for all else."""
    first = await bot.submit_for_approval(phones_csv(1))
    await approve(bot, first, **code(bot, MEGAN, "c1"))
    await bot.wait_for_results()
    second = await bot.submit_for_approval(phones_csv(1, start=9))
    bot.gateway.entra.refusals[MEGAN.object_id] = 50076
    assert asks_for_step_up(signing_in(await approve(bot, second)))
    assert len(audited(bot, "approved")) == 1


async def test_token_without_the_context_approves_nothing(bot: RunningBot) -> None:
    entra = bot.gateway.entra
    entra.without_acrs = True
    approval = await bot.submit_for_approval(phones_csv(1))
    answer = await approve(bot, approval, **code(bot, MEGAN, "c1"))
    assert "did not confirm authentication context c1" in answer.text
    assert refusals(bot) == ["sign-in-no-context"]
    assert audited(bot, "approved") == []
    assert not bot.gateway.configapi.submits
    entra.without_acrs = False
    since = bot.now
    await approve(bot, approval)
    await bot.wait_for_results(since=since)


async def test_single_sign_on_is_enough_for_who_has_satisfied_the_context(
    make_bot: MakeBot,
) -> None:
    """As after activating a role. Signing in outside of a card, and `checks`, ask for no context."""
    megan = MEGAN.model_copy(update={"satisfies": ("c1",)})
    people = tuple(megan if each == MEGAN else each for each in PEOPLE)
    scenario = Scenario(**SCENARIO, people=people)
    bot = await make_bot(gateway=scenario, as_approver=True, step_up="c1")
    approval = await bot.submit_for_approval(phones_csv(1))
    since = bot.now
    await approve(bot, approval, **sso(bot, MEGAN))
    await bot.wait_for_results(since=since)
    [step_up] = step_ups(bot, "approved")
    assert_recent(step_up)

    value = sso(bot, ADELE)["authentication"]
    name = "signin/tokenExchange"
    activity = bot.client.activity(ADELE, CHAT, type="invoke", name=name, value=value)
    assert (await bot.client.post(activity))[0] == 200
    await bot.say("checks", by=ADELE)
    card = await bot.wait_for_text("Fresh sign-in for approvals")
    assert "1 enabled Conditional Access policy applies" in text_of(card)
    assert bot.gateway.entra.calls[Call.SIGN_OUT] == 0


async def test_off_asks_for_no_context(make_bot: MakeBot) -> None:
    bot = await make_bot(gateway=Scenario(**SCENARIO), as_approver=True)
    since = bot.now
    await approve(bot, await bot.submit_for_approval(phones_csv(1)), **sso(bot, MEGAN))
    await bot.wait_for_results(since=since)
    assert step_ups(bot, "approved") == [None]


async def test_every_vote_needs_it_and_no_role_for_it(make_bot: MakeBot, tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(HEAD + '[[rule]]\nstages = [{ of = ["netops"] }, { of = ["soc"] }]\n')
    groups = {
        NETOPS: (MEGAN.object_id,),
        SOC: (ISAIAH.object_id,),
        DESK: (ALEX.object_id,),
    }
    bot = await make_bot(
        policy=path, gateway=Scenario(**SCENARIO, groups=groups), as_approver=True, step_up="c1"
    )
    bot.gateway.entra.roles[MEGAN.object_id] = ()  # a manager
    approval = await bot.submit_for_approval(phones_csv(1))
    assert asks_for_step_up(signing_in(await approve(bot, approval, **sso(bot, MEGAN))))
    assert audited(bot, "voted") == []
    voted = await approve(bot, approval, **code(bot, MEGAN, "c1"))
    assert "Still wanted: 1 of soc" in texts(voted.card)
    [step_up] = step_ups(bot, "voted")
    assert_recent(step_up)

    assert asks_for_step_up(signing_in(await approve(bot, approval, ISAIAH, **sso(bot, ISAIAH))))
    since = bot.now
    await approve(bot, approval, ISAIAH, **code(bot, ISAIAH, "c1"))
    await bot.wait_for_results(since=since)
    [step_up] = step_ups(bot, "approved")
    assert_recent(step_up)
    assert submitters(bot) == [ISAIAH.object_id]


async def test_break_glass_needs_it_and_the_audit_has_it(make_bot: MakeBot) -> None:
    bot = await make_bot(
        gateway=Scenario(**SCENARIO),
        as_approver=True,
        step_up="c1",
        break_glass=(ALEX.object_id,),
    )
    card = await waiting_card(bot)
    answer = await click(bot, ALEX, card, "break_glass", FORM, **sso(bot, ALEX))
    assert asks_for_step_up(signing_in(answer))
    since = bot.now
    await click(bot, ALEX, card, "break_glass", FORM, **code(bot, ALEX, "c1"))
    await bot.wait_for_results(since=since)
    [(_, _, asked)] = audited(bot, "asked")
    for action in ("approved", "break-glass used"):
        [step_up] = step_ups(bot, action)
        assert_recent(step_up)
        [(_, _, detail)] = audited(bot, action)
        assert detail["shown"] == asked["shown"]


async def test_mend_needs_it(make_bot: MakeBot) -> None:
    scenario = Scenario(**SCENARIO, accounts={LOBBY[0]: PLAIN})
    bot = await make_bot(gateway=scenario, preflight="on", as_approver=True, step_up="c1")
    card = await asked(bot, await checked(bot, phones_csv(2)))
    yes = {"acknowledge": "true"}
    answer = await click(bot, MEGAN, card, "mend_approve", yes, **sso(bot, MEGAN))
    assert asks_for_step_up(signing_in(answer))
    assert not bot.gateway.configapi.administration.grants
    since = bot.now
    await click(bot, MEGAN, card, "mend_approve", yes, **code(bot, MEGAN, "c1"))
    await bot.wait_for_text("were checked again", since=since)
    [step_up] = step_ups(bot, "mend approved")
    assert_recent(step_up)


async def test_break_glass_needs_it_and_keeps_no_delegation_for_a_later_start(
    make_bot: MakeBot,
) -> None:
    bot = await make_bot(
        gateway=Scenario(**SCENARIO), as_approver=True, step_up="c1", break_glass=(ALEX.object_id,)
    )
    card = await bot.submit_file(phones_csv(2))
    later = datetime.now(UTC) + timedelta(days=2)
    start: dict[str, Any] = {
        "run_at": f"{later:%Y-%m-%d}",
        "run_at_time": "12:00",
        "run_at_zone": "UTC",
    }
    await bot.request_approval(card, **start)
    await bot.wait_for(lambda posted: posted is card and has_button(posted, "break_glass"))
    form = {"reason": "All lobby phones are down", "ticket": "INC0042", "passwords": 2}
    answer = await click(bot, ALEX, card, "break_glass", form, **sso(bot, ALEX))
    assert asks_for_step_up(signing_in(answer))
    assert audited(bot, "break-glass used") == []
    await click(bot, ALEX, card, "break_glass", form, **code(bot, ALEX, "c1"))
    [(_, _, approved)] = audited(bot, "approved")
    assert_recent(cast(dict[str, Any], approved).get("step_up"))
    assert "delegated" not in approved


async def test_release_of_a_hold_needs_it_of_whoever_clicks(make_bot: MakeBot) -> None:
    """Though the approver of the request is still signed in for it, and stays."""
    scenario = tenant({}).model_copy(update=SCENARIO)
    bot = await make_bot(gateway=scenario, preflight="on", as_approver=True, step_up="c1")
    denied = without_roles(bot)  # what is not known is checked again after the approval
    approval = await bot.request_approval(await checked(bot, phones_csv(3)))
    bot.gateway.faults.remove(denied)
    bot.gateway.accounts.set(FIRST, Account(enabled=False))
    since = bot.now
    await approve(bot, approval, **code(bot, MEGAN, "c1"))
    card = await held(bot, since)
    bot.gateway.entra.roles[ADELE.object_id] = ()

    answer = await click(bot, ADELE, card, "continue_without", **sso(bot, ADELE))
    assert asks_for_step_up(signing_in(answer))
    assert bot.gateway.configapi.submits == []
    since = bot.now
    await click(bot, ADELE, card, "continue_without", **code(bot, ADELE, "c1"))
    await bot.wait_for_results(since=since)
    assert submitted(bot) == [SECOND, THIRD]
    assert set(submitters(bot)) == {MEGAN.object_id}


async def test_answer_that_sends_a_batch_again_needs_it(make_bot: MakeBot) -> None:
    lost = Fault(call=Call.CREATE_BATCH, fault=FaultKind.DROP_LOST)
    bot = await make_bot(
        gateway=Scenario(**SCENARIO, faults=(lost,)), as_approver=True, step_up="c1"
    )
    approval = await bot.submit_for_approval(phones_csv(2))
    since = bot.now
    await approve(bot, approval, **code(bot, MEGAN, "c1"))
    question = await bot.wait_for_button("reconcile", since=since, answer="not_run")
    answer = await answered(bot, ADELE, question, **sso(bot, ADELE))
    assert asks_for_step_up(signing_in(answer))
    assert audited(bot, "batch did not run") == []
    since = bot.now
    await answered(bot, ADELE, question, **code(bot, ADELE, "c1"))
    await bot.wait_for_results(since=since)
    assert [actor for _, actor, _ in audited(bot, "batch did not run")] == [ADELE.object_id]


async def answered(bot: RunningBot, by: Person, question: Posted, **proof: Any) -> Answer:
    data = button(question.card, "reconcile", answer="not_run")["data"]
    return await click(bot, by, question, "reconcile", data, **proof)
