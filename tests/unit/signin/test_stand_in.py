"""Who may hand over their role to whom, and what a stand-in may do: the complete truth tables."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.signin.policy import quorum
from bot.signin.policy.decision import Ruling
from bot.signin.policy.evaluator import (
    may_approve,
    may_cancel,
    may_decide,
    may_hand_over,
    may_reconcile,
    may_retry,
)
from bot.signin.policy.facts import Actor, RequestFacts
from bot.signin.policy.model import Deny, Escalation, Group, Policy, Rule, Stage, simple
from bot.signin.policy.sight import may_see, may_see_all
from bot.signin.request import Person, RequestState
from bot.signin.stand_in import LONGEST, Unsuitable, about, as_voter, unsuitable
from tests.unit.signin.test_policy import reason

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ADA, GRACE, HUGO = (Person(name.lower(), name) for name in ("Ada", "Grace", "Hugo"))
HOUR = timedelta(hours=1)
ESCALATION = Group("lead", frozenset({"lead"}))
TO_LEAD = Escalation("", (ESCALATION,), HOUR)
SIMPLE = simple(["desk"], ["approvers"], four_eyes=False, escalations=[TO_LEAD])
NETOPS, SOC, OUT = (Group(name, frozenset({name})) for name in ("netops", "soc", "out"))
TWO = Policy(
    (Group("desk", frozenset({"desk"})),),
    (NETOPS,),
    rules=(Rule("two stages", stages=(Stage((NETOPS,), 2), Stage((SOC,), 1, level=1))),),
    denies=(Deny("outsiders", (), (OUT,)),),
    escalations=(TO_LEAD,),
)
WAITING = RequestFacts("t", RequestState.WAITING, "alex", NOW + timedelta(hours=1))


def person(who: Person, *ids: str) -> Actor:
    return Actor(who, "t", frozenset(ids))


def actor(*, own: bool, stands_in_for: tuple[Person, ...] = (), escalation: bool = False) -> Actor:
    """Ada, as `Roles.actor` makes her."""
    return Actor(
        ADA,
        "t",
        frozenset({"approvers"} if own else ()) | (ESCALATION.ids if escalation else frozenset()),
        stands_in_for=tuple(person(each, "approvers", "desk") for each in stands_in_for),
    )


def expected_about(
    own: bool, principals: tuple[Person, ...], escalated: bool, requester: Person
) -> tuple[str, Person | None]:
    """Why Ada may not approve a request, "" if she may; and for whom."""
    if own or escalated:
        return "", None
    if not principals:
        return "not-approver", None
    if requester == ADA:
        return "own-request", None
    others = [each for each in principals if each != requester]
    return ("", others[0]) if others else ("stands-in-for-requester", None)


@pytest.mark.parametrize("requester", [ADA, GRACE, HUGO])
@pytest.mark.parametrize("principals", [(), (GRACE,), (HUGO,), (GRACE, HUGO)])
def test_role_in_one_request(requester: Person, principals: tuple[Person, ...]) -> None:
    for own, member, escalated in itertools.product((True, False), repeat=3):
        waited = HOUR if escalated else None
        facts = RequestFacts("t", RequestState.WAITING, requester.object_id, escalated=waited)
        before = actor(own=own, stands_in_for=principals, escalation=member)
        found = about(SIMPLE, before, facts)
        why, principal = expected_about(own, principals, member and escalated, requester)
        assert found.person.stands_in_for == principal
        assert reason(may_decide(SIMPLE, found, facts, now=NOW)) == why
        running = replace(facts, state=RequestState.RUNNING)
        assert reason(may_reconcile(SIMPLE, found, running)) == why
        sees = own or (member and escalated) or bool(principals) or requester == ADA
        assert may_see(SIMPLE, found, facts).allowed == sees
        may_stop = requester == ADA or not why
        assert may_cancel(SIMPLE, found, running).allowed == may_stop
        # Whatever role it is, the policy knows no other than that of an approver.
        ended = replace(facts, state=RequestState.FINISHED)
        assert not may_retry(SIMPLE, found, ended).allowed


def test_stand_in_has_no_role_in_another_tenant() -> None:
    facts = RequestFacts("elsewhere", RequestState.WAITING, "hugo", escalated=HOUR)
    found = about(SIMPLE, actor(own=False, stands_in_for=(GRACE,), escalation=True), facts)
    assert reason(may_decide(SIMPLE, found, facts, now=NOW)) == "no-such-request"


@pytest.mark.parametrize(
    ("own", "principals", "allowed"),
    [
        (True, (), True),
        (True, (GRACE,), True),  # an approver who could also stand in: their own role
        (False, (GRACE,), False),  # no chain
        (False, (), False),
    ],
)
def test_only_approvers_hand_over_their_own_role(
    own: bool, principals: tuple[Person, ...], allowed: bool
) -> None:
    who = actor(own=own, stands_in_for=principals)
    assert reason(may_hand_over(SIMPLE, who)) == ("" if allowed else "no-stand-in")
    assert may_see_all(SIMPLE, who).allowed == (own or bool(principals))


def test_escalation_cannot_be_handed_over() -> None:
    facts = RequestFacts("t", RequestState.WAITING, "hugo", escalated=HOUR)
    found = about(SIMPLE, actor(own=False, escalation=True), facts)
    assert may_decide(SIMPLE, found, facts, now=NOW).allowed
    assert reason(may_hand_over(SIMPLE, found)) == "no-stand-in"


# -- stages --------------------------------------------------------------------------------------


def test_escalation_adds_a_person_and_passes_no_stage() -> None:
    facts = replace(WAITING, escalated=HOUR)
    ada = about(TWO, person(ADA, "lead"), facts)
    decision = may_approve(TWO, ada, facts, now=NOW)
    assert decision.allowed
    assert quorum.total(decision.missing) == 2
    again = replace(facts, votes=(ada,))
    assert reason(may_approve(TWO, ada, again, now=NOW)) == "already-voted"


def test_approver_and_stand_ins_have_one_vote_together() -> None:
    grace = person(GRACE, "netops")
    ada, bob = (
        about(TWO, replace(person(who), stands_in_for=(grace,)), WAITING)
        for who in (ADA, Person("bob", "Bob"))
    )
    for first, second in itertools.permutations((grace, ada, bob), 2):
        voted = replace(WAITING, votes=(first,))
        assert may_approve(TWO, first, WAITING, now=NOW).allowed
        assert reason(may_approve(TWO, second, voted, now=NOW)) == "already-voted"
        stages = TWO.stages_for(WAITING.traits)
        together = quorum.missing(stages, (first, second))
        assert together == quorum.missing(stages, (first,))


def test_stand_in_of_several_votes_for_the_one_who_is_wanted() -> None:
    """Whoever has voted, or is not wanted yet, comes after one whose vote counts now."""
    grace, hugo, soc = person(GRACE, "netops"), person(HUGO, "netops"), person(ADA, "soc")
    bob = replace(person(Person("bob", "Bob")), stands_in_for=(soc, grace, hugo))
    assert about(TWO, bob, WAITING).person.stands_in_for == GRACE
    after = about(TWO, bob, replace(WAITING, votes=(grace,)))
    assert after.person.stands_in_for == HUGO
    # Looked up again at the last vote, it is as it was.
    both = replace(WAITING, votes=(grace, after))
    assert about(TWO, bob, both).person.stands_in_for == HUGO


@pytest.mark.parametrize("role", ["approver", "escalation"])
def test_vote_for_an_approver_stays_theirs_whatever_role_its_giver_gets(role: str) -> None:
    """Otherwise the approver could vote, too, and one voice would count twice."""
    grace = person(GRACE, "netops")
    ada = replace(person(ADA), stands_in_for=(grace,))
    voted = about(TWO, ada, WAITING)
    facts = replace(WAITING, votes=(voted,), escalated=HOUR)
    later = {
        "approver": replace(ada, ids=frozenset({"netops"})),
        "escalation": replace(ada, ids=ESCALATION.ids),
    }[role]
    again = as_voter(TWO, later, facts, voted.person)
    assert may_decide(TWO, again, facts, now=NOW).allowed
    assert (
        reason(may_approve(TWO, grace, replace(facts, votes=(again,)), now=NOW)) == "already-voted"
    )
    stages = TWO.stages_for(WAITING.traits)
    assert quorum.total(quorum.missing(stages, (again, grace))) == 2


@pytest.mark.parametrize("place", [(), (GRACE,)])
def test_vote_does_not_move_to_another_approver(place: tuple[Person, ...]) -> None:
    """It falls out once the role in which it was given is over; its giver can vote anew."""
    hugo = person(HUGO, "netops")
    given_for = tuple(person(each, "netops") for each in place)
    own = frozenset() if place else frozenset({"netops"})
    voted = about(TWO, replace(person(ADA), ids=own, stands_in_for=given_for), WAITING)
    facts = replace(WAITING, votes=(voted,))
    later = replace(person(ADA), stands_in_for=(hugo,))
    again = as_voter(TWO, later, facts, voted.person)
    assert reason(may_decide(TWO, again, facts, now=NOW)) == "not-approver"
    anew = about(TWO, later, WAITING)
    assert may_approve(TWO, anew, WAITING, now=NOW).allowed


def test_deny_of_their_own_wins_and_a_denied_approver_lends_nothing() -> None:
    grace = person(GRACE, "netops")
    outsider = about(TWO, replace(person(ADA, "out"), stands_in_for=(grace,)), WAITING)
    assert reason(may_decide(TWO, outsider, WAITING, now=NOW)) == "excluded"
    denied = about(
        TWO, replace(person(ADA), stands_in_for=(person(GRACE, "netops", "out"),)), WAITING
    )
    assert reason(may_decide(TWO, denied, WAITING, now=NOW)) == "not-approver"


@pytest.mark.parametrize("whose", ["own", "approver's"])
def test_nobody_is_told_no_while_the_directory_is_down(whose: str) -> None:
    grace = replace(person(GRACE), unsure=whose != "own")
    ada = replace(person(ADA), stands_in_for=(grace,), unsure=whose == "own")
    found = about(TWO, ada, WAITING)
    assert may_decide(TWO, found, WAITING, now=NOW).answer is Ruling.CANNOT_TELL


@dataclass(frozen=True)
class Candidate:
    object_id: str
    guest: bool = False


@pytest.mark.parametrize(
    ("candidate", "until", "expected"),
    [
        (Candidate("grace"), NOW + LONGEST, None),
        (Candidate("grace"), NOW + LONGEST + timedelta(seconds=1), Unsuitable.TOO_LONG),
        (Candidate("grace"), NOW, Unsuitable.PAST),
        (Candidate("grace", guest=True), NOW + LONGEST, Unsuitable.GUEST),
        (Candidate("ADA"), NOW + LONGEST, Unsuitable.YOURSELF),
        (None, NOW + LONGEST, Unsuitable.NOT_A_MEMBER),
    ],
)
def test_who_can_stand_in(
    candidate: Candidate | None, until: datetime, expected: Unsuitable | None
) -> None:
    assert unsuitable(actor(own=True), candidate, until, NOW) is expected
