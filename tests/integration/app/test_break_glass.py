"""Break-glass: who approves their own request, what still stops them, and how it is reviewed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from bot.simulator.client import Chat, texts
from bot.simulator.connector import Posted
from bot.store.models.approvals import ReviewRow
from bot.store.models.audit import EventRow
from bot.store.models.requests import RequestRow
from tests.integration.app.conftest import MakeBot
from tests.integration.app.test_approver import LOGIN_REQUEST, click, sso, submitters
from tests.support.running_bot import (
    ADELE,
    ALEX,
    CHANNEL,
    CHAT,
    ISAIAH,
    MEGAN,
    Answer,
    RunningBot,
    has_button,
    phones_csv,
    request_id_of,
    text_of,
)

FORM = {"reason": "All lobby phones are down", "ticket": "INC0042", "passwords": 2}
MEGANS = Chat("a:megan")


def day_zone() -> str:
    """A time zone in which it is noon."""
    return f"Etc/GMT{datetime.now(UTC).hour - 12:+d}"


@pytest.fixture
async def bot(make_bot: MakeBot) -> RunningBot:
    return await make_bot(
        approvers=(MEGAN.object_id, ALEX.object_id),
        break_glass=(ALEX.object_id,),
        approvers_time_zone=day_zone(),
    )


async def waiting_card(bot: RunningBot) -> Posted:
    """The requester's own card of a waiting request."""
    validation = await bot.submit_file(phones_csv(2))
    await bot.request_approval(validation)
    return await bot.wait_for(lambda posted: posted is validation and has_button(posted, "nudge"))


async def break_glass(
    bot: RunningBot, card: Posted, form: Mapping[str, Any] | None = None
) -> Answer:
    return await bot.click(ALEX, card, "break_glass", {**FORM, **(form or {})})


async def events(bot: RunningBot) -> list[tuple[str, str, dict[str, Any]]]:
    columns = (EventRow.action, EventRow.actor_id, EventRow.detail)
    rows = await bot.sql(select(*columns).order_by(EventRow.id))
    return [(row[0], row[1], row[2]) for row in rows]


async def metric(bot: RunningBot) -> str:
    async with bot.session.get(f"{bot.url}/metrics") as response:
        lines = (await response.text()).splitlines()
    return next(line for line in lines if line.startswith("offhook_reviews "))


@pytest.mark.database_thread
async def test_requester_breaks_glass_and_all_are_told(bot: RunningBot) -> None:
    card = await waiting_card(bot)
    answers = await asyncio.gather(break_glass(bot, card), break_glass(bot, card))
    assert all(
        "approved their own request with break-glass" in texts(answer.card) for answer in answers
    )
    await bot.wait_for_results()
    assert len(bot.gateway.configapi.submits) == 1

    await bot.wait_for_button("review")  # the last of what is posted at once
    await bot.wait_for_text("Break-glass:", chat=CHAT)
    notices = [m for m in bot.teams.connector.messages if m.text.startswith("Break-glass:")]
    assert {notice.conversation_id.split(";")[0] for notice in notices} == {CHANNEL.id, CHAT.id}
    assert len(notices) == 2
    assert all("which resets 2 passwords" in notice.text for notice in notices)
    assert all("INC0042" in notice.text for notice in notices)

    found = await events(bot)
    (used,) = [detail for action, _, detail in found if action == "break-glass used"]
    assert (used["reason"], used["ticket"]) == (FORM["reason"], "INC0042")
    (approved,) = [detail for action, _, detail in found if action == "approved"]
    assert approved["break_glass"] is True


@pytest.mark.database_thread
async def test_another_approver_reviews_it(bot: RunningBot) -> None:
    card = await waiting_card(bot)
    await break_glass(bot, card)
    await bot.wait_for_results()
    review = await bot.wait_for_button("review")
    assert review.conversation_id.startswith(CHANNEL.id)
    assert await metric(bot) == "offhook_reviews 1.0"
    await bot.say("status", chat=MEGANS, by=MEGAN)
    await bot.wait_for_text("Break-glass, not reviewed", chat=MEGANS)

    seen = {"comment": "The outage is real"}
    assert "You used break-glass yourself" in (await bot.click(ALEX, review, "review", seen)).text
    assert "You can't approve" in (await bot.click(ADELE, review, "review", seen)).text
    assert "Say what you looked at." in (await bot.click(MEGAN, review, "review")).text
    assert await metric(bot) == "offhook_reviews 1.0"

    since = bot.now
    await bot.say(f"status {request_id_of(review)}", chat=MEGANS, by=MEGAN)
    await bot.wait_for(
        lambda m: m.conversation_id == MEGANS.id and has_button(m, "review"), since=since
    )
    clicks = [bot.click(MEGAN, review, "review", seen) for _ in range(2)]
    for answer in await asyncio.gather(*clicks):
        assert "Megan Bowen reviewed the break-glass on" in texts(answer.card)
        assert "The outage is real" in texts(answer.card)
    # The cards of everybody follow, although the request has ended.
    await bot.wait_for(lambda posted: posted is review and not has_button(posted, "review"))
    await bot.wait_for(
        lambda posted: posted is card and "reviewed the break-glass" in text_of(card)
    )
    found = [(action, actor) for action, actor, _ in await events(bot) if "reviewed" in action]
    assert found == [("break-glass reviewed", MEGAN.object_id)]


