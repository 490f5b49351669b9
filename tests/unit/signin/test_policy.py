"""Who may do what under the settings' own policy: the complete truth table, by role and state."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.signin.policy.actions import GENERAL, Action, decide
from bot.signin.policy.decision import Decision, DenialReason, Ruling
from bot.signin.policy.evaluator import (
    may_approve,
    may_cancel,
    may_decide,
    may_delegate,
    may_reconcile,
    may_request_approval,
    may_retry,
    may_run_checks,
    may_submit_file,
    may_undo,
    may_withdraw,
)
from bot.signin.policy.facts import Actor, RequestFacts
from bot.signin.policy.model import Policy, simple
from bot.signin.policy.sight import may_see
from bot.signin.request import Person, RequestState

HOME, ELSEWHERE = "tenant-1", "tenant-2"
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
DRAFT, WAITING, RUNNING = RequestState.DRAFT, RequestState.WAITING, RequestState.RUNNING
FINISHED, CANCELLED = RequestState.FINISHED, RequestState.CANCELLED
REQUESTER = "alex"
# own request, may request, may approve
PEOPLE = list(itertools.product((True, False), repeat=3))
OK = ""
POLICIES = {
    four_eyes: simple(["requesters"], ["approvers"], four_eyes=four_eyes)
    for four_eyes in (True, False)
}
POLICY = POLICIES[True]


def actor(own: bool, requests: bool, approves: bool, tenant: str = HOME) -> Actor:
    person = Person(REQUESTER if own else "megan", "Someone")
    groups = {"requesters": requests, "approvers": approves}
    return Actor(person, tenant, frozenset(name for name, member in groups.items() if member))


def facts(
    state: RequestState, *, expires: datetime | None = None, cancelling: bool = False
) -> RequestFacts:
    return RequestFacts(HOME, state, REQUESTER, expires, cancelling)


def reason(decision: Decision) -> str:
    return decision.reason or OK


@pytest.mark.parametrize("action", sorted(set(Action) - set(GENERAL)))
@pytest.mark.parametrize("state", RequestState)
def test_request_does_not_exist_for_other_tenants(action: Action, state: RequestState) -> None:
    for person in PEOPLE:
        for policy in POLICIES.values():
            stranger = actor(*person, tenant=ELSEWHERE)
            decision = decide(policy, action, stranger, facts(state), now=NOW)
            assert reason(decision) == "no-such-request"


@pytest.mark.parametrize(
    ("requests", "approves", "expected"),
    [
        (True, True, OK),
        (True, False, OK),
        (False, True, "not-requester"),
        (False, False, "not-requester"),
    ],
)
def test_may_submit_file_if_requester(requests: bool, approves: bool, expected: str) -> None:
    assert reason(may_submit_file(POLICY, actor(False, requests, approves))) == expected


def test_may_run_checks_if_approver() -> None:
    for own, requests, approves in PEOPLE:
        expected = OK if approves else "no-checks"
        assert reason(may_run_checks(POLICY, actor(own, requests, approves))) == expected


@pytest.mark.parametrize("state", RequestState)
def test_may_see_if_owner_or_approver(state: RequestState) -> None:
    """Who may request sees nobody else's requests."""
    for own, requests, approves in PEOPLE:
        seen = own or approves
        expected = OK if seen else "no-such-request"
        who = actor(own, requests, approves)
        assert reason(may_see(POLICY, who, facts(state))) == expected


@pytest.mark.parametrize("state", RequestState)
def test_may_request_approval_of_own_draft(state: RequestState) -> None:
    for own, requests, approves in PEOPLE:
        expected = OK if state is DRAFT else "not-a-draft"
        if not requests:
            expected = "not-requester"
        if not own:
            expected = "not-yours"
        who = actor(own, requests, approves)
        assert reason(may_request_approval(POLICY, who, facts(state))) == expected


@pytest.mark.parametrize("state", RequestState)
def test_may_withdraw_own_request_before_decision(state: RequestState) -> None:
    for own, requests, approves in PEOPLE:
        expected = OK if state in (DRAFT, WAITING) else "too-late-to-withdraw"
        if not own:
            expected = "not-yours"
        who = actor(own, requests, approves)
        assert reason(may_withdraw(POLICY, who, facts(state))) == expected


