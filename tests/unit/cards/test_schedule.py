"""Cards of requests that start at a set time."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.signin.request import RequestState
from bot.signin.schedule import Due
from bot.signin.snapshot import HistoryLine, ProvisioningWindows, RequestSnapshot, Tally
from bot.words import Words
from cards import static
from cards.render import render
from cards.types import CardKind, RenderedCard, Verb, View
from tests.support import reading, snapshots
from tests.support.snapshots import NOON, START

STARTS = "Tue 1 Dec, 18:00 (Europe/Berlin), 17:00 UTC"


def card(
    kind: CardKind,
    snapshot: RequestSnapshot,
    *,
    as_approver: bool = False,
    for_approvers: bool = False,
) -> RenderedCard:
    view = View(for_approvers=for_approvers)
    rendered = render(
        kind,
        snapshot,
        view,
        Words(),
        tenant_id=snapshots.TENANT,
        runs_as_approver=as_approver,
    )
    reading.assert_valid(rendered.card)
    return rendered


def form(snapshot: RequestSnapshot) -> reading.Element:
    shown = card(CardKind.VALIDATION, snapshot).card
    (section,) = (each for each in reading.elements(shown) if each.get("id") == "start")
    return section


def ids(section: reading.Element) -> list[str]:
    return [e["id"] for e in reading.elements(section) if e["type"].startswith("Input.")]


def test_form_is_hidden_until_asked_for_and_knows_the_zone() -> None:
    draft = replace(snapshots.snapshot(RequestState.DRAFT), run_zone="Europe/Berlin")
    section = form(draft)
    assert section["isVisible"] is False
    assert ids(section) == ["run_at", "run_at_time", "run_at_zone"]
    (zone,) = reading.of_type(section, "Input.Text")
    assert zone["value"] == "Europe/Berlin"
    (button,) = [
        each
        for each in reading.of_type(
            card(CardKind.VALIDATION, draft).card, "Action.ToggleVisibility"
        )
        if each["targetElements"] == ["start"]
    ]
    assert button["title"] == "Start later…"


def test_form_says_that_an_approver_has_to_sign_in_only_if_one_has_to() -> None:
    draft = snapshots.snapshot(RequestState.DRAFT)
    sentence = "So an approver has to sign in around the start"
    for as_approver in (False, True):
        shown = card(CardKind.VALIDATION, draft, as_approver=as_approver).card
        assert (sentence in reading.text(shown)) is as_approver


def test_form_asks_which_of_two_times_is_meant() -> None:
    section = form(snapshots.with_repeated_start())
    assert section["isVisible"] is True
    (date,) = reading.of_type(section, "Input.Date")
    (time,) = reading.of_type(section, "Input.Time")
    assert (date["value"], time["value"]) == ("2026-10-25", "02:30")
    (which,) = reading.of_type(section, "Input.ChoiceSet")
    assert which["id"] == "run_at_which"
    assert which["isRequired"]
    assert [(each["value"], each["title"]) for each in which["choices"]] == [
        ("earlier", "The earlier one, UTC+02:00"),
        ("later", "The later one, UTC+01:00"),
    ]


def windows(*, too_late: int) -> ProvisioningWindows:
    return ProvisioningWindows(
        at=START,
        too_early=0,
        in_time=3,
        nearly_too_late=0,
        too_late=too_late,
        without_time=0,
        next_deadline=None,
        late_examples=["lobby@contoso.com"],
    )


@pytest.mark.parametrize(
    ("kind", "state"),
    [(CardKind.VALIDATION, RequestState.DRAFT), (CardKind.APPROVAL, RequestState.WAITING)],
)
def test_phones_that_will_be_too_late_are_counted_for_the_start(
    kind: CardKind, state: RequestState
) -> None:
    request = snapshots.with_start(state)
    late = replace(request, roster=replace(request.roster, windows=windows(too_late=12)))
    shown = reading.text(card(kind, late).card)
    assert "At the start, 12 phones will be too late" in shown
    assert STARTS in shown


@pytest.mark.parametrize("as_approver", [False, True])
def test_approval_begins_with_the_start(as_approver: bool) -> None:
    request = snapshots.with_start(RequestState.WAITING, expires_at=START)
    shown = card(CardKind.APPROVAL, request, as_approver=as_approver).card
    blocks = [each["text"] for each in reading.of_type(shown["body"][0], "TextBlock")]
    first = blocks.index(f"Starts {STARTS}, if approved before then.")
    assert blocks[first + 1].startswith("Signs in 244 phones. Anyone using")
    text = reading.text(shown)
    assert "within an hour of that time" in text
    assert "starts once you approve" not in text
    assert ("An approver has to sign in at Tue 1 Dec, 18:00" in text) is as_approver


def test_approval_says_until_when_it_has_to_be_approved() -> None:
    request = snapshots.with_start(RequestState.WAITING, expires_at=START - timedelta(hours=20))
    shown = reading.text(card(CardKind.APPROVAL, request).card)
    assert f"Starts {STARTS}, if approved by Mon 30 Nov, 22:00 (Europe/Berlin)." in shown


@pytest.mark.parametrize("kind", [CardKind.VALIDATION, CardKind.APPROVAL, CardKind.PROGRESS])
def test_every_card_of_a_scheduled_request_says_when_it_starts(kind: CardKind) -> None:
    for snapshot in (
        snapshots.with_start(RequestState.WAITING),
        snapshots.scheduled(),
        snapshots.with_missed_start(),
        snapshots.with_start(RequestState.WITHDRAWN, asked_at=NOON, decided_at=NOON),
    ):
        assert STARTS in reading.text(card(kind, snapshot).card)


@pytest.mark.parametrize("for_approvers", [False, True])
def test_scheduled_request_can_be_withdrawn_and_canceled(for_approvers: bool) -> None:
    rendered = card(CardKind.PROGRESS, snapshots.scheduled(), for_approvers=for_approvers)
    verbs = set(reading.verbs(rendered.card))
    assert Verb.CANCEL in verbs
    assert Verb.START_NOW not in verbs
    assert (Verb.WITHDRAW in verbs) is not for_approvers
    text = reading.text(rendered.card)
    assert "→ Scheduled" in text
    assert rendered.summary == f"Starts {STARTS}. Request K7QF2M9X."
    assert "Running" not in text
    assert "In progress" not in text


def test_approver_is_asked_to_sign_in_for_the_start() -> None:
    wanted = replace(snapshots.scheduled(), delegation_wanted_since=START - timedelta(minutes=15))
    rendered = card(CardKind.PROGRESS, wanted, as_approver=True, for_approvers=True)
    assert Verb.SIGN_IN in reading.verbs(rendered.card)
    text = reading.text(rendered.card)
    assert "An approver has to sign in for the start" in text
    assert "No approver's permissions have been available" not in text


def test_sign_in_that_is_late_says_that_it_starts_the_request() -> None:
    started = replace(snapshots.scheduled(), scheduled=False, delegation_wanted_since=START)
    text = reading.text(card(CardKind.PROGRESS, started, as_approver=True).card)
    assert f"It was to start {STARTS}. It starts as soon as an approver signs in." in text
    running = snapshots.with_start(RequestState.RUNNING, delegation_wanted_since=START)
    text = reading.text(card(CardKind.PROGRESS, running, as_approver=True).card)
    assert "It was to start" not in text


@pytest.mark.parametrize(
    ("reason", "sentence"),
    [
        (Due.LATE, "Offhook could not start it by Tue 1 Dec, 19:00 (Europe/Berlin)."),
        (Due.DENIED, "Whoever requested or approved it may not do so any more."),
        (
            Due.CLOSED,
            f"It could not start at {STARTS}. Changes are frozen. "
            "The next opening is Wed 2 Dec, 07:00 (Europe/Berlin), 06:00 UTC.",
        ),
    ],
)
def test_missed_start_says_why_and_asks_an_approver(reason: Due, sentence: str) -> None:
    missed = snapshots.with_missed_start(reason)
    shown = card(CardKind.PROGRESS, missed, for_approvers=True).card
    text = reading.text(shown)
    assert sentence in text
    assert "No password has been reset." in text
    assert {Verb.START_NOW, Verb.CANCEL} <= set(reading.verbs(shown))


def test_lists_tell_scheduled_and_missed_requests_from_running_ones() -> None:
    line = HistoryLine(
        "K7QF2M9X", RequestState.RUNNING, snapshots.ALEX, "phones.csv", NOON, Tally(pending=3)
    )
    lines = [
        line,
        replace(line, run_at=START, run_zone="Europe/Berlin"),
        replace(line, missed=True),
    ]
    text = reading.text(static.status_list(Words(), lines).card)
    for expected in ("→ Running", "→ Scheduled", f"Starts {STARTS}", "✕ Not started"):
        assert expected in text
    assert text.count("Starts") == 1


def test_zone_of_a_hostile_client_cannot_break_a_card() -> None:
    hostile = "[x](http://evil)*_`" * 4
    for snapshot in (
        replace(snapshots.scheduled(), run_zone=hostile),
        replace(snapshots.with_repeated_start(), run_zone=hostile),
    ):
        for kind in (CardKind.VALIDATION, CardKind.PROGRESS):
            text = reading.text(card(kind, snapshot).card)
            assert "](http" not in text


def test_card_that_asks_about_the_start_says_so_at_its_top() -> None:
    sentence = "Approval is not requested yet: look at the start at the end of this card."
    for snapshot, asks in (
        (snapshots.with_repeated_start(), True),
        (snapshots.with_start(RequestState.DRAFT), True),
        (snapshots.with_start(RequestState.DRAFT, None), False),
        (snapshots.snapshot(RequestState.DRAFT), False),
    ):
        shown = card(CardKind.VALIDATION, snapshot).card
        assert (sentence in reading.text(shown["body"][0])) is asks
