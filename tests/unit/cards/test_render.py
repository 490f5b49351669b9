"""Every card kind in every request state: content, buttons and size."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from itertools import product

import pytest

from bot.phones import roster
from bot.phones.issue import Notice
from bot.phones.roster import Roster
from bot.signin.batch import BatchState
from bot.signin.request import Person, RequestState
from bot.signin.snapshot import RequestSnapshot, Tally
from bot.words import Words
from cards.elements import progress_bar
from cards.render import render
from cards.types import CardKind, Panel, RenderedCard, Verb, View
from tests.support import reading, snapshots

VALIDATION, APPROVAL, PROGRESS = CardKind.VALIDATION, CardKind.APPROVAL, CardKind.PROGRESS
RESULTS, RECONCILIATION = CardKind.RESULTS, CardKind.RECONCILIATION
DRAFT, WAITING, RUNNING = RequestState.DRAFT, RequestState.WAITING, RequestState.RUNNING
FINISHED, CANCELLED = RequestState.FINISHED, RequestState.CANCELLED
REJECTED, EXPIRED = RequestState.REJECTED, RequestState.EXPIRED
WITHDRAWN = RequestState.WITHDRAWN

# Verbs that change something, by card kind and state; all other combinations have none
CHANGING_VERBS = {
    (VALIDATION, DRAFT): {Verb.REQUEST_APPROVAL, Verb.WITHDRAW},
    (VALIDATION, WAITING): {Verb.NUDGE, Verb.WITHDRAW},
    (APPROVAL, WAITING): {Verb.APPROVE, Verb.REJECT},
    (PROGRESS, RUNNING): {Verb.CANCEL},
    (RESULTS, FINISHED): {Verb.RETRY_FAILED},
    (RESULTS, CANCELLED): {Verb.RETRY_FAILED},
}
READ_ONLY_VERBS = {Verb.PAGE, Verb.EXPORT, Verb.REFRESH}
KINDS_AND_STATES = list(product(CardKind, RequestState))
OF_MEND = (CardKind.MEND, CardKind.MEND_APPROVAL)  # in test_mend.py
OF_REQUEST = [kind for kind in CardKind if kind not in OF_MEND]
NEVER_RAN_STATES = {REJECTED, EXPIRED, WITHDRAWN}


@cache
def example(state: RequestState) -> RequestSnapshot:
    return snapshots.snapshot(state)


def render_card(
    kind: CardKind,
    snapshot: RequestSnapshot,
    panel: Panel = Panel.NONE,
    page: int = 1,
    batch_id: int = 2,
) -> RenderedCard:
    view = View(panel, page, batch_id)
    return render(kind, snapshot, view, Words(), tenant_id=snapshots.TENANT)


def card_text(kind: CardKind, snapshot: RequestSnapshot, panel: Panel = Panel.NONE) -> str:
    return reading.text(render_card(kind, snapshot, panel).card)


@pytest.mark.parametrize(("kind", "state"), KINDS_AND_STATES)
def test_render_supports_every_kind_in_every_state(kind: CardKind, state: RequestState) -> None:
    for panel in Panel:
        rendered = render_card(kind, example(state), panel)
        reading.assert_valid(rendered.card)
        assert f"Request {example(state).id}." in rendered.summary
        assert rendered.card["fallbackText"] == rendered.summary


@pytest.mark.parametrize(("kind", "state"), KINDS_AND_STATES)
def test_card_has_only_buttons_that_are_allowed(kind: CardKind, state: RequestState) -> None:
    for panel in Panel:
        verbs = {
            Verb(verb) for verb in reading.verbs(render_card(kind, example(state), panel).card)
        }
        assert verbs - READ_ONLY_VERBS == CHANGING_VERBS.get((kind, state), set())
        if state in NEVER_RAN_STATES:
            assert not verbs


@pytest.mark.parametrize(("kind", "state"), KINDS_AND_STATES)
def test_buttons_carry_the_request_and_its_version(kind: CardKind, state: RequestState) -> None:
    for action in reading.of_type(render_card(kind, example(state)).card, "Action.Execute"):
        assert action["data"]["request"] == "K7QF2M9X"
        assert action["data"]["version"] == 3


@pytest.mark.parametrize("kind", OF_REQUEST)
def test_every_card_shows_the_decision_after_a_rejection(kind: CardKind) -> None:
    rejected = card_text(kind, example(REJECTED))
    assert "Megan Bowen rejected" in rejected
    assert "2026-11-23T12:21:00Z" in rejected
    assert "Wait until the reception has closed" in rejected


def test_approval_shows_the_decision_once_approved() -> None:
    for state in (RUNNING, FINISHED, CANCELLED):
        text = card_text(APPROVAL, example(state))
        assert "Megan Bowen approved the sign-in of 244 phones." in text
        assert "2026-11-23T12:21:00Z" in text
        assert "Go ahead, the lobby is empty" in text
        assert not reading.of_type(render_card(APPROVAL, example(state)).card, "Input.Text")


@pytest.mark.parametrize("kind", OF_REQUEST)
@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        (EXPIRED, "Expired without a decision. Nothing was changed."),
        (WITHDRAWN, "Withdrawn. Nothing was changed."),
    ],
)
def test_every_card_says_when_nothing_was_changed(
    kind: CardKind, state: RequestState, sentence: str
) -> None:
    assert sentence in card_text(kind, example(state))


# Validation


def test_validation_starts_with_the_headline() -> None:
    card = render_card(VALIDATION, example(DRAFT)).card
    header = card["body"][0]
    assert [block["text"] for block in header["items"] if block["type"] == "TextBlock"] == [
        "244 of 259 rows are ready.",
        "15 rows are not ready and will not be sent.",
    ]


def test_issue_shows_row_problem_and_fix() -> None:
    text = card_text(VALIDATION, example(DRAFT))
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


def test_validation_pages_issues() -> None:
    second = snapshots.snapshot(DRAFT, page=2, issues=True)
    card = render_card(VALIDATION, second, Panel.ISSUES, 2).card
    assert "11 to 17 of 17" in reading.text(card)
    pages = [a["data"] for a in reading.of_type(card, "Action.Execute") if a["verb"] == Verb.PAGE]
    assert [(page["panel"], page["page"]) for page in pages] == [("issues", 1)]


def test_validation_requires_acknowledging_rows_left_out() -> None:
    (toggle,) = reading.of_type(render_card(VALIDATION, example(DRAFT)).card, "Input.Toggle")
    assert toggle["id"] == "acknowledge"
    assert toggle["isRequired"]
    assert toggle["title"] == "Leave out the 15 rows that are not ready"


def read_csv(rows: str) -> Roster:
    return roster.read(f"Username,HardwareId,Region\n{rows}".encode(), "phones.csv")


def test_validation_requires_only_a_reason_without_errors() -> None:
    file = read_csv("lobby@contoso.com,80-5E-C0-12-34-56,EMEA\n")
    card = render_card(VALIDATION, snapshots.snapshot(DRAFT, file)).card
    inputs = reading.of_type(card, "Input.Text", "Input.Toggle", "Input.ChoiceSet")
    assert [field["id"] for field in inputs if field.get("isRequired")] == ["reason"]
    assert "The only row in this file is ready." in reading.text(card)


def test_validation_requires_a_region_when_the_file_has_none() -> None:
    file = read_csv("lobby@contoso.com,80-5E-C0-12-34-56\nfax@contoso.com,80-5E-C0-12-34-57\n")
    card = render_card(VALIDATION, snapshots.snapshot(DRAFT, file, regions_known=False)).card
    (choice,) = reading.of_type(card, "Input.ChoiceSet")
    assert (choice["id"], choice["isRequired"]) == ("region", True)
    assert [option["value"] for option in choice["choices"]] == ["NOAM", "EMEA", "APAC"]
    assert choice["label"] == "Region for the 2 rows without one"
    assert "All 2 rows are ready." in reading.text(card)


def test_validation_has_no_form_when_no_row_is_ready() -> None:
    card = render_card(VALIDATION, snapshots.snapshot(DRAFT, read_csv("lobby,1\n"))).card
    assert Verb.REQUEST_APPROVAL not in reading.verbs(card)
    assert not reading.of_type(card, "Input.Text", "Input.Toggle")
    assert "Fix the rows in your file, save it, and send it here again." in reading.text(card)


def test_validation_warns_about_password_resets() -> None:
    assert "resets the passwords of 243 accounts" in card_text(VALIDATION, example(DRAFT))


def test_validation_collapses_issues_after_the_draft() -> None:
    assert "Remove the space" not in card_text(VALIDATION, example(WAITING))
    assert "Remove the space" in card_text(VALIDATION, example(WAITING), Panel.ISSUES)


# Approval


def test_approval_starts_with_the_blast_radius() -> None:
    card = render_card(APPROVAL, example(WAITING)).card
    header = reading.text(card["body"][0])
    assert "Resets 243 passwords\n" in header
    assert "Signs in 244 phones. Anyone using the accounts is locked out." in header
    assert "This can't be undone." in header


def test_approval_shows_requester_reason_phones_and_expiry() -> None:
    text = card_text(APPROVAL, example(WAITING))
    for part in (
        "Requested by Alex Wilber",
        "UPN alex@contoso.com",
        f"Object ID {snapshots.ALEX.object_id}",
        "Expected length About 12 minutes once started",
        "Reason New lobby phones in Berlin and Boston, CHG0042",
        "File lobby-phones.csv",
        "EMEA 152 phones in 2 batches",
        "Left out 15 rows that are not ready",
        "Fingerprint 9f86d081884c",
        "Expires {{DATE(2026-11-24T12:04:00Z,SHORT)}} {{TIME(2026-11-24T12:04:00Z)}}",
        "First 5 of 244 phones",
        "Someone other than Alex Wilber must decide.",
    ):
        assert part in text


def test_approval_requires_the_check_box_only_to_approve() -> None:
    """A card's inputs are submitted, and required, by its own buttons and by those of nested cards."""
    card = render_card(APPROVAL, example(WAITING)).card
    outer = [
        field for field in reading.elements(card["body"]) if field["type"].startswith("Input.")
    ]
    assert [(field["id"], field.get("isRequired", False)) for field in outer] == [
        ("comment", False)
    ]
    reject = next(action for action in card["actions"] if action.get("verb") == Verb.REJECT)
    assert reject["associatedInputs"] == "auto"
    (dialog,) = reading.of_type(card, "Action.ShowCard")
    (box,) = reading.of_type(dialog["card"], "Input.Number")
    assert (box["id"], box["isRequired"]) == ("acknowledge", True)
    assert "type how many passwords this resets" in box["label"]
    (approve,) = reading.of_type(dialog["card"], "Action.Execute")
    assert (approve["verb"], approve["associatedInputs"]) == (Verb.APPROVE, "auto")