def test_may_withdraw_own_request_before_its_start() -> None:
    scheduled = replace(facts(RequestState.RUNNING), before_start=True)
    for own, requests, approves in itertools.product((True, False), repeat=3):
        decision = may_withdraw(POLICY, actor(own, requests, approves), scheduled)
        assert decision.reason is (None if own else DenialReason.NOT_YOURS)


@pytest.mark.parametrize("state", RequestState)
@pytest.mark.parametrize("four_eyes", [True, False])
@pytest.mark.parametrize("late", [True, False])
def test_may_decide_waiting_request_if_approver_and_not_owner(
    state: RequestState, four_eyes: bool, late: bool
) -> None:
    expires = NOW if late else NOW + timedelta(seconds=1)
    for own, requests, approves in PEOPLE:
        expected = "expired" if late else OK
        if four_eyes and own:
            expected = "own-request"
        if not approves:
            expected = "not-approver"
        if state is not WAITING:
            expected = "already-decided"
        request = facts(state, expires=expires)
        who = actor(own, requests, approves)
        for may in (may_decide, may_approve):
            assert reason(may(POLICIES[four_eyes], who, request, now=NOW)) == expected


def test_may_decide_request_without_expiry() -> None:
    assert may_decide(POLICY, actor(False, False, True), facts(WAITING), now=NOW).allowed


@pytest.mark.parametrize("state", RequestState)
@pytest.mark.parametrize("cancelling", [True, False])
def test_may_cancel_running_request_if_owner_or_approver(
    state: RequestState, cancelling: bool
) -> None:
    for own, requests, approves in PEOPLE:
        expected = "already-cancelling" if cancelling else OK
        if state is not RUNNING:
            expected = "not-running"
        if not own and not approves:
            expected = "no-cancel"
        request = facts(state, cancelling=cancelling)
        assert reason(may_cancel(POLICY, actor(own, requests, approves), request)) == expected


@pytest.mark.parametrize("state", RequestState)
def test_may_retry_ended_request_if_requester_and_owner_or_approver(state: RequestState) -> None:
    for own, requests, approves in PEOPLE:
        expected = OK if state in (FINISHED, CANCELLED) else "not-ended"
        if not requests:
            expected = "not-requester"
        if not own and not approves:
            expected = "no-such-request"
        assert reason(may_retry(POLICY, actor(own, requests, approves), facts(state))) == expected


@pytest.mark.parametrize("state", RequestState)
@pytest.mark.parametrize("four_eyes", [True, False])
def test_may_reconcile_and_delegate_running_request_if_approver_and_not_owner(
    state: RequestState, four_eyes: bool
) -> None:
    policy = POLICIES[four_eyes]
    for own, requests, approves in PEOPLE:
        expected = OK if state is RUNNING else "not-running"
        ended = OK if state is FINISHED else "not-running"
        if four_eyes and own:
            expected = ended = "own-request"
        if not approves:
            expected = ended = "not-approver"
        who = actor(own, requests, approves)
        assert reason(may_reconcile(policy, who, facts(state))) == expected
        assert reason(may_delegate(policy, who, facts(state))) == expected
        assert reason(may_undo(policy, who, facts(state))) == ended


# -- the directory is down -----------------------------------------------------------------------


@pytest.mark.parametrize("policy", POLICIES.values())
def test_unsure_actor_is_never_told_that_they_may_not_for_lack_of_a_role(policy: Policy) -> None:
    """What is certain is answered as to somebody who has every role."""
    for action, state, own in itertools.product(Action, RequestState, (True, False)):
        member = actor(own, True, True)
        unsure = Actor(member.person, HOME, unsure=True)
        request = facts(state, expires=NOW + timedelta(hours=1))
        decision = decide(policy, action, unsure, request, now=NOW)
        if decision.reason is DenialReason.DIRECTORY_DOWN:
            assert decision.answer is Ruling.CANNOT_TELL
        elif action is not Action.BREAK_GLASS:  # nobody may
            expected = decide(policy, action, member, request, now=NOW)
            assert decision.answer is expected.answer, (action, state, own)
