"""The approval card: what is unusual first, the list, friction by risk, and who sees which buttons."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.signin.listing import UNUSUAL, PhoneFilter
from bot.signin.policy.decision import Wanted
from bot.signin.policy.vote import Standing
from bot.signin.request import RequestState
from bot.signin.shown import Aspect
from bot.signin.snapshot import Page, RequestSnapshot
from bot.words import Words
from cards.render import render
from cards.types import CardKind, Panel, Verb, View, Viewer
from tests.support import reading, snapshots

WAITING = snapshots.snapshot(RequestState.WAITING)
EVERYTHING = snapshots.with_everything_unusual(WAITING)
DECIDES = Viewer(decides=True)
UPN = "lobby.with.a.long.name.{0:05}@subsidiary.contoso.example"


def card(
    snapshot: RequestSnapshot,
    view: View | None = None,
    *,
    typed_above: int = 100,
    standing: Standing | None = None,
) -> reading.Element:
    rendered = render(
        CardKind.APPROVAL,
        snapshot,
        view or View(),
        Words(),
        tenant_id=snapshots.TENANT,
        typed_above=typed_above,
        standing=standing,
    )
    reading.assert_valid(rendered.card)
    return rendered.card


def test_card_tells_what_happens_to_whom_before_anything_else() -> None:
    (title, *_) = reading.of_type(card(EVERYTHING)["body"][0], "TextBlock")[1:]
    assert title["text"] == "Resets 243 passwords; 2 accounts look like people's"


def test_card_names_no_other_request_to_those_whom_a_view_limits() -> None:
    others = ("7QD2M4XA",)  # overlaps, and was approved before
    for limited in (True, False):
        view = View(for_approvers=True, limited=limited)
        text = reading.text(card(EVERYTHING, view))
        assert [each for each in others if each in text] == ([] if limited else [*others])
        assert ("Not the same as an earlier request, approved on" in text) == limited


def test_unusual_comes_before_usual_and_the_gravest_first() -> None:
    text = reading.text(card(EVERYTHING))
    order = (
        "These may not be phones' accounts: adele.vance@contoso.com",
        "3 accounts are included although their checks failed",
        "4 phones are too late",
        "18 passwords were reset by Offhook in the last 30 days",
        "Not the same as request 7QD2M4XA",
        "12 accounts added, 3 gone, 5 on other phones.",
        "Alex Wilber never requested an approval here before.",
        "244 phones, where this requester usually asks for about 20.",
        "Some of these phones or accounts are in another request",
        "Requested by Alex Wilber",
        "UPN alex@contoso.com",
        f"Object ID {snapshots.ALEX.object_id}",
        "Reason New lobby phones",
        "Ticket CHG0042",
        "EMEA 152 phones in 2 batches",
        "Expected length About 3 hours once started",
        "Nearest deadline",
        "Checked {{DATE(2026-11-23T12:00:00Z,SHORT)}}",
    )
    found = [text.index(part) for part in order]
    assert found == sorted(found)
    assert "Nothing unusual" not in text


@pytest.mark.parametrize("checked", [True, False])
def test_card_says_in_one_line_that_nothing_is_unusual(checked: bool) -> None:
    plain = replace(WAITING, roster=replace(WAITING.roster, notices=(), shared_accounts=()))
    text = reading.text(card(snapshots.with_checks_passed(plain) if checked else plain))
    assert "✓ Nothing unusual: " in text
    assert ("the accounts were not checked" in text) is not checked
    assert "Unusual about this request" not in text


def test_card_of_earlier_request_claims_nothing() -> None:
    """Its approval was requested before there was evidence."""
    old = replace(
        WAITING,
        roster=replace(WAITING.roster, notices=(), shared_accounts=()),
        evidence=replace(WAITING.evidence, gathered=False),
        requester_account="",
    )
    text = reading.text(card(old))
    assert "unusual" not in text.lower()
    assert "Expected length" not in text
    assert "refresh" not in card(old)


@pytest.mark.parametrize(
    ("snapshot", "typed_above", "asks"),
    [
        (WAITING, 300, "Input.Toggle"),
        (WAITING, 244, "Input.Toggle"),
        (WAITING, 243, "Input.Number"),
        (WAITING, 0, "Input.Number"),
        (EVERYTHING, 300, "Input.Number"),
    ],
)
def test_approving_asks_for_more_when_more_is_at_risk(
    snapshot: RequestSnapshot, typed_above: int, asks: str
) -> None:
    (dialog,) = reading.of_type(card(snapshot, typed_above=typed_above), "Action.ShowCard")
    asked = [each for each in reading.elements(dialog) if each.get("id") == "acknowledge"]
    assert [(each["type"], each["isRequired"]) for each in asked] == [(asks, True)]
    (approve,) = reading.of_type(dialog, "Action.Execute")
    assert approve["data"]["shown"] == WAITING.shown
    assert approve["data"]["digest"] == WAITING.digest


def test_list_is_filtered_and_paged_with_the_filter() -> None:
    view = View(Panel.PHONES, phone_filter=PhoneFilter(UNUSUAL, "lobby"), viewer=DECIDES)
    shown = card(EVERYTHING, view)
    filters = {
        each["id"]: each.get("value")
        for each in reading.of_type(shown, "Input.ChoiceSet", "Input.Text")
    }
    assert filters["filter"] == "unusual"
    assert filters["prefix"] == "lobby"
    (choices,) = reading.of_type(shown, "Input.ChoiceSet")
    assert [each["value"] for each in choices["choices"]] == ["all", "unusual", "NOAM", "EMEA"]
    pages = [
        each
        for each in reading.of_type(shown, "Action.Execute")
        if each["verb"] == Verb.PAGE and each["data"]["panel"] == "phones"
    ]
    by_title = {each["title"]: each for each in pages}
    assert by_title["Next"]["data"] | {"version": 0} == {
        "request": WAITING.id,
        "version": 0,
        "panel": "phones",
        "page": 2,
        "filter": "unusual",
        "prefix": "lobby",
    }
    assert by_title["Filter"]["associatedInputs"] == "auto"
    assert "filter" not in by_title["Filter"]["data"]
    assert "! looks like a person's, failed its check" in reading.text(shown)


def test_empty_filter_shows_no_table() -> None:
    none = replace(WAITING, phones=Page([], 1, 10, 0))
    view = View(Panel.PHONES, phone_filter=PhoneFilter(prefix="nobody"), viewer=DECIDES)
    assert "None of 244 phones" in reading.text(card(none, view))


@pytest.mark.parametrize(
    ("viewer", "verbs", "sentence"),
    [
        (None, {Verb.APPROVE, Verb.REJECT}, "Someone other than Alex Wilber must decide."),
        (DECIDES, {Verb.APPROVE, Verb.REJECT}, "Someone other than Alex Wilber must decide."),
        (
            Viewer(decides=True, withdraws=True),
            {Verb.APPROVE, Verb.REJECT, Verb.WITHDRAW},
            "Someone other than",
        ),
        (Viewer(withdraws=True), {Verb.WITHDRAW}, "an approver other than you decides"),
        (Viewer(), set[Verb](), "Only approvers can approve or reject this."),
    ],
)
def test_buttons_are_those_of_the_viewer(
    viewer: Viewer | None, verbs: set[Verb], sentence: str
) -> None:
    shown = card(WAITING, View(viewer=viewer))
    found = set(map(Verb, reading.verbs(shown)))
    assert found - {Verb.PAGE, Verb.EXPORT, Verb.REFRESH} == verbs
    assert {Verb.PAGE, Verb.EXPORT} <= found
    assert sentence in reading.text(shown)


def test_stranger_sees_that_something_waits() -> None:
    shown = card(EVERYTHING, View(viewer=Viewer(sees=False)))
    assert set(reading.verbs(shown)) == {Verb.REFRESH}
    text = reading.text(shown)
    assert "Only its requester, approvers, and auditors can see it." in text
    assert "Alex" not in text
    assert "contoso" not in text
    assert EVERYTHING.roster.file_name not in text


def test_stranger_sees_no_decision_that_was_just_taken() -> None:
    decided = replace(EVERYTHING, state=RequestState.RUNNING, decided_by=snapshots.MEGAN)
    text = reading.text(card(decided, View(viewer=Viewer(sees=False))))
    assert "Only its requester, approvers, and auditors can see it." in text
    assert "Megan" not in text


def test_requester_is_asked_for_a_version_of_their_own() -> None:
    refresh = card(WAITING)["refresh"]
    assert refresh["userIds"] == [snapshots.ALEX_IN_CHAT]
    assert refresh["action"]["verb"] == Verb.REFRESH
    assert "refresh" not in card(snapshots.snapshot(RequestState.RUNNING))


def test_click_on_outdated_card_is_told_what_changed() -> None:
    for aspect in Aspect:
        text = reading.text(card(WAITING, View(changed=[aspect], viewer=DECIDES)))
        assert "Nothing was approved. Since the card that you clicked was made:" in text
        assert Words()(f"approval-changed-{aspect.value}") in text


@pytest.mark.parametrize("panel", [Panel.NONE, Panel.PHONES])
def test_card_of_20000_rows_with_everything_unusual_fits(panel: Panel) -> None:
    longest = [UPN.format(number) for number in range(10)]
    checks, evidence = EVERYTHING.roster.account_checks, EVERYTHING.evidence
    assert checks is not None
    assert evidence.compared is not None
    compared = replace(evidence.compared, added=19_999, examples=longest[:3])
    large = replace(
        EVERYTHING,
        reason="why " * 75,
        ticket="CHG" * 20,
        roster=replace(
            EVERYTHING.roster,
            total=20_000,
            ready=20_000,
            accounts=20_000,
            account_checks=replace(checks, included=20_000, included_accounts=longest),
        ),
        evidence=replace(
            evidence, reset_accounts=20_000, reset_examples=longest[:3], compared=compared
        ),
        overlaps=[replace(EVERYTHING.overlaps[0], examples=longest[:3])] * 40,
        phones=Page(
            [
                replace(phone, username=name)
                for phone, name in zip(EVERYTHING.phones.items, longest, strict=True)
            ],
            1000,
            10,
            20_000,
        ),
    )
    for viewer in (None, Viewer(decides=True, withdraws=True)):
        view = View(panel, 1000, phone_filter=PhoneFilter(UNUSUAL, "l" * 64), viewer=viewer)
        reading.assert_valid(card(large, replace(view, changed=list(Aspect))))


@pytest.mark.parametrize(
    ("standing", "promised", "button"),
    [
        (None, True, "Approve and reset 243 passwords"),
        (Standing((), [Wanted(("soc",), 1)]), True, "Approve and reset 243 passwords"),
        (Standing((), [Wanted(("netops",), 2)]), False, "Give my approval"),
        (Standing((), (), snapshots.NOON), False, "Approve and reset 243 passwords"),
        (Standing((), (), never_opens=True), False, "Approve and reset 243 passwords"),
    ],
)
def test_card_promises_a_start_only_where_the_click_brings_it(
    standing: Standing | None, promised: bool, button: str
) -> None:
    shown = card(WAITING, standing=standing)
    assert ("The sign-in starts once you approve." in reading.text(shown)) is promised
    assert button in [each["title"] for each in reading.of_type(shown, "Action.Execute")]


def test_set_start_that_a_window_refuses_is_not_said_to_be_approvable_later() -> None:
    closed = Standing((), [Wanted(("netops",), 2)], snapshots.NOON)
    text = reading.text(card(snapshots.with_start(RequestState.WAITING), standing=closed))
    assert "The policy does not allow the start of this request any more" in text
    assert "if approved" not in text
    assert "The policy lets this request start from" not in text
    assert "The sign-in starts with the last approval" not in text


def test_approver_can_read_all_that_the_requester_was_told_of_the_rows() -> None:
    assert WAITING.roster.issues.total
    assert not WAITING.overlaps
    shown = card(WAITING)
    assert "With warnings 1 row" in reading.text(shown)
    titles = [each["title"] for each in reading.of_type(shown, "Action.Execute")]
    assert "Export issues as CSV" in titles


def test_ticket_stays_on_the_card_of_the_decision() -> None:
    running = replace(snapshots.snapshot(RequestState.RUNNING), ticket="CHG0042")
    assert "Ticket: CHG0042" in reading.text(card(running))