def test_approval_says_when_four_eyes_is_off() -> None:
    snapshot = replace(example(WAITING), four_eyes=False)
    assert "Self-approval is on: Alex Wilber can approve their own request." in card_text(
        APPROVAL, snapshot
    )


@pytest.mark.parametrize("as_approver", [True, False])
def test_approval_says_whose_permissions_are_used_when_they_are_the_approvers(
    as_approver: bool,
) -> None:
    card = render(
        APPROVAL,
        example(WAITING),
        View(),
        Words(),
        tenant_id=snapshots.TENANT,
        runs_as_approver=as_approver,
    ).card
    text = reading.text(card)
    assert "The sign-in starts once you approve" in text
    assert ("runs with your permissions" in text) is as_approver
    assert ("You need a role that can reset passwords." in text) is as_approver


def test_approval_says_that_only_the_file_was_checked() -> None:
    sentence = "Only the file was checked, not the accounts or the phones."
    assert sentence in card_text(APPROVAL, example(WAITING))


def test_approval_says_how_the_sign_in_ended() -> None:
    assert "230 of 244 phones signed in." in card_text(APPROVAL, example(FINISHED))
    assert "138 of 244 phones signed in." in card_text(APPROVAL, example(CANCELLED))
    assert "phones signed in." not in card_text(APPROVAL, example(RUNNING))


