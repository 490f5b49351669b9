"""The mend's card in every state, and what a draft's card says about mending."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import product

import pytest

from bot.mending.mend import MAX_NAMED, OPEN_MEND_STATES, MendState
from bot.mending.plan import Mendable
from bot.mending.snapshot import MendOffer, MendSnapshot
from bot.signin.request import RequestState
from bot.words import Words
from cards.render import render
from cards.types import CardKind, RenderedCard, View
from tests.support import mend_snapshots, reading, snapshots

KINDS = (CardKind.MEND, CardKind.MEND_APPROVAL)
REQUEST = snapshots.snapshot(RequestState.DRAFT)
#: By state and whether the card is for approvers: the verbs of its buttons, besides those of pages.
VERBS = {
    (MendState.DRAFT, False): {"mend_request", "mend_withdraw"},
    (MendState.DRAFT, True): {"mend_request", "mend_withdraw"},
    (MendState.WAITING, False): {"mend_withdraw"},
    (MendState.WAITING, True): {"mend_approve", "mend_reject"},
    (MendState.RUNNING, True): {"mend_sign_in"},
    (MendState.FINISHED, True): {"mend_undo"},
    (MendState.UNDOING, True): {"mend_sign_in"},
}
HOSTILE = "**[x](http://evil.example)** <at>all</at> " + "ß" * 200


def card(
    kind: CardKind,
    mend: MendSnapshot | None = None,
    offer: MendOffer | None = None,
    state: RequestState = RequestState.DRAFT,
) -> RenderedCard:
    request = snapshots.snapshot(state)
    view = View(mend_id=7)
    return render(
        kind, request, view, Words(), tenant_id=snapshots.TENANT, of_mend=mend, offer=offer
    )


@pytest.mark.parametrize(("kind", "state"), [*product(KINDS, MendState)])
def test_mend_card_is_valid_and_has_the_buttons_of_its_state(
    kind: CardKind, state: MendState
) -> None:
    rendered = card(kind, mend_snapshots.snapshot(state)).card

    reading.assert_valid(rendered)
    expected = VERBS.get((state, kind is CardKind.MEND_APPROVAL), set())
    assert set(reading.verbs(rendered)) - {"page"} == expected
    for action in reading.of_type(rendered, "Action.Execute"):
        assert action["verb"] == "page" or action["data"]["mend"] == 7


@pytest.mark.parametrize(("kind", "state"), [*product(KINDS, MendState)])
def test_mend_card_stays_small_and_escapes_what_others_wrote(
    kind: CardKind, state: MendState
) -> None:
    rendered = card(kind, mend_snapshots.snapshot(state, text=HOSTILE)).card

    reading.assert_valid(rendered)
    assert "[x](" not in reading.text(rendered)
    assert not re.search(r"(?<!\\)<at>", reading.text(rendered))


def test_approval_card_says_what_is_replaced_for_whom_and_what_never_changes() -> None:
    shown = reading.text(
        card(CardKind.MEND_APPROVAL, mend_snapshots.snapshot(MendState.WAITING)).card
    )

    assert "lobby0@contoso.com: IP phone policy Global → Offhook SIP phones" in shown
    assert "Bulk sign-in is turned on for the whole tenant." in shown
    assert "Numbers, licenses, MFA and Conditional Access never are." in shown
    assert "Someone other than Alex Wilber must decide." in shown


def test_requester_is_offered_the_names_of_accounts_that_may_be_peoples() -> None:
    draft = replace(
        mend_snapshots.snapshot(MendState.DRAFT), guard_unknown=("lobby1@contoso.com",), nameable=3
    )
    rendered = card(CardKind.MEND, draft).card

    reading.assert_valid(rendered)
    [choices] = reading.of_type(rendered, "Input.ChoiceSet")
    assert choices["id"] == "include_unknown"
    assert [each["value"] for each in choices["choices"]] == ["lobby1@contoso.com"]
    assert "2 more are not listed" in reading.text(rendered)


@pytest.mark.parametrize("state", sorted(set(MendState) - {MendState.DRAFT}))
def test_mend_cards_say_first_which_accounts_may_be_peoples(state: MendState) -> None:
    names = tuple(f"{HOSTILE[:40]}{number}@contoso.com" for number in range(MAX_NAMED))
    mend = replace(mend_snapshots.snapshot(state), guard_unknown=names)
    for kind in KINDS:
        rendered = card(kind, mend).card
        reading.assert_valid(rendered)
        assert "are people's or administrators'" in reading.text(rendered)
        assert "[x](" not in reading.text(rendered)
        confirm = [
            each["id"]
            for each in reading.of_type(rendered, "Input.Toggle")
            if each["id"] == "confirm_unknown"
        ]
        wanted = state is MendState.WAITING and kind is CardKind.MEND_APPROVAL
        assert confirm == ["confirm_unknown"] * wanted


@pytest.mark.parametrize("found", [Mendable(nameable=2), Mendable(accounts=1, nameable=1)])
def test_draft_says_how_many_accounts_can_be_mended_by_name_only(found: Mendable) -> None:
    rendered = card(CardKind.VALIDATION, offer=MendOffer(found)).card

    reading.assert_valid(rendered)
    assert "mend" in reading.verbs(rendered)
    assert "You can include accounts by name" in reading.text(rendered)
    assert "turn on bulk sign-in" not in reading.text(rendered).casefold()


def test_mend_of_a_withdrawn_request_cannot_be_approved() -> None:
    waiting = mend_snapshots.snapshot(MendState.WAITING)
    rendered = card(CardKind.MEND_APPROVAL, waiting, state=RequestState.WITHDRAWN).card

    assert set(reading.verbs(rendered)) <= {"page"}
    assert "can't go on" in reading.text(rendered)


def test_mend_of_a_withdrawn_request_can_only_be_discarded_while_it_is_a_draft() -> None:
    draft = mend_snapshots.snapshot(MendState.DRAFT)
    rendered = card(CardKind.MEND, draft, state=RequestState.WITHDRAWN).card

    reading.assert_valid(rendered)
    assert set(reading.verbs(rendered)) - {"page"} == {"mend_withdraw"}


def test_mend_that_is_gone_says_so() -> None:
    assert "can't find this mend" in reading.text(card(CardKind.MEND).card)


def test_draft_offers_to_mend_what_can_be_mended() -> None:
    rendered = card(CardKind.VALIDATION, offer=mend_snapshots.offer()).card

    reading.assert_valid(rendered)
    assert "mend" in reading.verbs(rendered)
    assert "Offhook can mend 12 accounts" in reading.text(rendered)


@pytest.mark.parametrize("state", sorted({*OPEN_MEND_STATES, MendState.DRAFT}))
def test_draft_offers_no_second_mend_while_one_is_under_way(state: MendState) -> None:
    rendered = card(CardKind.VALIDATION, offer=mend_snapshots.offer(state)).card

    reading.assert_valid(rendered)
    assert "mend" not in reading.verbs(rendered)


def test_approval_card_begins_with_what_a_mend_changes_and_for_whom() -> None:
    mend = mend_snapshots.snapshot(MendState.WAITING)
    assert (
        "Changes policies of 12 accounts and turns on bulk sign-in for the whole tenant; "
        "1 account may be a person's or an administrator's"
    ) in reading.text(card(CardKind.MEND_APPROVAL, mend).card)
    of_requester = reading.text(card(CardKind.MEND, mend).card)
    assert "Mending 12 accounts is waiting for approval." in of_requester
