"""Policies with rules: denies, stages, windows, limits; and what holds for every policy."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.phones.region import Region
from bot.settings.scope import parse_scope
from bot.signin.policy import quorum
from bot.signin.policy.actions import Action, decide
from bot.signin.policy.decision import Decision, DenialReason, Ruling, Wanted
from bot.signin.policy.evaluator import may_approve, may_ask, may_reject
from bot.signin.policy.facts import Actor, RequestFacts
from bot.signin.policy.model import (
    Condition,
    Deny,
    Freeze,
    Group,
    NeedsReason,
    Policy,
    Risk,
    Rule,
    Stage,
    Traits,
    Window,
)
from bot.signin.policy.sight import may_see
from bot.signin.request import Person, RequestState
from bot.words import Words

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)  # a Monday
TENANT = "tenant"
NETOPS, SOC, DESK, CONTRACTORS, AUDIT = (
    Group(name, frozenset({f"id-{name}"}))
    for name in ("netops", "soc", "desk", "contractors", "audit")
)
LARGE = Condition(min_accounts=100)
TWO = Rule("large", LARGE, (Stage((NETOPS,), 2), Stage((SOC,), 1, level=1)))
POLICY = Policy(
    (DESK,), (NETOPS,), (AUDIT,), rules=(TWO,), denies=(Deny("outsiders", (), (CONTRACTORS,)),)
)


def person(name: str, *groups: Group) -> Actor:
    return Actor(
        Person(name, name.title()),
        TENANT,
        frozenset(each for group in groups for each in group.ids),
    )


ADA, BEN, CEM = person("ada", NETOPS), person("ben", NETOPS), person("cem", SOC)


def waiting(*votes: Actor, accounts: int = 200, **more: object) -> RequestFacts:
    request = RequestFacts(
        TENANT,
        RequestState.WAITING,
        "alex",
        NOW + timedelta(hours=1),
        reason="CHG0042",
        traits=Traits(accounts, frozenset({Region.EMEA})),
        votes=votes,
    )
    return replace(request, **more)  # type: ignore[arg-type]


def approve(policy: Policy, actor: Actor, request: RequestFacts) -> Decision:
    return may_approve(policy, actor, request, now=NOW, comment="")


# -- stages --------------------------------------------------------------------------------------


def test_votes_complete_the_stages_in_their_order() -> None:
    assert approve(POLICY, ADA, waiting()).missing == (Wanted(("netops",), 1), Wanted(("soc",), 1))
    assert approve(POLICY, BEN, waiting(ADA)).missing == (Wanted(("soc",), 1),)
    last = approve(POLICY, CEM, waiting(ADA, BEN))
    assert (last.allowed, last.missing, last.rule) == (True, (), "large")


def test_later_stage_waits_and_full_stage_needs_nobody() -> None:
    early = approve(POLICY, CEM, waiting(ADA))
    assert (early.reason, early.who_can) == (DenialReason.NOT_WANTED, ("netops", "soc"))
    full = approve(POLICY, person("dan", NETOPS), waiting(ADA, BEN))
    assert (full.reason, full.who_can) == (DenialReason.NOT_WANTED, ("soc",))
    assert may_reject(POLICY, CEM, waiting(ADA), now=NOW).allowed


def test_person_in_two_stages_counts_once_and_where_they_are_wanted() -> None:
    both = person("eve", NETOPS, SOC)
    assert approve(POLICY, both, waiting(ADA, BEN)).missing == ()
    assert approve(POLICY, both, waiting(ADA)).missing == (Wanted(("soc",), 1),)
    again = approve(POLICY, both, waiting(ADA, both))
    assert again.reason is DenialReason.ALREADY_VOTED
    # Eve moves to the stage that only she can fill.
    assert quorum.missing(TWO.stages, (both, ADA, BEN)) == ()


def test_small_request_needs_one_approver() -> None:
    assert approve(POLICY, ADA, waiting(accounts=99)).missing == ()
    assert approve(POLICY, CEM, waiting(accounts=99)).reason is DenialReason.NOT_APPROVER


def test_rules_unite_and_the_stricter_field_counts() -> None:
    more = Rule("emea", Condition(frozenset({Region.EMEA})), (Stage((NETOPS,), 3),))
    both = replace(POLICY, rules=(TWO, more))
    stages = both.stages_for(Traits(200, frozenset({Region.EMEA})))
    assert [(stage.names, stage.need) for stage in stages] == [(("netops",), 3), (("soc",), 1)]


def test_requester_in_the_approvers_group_and_maker_of_the_retried_request_do_not_vote() -> None:
    alex, ada = person("alex", NETOPS), ADA
    assert approve(POLICY, alex, waiting()).reason is DenialReason.OWN_REQUEST
    retry = waiting(makers=frozenset({"ada"}))
    assert approve(POLICY, ada, retry).reason is DenialReason.OWN_REQUEST


def test_last_vote_cannot_be_judged_while_an_earlier_voter_is_unknown() -> None:
    unsure = replace(ADA, unsure=True)
    decision = approve(POLICY, CEM, waiting(unsure, BEN))
    assert (decision.answer, decision.reason) == (
        Ruling.CANNOT_TELL,
        DenialReason.VOTERS_UNKNOWN,
    )
    assert approve(POLICY, BEN, waiting(unsure)).allowed


def test_need_that_too_few_people_can_meet_is_found() -> None:
    stages = POLICY.stages_for(Traits(200))
    request = waiting()

    def lacking(netops: frozenset[str] | None, soc: frozenset[str]) -> tuple[Wanted, ...]:
        return quorum.unmeetable(POLICY, request, stages, [netops, soc])

    assert lacking(frozenset({"ada", "ben"}), frozenset({"cem"})) == ()
    assert lacking(None, frozenset({"cem"})) == ()
    assert lacking(frozenset({"ada", "alex"}), frozenset({"cem"})) == (
        Wanted(("netops",), 2),
        Wanted(("soc",), 1),
    )
    assert lacking(frozenset({"ada", "ben"}), frozenset({"ben"})) == (Wanted(("soc",), 1),)


# -- denies, reasons, windows, limits ------------------------------------------------------------


def test_deny_wins_over_every_role_and_names_its_rule() -> None:
    outsider = person("mal", NETOPS, CONTRACTORS)
    decision = approve(POLICY, outsider, waiting())
    assert (decision.reason, decision.rule, decision.who_can) == (
        DenialReason.EXCLUDED,
        "outsiders",
        ("netops", "soc"),
    )
    assert may_see(POLICY, outsider, waiting()).reason is DenialReason.NO_SUCH_REQUEST


def test_unsure_of_a_deny_is_unsure() -> None:
    unsure = replace(ADA, unsure=True)
    assert approve(POLICY, unsure, waiting()).answer is Ruling.CANNOT_TELL


def test_conditional_deny_is_about_its_requests_only() -> None:
    condition = Condition(accounts=parse_scope(["lobby.*@contoso.com"]))
    policy = replace(POLICY, denies=(Deny("lobby", (DESK,), (NETOPS,), condition),))
    lobby = replace(waiting().traits, principals=("lobby.1@contoso.com",))
    assert approve(policy, ADA, waiting()).allowed
    assert approve(policy, ADA, waiting(traits=lobby)).reason is DenialReason.EXCLUDED
    asking = person("alex", DESK)
    draft = waiting(state=RequestState.DRAFT, traits=lobby)
    assert may_ask(policy, asking, draft).reason is DenialReason.EXCLUDED


def test_auditor_sees_and_does_nothing() -> None:
    auditor = person("aud", AUDIT)
    for action, state in itertools.product(Action, RequestState):
        allowed = decide(POLICY, action, auditor, waiting(state=state), now=NOW).allowed
        assert allowed is (action in (Action.SEE, Action.EXPORT, Action.HISTORY)), action


def test_asking_needs_reason_ticket_and_room_in_the_limit() -> None:
    rule = Rule(
        "tickets",
        ticket=re.compile("^CHG[0-9]{4}$"),
        ticket_example="CHG0042",
        reasons=frozenset({NeedsReason.REQUEST}),
    )
    policy = replace(POLICY, rules=(rule,), accounts_per_day=300)
    alex = person("alex", DESK)
    draft = waiting(state=RequestState.DRAFT)
    assert may_ask(policy, alex, draft, accounts_today=100).allowed
    over = may_ask(policy, alex, draft, accounts_today=101)
    assert (over.reason, over.arguments) == (DenialReason.LIMIT, {"limit": 300, "left": 199})
    assert may_ask(policy, alex, replace(draft, reason=" ")).reason is DenialReason.REASON_MISSING
    for reason in ("New lobby", "CHG00421", "XCHG0042"):
        lacking = may_ask(policy, alex, replace(draft, reason=reason))
        assert lacking.reason is DenialReason.TICKET_MISSING
        assert may_ask(policy, alex, replace(draft, reason=reason, ticket="CHG0042")).allowed
    assert may_ask(policy, alex, replace(draft, reason="New lobby (CHG0042).")).allowed
    assert may_ask(policy, alex, replace(draft, reason="New lobby", ticket="CHG0042")).allowed
    endless = replace(rule, ticket=re.compile("C*C*C*C*D"))
    slow = replace(draft, reason=f"{'C' * 250} {'C' * 40}")
    assert not may_ask(replace(policy, rules=(endless,)), alex, slow).allowed
    assert not may_ask(policy, alex, replace(draft, reason="New lobby", ticket="soon")).allowed


def test_ticket_may_have_spaces() -> None:
    policy = replace(POLICY, rules=(Rule("tickets", ticket=re.compile("^INC [0-9]+$")),))
    draft = waiting(state=RequestState.DRAFT, reason="New lobby", ticket=" INC 42 ")
    assert may_ask(policy, person("alex", DESK), draft).allowed


def test_lacking_ticket_shows_an_example_else_the_expression() -> None:
    rule = Rule("tickets", ticket=re.compile("^CHG[0-9]{4}$"), ticket_example="CHG0042")
    draft = waiting(state=RequestState.DRAFT, reason="New lobby")
    for each, form in (
        (rule, "Enter a ticket such as CHG0042: "),
        (replace(rule, ticket_example=""), "Enter a ticket that matches ^CHG[0-9]{4}$: "),
    ):
        lacking = may_ask(replace(POLICY, rules=(each,)), person("alex", DESK), draft)
        assert lacking.sentence(Words()).startswith(form)


def test_comments_are_wanted_where_the_rule_says_so() -> None:
    rule = Rule("why", reasons=frozenset({NeedsReason.APPROVE, NeedsReason.REJECT}))
    policy = replace(POLICY, rules=(rule,))
    assert approve(policy, ADA, waiting()).reason is DenialReason.COMMENT_MISSING
    rejected = may_reject(policy, ADA, waiting(), now=NOW, comment=" ")
    assert rejected.reason is DenialReason.COMMENT_MISSING
    assert may_reject(policy, ADA, waiting(), now=NOW, comment="No").allowed


def test_last_vote_waits_for_the_window_unless_the_start_lies_inside() -> None:
    evening = Window(frozenset({0}), time(18), time(23), ZoneInfo("UTC"))
    policy = replace(POLICY, rules=(TWO, Rule("evenings", windows=(evening,))))
    assert approve(policy, ADA, waiting()).allowed  # not the last
    closed = approve(policy, CEM, waiting(ADA, BEN))
    assert (closed.reason, closed.opens_at) == (
        DenialReason.WINDOW_CLOSED,
        NOW.replace(hour=18),
    )
    assert "Monday, 23 November 2026, 18:00 UTC" in closed.sentence(Words())
    later = waiting(ADA, BEN, run_at=NOW.replace(hour=20))
    assert approve(policy, CEM, later).allowed
    too_late = approve(policy, CEM, waiting(ADA, BEN, run_at=NOW.replace(hour=23)))
    assert "may not start now" not in too_late.sentence(Words())
    assert "Monday, 30 November 2026, 18:00 UTC. Reject it" in too_late.sentence(Words())
    frozen = replace(
        policy, freezes=(Freeze("all", NOW - timedelta(days=1), NOW + timedelta(days=900)),)
    )
    assert approve(frozen, CEM, later).reason is DenialReason.WINDOW_NEVER


def test_risks_select_rules() -> None:
    rule = Rule("guarded", Condition(risks=frozenset({Risk.GUARDED})), (Stage((SOC,), 1),))
    policy = replace(POLICY, rules=(rule,))
    assert approve(policy, CEM, waiting()).reason is DenialReason.NOT_APPROVER
    risky = replace(waiting().traits, risks=frozenset({Risk.GUARDED}))
    assert approve(policy, CEM, waiting(traits=risky)).allowed


@pytest.mark.parametrize("reason", DenialReason)
@pytest.mark.parametrize("who", [(), ("netops", "soc")])
def test_every_denial_has_a_sentence(reason: DenialReason, who: tuple[str, ...]) -> None:
    arguments = {"ticket": "CHG0042", "example": 1, "scheduled": 0, "limit": 5, "left": 1}
    decision = Decision(Ruling.NO, reason, who, "rule", arguments=arguments, opens_at=NOW)
    sentence = decision.sentence(Words())
    assert sentence.endswith((".", "it."))
    assert "{" not in sentence


# -- for every policy ----------------------------------------------------------------------------

GROUPS = [Group(name, frozenset({name})) for name in "abcd"]
groups = st.lists(st.sampled_from(GROUPS), min_size=1, max_size=3, unique=True).map(tuple)
conditions = st.sampled_from([Condition(), LARGE, Condition(frozenset({Region.NOAM}))])
stages = st.lists(st.builds(Stage, groups, st.integers(1, 3), st.integers(0, 2)), max_size=3).map(
    tuple
)
policies = st.builds(
    Policy,
    groups,
    groups,
    groups,
    groups,
    st.lists(st.builds(Rule, st.just("rule"), conditions, stages), max_size=3).map(tuple),
    st.lists(st.builds(Deny, st.just("deny"), st.just(()), groups, conditions), max_size=2).map(
        tuple
    ),
)


def voter(number: int, ids: frozenset[str]) -> Actor:
    return Actor(Person(f"voter-{number}", ""), TENANT, ids)


members = st.frozensets(st.sampled_from("abcd"))
requests = st.builds(
    waiting,
    accounts=st.sampled_from([1, 200]),
    state=st.sampled_from(RequestState),
    requester_id=st.sampled_from(["actor", "alex"]),
    votes=st.lists(
        st.builds(voter, st.integers(0, 5), members),
        max_size=4,
        unique_by=lambda each: each.person.object_id,
    ).map(tuple),
)


def acting(ids: frozenset[str], *, unsure: bool = False) -> Actor:
    return Actor(Person("actor", "Actor"), TENANT, ids, unsure)


_BY_APPROVERS = frozenset(
    {
        Action.APPROVE,
        Action.REJECT,
        Action.REASSIGN,
        Action.BREAK_GLASS,
        Action.RECONCILE,
        Action.RELEASE,
        Action.DELEGATE,
        Action.MEND_APPROVE,
        Action.MEND_UNDO,
    }
)


@given(policies, members, requests)
def test_deny_wins(policy: Policy, ids: frozenset[str], request: RequestFacts) -> None:
    denied = any(
        deny.condition.applies(request.traits)
        and any(not ids.isdisjoint(each.ids) for each in deny.approvers)
        for deny in policy.denies
    )
    for action in _BY_APPROVERS if denied else ():
        assert decide(policy, action, acting(ids), request, now=NOW).answer is Ruling.NO


@given(policies, members, members, requests)
def test_fewer_groups_never_allow_more(
    policy: Policy, ids: frozenset[str], lost: frozenset[str], request: RequestFacts
) -> None:
    policy = replace(policy, denies=())  # to leave a group that is denied allows more, rightly
    for action in Action:
        if decide(policy, action, acting(ids - lost), request, now=NOW).allowed:
            assert decide(policy, action, acting(ids), request, now=NOW).allowed


def test_vote_counts_for_no_group_that_the_directory_has_not_confirmed() -> None:
    first, second = (Stage((Group(name, frozenset({name})),), 1, n) for n, name in enumerate("ba"))
    policy = Policy((), (), (), (), (Rule("two", stages=(first, second)),))
    in_a = acting(frozenset({"a"}), unsure=True)
    decision = may_approve(policy, in_a, waiting(), now=NOW)
    assert decision.reason is DenialReason.DIRECTORY_DOWN


@given(policies, members, members, requests)
def test_what_cannot_be_told_is_decided_by_nobody_else(
    policy: Policy, ids: frozenset[str], unknown: frozenset[str], request: RequestFacts
) -> None:
    """Without an answer of the directory, yes means yes whatever the groups are; so does no."""
    for action in Action:
        answer = decide(policy, action, acting(ids, unsure=True), request, now=NOW)
        truth = decide(policy, action, acting(ids | unknown), request, now=NOW)
        if answer.answer is not Ruling.CANNOT_TELL:
            assert answer.answer is truth.answer, action


@given(stages, requests)
def test_votes_are_given_out_as_well_as_can_be(
    wanted: tuple[Stage, ...], request: RequestFacts
) -> None:
    level = tuple(replace(stage, level=0) for stage in wanted)
    places = [stage for stage in level for _ in range(stage.need)]
    best = max(
        (
            sum(
                vote is not None and vote.among(place.of) is Ruling.YES
                for vote, place in zip(order, places, strict=True)
            )
            for order in itertools.permutations(
                [*request.votes, *[None] * max(0, len(places) - len(request.votes))], len(places)
            )
        )
        if len(places) <= 4
        else [-1]
    )
    if best >= 0:
        assert quorum.total(quorum.missing(level, request.votes)) == len(places) - best


@given(policies, requests, members)
def test_each_accepted_vote_brings_the_approval_nearer(
    policy: Policy, request: RequestFacts, ids: frozenset[str]
) -> None:
    request = replace(request, state=RequestState.WAITING)
    decision = approve(policy, acting(ids), request)
    if decision.allowed:
        before = quorum.missing(policy.stages_for(request.traits), request.votes)
        # Not by one only: the vote may open a later stage that somebody voted for, whom another one left.
        assert quorum.total(decision.missing) < quorum.total(before)
