"""A password reset may sign out a phone: requester and approver are told before it happens."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.phones.issue import Notice, accounts_on_several
from bot.phones.roster import read
from bot.signin.request import RequestState
from bot.words import Words
from cards.render import render
from cards.types import CardKind, View
from tests.support import reading, snapshots

TWICE = read(
    b"Username,HardwareId,Region\na@contoso.com,80-5E-C0-00-00-01,EMEA\n"
    b"A@contoso.com,80-5E-C0-00-00-02,EMEA\nb@contoso.com,80-5E-C0-00-00-03,EMEA\n",
    "phones.csv",
)
CARDS = [
    (CardKind.VALIDATION, RequestState.DRAFT),
    (CardKind.APPROVAL, RequestState.WAITING),
]


def card_text(kind: CardKind, state: RequestState, *notices: Notice) -> str:
    snapshot = snapshots.snapshot(state, TWICE)
    if notices:
        roster = replace(snapshot.roster, notices=notices)
        snapshot = replace(snapshot, roster=roster)
    card = render(kind, snapshot, View(), Words(), tenant_id=snapshots.TENANT).card
    return reading.text(card)


@pytest.mark.parametrize(("kind", "state"), CARDS)
def test_card_warns_when_an_account_is_on_several_phones(
    kind: CardKind, state: RequestState
) -> None:
    text = card_text(kind, state)
    assert "One account is on 2 phones." in text
    assert "A password reset may sign out phones that already use the account." in text


@pytest.mark.parametrize(("kind", "state"), CARDS)
def test_card_warns_when_a_retry_takes_accounts_that_are_signed_in(
    kind: CardKind, state: RequestState
) -> None:
    text = card_text(kind, state, Notice("signed-in-elsewhere", {"accounts": 3}))
    assert "3 of these accounts are already signed in on another phone." in text
    assert "may sign out that phone." in text


def test_approval_card_names_the_accounts_on_several_phones() -> None:
    assert "On several phones: a@contoso.com." in card_text(*CARDS[1])


def test_approval_card_names_no_accounts_when_each_is_on_one_phone() -> None:
    once = read(b"Username,HardwareId\na@contoso.com,80-5E-C0-00-00-01\n", "phones.csv")
    snapshot = snapshots.snapshot(RequestState.WAITING, once)
    card = render(CardKind.APPROVAL, snapshot, View(), Words(), tenant_id=snapshots.TENANT).card
    assert "On several phones" not in reading.text(card)


def test_approval_card_has_no_other_notices() -> None:
    notices = (Notice("values-trimmed", {"count": 1}), Notice("header-missing"))
    text = card_text(CardKind.APPROVAL, RequestState.WAITING, *notices)
    assert "removed" not in text
    assert "sign out" not in text


def test_accounts_on_several_counts_each_account_once_whatever_its_case() -> None:
    (notice,) = accounts_on_several(["a@c.de", "A@C.de", "b@c.de", "c@c.de", "c@c.de", "c@c.de"])
    assert notice.arguments == {"accounts": 2, "phones": 5}
    assert list(accounts_on_several(["a@c.de", "b@c.de"])) == []
