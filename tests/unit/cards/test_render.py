"""Every kind of card in every state of a request: it is true, it can be used, and it fits."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from itertools import product

import pytest

from bot.phones import roster
from bot.phones.roster import Roster
from bot.signin.request import Person, RequestState
from bot.signin.snapshot import RequestSnapshot
from bot.words import Words
from cards.render import render
from cards.types import CardKind, Panel, Rendered, Verb, View
from tests.support import reading, snapshots

VALIDATION, APPROVAL, PROGRESS = CardKind.VALIDATION, CardKind.APPROVAL, CardKind.PROGRESS
RESULTS, QUESTION = CardKind.RESULTS, CardKind.RECONCILIATION
DRAFT, WAITING, RUNNING = RequestState.DRAFT, RequestState.WAITING, RequestState.RUNNING
FINISHED, CANCELLED = RequestState.FINISHED, RequestState.CANCELLED
REJECTED, EXPIRED = RequestState.REJECTED, RequestState.EXPIRED
WITHDRAWN = RequestState.WITHDRAWN

# Which buttons there are: those that change something, by kind and state. None anywhere else.
DECISIVE = {
    (VALIDATION, DRAFT): {Verb.REQUEST_APPROVAL, Verb.WITHDRAW},
    (VALIDATION, WAITING): {Verb.WITHDRAW},
    (APPROVAL, WAITING): {Verb.APPROVE, Verb.REJECT},
    (PROGRESS, RUNNING): {Verb.CANCEL},
    (RESULTS, FINISHED): {Verb.RETRY_FAILED},
    (RESULTS, CANCELLED): {Verb.RETRY_FAILED},
}
HARMLESS = {Verb.PAGE, Verb.EXPORT, Verb.REFRESH}
EVERYWHERE = list(product(CardKind, RequestState))
NOTHING_RAN = {REJECTED, EXPIRED, WITHDRAWN}


@cache
def example(state: RequestState) -> RequestSnapshot:
    return snapshots.snapshot(state)


def show(
    kind: CardKind,
    snapshot: RequestSnapshot,
    panel: Panel = Panel.NONE,
    page: int = 1,
    batch: int = 2,
) -> Rendered:
    view = View(panel, page, batch)
    return render(kind, snapshot, view, Words(), home_tenant=snapshots.TENANT)


def said(kind: CardKind, snapshot: RequestSnapshot, panel: Panel = Panel.NONE) -> str:
    return reading.text(show(kind, snapshot, panel).card)


@pytest.mark.parametrize(("kind", "state"), EVERYWHERE)
def test_every_kind_renders_in_every_state(kind: CardKind, state: RequestState) -> None:
    for panel in Panel:
        rendered = show(kind, example(state), panel)
        reading.check(rendered.card)
        assert f"Request {example(state).id}." in rendered.summary
        assert rendered.card["fallbackText"] == rendered.summary


@pytest.mark.parametrize(("kind", "state"), EVERYWHERE)
def test_only_what_can_be_done_has_a_button(kind: CardKind, state: RequestState) -> None:
    for panel in Panel:
        verbs = {Verb(verb) for verb in reading.verbs(show(kind, example(state), panel).card)}
        assert verbs - HARMLESS == DECISIVE.get((kind, state), set())
        if state in NOTHING_RAN:
            assert not verbs


@pytest.mark.parametrize(("kind", "state"), EVERYWHERE)
def test_every_button_names_the_request_and_its_version(
    kind: CardKind, state: RequestState
) -> None:
    for action in reading.of_type(show(kind, example(state)).card, "Action.Execute"):
        assert action["data"]["request"] == "K7QF2M9X"
        assert action["data"]["version"] == 3


@pytest.mark.parametrize("kind", CardKind)
def test_who_decided_what_and_when_is_on_every_card_that_was_decided(kind: CardKind) -> None:
    rejected = said(kind, example(REJECTED))
    assert "Megan Bowen rejected" in rejected
    assert "2026-11-23T12:21:00Z" in rejected
    assert "Wait until the reception has closed" in rejected


def test_the_approval_card_tells_everybody_who_approved() -> None:
    for state in (RUNNING, FINISHED, CANCELLED):
        text = said(APPROVAL, example(state))
        assert "Megan Bowen approved the sign-in of 244 phones." in text
        assert "2026-11-23T12:21:00Z" in text
        assert "Go ahead, the lobby is empty" in text
        assert not reading.of_type(show(APPROVAL, example(state)).card, "Input.Text")


@pytest.mark.parametrize("kind", CardKind)
@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        (EXPIRED, "Expired without a decision. Nothing was changed."),
        (WITHDRAWN, "Withdrawn. Nothing was changed."),
    ],
)
def test_what_never_ran_says_so(kind: CardKind, state: RequestState, sentence: str) -> None:
    assert sentence in said(kind, example(state))


# Validation


def test_the_verdict_comes_first_and_in_words() -> None:
    card = show(VALIDATION, example(DRAFT)).card
    header = card["body"][0]
    assert [block["text"] for block in header["items"] if block["type"] == "TextBlock"] == [
        "244 of 259 rows are ready.",
        "15 rows have errors and will not be sent.",
    ]


def test_an_issue_names_its_row_what_is_wrong_and_what_to_do() -> None:
    text = said(VALIDATION, example(DRAFT))
    for part in (
        "14",
        "✕ Error",
        "Username",
        "lobby duesseldorf.11@contoso.com",
        "The username contains a space.",
        "Remove the space",
        "1 to 10 of 17",
    ):
        assert part in text


def test_issues_are_turned_page_by_page() -> None:
    second = snapshots.snapshot(DRAFT, page=2, issues=True)
    card = show(VALIDATION, second, Panel.ISSUES, 2).card
    assert "11 to 17 of 17" in reading.text(card)
    turns = [a["data"] for a in reading.of_type(card, "Action.Execute") if a["verb"] == Verb.PAGE]
    assert [(turn["panel"], turn["page"]) for turn in turns] == [("issues", 1)]


def test_leaving_rows_out_has_to_be_said() -> None:
    (toggle,) = reading.of_type(show(VALIDATION, example(DRAFT)).card, "Input.Toggle")
    assert toggle["id"] == "acknowledge"
    assert toggle["isRequired"]
    assert toggle["title"] == "Leave out the 15 rows with errors"


def csv(rows: str) -> Roster:
    return roster.read(f"Username,HardwareId,Region\n{rows}".encode(), "phones.csv")


def test_a_file_in_order_needs_nothing_but_a_reason() -> None:
    made = csv("lobby@contoso.com,80-5E-C0-12-34-56,EMEA\n")
    card = show(VALIDATION, snapshots.snapshot(DRAFT, made)).card
    inputs = reading.of_type(card, "Input.Text", "Input.Toggle", "Input.ChoiceSet")
    assert [(field["id"], field["isRequired"]) for field in inputs] == [("reason", True)]
    assert "The only row in this file is ready." in reading.text(card)


def test_the_region_is_asked_for_where_the_file_has_none() -> None:
    made = csv("lobby@contoso.com,80-5E-C0-12-34-56\nfax@contoso.com,80-5E-C0-12-34-57\n")
    card = show(VALIDATION, snapshots.snapshot(DRAFT, made, regions_known=False)).card
    (choice,) = reading.of_type(card, "Input.ChoiceSet")
    assert (choice["id"], choice["isRequired"]) == ("region", True)
    assert [option["value"] for option in choice["choices"]] == ["NOAM", "EMEA", "APAC"]
    assert choice["label"] == "Region for the 2 rows without one"
    assert "All 2 rows are ready." in reading.text(card)


def test_a_file_with_nothing_ready_cannot_be_asked_for() -> None:
    card = show(VALIDATION, snapshots.snapshot(DRAFT, csv("lobby,1\n"))).card
    assert Verb.REQUEST_APPROVAL not in reading.verbs(card)
    assert not reading.of_type(card, "Input.Text", "Input.Toggle")
    assert "Fix the rows in your file, save it, and send it here again." in reading.text(card)


def test_asking_says_that_passwords_are_reset() -> None:
    assert "resets the passwords of 243 accounts" in said(VALIDATION, example(DRAFT))


def test_once_asked_the_issues_make_room() -> None:
    assert "Remove the space" not in said(VALIDATION, example(WAITING))
    assert "Remove the space" in said(VALIDATION, example(WAITING), Panel.ISSUES)


# Approval


def test_the_approver_sees_the_blast_radius_before_anything_else() -> None:
    card = show(APPROVAL, example(WAITING)).card
    header = reading.text(card["body"][0])
    assert "Approve the sign-in of 244 phones?" in header
    assert "This resets the passwords of 243 accounts." in header
    assert "This can't be undone." in header


def test_the_approver_sees_who_why_what_and_until_when() -> None:
    text = said(APPROVAL, example(WAITING))
    for part in (
        "Requested by Alex Wilber",
        "Reason New lobby phones in Berlin and Boston, CHG0042",
        "File lobby-phones.csv",
        "EMEA 152 phones in 2 batches",
        "Left out 15 rows",
        "Fingerprint 9f86d081884c",
        "Expires {{DATE(2026-11-24T12:04:00Z,SHORT)}} {{TIME(2026-11-24T12:04:00Z)}}",
        "First 5 of 244 phones",
        "Someone other than Alex Wilber must decide.",
    ):
        assert part in text


def test_approving_wants_the_box_and_rejecting_does_not() -> None:
    """Inputs of a card are sent, and waited for, by its own buttons and by those of cards within."""
    card = show(APPROVAL, example(WAITING)).card
    outer = [
        field for field in reading.elements(card["body"]) if field["type"].startswith("Input.")
    ]
    assert [(field["id"], field.get("isRequired", False)) for field in outer] == [
        ("comment", False)
    ]
    reject = next(action for action in card["actions"] if action.get("verb") == Verb.REJECT)
    assert reject["associatedInputs"] == "auto"
    (shown,) = reading.of_type(card, "Action.ShowCard")
    (box,) = reading.of_type(shown["card"], "Input.Toggle")
    assert (box["id"], box["isRequired"]) == ("acknowledge", True)
    assert "resets the passwords of 243 accounts" in box["title"]
    (approve,) = reading.of_type(shown["card"], "Action.Execute")
    assert (approve["verb"], approve["associatedInputs"]) == (Verb.APPROVE, "auto")


def test_four_eyes_being_off_is_said() -> None:
    alone = replace(example(WAITING), four_eyes=False)
    assert "Four-eyes approval is off: Alex Wilber can approve their own request." in said(
        APPROVAL, alone
    )


def test_the_approver_can_look_at_every_phone() -> None:
    second = snapshots.snapshot(WAITING, page=2)
    text = said(APPROVAL, second, Panel.PHONES)
    assert "11 to 20 of 244" in text
    assert all(phone.username in text for phone in second.phones.items)


# Progress


def test_progress_is_told_in_words_and_figures() -> None:
    text = said(PROGRESS, example(RUNNING))
    assert "98 of 244 phones are done." in text
    assert "✓ Signed in" in text
    assert "✕ Failed" in text
    assert "EMEA: 98 of 152 done, 5 failed" in text
    assert "2 batches: 1 running, 0 waiting, 1 ended." in text
    assert "2 phones: The phone is offline." in text
    assert "Check its power and network." in text


def test_cancelling_is_asked_once_more_and_says_what_runs_on() -> None:
    (shown,) = reading.of_type(show(PROGRESS, example(RUNNING)).card, "Action.ShowCard")
    text = reading.text(shown["card"])
    assert "48 phones have not been sent yet." in text
    assert "98 phones are in progress and will run to completion" in text
    assert reading.verbs(shown["card"]) == [Verb.CANCEL]


def test_whatever_is_in_the_way_is_said() -> None:
    text = said(PROGRESS, snapshots.troubled(example(RUNNING)))
    for part in (
        "Canceling.",
        "Alex Wilber canceled",
        'The SIP Gateway says: "Access Denied."',
        "The SIP Gateway has not responded since {{DATE(2026-11-23T12:33:00Z,SHORT)}}",
        "Offhook can't tell whether 1 batch ran.",
        "2 batches seem stalled.",
        "batch 0e1b7f0a-5d3c-4a52-9a53-3f5f5e1d2c11: 12 phones unfinished",
    ):
        assert part in text


def test_a_cancelled_request_cannot_be_cancelled_again() -> None:
    card = show(PROGRESS, snapshots.troubled(example(RUNNING))).card
    assert Verb.CANCEL not in reading.verbs(card)


@pytest.mark.parametrize("panel", [Panel.PHONES, Panel.FAILED])
def test_phones_are_listed_page_by_page(panel: Panel) -> None:
    snapshot = snapshots.snapshot(RUNNING, only_failed=panel is Panel.FAILED)
    text = said(PROGRESS, snapshot, panel)
    assert all(phone.username in text for phone in snapshot.phones.items)
    assert "Back to overview" in text


def test_progress_of_what_ended_points_to_the_results() -> None:
    assert "See the results card further down" in said(PROGRESS, example(FINISHED))


# Results


def test_results_give_totals_causes_fixes_and_urls() -> None:
    text = said(RESULTS, example(FINISHED))
    for part in (
        "230 of 244 phones are signed in.",
        "14 phones are not signed in.",
        "These numbers are final.",
        "3 phones: The phone's provisioning URL has no tenant ID, or the wrong one.",
        "Set the provisioning URL with your tenant ID on the phone",
        "The SIP Gateway saw the IP address 203.0.113.7.",
        f"http://emea.ipp.sdg.teams.microsoft.com/tenantid/{snapshots.TENANT}/$PSN.xml",
        "Retry the 14 phones not signed in",
        "8 phones need a fix first",
    ):
        assert part in text


def test_an_error_that_is_not_in_the_catalogue_is_shown_as_it_came() -> None:
    text = said(RESULTS, example(FINISHED))
    assert r"Something new (0x80070005) \[see\](https://example.com)" in text


def test_nothing_is_offered_to_retry_where_all_are_signed_in() -> None:
    made = csv("".join(f"l{at}@contoso.com,80-5E-C0-12-34-{at},EMEA\n" for at in range(10, 12)))
    snapshot = snapshots.snapshot(FINISHED, made)
    tally = replace(snapshot.regions[0].phones, signed_in=2, unconfirmed=0)
    region = replace(snapshot.regions[0], phones=tally)
    card = show(RESULTS, replace(snapshot, regions=[region], causes=())).card
    assert "All 2 phones are signed in." in reading.text(card)
    assert Verb.RETRY_FAILED not in reading.verbs(card)


def test_a_cancelled_request_says_what_was_never_sent() -> None:
    text = said(RESULTS, example(CANCELLED))
    assert "Canceled. 138 of 244 phones signed in." in text
    assert "97 phones: Not sent, because the request was canceled. Nothing was changed." in text


def test_numbers_of_what_still_runs_are_not_called_final() -> None:
    text = said(RESULTS, example(RUNNING))
    assert "These numbers are not final." in text
    assert "These numbers are final." not in text


# Question


def test_the_question_has_three_answers() -> None:
    asked = snapshots.troubled(example(RUNNING))
    card = show(QUESTION, asked).card
    answers = reading.of_type(card, "Action.Execute")
    assert [answer["data"]["answer"] for answer in answers] == ["check", "ran", "not_run"]
    assert {answer["data"]["batch"] for answer in answers} == {2}
    (field,) = reading.of_type(card, "Input.Text")
    assert (field["id"], field["isRequired"]) == ("batch_id", True)
    text = reading.text(card)
    assert "Did this batch of 80 phones in EMEA run?" in text
    assert "Rows 104 to 196 in the file" in text
    assert "80 phones are sent again, which resets their passwords." in text


def test_an_answered_question_is_read_only() -> None:
    asked = snapshots.troubled(example(RUNNING))
    for snapshot, batch in ((example(RUNNING), 2), (asked, 3)):
        card = show(QUESTION, snapshot, batch=batch).card
        assert "This question has been answered." in reading.text(card)
        assert not reading.verbs(card)


# Everywhere


def test_times_are_left_to_the_readers_time_zone() -> None:
    berlin = datetime.fromisoformat("2026-11-24T13:04:00.123+01:00")
    text = said(APPROVAL, replace(example(WAITING), expires_at=berlin))
    assert "{{DATE(2026-11-24T12:04:00Z,SHORT)}} {{TIME(2026-11-24T12:04:00Z)}}" in text
    assert datetime(2026, 11, 24, 12, 4, tzinfo=UTC) < berlin


def test_a_person_without_a_name_is_somebody() -> None:
    nameless = replace(example(REJECTED), decided_by=Person("00000000", " "))
    assert "someone rejected this request." in said(APPROVAL, nameless)


def test_a_retry_says_what_it_retries() -> None:
    again = replace(example(DRAFT), retry_of="M2N8P4QR")
    assert "Retry of request M2N8P4QR." in said(VALIDATION, again)