def test_approval_warns_of_the_button_that_resets_passwords() -> None:
    card = render_card(APPROVAL, example(WAITING)).card
    styles = {
        each["verb"]: each.get("style", "default")
        for each in reading.of_type(card, "Action.Execute")
    }
    assert styles[Verb.APPROVE] == "destructive"
    assert styles[Verb.REJECT] == "default"


def test_card_says_that_sent_phones_run_to_completion_only_while_canceling() -> None:
    sentence = "Phones already sent run to completion"
    canceling = replace(example(RUNNING), cancel_asked_at=snapshots.NOON)
    assert sentence in card_text(PROGRESS, canceling)
    assert sentence not in card_text(RESULTS, example(CANCELLED))


def test_approval_pages_all_phones() -> None:
    second = snapshots.snapshot(WAITING, page=2)
    text = card_text(APPROVAL, second, Panel.PHONES)
    assert "11 to 20 of 244" in text
    assert all(phone.username in text for phone in second.phones.items)


# Progress


def test_progress_shows_counts_regions_and_causes() -> None:
    text = card_text(PROGRESS, example(RUNNING))
    assert "98 of 244 phones are done." in text
    assert "✓ Signed in" in text
    assert "✕ Failed" in text
    assert "EMEA: 98 of 152 done, 5 failed" in text
    assert "2 batches: 1 running, 0 waiting, 1 ended." in text
    assert "2 phones: The phone is offline." in text
    assert "Check its power and network." in text


