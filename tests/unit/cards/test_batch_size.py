"""How many phones a batch holds: chosen when approval is requested, shown to the approver."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.signin.batch import smaller_size
from bot.signin.outcome import CAUSES
from bot.signin.request import RequestState
from bot.signin.snapshot import CauseGroup, RequestSnapshot
from bot.words import Words
from cards.render import render
from cards.types import CardKind, View
from tests.support import reading, snapshots


def card(kind: CardKind, snapshot: RequestSnapshot) -> reading.Element:
    return render(kind, snapshot, View(), Words(), tenant_id=snapshots.TENANT).card


def draft(batch_size: int) -> RequestSnapshot:
    return replace(snapshots.snapshot(RequestState.DRAFT), batch_size=batch_size)


def options(shown: reading.Element) -> reading.Element:
    """The section that the button Batch size opens and closes."""
    (toggle,) = [
        each
        for each in reading.of_type(shown, "Action.ToggleVisibility")
        if each["title"] == "Batch size"
    ]
    assert toggle["title"] == "Batch size"
    (section,) = (each for each in reading.elements(shown) if each.get("id") == "options")
    assert toggle["targetElements"] == ["options"]
    return section


def test_batch_size_is_an_option_that_is_hidden_until_asked_for() -> None:
    section = options(card(CardKind.VALIDATION, draft(100)))
    assert section["isVisible"] is False
    (field,) = reading.of_type(section, "Input.Number")
    assert (field["id"], field["value"], field["min"], field["max"]) == ("batch_size", 100, 1, 100)
    assert not field.get("isRequired")


def test_batch_size_is_open_when_the_draft_proposes_a_smaller_one() -> None:
    section = options(card(CardKind.VALIDATION, draft(20)))
    assert section.get("isVisible", True) is True
    (field,) = reading.of_type(section, "Input.Number")
    assert field["value"] == 20


@pytest.mark.parametrize("batch_size", [100, 20])
def test_approval_card_shows_the_batch_size(batch_size: int) -> None:
    snapshot = replace(snapshots.snapshot(RequestState.WAITING), batch_size=batch_size)
    text = reading.text(card(CardKind.APPROVAL, snapshot))
    assert f"Phones per batch, at most {batch_size}" in text


def test_results_card_says_which_size_a_retry_proposes_after_throttling() -> None:
    group = CauseGroup(CAUSES["ad-throttling"], 3, "", ("a@contoso.com",))
    finished = replace(snapshots.snapshot(RequestState.FINISHED), causes=[group])
    text = reading.text(card(CardKind.RESULTS, finished))
    assert "The retry proposes batches of 20 phones." in text
    text = reading.text(card(CardKind.RESULTS, replace(finished, batch_size=2)))
    assert "The retry proposes batches of 1 phone." in text


@pytest.mark.parametrize(
    ("size", "proposed"), [(100, 20), (21, 20), (20, 10), (3, 1), (2, 1), (1, 1)]
)
def test_smaller_size_is_twenty_first_and_then_half(size: int, proposed: int) -> None:
    assert smaller_size(size) == proposed
