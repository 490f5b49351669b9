"""What pages and sentences say about Microsoft's service is what its documentation says."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest

from bot.signin.request import RequestState
from bot.words import Words
from cards import static
from cards.render import render
from cards.types import CardKind, View
from tests.support import reading, snapshots

ROOT = Path(__file__).parents[2]


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text("utf-8")


@pytest.mark.parametrize("text", ["-Identity Global", "Teams admin center or PowerShell"])
def test_no_sentence_says_what_has_no_source(text: str) -> None:
    """Neither is documented: that parameter of the cmdlet, and batch IDs in the admin center."""
    catalog = resources.files("bot.words").joinpath("en")
    for file in catalog.iterdir():
        assert text not in file.read_text(encoding="utf-8"), file.name


def test_pages_say_that_private_channels_are_closed_to_bots() -> None:
    assert "Private channels are closed to bots" in page("admins.md")
    assert "private channels are closed to bots" in page("getting-started.md")


def test_pasting_in_a_channel_needs_the_mention_wherever_it_is_offered() -> None:
    assert "a message that mentions the bot" in page("admins.md")
    assert "mention me here" in Words()("file-only-personal")
    assert "mention me in that message" in reading.text(static.help(Words()).card)


def test_validation_card_without_account_checks_says_that_ready_is_about_the_file_only() -> None:
    def card_text(state: RequestState) -> str:
        snapshot = snapshots.snapshot(state)
        view = View()
        card = render(CardKind.VALIDATION, snapshot, view, Words(), tenant_id=snapshots.TENANT).card
        return reading.text(card)

    sentence = "Ready means only that the row is written correctly."
    assert sentence in card_text(RequestState.DRAFT)
    assert sentence not in card_text(RequestState.WAITING)
    assert "only the file is checked" in page("admins.md")
    assert "Nobody can look up whether a phone is provisioned and online." in page("admins.md")


def test_pages_name_one_tenant_and_who_can_consent() -> None:
    assert "The app registration is single-tenant" in page("security.md")
    assert "an Application Administrator can't" in page("getting-started.md")


def test_comparison_has_microsofts_other_ways() -> None:
    for way in ("Zero Touch sign-in", "Provisioning in the admin center, with a code"):
        assert way in page("comparison.md")


def test_admins_page_lists_each_command_once() -> None:
    assert page("admins.md").count("| `checks` |") == 1
