"""The progress card of a request that waits for an approver to sign in."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from bot.signin.request import RequestState
from bot.simulator.client import texts, verbs
from bot.words import Words
from cards.render import render
from cards.types import CardKind, Verb, View
from tests.support import snapshots

SINCE = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


def progress(**changes: object) -> tuple[str, list[str], str]:
    """Returns the text, the verbs in order, and the summary of the progress card."""
    snapshot = replace(snapshots.snapshot(RequestState.RUNNING), **changes)  # pyright: ignore[reportArgumentType]
    rendered = render(CardKind.PROGRESS, snapshot, View(), Words(), tenant_id="t")
    return texts(rendered.card), verbs(rendered.card), rendered.summary


def test_progress_puts_sign_in_first_when_a_delegation_is_wanted() -> None:
    text, buttons, summary = progress(delegation_wanted_since=SINCE)
    assert "Waiting for an approver to sign in" in text
    assert "Waiting for an approver to sign in" in summary
    assert "No approver's permissions have been available since" in text
    assert buttons[0] == Verb.SIGN_IN
    assert Verb.CANCEL in buttons


def test_progress_keeps_sign_in_while_canceling() -> None:
    text, buttons, _ = progress(delegation_wanted_since=SINCE, cancel_asked_at=SINCE)
    assert "Canceling" in text
    assert Verb.SIGN_IN in buttons


def test_progress_has_no_sign_in_unless_a_delegation_is_wanted() -> None:
    text, buttons, _ = progress()
    assert "sign in" not in text.lower().replace("sign-in", "")
    assert Verb.SIGN_IN not in buttons
