"""Actions that no Offhook card sends: answered with one sentence or the newest card, without effect."""

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
    RunningBot,
    chat_of,
    has_button,
    phones_csv,
    request_id_of,
    text_of,
)

UNKNOWN = "I can't find this request. Send history to see the latest requests."
HUGE = "K" * 20_000
DEEP = reduce(lambda inner, _: {"request": inner}, range(60), cast(Any, "deep"))

INVALID_REQUEST_IDS: list[dict[str, Any]] = [
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


async def test_action_is_answered_with_sentence_without_valid_request_id(bot: RunningBot) -> None:
    without_request = {Verb.STAND_IN, Verb.STAND_IN_STOP}  # in test_stand_in.py
    for verb in sorted(set(Verb) - without_request):
        for data in INVALID_REQUEST_IDS:
            answer = await bot.send_action(MEGAN, verb.value, {**data, "acknowledge": "true"})
            assert (answer.status, answer.text) == (200, UNKNOWN), (verb, data)
    assert await bot.received() == []


FORGED_DATA: list[dict[str, Any]] = [
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


async def test_forged_action_data_grants_no_role(bot: RunningBot) -> None:
    """The requester does not become an approver by what their client sends."""
    approval = await bot.submit_for_approval(phones_csv(2))
    data = {"request": request_id_of(approval), "acknowledge": "true"}
    for more in FORGED_DATA:
        for verb in Verb:
            if verb not in (Verb.WITHDRAW, Verb.PAGE):
                await _assert_no_effect(bot, verb, {**data, **more}, approval)
    assert bot.gateway.configapi.submits == []
    answer = await bot.approve(approval)
    assert "Megan Bowen approved the sign-in of 2 phones." in texts(answer.card)
    await bot.wait_for_results()
    assert len(bot.gateway.configapi.submits) == 1


async def _assert_no_effect(
    bot: RunningBot, verb: Verb, data: dict[str, Any], approval: Posted
) -> None:
    answer = await bot.send_action(
        ALEX, verb.value, data, chat=chat_of(approval), activity_id=approval.activity_id
    )
    assert answer.status == 200
    _assert_plain_answer(answer)
    assert has_button(approval, "approve")


def _assert_plain_answer(answer: Answer) -> None:
    value = answer.body["value"]
    assert value
    assert "Traceback" not in str(value)
    assert "Something went wrong" not in str(value)


async def test_comment_is_truncated_when_too_long(bot: RunningBot) -> None:
    approval = await bot.submit_for_approval(phones_csv(2))
    inputs = {"comment": HUGE + "\x00\ud7ff", "acknowledge": "true"}
    answer = await bot.click(MEGAN, approval, "approve", inputs)
    assert f'Comment: "{"K" * 299}' in texts(answer.card)


@pytest.mark.parametrize("state", ["draft", "running", "finished", "rejected", "withdrawn"])
async def test_outdated_buttons_change_nothing_in_any_state(bot: RunningBot, state: str) -> None:
    """Each click is answered with the newest card or a sentence."""
    validation = await bot.submit_file(phones_csv(2))
    request = request_id_of(validation)
    if state == "withdrawn":
        await bot.click(ALEX, validation, "withdraw")
    elif state != "draft":
        approval = await bot.request_approval(validation)
        if state == "rejected":
            await bot.click(MEGAN, approval, "reject")
        else:
            await bot.approve(approval)
            await (bot.wait_for_results() if state == "finished" else bot.wait_for_button("cancel"))
    submits = len(bot.gateway.configapi.submits)
    data = {"request": request, "version": 1, "acknowledge": "true"}
    before = await bot.received()
    for verb in ("approve", "reject", "reconcile", "refresh", "page", "export"):
        _assert_plain_answer(await bot.send_action(MEGAN, verb, data, chat=Chat("a:megan")))
    if state != "draft":
        for verb in ("request_approval", "withdraw"):
            _assert_plain_answer(await bot.send_action(ALEX, verb, data))
    if state not in ("running", "finished"):
        for verb in ("cancel", "retry_failed"):
            _assert_plain_answer(await bot.send_action(ALEX, verb, data))
        assert len(bot.gateway.configapi.submits) == submits == 0
        assert await bot.received() == before
        since = bot.now
        await bot.say(f"status {request}")
        card = await bot.wait_for(
            lambda message: bool(message.card) and request in text_of(message), since=since
        )
        assert state.capitalize() in text_of(card) or state == "draft"
    if state in ("running", "finished"):
        await bot.wait_for_results()
        assert len(bot.gateway.configapi.submits) == 1


async def test_action_is_answered_with_sentence_when_verb_is_unknown(bot: RunningBot) -> None:
    validation = await bot.submit_file(phones_csv(1))
    answer = await bot.send_action(ALEX, "launch", {"request": request_id_of(validation)})
    assert answer.text.startswith("This button belongs to another version of the card.")


async def test_page_action_leaves_card_of_another_request_unchanged(bot: RunningBot) -> None:
    first = await bot.submit_file(phones_csv(30, "EMEA"))
    second = await bot.submit_file(phones_csv(30, "NOAM", start=30))
    text = text_of(first)
    data = {"request": request_id_of(second), "panel": "phones", "page": 2}
    answer = await bot.send_action(ALEX, "page", data, activity_id=first.activity_id)
    assert "NOAM" in str(answer.card)
    assert await bot.received() == [first, second]
    assert text_of(first) == text
    assert len(first.versions) == 1


async def test_action_is_refused_when_data_is_too_large(bot: RunningBot) -> None:
    answer = await bot.send_action(MEGAN, "approve", {"request": "K" * 70_000})
    assert answer.status == 413
    assert "more data than any Offhook card sends" in answer.body["error"]["message"]


async def test_page_action_shows_nearest_page_when_out_of_range(bot: RunningBot) -> None:
    """Clients send page numbers, so any value can arrive."""
    approval = await bot.submit_for_approval(phones_csv(23))
    for page, first in (
        (99, "lobby22@"),
        (0, "lobby0@"),
        (-3, "lobby0@"),
        ("2", "lobby10@"),
        (2.0, "lobby10@"),
        ("x", "lobby0@"),
    ):
        data = {"request": request_id_of(approval), "panel": "phones", "page": page}
        answer = await bot.send_action(
            MEGAN, "page", data, chat=CHANNEL, activity_id=approval.activity_id
        )
        assert first in texts(answer.card)
        assert "approve" in verbs(answer.card)
    assert has_button(approval, "approve")
