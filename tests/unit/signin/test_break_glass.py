"""Who may use break-glass, and who may review it: the complete truth tables."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest

from bot.signin.break_glass import may_break_glass, may_review
from bot.signin.policy import ALLOWED, Actor, Decision, DenialReason, Denied, RequestFacts
from bot.signin.request import Person, RequestState

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ALEX = "AAAAAAAA-0000-4000-8000-000000000001"
BOTH = (True, False)


def actor(*, own: bool, here: bool, approves: bool = False) -> Actor:
    person = Person(ALEX.lower() if own else "megan", "")
    return Actor(person, "t" if here else "u", may_request=False, may_approve=approves)


@pytest.mark.parametrize("state", RequestState)
def test_named_people_break_glass_for_their_own_waiting_request(state: RequestState) -> None:
    for own, here, named, over in itertools.product(BOTH, repeat=4):
        expires_at = NOW if over else NOW + timedelta(seconds=1)
        facts = RequestFacts("t", state, ALEX.lower(), expires_at)
        found = may_break_glass(
            actor(own=own, here=here), facts, named=(ALEX,) if named else ("*", "megan"), now=NOW
        )
        expected: Decision = ALLOWED
        if not here:
            expected = Denied(DenialReason.NO_SUCH_REQUEST)
        elif not own:
            expected = Denied(DenialReason.NOT_YOURS)
        elif not named:
            expected = Denied(DenialReason.NO_BREAK_GLASS)
        elif state is not RequestState.WAITING:
            expected = Denied(DenialReason.ALREADY_DECIDED)
        elif over:
            expected = Denied(DenialReason.EXPIRED)
        assert found == expected


def test_another_approver_reviews_in_any_state() -> None:
    for own, here, approves, used, reviewed in itertools.product(BOTH, repeat=5):
        facts = RequestFacts("t", RequestState.FINISHED, ALEX.lower())
        found = may_review(
            actor(own=own, here=here, approves=approves),
            facts,
            used_by=ALEX.lower() if used else None,
            reviewed=reviewed,
        )
        expected: Decision = ALLOWED
        if not here:
            expected = Denied(DenialReason.NO_SUCH_REQUEST)
        elif not used:
            expected = Denied(DenialReason.NO_REVIEW)
        elif own:
            expected = Denied(DenialReason.OWN_REVIEW)
        elif not approves:
            expected = Denied(DenialReason.NOT_APPROVER)
        elif reviewed:
            expected = Denied(DenialReason.REVIEWED)
        assert found == expected