async def test_open_review_is_reminded_of_daily(bot: RunningBot) -> None:
    await break_glass(bot, await waiting_card(bot))
    await bot.wait_for_results()
    await bot.sql(update(ReviewRow).values(remind_at=datetime.now(UTC)))
    reminder = await bot.wait_for_text("still waits for a review by another approver")
    assert reminder.conversation_id.startswith(CHANNEL.id)
    ((again,),) = await bot.sql(select(ReviewRow.remind_at))
    assert again is not None
    assert again > datetime.now(UTC) + timedelta(hours=23)


async def test_form_has_to_be_complete_and_of_this_request(bot: RunningBot) -> None:
    card = await waiting_card(bot)
    for form, expected in (
        ({"reason": " "}, "Say why this can't wait"),
        ({"ticket": ""}, "Enter the number of the incident's ticket."),
        ({"ticket": ["INC1"]}, "Enter the number of the incident's ticket."),
        ({"passwords": 3}, "Enter how many passwords this resets: 2."),
        ({"passwords": "two"}, "Enter how many passwords this resets: 2."),
        ({"digest": "0" * 64}, "The rows don't match"),
    ):
        assert expected in (await break_glass(bot, card, form)).text, form
    answer = await break_glass(bot, card, {"digest": ""})
    assert "break_glass" in str(answer.card)
    assert bot.gateway.configapi.submits == []
    assert has_button(card, "break_glass")


async def test_nobody_else_breaks_glass(bot: RunningBot) -> None:
    card = await waiting_card(bot)
    data = {**FORM, "request": request_id_of(card), "version": 99}
    for person, expected in ((MEGAN, "Only the requester"), (ISAIAH, "I can't find this request")):
        answer = await bot.send_action(person, "break_glass", data, chat=MEGANS)
        assert expected in answer.text
    assert (
        "nothing to review"
        in (await bot.send_action(MEGAN, "review", {**data, "comment": "x"}, chat=MEGANS)).text
    )
    assert bot.gateway.configapi.submits == []


async def test_it_is_off_by_default(make_bot: MakeBot) -> None:
    bot = await make_bot()
    card = await waiting_card(bot)
    assert not has_button(card, "break_glass")
    data = {**FORM, "request": request_id_of(card), "version": 99}
    answer = await bot.send_action(ALEX, "break_glass", data)
    assert "You can't approve your own request, not even in an emergency." in answer.text
    assert bot.gateway.configapi.submits == []


async def test_it_runs_with_the_access_of_whoever_used_it(make_bot: MakeBot) -> None:
    bot = await make_bot(as_approver=True, break_glass=(ALEX.object_id,))
    card = await waiting_card(bot)
    answer = await click(bot, ALEX, card, "break_glass", FORM)
    assert answer.body["type"] == LOGIN_REQUEST
    assert bot.gateway.configapi.submits == []
    answer = await click(bot, ALEX, card, "break_glass", FORM, **sso(bot, ALEX))
    assert "approved their own request with break-glass" in texts(answer.card)
    await bot.wait_for_results()
    assert submitters(bot) == [ALEX.object_id]


async def test_access_is_not_kept_until_a_start_that_is_far_away(make_bot: MakeBot) -> None:
    bot = await make_bot(as_approver=True, break_glass=(ALEX.object_id,))
    validation = await bot.submit_file(phones_csv(2))
    day = datetime.now(UTC) + timedelta(days=2)
    await bot.request_approval(
        validation, run_at=f"{day:%Y-%m-%d}", run_at_time="12:00", run_at_zone="UTC"
    )
    card = await bot.wait_for(
        lambda posted: posted is validation and has_button(posted, "break_glass")
    )
    answer = await click(bot, ALEX, card, "break_glass", FORM, **sso(bot, ALEX))
    assert "approved their own request with break-glass" in texts(answer.card)
    assert await bot.sql(select(RequestRow.delegation_until)) == [(None,)]
