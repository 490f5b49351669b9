"""Cards of requests that start at a set time."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bot.signin.policy.model import Rule
from bot.signin.request import Hold, RequestState
from bot.signin.schedule import Due
from bot.signin.snapshot import (
    AccountHold,
    HistoryLine,
    Pause,
    ProvisioningWindows,
    RequestSnapshot,
    Tally,
)
from bot.signin.windows import CutShort
from bot.words import Words
from cards import static
from cards.render import render
from cards.types import CardKind, RenderedCard, Verb, View, Viewer
from tests.support import reading, snapshots
from tests.support.snapshots import NOON, START

STARTS = "Tue 1 Dec, 18:00 (Europe/Berlin), 17:00 UTC"


def card(
    kind: CardKind,
    snapshot: RequestSnapshot,
    *,
    as_approver: bool = False,
    for_approvers: bool = False,
    cut_short: CutShort | None = None,
    ticket_rule: Rule | None = None,
) -> RenderedCard:
    view = View(for_approvers=for_approvers)
    rendered = render(
        kind,
        snapshot,
        view,
        Words(),
        tenant_id=snapshots.TENANT,
        runs_as_approver=as_approver,
        cut_short=cut_short,
        ticket_rule=ticket_rule,
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
            "The next opening is Wed 2 Dec, 07:00 (Europe/Berlin), 06:00 UTC. "
            "Start now works from then on.",
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
        replace(line, paused=True),
    ]
    text = reading.text(static.status_list(Words(), lines).card)
    for expected in ("→ Running", "→ Scheduled", f"Starts {STARTS}", "✕ Not started", "! Paused"):
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


def paused(opens_at: datetime | None) -> RequestSnapshot:
    return replace(snapshots.snapshot(RequestState.RUNNING), pause=Pause(opens_at))


@pytest.mark.parametrize("as_approver", [False, True])
def test_paused_request_says_until_when_and_who_can_cancel(as_approver: bool) -> None:
    rendered = card(CardKind.PROGRESS, paused(START), as_approver=as_approver)
    text = reading.text(rendered.card)
    assert rendered.summary.startswith("Waits for a change window. ")
    assert "change windows and freezes allow no sign-ins now" in text
    assert "Offhook continues by itself on {{DATE(2026-12-01T17:00:00Z,SHORT)}}" in text
    assert "The requester or an approver can cancel what has not been sent." in text
    assert ("asks an approver to sign in 15 minutes before" in text) is as_approver
    verbs = set(reading.verbs(rendered.card))
    assert Verb.CANCEL in verbs
    assert Verb.START_NOW not in verbs


def test_sign_in_to_a_paused_request_does_not_promise_that_it_goes_on() -> None:
    """An approver is asked before the window opens."""
    wanted = replace(paused(START), delegation_wanted_since=NOON)
    text = reading.text(card(CardKind.PROGRESS, wanted, as_approver=True).card)
    assert "selects Sign in to continue; what has not been sent still waits for its window." in text
    assert "as soon as" not in text
    assert "asks an approver to sign in 15 minutes before" not in text


def test_paused_request_that_never_goes_on_says_whom_to_ask() -> None:
    text = reading.text(card(CardKind.PROGRESS, paused(None)).card)
    assert "no window opens in the next year. Ask your Offhook operator" in text
    assert "by itself" not in text


CUT_SHORT = CutShort(START + timedelta(hours=1), 3 * 3600)


@pytest.mark.parametrize(
    ("kind", "state"),
    [(CardKind.VALIDATION, RequestState.DRAFT), (CardKind.APPROVAL, RequestState.WAITING)],
)
def test_request_that_outlasts_its_window_is_told_before(
    kind: CardKind, state: RequestState
) -> None:
    snapshot = snapshots.with_start(state)
    sentence = "It will probably not be over when the change window closes, on {{DATE("
    assert sentence not in reading.text(card(kind, snapshot).card)
    text = reading.text(card(kind, snapshot, cut_short=CUT_SHORT).card)
    assert sentence in text
    assert "About 3 hours once started" in text
    if state is RequestState.DRAFT:
        assert "To keep this start, select Request approval again." in text
        assert "Phones will be too early or too late then" not in text


OWN = View(for_requester=True)
RELEASES = {Verb.START_NOW, Verb.SIGN_IN, Verb.CONTINUE_WITHOUT, Verb.CHECK_ACCOUNTS}


@pytest.mark.parametrize(
    ("view", "four_eyes", "shown"),
    [
        (View(), True, True),  # posted where approvers decide
        (OWN, True, False),
        (OWN, False, True),
        (View(viewer=Viewer()), False, False),
        (View(viewer=Viewer(releases=True)), True, True),
        (replace(OWN, viewer=Viewer(releases=True)), True, True),
    ],
)
def test_what_only_approvers_can_use_is_shown_to_them_only(
    view: View, four_eyes: bool, shown: bool
) -> None:
    running = snapshots.snapshot(RequestState.RUNNING)
    hold = AccountHold(Hold.HELD, 3, 3, accounts=1, phones=1)
    for snapshot, verbs in (
        (snapshots.with_missed_start(), {Verb.START_NOW}),
        (replace(running, delegation_wanted_since=NOON), {Verb.SIGN_IN}),
        (replace(running, hold=hold), {Verb.CONTINUE_WITHOUT, Verb.CHECK_ACCOUNTS}),
    ):
        asked = replace(snapshot, four_eyes=four_eyes, requester_account="29:alex")
        rendered = render(CardKind.PROGRESS, asked, view, Words(), tenant_id=snapshots.TENANT)
        reading.assert_valid(rendered.card)
        assert RELEASES & set(reading.verbs(rendered.card)) == (verbs if shown else set())
        assert Verb.CANCEL in reading.verbs(rendered.card)
        # Where everybody sees the card, Teams is asked for the requester's own.
        refreshed = rendered.card.get("refresh", {}).get("userIds", [])
        assert refreshed == (["29:alex"] if shown else [])


@pytest.mark.parametrize("example", ["", "CHG0042"])
def test_form_wants_the_ticket_that_a_rule_asks_for(example: str) -> None:
    draft = snapshots.snapshot(RequestState.DRAFT)
    rule = Rule("changes", ticket=re.compile("^CHG[0-9]{4}$"), ticket_example=example)
    for ticket_rule, label in ((None, "Ticket, if there is one"), (rule, "Ticket, which your")):
        shown = card(CardKind.VALIDATION, draft, ticket_rule=ticket_rule).card
        (ticket,) = [
            each for each in reading.of_type(shown, "Input.Text") if each["id"] == "ticket"
        ]
        assert ticket["label"].startswith(label)
        assert ticket.get("isRequired", False) is (ticket_rule is not None)
    assert (example or "^CHG[0-9]{4}$") in ticket["errorMessage"]
    assert (example or "^CHG[0-9]{4}$") in ticket["placeholder"]