def test_progress_confirms_cancel_and_says_what_keeps_running() -> None:
    (dialog,) = reading.of_type(render_card(PROGRESS, example(RUNNING)).card, "Action.ShowCard")
    text = reading.text(dialog["card"])
    assert "48 phones have not been sent yet." in text
    assert "98 phones have been sent or may have been sent." in text
    (cancel,) = reading.of_type(dialog["card"], "Action.Execute")
    assert (cancel["verb"], cancel["title"]) == (Verb.CANCEL, "Cancel the 48 phones not sent yet")


def test_progress_cannot_be_canceled_when_every_phone_was_sent() -> None:
    regions = [
        replace(each, phones=replace(each.phones, pending=0), batches={BatchState.SUBMITTED: 1})
        for each in example(RUNNING).regions
    ]
    card = render_card(PROGRESS, replace(example(RUNNING), regions=regions)).card
    assert "there is nothing left to stop" in reading.text(card)
    assert Verb.CANCEL not in reading.verbs(card)


@pytest.mark.parametrize(
    ("state", "offered"),
    [
        (BatchState.INTENT, True),  # it may be put back, as while the SIP Gateway does not answer
        (BatchState.UNKNOWN, True),
        (BatchState.NEEDS_PERSON, True),
        (BatchState.SUBMITTED, False),
        (BatchState.DONE, False),
    ],
)
def test_progress_can_be_canceled_while_a_batch_may_turn_out_not_to_be_sent(
    state: BatchState, offered: bool
) -> None:
    regions = [
        replace(each, phones=replace(each.phones, pending=0), batches={state: 1})
        for each in example(RUNNING).regions
    ]
    card = render_card(PROGRESS, replace(example(RUNNING), regions=regions)).card
    assert (Verb.CANCEL in reading.verbs(card)) is offered
    assert ("It is not certain yet that every phone was sent" in reading.text(card)) is offered


@pytest.mark.parametrize("state", BatchState)
def test_progress_batch_counts_add_up_in_every_state(state: BatchState) -> None:
    region = replace(example(RUNNING).regions[0], batches={state: 3})
    text = card_text(PROGRESS, replace(example(RUNNING), regions=[region]))
    (counts,) = re.findall(r"^3 batches: .*", text, re.MULTILINE)
    assert sum(map(int, re.findall(r"\d+", counts.partition(":")[2]))) == 3


def test_progress_shows_everything_that_blocks_the_request() -> None:
    text = card_text(PROGRESS, snapshots.with_every_problem(example(RUNNING)))
    for part in (
        "Canceling.",
        "Alex Wilber canceled",
        'The SIP Gateway says: "Access Denied."',
        "The SIP Gateway has not responded since {{DATE(2026-11-23T12:33:00Z,SHORT)}}",
        "Offhook can't tell whether 1 batch ran.",
        "2 batches have stalled.",
        "batch 0e1b7f0a-5d3c-4a52-9a53-3f5f5e1d2c11: 12 phones unfinished",
    ):
        assert part in text


def test_progress_has_no_cancel_while_canceling() -> None:
    card = render_card(PROGRESS, snapshots.with_every_problem(example(RUNNING))).card
    assert Verb.CANCEL not in reading.verbs(card)


@pytest.mark.parametrize("panel", [Panel.PHONES, Panel.FAILED])
def test_progress_lists_phones_in_either_panel(panel: Panel) -> None:
    snapshot = snapshots.snapshot(RUNNING, only_failed=panel is Panel.FAILED)
    text = card_text(PROGRESS, snapshot, panel)
    assert all(phone.username in text for phone in snapshot.phones.items)
    assert "Back to overview" in text


def test_card_says_how_to_see_the_results_once_finished() -> None:
    for kind in (PROGRESS, VALIDATION):
        assert "send status K7QF2M9X to Offhook" in card_text(kind, example(FINISHED))


# Results


