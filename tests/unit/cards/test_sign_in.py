"""The progress card of a request that waits for somebody to sign in."""

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


def shown(**changes: object) -> tuple[str, list[str], str]:
    made = replace(snapshots.snapshot(RequestState.RUNNING), **changes)  # pyright: ignore[reportArgumentType]
    rendered = render(CardKind.PROGRESS, made, View(), Words(), home_tenant="t")
    return texts(rendered.card), verbs(rendered.card), rendered.summary


def test_it_says_so_first_and_offers_the_button() -> None:
    said, offered, summary = shown(delegation_wanted_since=SINCE)
    assert "Waiting for an approver to sign in" in said
    assert "Waiting for an approver to sign in" in summary
    assert "Nobody has been signed in" in said
    assert offered[0] == Verb.SIGN_IN
    assert Verb.CANCEL in offered


def test_a_request_being_cancelled_still_wants_one_for_what_was_sent() -> None:
    said, offered, _ = shown(delegation_wanted_since=SINCE, cancel_asked_at=SINCE)
    assert "Canceling" in said
    assert Verb.SIGN_IN in offered


def test_else_there_is_no_such_button() -> None:
    said, offered, _ = shown()
    assert "sign in" not in said.lower().replace("sign-in", "")
    assert Verb.SIGN_IN not in offered
