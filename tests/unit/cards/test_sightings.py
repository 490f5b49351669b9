"""What the sign-in log shows: the line on the results card, and one line for each phone of a list."""

from __future__ import annotations

import pytest

from bot.identity.aadsts import Refusal
from bot.preflight.facts import UnknownReason
from bot.signin.request import RequestState
from bot.signin.snapshot import RequestSnapshot
from bot.words import Words
from cards.render import render
from cards.types import CardKind, Panel, View
from tests.support import reading, snapshots

FINISHED = snapshots.snapshot(RequestState.FINISHED)


def shown(snapshot: RequestSnapshot, panel: Panel = Panel.NONE) -> str:
    rendered = render(CardKind.RESULTS, snapshot, View(panel), Words(), tenant_id=snapshots.TENANT)
    reading.assert_valid(rendered.card)
    return reading.text(rendered.card)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "Sign-in log: the accounts of 231 of 243 phones signed in; 12 not yet."),
        (
            {"pending": False},
            "231 of 243 phones signed in. The log does not show the other 12, which proves nothing.",
        ),
        (
            {"seen": 243, "pending": False},
            "Sign-in log: the accounts of 243 of 243 phones signed in.",
        ),
    ],
)
def test_results_card_says_how_many_phones_the_log_shows(
    changes: dict[str, object], line: str
) -> None:
    assert line in shown(snapshots.with_sightings(FINISHED, **changes))


def test_results_card_explains_the_newest_failed_sign_in() -> None:
    text = shown(snapshots.with_sightings(FINISHED))
    assert "Of the accounts of 2 phones it shows only failed sign-ins; the newest:" in text
    assert "AADSTS53003. A Conditional Access policy blocks it." in text


# The log is read, and with the app's own permissions, never with an approver's delegation.
@pytest.mark.parametrize(
    "reason",
    [
        each
        for each in UnknownReason
        if each not in (UnknownReason.NOT_READ, UnknownReason.DELEGATION)
    ],
)
def test_results_card_says_why_nothing_can_be_seen(reason: UnknownReason) -> None:
    gap = {"seen": 0, "failing": 0, "pending": False, "newest_failure": None, "gap": reason.value}
    text = shown(snapshots.with_sightings(FINISHED, **gap))
    assert text.count("can't read the sign-in log:") == 1
    assert "243" not in text.partition("can't read the")[2][:200]


def test_results_card_without_sightings_does_not_mention_the_log() -> None:
    assert "sign-in log" not in shown(FINISHED)


def test_list_of_phones_says_what_the_log_shows_of_each() -> None:
    text = shown(snapshots.with_sightings(FINISHED), Panel.PHONES)
    for line in (
        "Its account signed in at ",
        "A sign-in of its account failed at ",
        "Its account is not in the sign-in log yet.",
        "Its account is not in the sign-in log.",
        "Offhook can't read the sign-in log.",
    ):
        assert line in text


@pytest.mark.parametrize("refusal", Refusal)
def test_every_refusal_has_an_explanation_for_phones(refusal: Refusal) -> None:
    assert Words()(f"sighting-refusal-{refusal.value}")
