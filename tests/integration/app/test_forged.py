"""Clicks that no card of ours sends: each gets one sentence or the newest card, and changes nothing."""

from __future__ import annotations

from functools import reduce
from typing import Any, cast

import pytest

from bot.simulator.client import Chat, texts, verbs
from bot.simulator.connector import Posted
from cards.types import Verb
from tests.support.running_bot import (
    ADELE,
    ALEX,
    CHANNEL,
    MEGAN,
    Answer,
    Office,
    chat_of,
    content,
    csv_of,
    offers,
    request_of,
)

UNKNOWN = "I can't find this request. Send history to see the latest requests."
HUGE = "K" * 20_000
DEEP = reduce(lambda inner, _: {"request": inner}, range(60), cast(Any, "deep"))

NO_REQUEST: list[dict[str, Any]] = [
    {},
    {"request": None},
    {"request": 7},
    {"request": True},
    {"request": ["K7QF2M9X"]},
    {"request": {"id": "K7QF2M9X"}},
    {"request": ""},
    {"request": "ZZZZZZZZ"},
    {"request": HUGE},
    {"request": "' OR 1=1 --"},
    {"request": "\u202eK7QF2M9X\x00"},
    DEEP,
]


async def test_data_that_names_no_request(office: Office) -> None:
    for verb in Verb:
        for data in NO_REQUEST:
            answer = await office.act(MEGAN, verb.value, {**data, "acknowledge": "true"})
            assert (answer.status, answer.text) == (200, UNKNOWN), (verb, data)
    assert await office.heard() == []


MADE_UP: list[dict[str, Any]] = [
    {"version": 999_999},
    {"version": -1},
    {"version": "two"},
    {"version": None},
    {"version": [1]},
    {"version": 1e308},
    {"approver": MEGAN.object_id, "from": {"aadObjectId": MEGAN.object_id}},
    {"aadObjectId": MEGAN.object_id, "tenant": "other", "requester": ADELE.object_id},
    {"comment": {"nested": [DEEP]}, "reason": 3, "region": ["EMEA"]},
    {"comment": HUGE, "reason": HUGE},
    {"page": "9" * 30, "panel": "<script>", "what": 0},
    {"batch": "1; DROP TABLE batches", "answer": ["not_run"], "batch_id": DEEP},
]


async def test_made_up_data_gives_nobody_more_than_they_have(office: Office) -> None:
    """Whoever asked does not become an approver by what their client says."""
    approval = await office.waiting(csv_of(2))
    data = {"request": request_of(approval), "acknowledge": "true"}
    for more in MADE_UP:
        for verb in Verb:
            if verb not in (Verb.WITHDRAW, Verb.PAGE):
                await _changes_nothing(office, verb, {**data, **more}, approval)
    assert office.gateway.configapi.submits == []
    answer = await office.approve(approval)
    assert "Megan Bowen approved the sign-in of 2 phones." in texts(answer.card)
    await office.results()
    assert len(office.gateway.configapi.submits) == 1


async def _changes_nothing(
    office: Office, verb: Verb, data: dict[str, Any], approval: Posted
) -> None:
    answer = await office.act(
        ALEX, verb.value, data, chat=chat_of(approval), activity_id=approval.activity_id
    )
    assert answer.status == 200
    _in_words(answer)
    assert offers(approval, "approve")


def _in_words(answer: Answer) -> None:
    said = answer.body["value"]
    assert said
    assert "Traceback" not in str(said)
    assert "Something went wrong" not in str(said)


async def test_what_was_typed_is_cut_to_what_a_card_holds(office: Office) -> None:
    approval = await office.waiting(csv_of(2))
    inputs = {"comment": HUGE + "\x00\ud7ff", "acknowledge": "true"}
    answer = await office.click(MEGAN, approval, "approve", inputs)
    assert f'Comment: "{"K" * 299}' in texts(answer.card)


@pytest.mark.parametrize("state", ["draft", "running", "finished", "rejected", "withdrawn"])
async def test_every_button_in_every_state(office: Office, state: str) -> None:
    """A button from a card as it was long ago: the newest card, or a sentence, and nothing changes."""
    validation = await office.hand_in(csv_of(2))
    request = request_of(validation)
    if state == "withdrawn":
        await office.click(ALEX, validation, "withdraw")
    elif state != "draft":
        approval = await office.ask(validation)
        if state == "rejected":
            await office.click(MEGAN, approval, "reject")
        else:
            await office.approve(approval)
            await (office.results() if state == "finished" else office.until_offers("cancel"))
    sent = len(office.gateway.configapi.submits)
    data = {"request": request, "version": 1, "acknowledge": "true"}
    before = await office.heard()
    for verb in ("approve", "reject", "reconcile", "refresh", "page", "export"):
        _in_words(await office.act(MEGAN, verb, data, chat=Chat("a:megan")))
    if state != "draft":
        for verb in ("request_approval", "withdraw"):
            _in_words(await office.act(ALEX, verb, data))
    if state not in ("running", "finished"):
        for verb in ("cancel", "retry_failed"):
            _in_words(await office.act(ALEX, verb, data))
        assert len(office.gateway.configapi.submits) == sent == 0
        assert await office.heard() == before
        since = office.now
        await office.say(f"status {request}")
        card = await office.until(
            lambda each: bool(each.card) and request in content(each), since=since
        )
        assert state.capitalize() in content(card) or state == "draft"
    if state in ("running", "finished"):
        await office.results()
        assert len(office.gateway.configapi.submits) == 1


async def test_a_button_of_a_newer_card(office: Office) -> None:
    validation = await office.hand_in(csv_of(1))
    answer = await office.act(ALEX, "launch", {"request": request_of(validation)})
    assert answer.text.startswith("This button belongs to another version of the card.")


async def test_a_button_on_the_card_of_another_request_turns_only_its_own(office: Office) -> None:
    first = await office.hand_in(csv_of(30, "EMEA"))
    second = await office.hand_in(csv_of(30, "NOAM", start=30))
    shown = content(first)
    data = {"request": request_of(second), "panel": "phones", "page": 2}
    answer = await office.act(ALEX, "page", data, activity_id=first.activity_id)
    assert "NOAM" in str(answer.card)
    assert await office.heard() == [first, second]
    assert content(first) == shown
    assert len(first.versions) == 1


async def test_data_too_large_to_be_ours(office: Office) -> None:
    answer = await office.act(MEGAN, "approve", {"request": "K" * 70_000})
    assert answer.status == 413
    assert "more data than any Offhook card sends" in answer.body["error"]["message"]


async def test_a_page_that_is_not_there(office: Office) -> None:
    """Pages are asked for by clients: the nearest one is shown."""
    approval = await office.waiting(csv_of(23))
    for page, first in (
        (99, "lobby22@"),
        (0, "lobby0@"),
        (-3, "lobby0@"),
        ("2", "lobby10@"),
        (2.0, "lobby10@"),
        ("x", "lobby0@"),
    ):
        data = {"request": request_of(approval), "panel": "phones", "page": page}
        answer = await office.act(
            MEGAN, "page", data, chat=CHANNEL, activity_id=approval.activity_id
        )
        assert first in texts(answer.card)
        assert "approve" in verbs(answer.card)
    assert offers(approval, "approve")
