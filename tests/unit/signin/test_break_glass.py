"""Who may use break-glass, and who may review it: the complete truth tables."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from bot.signin.policy.decision import DenialReason, Ruling, Wanted
from bot.signin.policy.evaluator import may_approve, may_break_glass, may_review
from bot.signin.policy.facts import Actor, RequestFacts
from bot.signin.policy.model import (
    Deny,
    Freeze,
    Group,
    Policy,
    Rule,
    Stage,
    Window,
    group,
    simple,
)
from bot.signin.request import Person, RequestState
from tests.unit.signin.test_policy import reason

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
ALEX = "AAAAAAAA-0000-4000-8000-000000000001"
BOTH = (True, False)
NETOPS, SOC, OUT = (Group(name, frozenset({name})) for name in ("netops", "soc", "out"))
MINE = RequestFacts("t", RequestState.WAITING, ALEX.lower(), NOW + HOUR)


def actor(*, own: bool, here: bool, approves: bool = False, unsure: bool = False) -> Actor:
    person = Person(ALEX.lower() if own else "megan", "")
    groups = frozenset({"approvers"} if approves else ())
    return Actor(person, "t" if here else "u", groups, unsure)


def policy(*, named: bool) -> Policy:
    return simple([], ["approvers"], four_eyes=True, break_glass=[ALEX] if named else ["megan"])


@pytest.mark.parametrize("state", RequestState)
def test_named_people_break_glass_for_their_own_waiting_request(state: RequestState) -> None:
    for own, here, named, over, unsure in itertools.product(BOTH, repeat=5):
        facts = RequestFacts("t", state, ALEX.lower(), NOW if over else NOW + HOUR)
        who = actor(own=own, here=here, unsure=unsure)
        found = may_break_glass(policy(named=named), who, facts, now=NOW)
        expected = ""
        if not here:
            expected = "no-such-request"
        elif not own:
            expected = "not-yours"
        elif not named:
            expected = "directory-down" if unsure else "no-break-glass"
        elif state is not RequestState.WAITING:
            expected = "already-decided"
        elif over:
            expected = "expired"
        if expected != "directory-down":  # nobody is named as a member of a group
            assert reason(found) == expected


RULES = Policy(
    (),
    (NETOPS,),
    rules=(
        Rule("two stages", stages=(Stage((NETOPS,), 2), Stage((SOC,), 1, level=1))),
        Rule("on Sundays", windows=(Window(frozenset({6}), time(1), time(2), ZoneInfo("UTC")),)),
    ),
)
GLASS = replace(RULES, break_glass=(group(ALEX),))


def test_it_passes_every_stage_and_window_and_says_what_it_passed() -> None:
    ada = Actor(Person("ada", ""), "t", NETOPS.ids)
    found = may_break_glass(GLASS, actor(own=True, here=True), replace(MINE, votes=(ada,)), now=NOW)
    assert found.allowed
    assert found.missing == (Wanted((), 1), Wanted((), 1))
    assert not may_approve(GLASS, actor(own=True, here=True), MINE, now=NOW).allowed


def test_a_freeze_holds_it_back() -> None:
    frozen = replace(GLASS, freezes=(Freeze("audit", NOW - HOUR, NOW + HOUR),))
    found = may_break_glass(frozen, actor(own=True, here=True), MINE, now=NOW)
    assert (found.reason, found.opens_at) == (DenialReason.WINDOW_CLOSED, NOW + HOUR)


def test_denies_hold_and_cannot_be_told_without_the_directory() -> None:
    denying = replace(GLASS, denies=(Deny("outsiders", (), (OUT,)),))
    denied = replace(actor(own=True, here=True), ids=OUT.ids)
    assert reason(may_break_glass(denying, denied, MINE, now=NOW)) == "excluded"
    unsure = actor(own=True, here=True, unsure=True)
    assert may_break_glass(denying, unsure, MINE, now=NOW).answer is Ruling.CANNOT_TELL
    assert may_break_glass(GLASS, unsure, MINE, now=NOW).allowed


def test_what_is_lent_breaks_no_glass() -> None:
    """Neither to a stand-in of somebody who is named, nor by an escalation."""
    who = replace(actor(own=True, here=True), lent=frozenset({"megan"}))
    assert reason(may_break_glass(policy(named=False), who, MINE, now=NOW)) == "no-break-glass"


def test_another_approver_reviews_in_any_state() -> None:
    for own, here, approves, used, reviewed, unsure in itertools.product(BOTH, repeat=6):
        facts = RequestFacts(
            "t",
            RequestState.FINISHED,
            ALEX.lower(),
            used_by=ALEX.lower() if used else "",
            reviewed=reviewed,
        )
        who = actor(own=own, here=here, approves=approves, unsure=unsure)
        expected = ""
        if not here:
            expected = "no-such-request"
        elif not used:
            expected = "no-review"
        elif own:
            expected = "own-review"
        elif not approves and not unsure:
            expected = "not-approver"
        elif reviewed:
            expected = "reviewed"
        elif not approves:
            expected = "directory-down"
        assert reason(may_review(policy(named=True), who, facts)) == expected