def test_results_show_totals_causes_fixes_and_urls() -> None:
    text = card_text(RESULTS, example(FINISHED))
    for part in (
        "230 of 244 phones are signed in.",
        "14 phones are not confirmed as signed in.",
        "Nothing more is sent. Before a retry, Offhook asks the SIP Gateway once more",
        "3 phones: The phone's provisioning URL has no tenant ID, or the wrong one.",
        "Set the provisioning URL with your tenant ID on the phone",
        "For one of them, the SIP Gateway saw the IP address 203.0.113.7. The export has the others.",
        f"http://emea.ipp.sdg.teams.microsoft.com/tenantid/{snapshots.TENANT}/$PSN.xml",
        "Retry the 14 phones not confirmed",
        "1 phone has no result and may be signed in. Retry first asks the SIP Gateway about it once",
        "8 phones need a fix first",
    ):
        assert part in text


def test_results_are_final_once_every_phone_has_a_result() -> None:
    text = card_text(RESULTS, finished_with(Tally(signed_in=3, failed=1)))
    assert "These numbers are final." in text


def finished_with(tally: Tally) -> RequestSnapshot:
    region = replace(example(FINISHED).regions[0], phones=tally)
    return replace(example(FINISHED), regions=[region], causes=())


def test_results_do_not_call_phones_without_a_result_not_signed_in() -> None:
    text = card_text(RESULTS, finished_with(Tally(failed=1, unconfirmed=2)))
    assert "No phone is confirmed as signed in." in text
    assert "2 phones have no result and may be signed in. Retry first asks the SIP Gateway" in text
    assert "not signed in" not in text


def test_results_call_failed_phones_not_signed_in() -> None:
    text = card_text(RESULTS, finished_with(Tally(failed=3)))
    assert "None of the 3 phones are signed in." in text
    assert "Retry the 3 phones not signed in" in text
    assert "confirmed" not in text


def test_results_show_unknown_errors_verbatim() -> None:
    text = card_text(RESULTS, example(FINISHED))
    assert r"Something new (0x80070005) \[see\](https://example.com)" in text


def test_results_have_no_retry_when_all_phones_are_signed_in() -> None:
    file = read_csv(
        "".join(f"l{at}@contoso.com,80-5E-C0-12-34-{at},EMEA\n" for at in range(10, 12))
    )
    snapshot = snapshots.snapshot(FINISHED, file)
    tally = replace(snapshot.regions[0].phones, signed_in=2, unconfirmed=0)
    region = replace(snapshot.regions[0], phones=tally)
    card = render_card(RESULTS, replace(snapshot, regions=[region], causes=())).card
    assert "All 2 phones are signed in." in reading.text(card)
    assert Verb.RETRY_FAILED not in reading.verbs(card)


def test_results_count_phones_not_sent_when_canceled() -> None:
    text = card_text(RESULTS, example(CANCELLED))
    assert "Canceled. 138 of 244 phones signed in." in text
    assert "97 phones: Not sent, because the request was canceled. Nothing was changed." in text


def test_results_are_not_final_while_running() -> None:
    text = card_text(RESULTS, example(RUNNING))
    assert "These numbers are not final." in text
    assert "These numbers are final." not in text


# Reconciliation


def test_reconciliation_offers_three_answers() -> None:
    snapshot = snapshots.with_every_problem(example(RUNNING))
    card = render_card(RECONCILIATION, snapshot).card
    answers = reading.of_type(card, "Action.Execute")
    assert [answer["data"]["answer"] for answer in answers] == ["check", "ran", "not_run"]
    assert {answer["data"]["batch"] for answer in answers} == {2}
    (field,) = reading.of_type(card, "Input.Text")
    assert (field["id"], field["isRequired"]) == ("batch_id", True)
    text = reading.text(card)
    assert "Did this batch of 42 phones in EMEA run?" in text
    assert "Rows 104 to 146 in the file" in text


def test_reconciliation_offers_to_go_on_or_stop_when_status_is_unreadable() -> None:
    unreadable = replace(asked().questions[0], remote_batch_id="AB-12", error="503 (17)")
    snapshot = replace(asked(), questions=[unreadable])
    card = render_card(RECONCILIATION, snapshot).card
    answers = reading.of_type(card, "Action.Execute")
    assert [answer["data"]["answer"] for answer in answers] == ["check", "give_up"]
    text = reading.text(card)
    assert "Go on checking this batch of 42 phones in EMEA?" in text
    assert "The reason: 503 (17)" in text
    assert "-Batchid AB-12" in text
    assert "Nothing is sent again either way." in text
    progress = card_text(PROGRESS, snapshot)
    assert "has tried for a day to read how 1 batch stands" in progress
    assert "can't tell whether" not in progress


