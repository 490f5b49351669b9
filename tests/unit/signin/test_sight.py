"""Guests, and who sees what by the policy's views: the truth tables beyond the page's."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bot.phones.region import Region
from bot.settings.scope import parse_scope
from bot.signin.policy.actions import GENERAL, Action, decide
from bot.signin.policy.decision import Ruling
from bot.signin.policy.evaluator import may_approve, may_break_glass, may_submit_file, still_stands
from bot.signin.policy.facts import Actor, RequestFacts
from bot.signin.policy.model import (
    Condition,
    Escalation,
    Group,
    GuestRole,
    Policy,
    Traits,
    View,
    group,
)
from bot.signin.policy.sight import may_see, may_see_all, sight
from bot.signin.request import Person, RequestState
from bot.signin.stand_in import about
from scripts.policy_table import entries
from tests.unit.signin.test_policy import reason

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DESK, NETOPS, AUDIT, EMEA, APAC, LOBBY = (
    Group(name, frozenset({name})) for name in ("desk", "netops", "audit", "emea", "apac", "lobby")
)
VIEWS = (
    View("EMEA", (EMEA,), Condition(frozenset({Region.EMEA}))),
    View("APAC", (APAC,), Condition(frozenset({Region.APAC}))),
    View("lobbies", (LOBBY,), Condition(accounts=parse_scope(["lobby.*@contoso.com"]))),
)
POLICY = Policy((DESK,), (NETOPS,), (AUDIT,), views=VIEWS)
WAITING = RequestFacts("t", RequestState.WAITING, "alex", NOW + HOUR)


def person(*groups: Group, unsure: bool = False) -> Actor:
    ids = frozenset(each for one in groups for each in one.ids)
    return Actor(Person("ada", "Ada"), "t", ids, unsure)


def of(*regions: Region, account: str = "") -> RequestFacts:
    traits = Traits(1, frozenset(regions), (account,) if account else ())
    return replace(WAITING, traits=traits)


def test_request_is_visible_if_any_of_its_regions_or_accounts_is_theirs() -> None:
    mixed = of(Region.EMEA, Region.APAC, account="lobby.1@contoso.com")
    for size in range(1, 4):
        for groups in itertools.combinations((EMEA, APAC, LOBBY), size):
            for role in (NETOPS, AUDIT):
                assert may_see(POLICY, person(role, *groups), mixed).allowed
                noam = of(Region.NOAM, account="desk.1@contoso.com")
                assert reason(may_see(POLICY, person(role, *groups), noam)) == "no-such-request"
            # A view gives nobody a role.
            assert not may_see(POLICY, person(*groups), mixed).allowed
    assert may_see(POLICY, person(NETOPS), of()).allowed
    assert not may_see(POLICY, person(NETOPS, EMEA), of()).allowed


def test_all_keys_of_a_view_have_to_be_met() -> None:
    both = Condition(frozenset({Region.EMEA}), parse_scope(["lobby.*@contoso.com"]))
    policy = replace(POLICY, views=(View("both", (EMEA,), both),))
    who = person(AUDIT, EMEA)
    assert may_see(policy, who, of(Region.EMEA, account="lobby.1@contoso.com")).allowed
    assert not may_see(policy, who, of(Region.EMEA)).allowed
    assert not may_see(policy, who, of(Region.APAC, account="lobby.1@contoso.com")).allowed


def test_own_request_is_visible_whatever_the_view() -> None:
    own = replace(person(DESK, APAC), person=Person("alex", ""))
    assert may_see(POLICY, own, of(Region.EMEA)).allowed


def test_whoever_sees_nothing_of_it_does_nothing_to_it() -> None:
    """Every action, in every state."""
    for action in set(Action) - set(GENERAL):
        for state in RequestState:
            request = replace(of(Region.EMEA), state=state, used_by="alex")
            assert not decide(POLICY, action, person(NETOPS, APAC), request, now=NOW).allowed


def test_nobody_is_limited_or_free_by_guessing_while_the_directory_is_down() -> None:
    """Named by object ID as an approver; whether a group with a view has them cannot be told."""
    named = replace(POLICY, approvers=(group("ada"),))
    down = person(unsure=True)
    assert may_see_all(named, down).answer is Ruling.CANNOT_TELL
    assert may_see(named, down, of(Region.EMEA)).answer is Ruling.CANNOT_TELL
    assert may_approve(named, down, of(Region.EMEA), now=NOW).answer is Ruling.CANNOT_TELL
    # A view of their own is certain: what it lets them see, they see.
    known = replace(named, views=(*VIEWS, View("own", (group("ada"),), VIEWS[0].condition)))
    assert may_see(known, down, of(Region.EMEA)).allowed
    assert may_see(known, down, of(Region.APAC)).answer is Ruling.CANNOT_TELL
    assert may_approve(known, down, of(Region.EMEA), now=NOW).allowed
    assert sight(named, down).ways == []


def test_stand_in_sees_what_both_see() -> None:
    for own, theirs in itertools.product(((), (EMEA,), (APAC,)), repeat=2):
        grace = Actor(Person("grace", ""), "t", person(NETOPS, *theirs).ids)
        ada = replace(person(*own), stands_in_for=(grace,))
        for region in (Region.EMEA, Region.APAC):
            request = of(region)
            limits = {each.name for groups in (own, theirs) for each in groups}
            expected = limits <= {region.value.lower()}
            role = about(POLICY, ada, request)
            assert may_see(POLICY, role, request).allowed == expected
            assert may_approve(POLICY, role, request, now=NOW).allowed == expected
        assert sight(POLICY, ada).everything == (not own and not theirs)


def test_escalation_shows_the_request_to_those_it_is_escalated_to() -> None:
    lead = Group("lead", frozenset({"lead"}))
    emea = Escalation("", (lead,), HOUR, VIEWS[0].condition)
    later = Escalation("later", (APAC,), 2 * HOUR)
    policy = replace(POLICY, escalations=(emea, later), views=())
    for waited, region in itertools.product((None, HOUR, 2 * HOUR), (Region.EMEA, Region.APAC)):
        request = replace(of(region), escalated=waited)
        joins = waited is not None and region is Region.EMEA
        for who, expected in ((lead, joins), (APAC, waited == 2 * HOUR)):
            role = about(policy, person(who), request)
            assert may_see(policy, role, request).allowed == expected
            assert may_approve(policy, role, request, now=NOW).allowed == expected
        due = policy.escalation_due(request.traits, 3 * HOUR, waited)
        assert due == (None if waited == 2 * HOUR else 2 * HOUR)
    assert policy.escalation_due(of(Region.APAC).traits, HOUR, None) is None
    assert policy.escalation_due(None, HOUR, None) == HOUR
    assert policy.escalation_due(None, HOUR - timedelta(seconds=1), None) is None


# -- guests --------------------------------------------------------------------------------------


def test_guests_may_be_what_the_policy_lets_them_be() -> None:
    for size in range(3):
        for allowed in itertools.combinations(GuestRole, size):
            policy = replace(
                POLICY, guests=frozenset(allowed), break_glass=(DESK,), views=(), auditors=()
            )
            for guest in Ruling:
                expected = {
                    role: ""
                    if role in allowed or guest is Ruling.NO
                    else ("guest" if guest is Ruling.YES else "guest-unknown")
                    for role in GuestRole
                }
                requester = replace(person(DESK), guest=guest)
                approver = replace(person(NETOPS), guest=guest)
                mine = replace(WAITING, requester_id="ada")
                found = {
                    GuestRole.REQUEST: may_submit_file(policy, requester),
                    GuestRole.APPROVE: may_approve(policy, approver, WAITING, now=NOW),
                }
                assert {role: reason(each) for role, each in found.items()} == expected
                glass = may_break_glass(policy, requester, mine, now=NOW)
                assert reason(glass) == expected[GuestRole.APPROVE]
                now = still_stands(policy, person(DESK), [approver], WAITING)
                assert (now is Ruling.YES) == (not expected[GuestRole.APPROVE])


def test_guest_is_told_who_can_and_a_certain_no_beats_not_knowing() -> None:
    policy = replace(POLICY, guests=frozenset())
    guest = replace(person(NETOPS), guest=Ruling.YES)
    named = replace(policy, approvers=(Group("Network Ops", NETOPS.ids),))
    assert may_approve(named, guest, WAITING, now=NOW).who_can == ("Network Ops",)
    nobody = replace(person(), guest=Ruling.CANNOT_TELL)
    assert reason(may_approve(policy, nobody, WAITING, now=NOW)) == "not-approver"
    unsure = replace(person(unsure=True), guest=Ruling.YES)
    assert reason(may_approve(policy, unsure, WAITING, now=NOW)) == "guest"


def test_table_lets_no_guest_and_nobody_of_another_region_in() -> None:
    own = frozenset({Action.SEE, Action.EXPORT, Action.WITHDRAW, Action.NUDGE, Action.REQUEST})
    for entry in entries():
        if not entry.decision.allowed:
            continue
        if "a guest" in entry.kind and "auditor" not in entry.kind:
            assert entry.kind.startswith("its requester")
            assert entry.action in own | {Action.CANCEL}
        if "another region" in entry.kind and not entry.kind.startswith("its requester"):
            assert entry.action in GENERAL
