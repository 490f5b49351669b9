"""Who may do what: the complete truth table, role by role and state by state."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from bot.signin.policy import (
    ALLOWED,
    Actor,
    Decision,
    DenialReason,
    Denied,
    RequestFacts,
    may_cancel,
    may_decide,
    may_delegate,
    may_reconcile,
    may_request_approval,
    may_retry,
    may_run_checks,
    may_see,
    may_submit_file,
    may_withdraw,
)
from bot.signin.request import Person, RequestState
from bot.words import Words

HOME, ELSEWHERE = "tenant-1", "tenant-2"
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
DRAFT, WAITING, RUNNING = RequestState.DRAFT, RequestState.WAITING, RequestState.RUNNING
FINISHED, CANCELLED = RequestState.FINISHED, RequestState.CANCELLED
REQUESTER = "alex"
# own request, may request, may approve
PEOPLE = list(itertools.product((True, False), repeat=3))
OK = ""


#: Given by the tables of `test_reminders.py`, `test_stand_in.py` and `test_break_glass.py`.
GIVEN_ELSEWHERE = {
    DenialReason.NO_BREAK_GLASS,
    DenialReason.NO_REVIEW,
    DenialReason.NO_STAND_IN,
    DenialReason.NUDGED,
    DenialReason.OWN_REVIEW,
    DenialReason.REVIEWED,
    DenialReason.STANDS_IN_FOR_REQUESTER,
}


def actor(own: bool, requests: bool, approves: bool, tenant: str = HOME) -> Actor:
    person = Person(REQUESTER if own else "megan", "Someone")
    return Actor(person, tenant, may_request=requests, may_approve=approves)


def facts(
    state: RequestState, *, expires: datetime | None = None, cancelling: bool = False
) -> RequestFacts:
    return RequestFacts(HOME, state, REQUESTER, expires, cancelling)


def reason(decision: Decision) -> str:
    return decision.reason if isinstance(decision, Denied) else OK


CHECKS: list[Callable[[Actor, RequestFacts], Decision]] = [
    may_see,
    may_request_approval,
    may_withdraw,
    lambda who, request: may_decide(who, request, four_eyes=False, now=NOW),
    may_cancel,
    may_retry,
    lambda who, request: may_reconcile(who, request, four_eyes=False),
    lambda who, request: may_delegate(who, request, four_eyes=False),
]


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("state", RequestState)
def test_request_does_not_exist_for_other_tenants(
    check: Callable[[Actor, RequestFacts], Decision], state: RequestState
) -> None:
    for person in PEOPLE:
        assert reason(check(actor(*person, tenant=ELSEWHERE), facts(state))) == "no-such-request"


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
    assert reason(may_submit_file(actor(False, requests, approves))) == expected


def test_may_run_checks_if_approver() -> None:
    for own, requests, approves in PEOPLE:
        expected = OK if approves else "no-checks"
        assert reason(may_run_checks(actor(own, requests, approves))) == expected


@pytest.mark.parametrize("state", RequestState)
def test_may_see_if_owner_or_approver(state: RequestState) -> None:
    """Who may request sees nobody else's requests."""
    for own, requests, approves in PEOPLE:
        seen = own or approves
        expected = OK if seen else "no-such-request"
        assert reason(may_see(actor(own, requests, approves), facts(state))) == expected


@pytest.mark.parametrize("state", RequestState)
def test_may_request_approval_of_own_draft(state: RequestState) -> None:
    for own, requests, approves in PEOPLE:
        expected = OK if state is DRAFT else "not-a-draft"
        if not requests:
            expected = "not-requester"
        if not own:
            expected = "not-yours"
        assert (
            reason(may_request_approval(actor(own, requests, approves), facts(state))) == expected
        )


@pytest.mark.parametrize("state", RequestState)
def test_may_withdraw_own_request_before_decision(state: RequestState) -> None:
    for own, requests, approves in PEOPLE:
        expected = OK if state in (DRAFT, WAITING) else "too-late-to-withdraw"
        if not own:
            expected = "not-yours"
        assert reason(may_withdraw(actor(own, requests, approves), facts(state))) == expected


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
        decision = may_decide(actor(own, requests, approves), request, four_eyes=four_eyes, now=NOW)
        assert reason(decision) == expected


def test_may_decide_request_without_expiry() -> None:
    assert may_decide(actor(False, False, True), facts(WAITING), four_eyes=True, now=NOW) is ALLOWED


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
            expected = "not-yours"
        request = facts(state, cancelling=cancelling)
        assert reason(may_cancel(actor(own, requests, approves), request)) == expected


@pytest.mark.parametrize("state", RequestState)
def test_may_retry_ended_request_if_requester_and_owner_or_approver(state: RequestState) -> None:
    for own, requests, approves in PEOPLE:
        expected = OK if state in (FINISHED, CANCELLED) else "not-ended"
        if not requests:
            expected = "not-requester"
        if not own and not approves:
            expected = "no-such-request"
        assert reason(may_retry(actor(own, requests, approves), facts(state))) == expected


@pytest.mark.parametrize("state", RequestState)
@pytest.mark.parametrize("four_eyes", [True, False])
def test_may_reconcile_and_delegate_running_request_if_approver_and_not_owner(
    state: RequestState, four_eyes: bool
) -> None:
    for own, requests, approves in PEOPLE:
        expected = OK if state is RUNNING else "not-running"
        if four_eyes and own:
            expected = "own-request"
        if not approves:
            expected = "not-approver"
        who = actor(own, requests, approves)
        assert reason(may_reconcile(who, facts(state), four_eyes=four_eyes)) == expected
        assert reason(may_delegate(who, facts(state), four_eyes=four_eyes)) == expected


def test_every_denial_reason_has_words() -> None:
    words = Words()
    people = [actor(*person, tenant=tenant) for person in PEOPLE for tenant in (HOME, ELSEWHERE)]
    requests = [
        facts(state, expires=expires, cancelling=cancelling)
        for state in RequestState
        for expires in (None, NOW)
        for cancelling in (True, False)
    ]
    decisions = [check(who, request) for check in CHECKS for who in people for request in requests]
    decisions += [may_submit_file(who) for who in people]
    decisions.append(may_decide(people[0], facts(WAITING), four_eyes=True, now=NOW))
    decisions += [may_run_checks(who) for who in people]
    given = {decision.reason for decision in decisions if isinstance(decision, Denied)}
    assert given | GIVEN_ELSEWHERE == set(DenialReason)
    for denial in DenialReason:
        assert words(f"denied-{denial.value}")