def test_approval_of_retry_says_what_the_attempt_before_did() -> None:
    notices = [
        Notice("passwords", {"reset": 1, "maybe": 5, "not_reset": 2}),
        Notice("looked-up", {"phones": 9, "signed_in": 3, "failed": 1, "open": 5}),
    ]
    waiting = example(WAITING)
    retry = replace(waiting, roster=replace(waiting.roster, notices=notices))
    text = card_text(APPROVAL, retry)
    assert "1 surely reset, 5 maybe reset, 2 surely not reset." in text
    assert "3 signed in after all and left out of this retry, 1 failed, 5 still without" in text


def test_reconciliation_names_phones_to_check() -> None:
    text = card_text(RECONCILIATION, asked())
    first, second, third = asked().questions[0].examples
    assert f"Check some of these phones: {first}, {second}, {third}." in text
    assert "If none was, that proves nothing." in text
    unnamed = replace(asked().questions[0], examples=())
    text = card_text(RECONCILIATION, replace(asked(), questions=[unnamed]))
    assert "Check some of these phones" not in text


def asked() -> RequestSnapshot:
    """A running request that asks about a batch and is not being canceled."""
    return replace(example(RUNNING), questions=[snapshots.question()])


def test_reconciliation_warns_that_phones_are_sent_again() -> None:
    text = card_text(RECONCILIATION, asked())
    assert "42 phones will be sent again, which resets the passwords of their accounts." in text
    assert "It did not run: send it" in text


def test_reconciliation_says_that_nothing_is_sent_again_while_canceling() -> None:
    text = card_text(RECONCILIATION, replace(asked(), cancel_asked_at=snapshots.NOON))
    assert "being canceled, so these 42 phones are not sent again." in text
    assert "It did not run: leave it out" in text
    assert "will be sent again" not in text
    assert "send it" not in text
    assert "Sending it again" not in text


def test_reconciliation_is_read_only_once_answered() -> None:
    for snapshot, batch_id in ((example(RUNNING), 2), (asked(), 3)):
        card = render_card(RECONCILIATION, snapshot, batch_id=batch_id).card
        text = reading.text(card)
        assert "This question is settled. The request continues." in text
        assert "send status K7QF2M9X to Offhook" in text
        assert not reading.verbs(card)


def test_reconciliation_does_not_claim_an_outcome_while_checking_again() -> None:
    snapshot = replace(example(RUNNING), unsettled=[2])
    card = render_card(RECONCILIATION, snapshot).card
    text = reading.text(card)
    assert "Offhook is checking this batch again." in text
    assert "If that doesn't settle it, this card asks again." in text
    assert "outcome" not in text
    assert not reading.verbs(card)


def test_reconciliation_does_not_say_that_a_canceled_request_continues() -> None:
    snapshot = replace(example(RUNNING), cancel_asked_at=snapshots.NOON)
    text = card_text(RECONCILIATION, snapshot)
    assert "This question is settled. The request is being canceled." in text


# All kinds


def test_times_are_in_utc_for_the_client_to_localize() -> None:
    berlin = datetime.fromisoformat("2026-11-24T13:04:00.123+01:00")
    text = card_text(APPROVAL, replace(example(WAITING), expires_at=berlin))
    assert "{{DATE(2026-11-24T12:04:00Z,SHORT)}} {{TIME(2026-11-24T12:04:00Z)}}" in text
    assert datetime(2026, 11, 24, 12, 4, tzinfo=UTC) < berlin


def test_person_without_a_name_is_someone() -> None:
    nameless = replace(example(REJECTED), decided_by=Person("00000000", " "))
    assert "someone rejected this request." in card_text(APPROVAL, nameless)


def test_retry_names_the_original_request() -> None:
    retry = replace(example(DRAFT), retry_of="M2N8P4QR")
    assert "Retry of request M2N8P4QR." in card_text(VALIDATION, retry)


def test_notices_beyond_the_limit_are_counted() -> None:
    draft = example(DRAFT)
    notices = [Notice("header-missing")] * 8
    text = card_text(VALIDATION, replace(draft, roster=replace(draft.roster, notices=notices)))
    assert "And 2 more." in text


def test_progress_is_not_complete_before_the_last_phone() -> None:
    bar = progress_bar(239, 0, 0, 240).model_dump(exclude_none=True, by_alias=True)
    assert [column["width"] for column in bar["fallback"]["columns"]] == [99, 1]
