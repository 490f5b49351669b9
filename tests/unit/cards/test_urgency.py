"""Cards of break-glass, its review, stand-ins, nudges and escalation."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.signin.policy.decision import Ruling
from bot.signin.request import Person, RequestState
from bot.signin.snapshot import RequestSnapshot, Review
from bot.words import Words
from cards import stand_in
from cards.elements import size_bytes
from cards.render import MAX_BYTES, render
from cards.stand_in import Dates, Line
from cards.types import CardKind, RenderedCard, Verb, View
from tests.support import reading, snapshots
from tests.support.snapshots import ALEX, MEGAN, NOON, REVIEW

HOSTILE = "[x](https://evil.example) <at>all</at> **b** " * 20


def card(
    kind: CardKind, snapshot: RequestSnapshot, *, break_glass: Ruling = Ruling.NO
) -> RenderedCard:
    rendered = render(
        kind, snapshot, View(), Words(), tenant_id=snapshots.TENANT, break_glass=break_glass
    )
    reading.assert_valid(rendered.card)
    assert size_bytes(rendered.card) < MAX_BYTES
    return rendered


def verbs(rendered: RenderedCard) -> set[str]:
    return set(reading.verbs(rendered.card))


@pytest.mark.parametrize("state", RequestState)
def test_break_glass_is_only_on_the_requesters_waiting_card(state: RequestState) -> None:
    snapshot = snapshots.snapshot(state)
    for kind in (CardKind.VALIDATION, CardKind.APPROVAL, CardKind.PROGRESS, CardKind.RESULTS):
        shown = Verb.BREAK_GLASS.value in verbs(card(kind, snapshot, break_glass=Ruling.YES))
        assert shown is (kind is CardKind.VALIDATION and state is RequestState.WAITING)
        assert Verb.BREAK_GLASS.value not in verbs(card(kind, snapshot))


def test_break_glass_does_not_pass_over_an_unexplained_overlap() -> None:
    waiting = replace(snapshots.snapshot(RequestState.WAITING), reason_wanted_since=NOON)
    assert Verb.BREAK_GLASS.value not in verbs(
        card(CardKind.VALIDATION, waiting, break_glass=Ruling.YES)
    )


def test_form_binds_to_what_the_card_shows() -> None:
    waiting = snapshots.snapshot(RequestState.WAITING)
    rendered = card(CardKind.VALIDATION, waiting, break_glass=Ruling.YES)
    (action,) = (
        each
        for each in reading.of_type(rendered.card, "Action.Execute")
        if each["verb"] == Verb.BREAK_GLASS.value
    )
    assert action["data"]["digest"] == waiting.digest
    assert action["associatedInputs"] == "auto"
    inputs = {
        each["id"]
        for kind in ("Input.Text", "Input.Number")
        for each in reading.of_type(rendered.card, kind)
        if each.get("isRequired")
    }
    assert inputs == {"reason", "ticket", "passwords"}


def test_review_card_asks_until_somebody_has_reviewed() -> None:
    finished = replace(snapshots.snapshot(RequestState.FINISHED), review=REVIEW)
    rendered = card(CardKind.REVIEW, finished)
    text = reading.text(rendered.card)
    assert "Break-glass: Alex Wilber approved their own request" in text
    assert "INC0012345" in text
    assert "No other approver has reviewed this yet." in text
    assert verbs(rendered) == {Verb.REVIEW.value}

    closed = replace(REVIEW, reviewed_by=MEGAN, reviewed_at=NOON, comment="Real outage")
    rendered = card(CardKind.REVIEW, replace(finished, review=closed))
    assert "Megan Bowen reviewed the break-glass on" in reading.text(rendered.card)
    assert "Real outage" in reading.text(rendered.card)
    assert not verbs(rendered)


def test_every_card_says_that_break_glass_was_used() -> None:
    running = replace(snapshots.snapshot(RequestState.RUNNING), review=REVIEW)
    for kind in (CardKind.VALIDATION, CardKind.APPROVAL):
        assert "approved their own request with break-glass" in reading.text(
            card(kind, running).card
        )


def test_waiting_cards_say_that_it_is_escalated_and_nudged() -> None:
    waiting = replace(snapshots.snapshot(RequestState.WAITING), escalated_at=NOON, nudged_at=NOON)
    for kind in (CardKind.VALIDATION, CardKind.APPROVAL):
        text = reading.text(card(kind, waiting).card)
        assert "Nobody decided in time" in text
        assert "The requester reminded the approvers" in text


def test_hostile_text_stays_text() -> None:
    person = Person(ALEX.object_id, HOSTILE)
    review = Review(person, NOON, HOSTILE, HOSTILE, person, NOON, HOSTILE)
    finished = replace(snapshots.snapshot(RequestState.FINISHED), review=review)
    lines = [Line(HOSTILE, HOSTILE, "Friday", own=own) for own in (True, False)]
    today = NOON.date()
    for content in (
        card(CardKind.REVIEW, finished).card,
        card(CardKind.REVIEW, replace(finished, review=replace(review, reviewed_at=None))).card,
        stand_in.build(Words(), lines, Dates(today, today)).card,
    ):
        reading.assert_valid(content)
        for block in reading.of_type(content, "TextBlock"):
            assert "](https" not in block["text"].replace("\\](https", "")
            assert "<at>" not in block["text"].replace("\\<at>", "")


def test_stand_in_card_has_a_form_for_approvers_only() -> None:
    today = NOON.date()
    own, other = (Line("Megan", "Ada", "Friday", own=own) for own in (True, False))
    for lines, dates, expected in (
        ([], Dates(today, today), {"stand_in"}),
        ([own], Dates(today, today), {"stand_in", "stand_in_stop"}),
        ([other], None, set[str]()),
        ([], None, set[str]()),
    ):
        content = stand_in.build(Words(), lines, dates).card
        reading.assert_valid(content)
        assert set(reading.verbs(content)) == expected
