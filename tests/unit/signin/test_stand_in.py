"""Who may hand over their role to whom, and what a stand-in may do: the complete truth tables."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from bot.signin.policy import (
    ALLOWED,
    Actor,
    DenialReason,
    Denied,
    RequestFacts,
    may_decide,
    may_reconcile,
    may_see,
)
from bot.signin.request import Person, RequestState
from bot.signin.stand_in import LONGEST, Unsuitable, about, may_hand_over, unsuitable

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ADA, GRACE, HUGO = (Person(name.lower(), name) for name in ("Ada", "Grace", "Hugo"))


def actor(*, own: bool, stands_in_for: tuple[Person, ...] = (), escalation: bool = False) -> Actor:
    """Ada, as `Roles.actor` makes her."""
    return Actor(
        ADA,
        "t",
        may_request=True,
        may_approve=own or bool(stands_in_for),
        stands_in_for=() if own else stands_in_for,
        escalation=escalation,
    )


def expected_about(
    own: bool, principals: tuple[Person, ...], escalated: bool, requester: Person
) -> tuple[bool, Person | None, DenialReason]:
    """May Ada approve a request, for whom, and if not, why not."""
    no = DenialReason.NOT_APPROVER
    if own or escalated:
        return True, None, no
    if not principals:
        return False, None, no
    if requester == ADA:
        return False, None, DenialReason.OWN_REQUEST
    others = [each for each in principals if each != requester]
    if not others:
        return False, None, DenialReason.STANDS_IN_FOR_REQUESTER
    return True, others[0], no


@pytest.mark.parametrize("requester", [ADA, GRACE, HUGO])
@pytest.mark.parametrize("principals", [(), (GRACE,), (HUGO,), (GRACE, HUGO)])
def test_role_in_one_request(requester: Person, principals: tuple[Person, ...]) -> None:
    for own, member, escalated in itertools.product((True, False), repeat=3):
        facts = RequestFacts("t", RequestState.WAITING, requester.object_id, escalated=escalated)
        before = actor(own=own, stands_in_for=principals, escalation=member)
        found = about(before, facts)
        expected = expected_about(own, principals, member and escalated, requester)
        assert (found.may_approve, found.person.stands_in_for, found.not_approver) == expected
        # Whatever role it is, the policy knows no other than that of an approver.
        sees = may_see(found, facts) is ALLOWED
        assert sees == (expected[0] or requester == ADA)
        decision = may_decide(found, facts, four_eyes=False, now=NOW)
        assert decision == (ALLOWED if expected[0] else Denied(expected[2]))
        if not expected[0]:
            assert may_reconcile(found, facts, four_eyes=False) == Denied(expected[2])


def test_stand_in_has_no_role_in_another_tenant() -> None:
    facts = RequestFacts("elsewhere", RequestState.WAITING, "hugo", escalated=True)
    found = about(actor(own=False, stands_in_for=(GRACE,), escalation=True), facts)
    assert may_decide(found, facts, four_eyes=True, now=NOW) == Denied(DenialReason.NO_SUCH_REQUEST)


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
    decision = may_hand_over(actor(own=own, stands_in_for=principals))
    assert decision == (ALLOWED if allowed else Denied(DenialReason.NO_STAND_IN))


def test_escalation_cannot_be_handed_over() -> None:
    facts = RequestFacts("t", RequestState.WAITING, "hugo", escalated=True)
    before = actor(own=False, escalation=True)
    assert about(before, facts).may_approve
    assert may_hand_over(before) == Denied(DenialReason.NO_STAND_IN)


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
