"""Accounts that a requester includes in spite of their checks: the inputs keep what was chosen."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.signin.request import RequestState
from bot.words import Words
from cards.render import render
from cards.types import CardKind, View
from tests.support import reading, snapshots


@pytest.mark.parametrize(
    ("included", "by_name", "failed", "guarded"),
    [
        (0, (), "false", None),
        (1, ("lobby.02@contoso.com",), "false", "lobby.02@contoso.com"),
        (3, ("lobby.02@contoso.com",), "true", "lobby.02@contoso.com"),
        (2, (), "true", None),
    ],
)
def test_card_of_draft_shows_what_was_included_before(
    included: int, by_name: tuple[str, ...], failed: str, guarded: str | None
) -> None:
    draft = snapshots.with_account_checks(snapshots.snapshot(RequestState.DRAFT))
    assert draft.roster.account_checks is not None
    checks = replace(draft.roster.account_checks, included=included, included_accounts=by_name)
    draft = replace(draft, roster=replace(draft.roster, account_checks=checks))
    card = render(CardKind.VALIDATION, draft, View(), Words(), tenant_id=snapshots.TENANT).card

    reading.assert_valid(card)
    inputs = {
        each["id"]: each
        for kind in ("Input.Toggle", "Input.ChoiceSet")
        for each in reading.of_type(card, kind)
    }
    assert inputs["include_failed"]["value"] == failed
    names = inputs["include_guarded"]
    assert names.get("value") == guarded
    choices = [each["value"] for each in names["choices"]]
    assert choices == [*by_name, "lobby.01@contoso.com"]
