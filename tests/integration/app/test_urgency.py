"""Requesters remind approvers, and what nobody decides is escalated."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from bot.simulator.client import Chat, texts
from bot.store.models.requests import RequestRow
from tests.integration.app.conftest import MakeBot
from tests.support.running_bot import (
    ALEX,
    CHANNEL,
    CHAT,
    ISAIAH,
    MEGAN,
    RunningBot,
    has_button,
    phones_csv,
    request_id_of,
    text_of,
)

ISAIAHS = Chat("a:isaiah")


@pytest.mark.database_thread
async def test_requester_reminds_approvers_once_an_hour(bot: RunningBot) -> None:
    validation = await bot.submit_file(phones_csv(2))
    await bot.request_approval(validation)
    waiting = await bot.wait_for(
        lambda posted: posted is validation and has_button(posted, "nudge")
    )

    answers = await asyncio.gather(*(bot.click(ALEX, waiting, "nudge") for _ in range(2)))
    sentences = [str(answer.body["value"]) for answer in answers]
    assert any("The requester reminded the approvers on" in sentence for sentence in sentences)
    notice = await bot.wait_for_text("Alex Wilber asks you to decide on request")
    assert notice.conversation_id.startswith(CHANNEL.id)
    answer = await bot.click(ALEX, waiting, "nudge")
    assert "less than an hour ago" in answer.text
    answer = await bot.send_action(MEGAN, "nudge", {"request": request_id_of(validation)})
    assert "Only the requester can do that." in answer.text
    await bot.say(f"nudge {request_id_of(validation)}")
    await bot.wait_for_text("less than an hour ago", chat=CHAT)

    await bot.sql(update(RequestRow).values(nudged_at=datetime.now(UTC) - timedelta(hours=1)))
    since = bot.now
    await bot.say(f"nudge {request_id_of(validation)}")
    await bot.wait_for_text("I reminded the approvers", chat=CHAT)
    await bot.wait_for_text("asks you to decide", since=since)
    nudges = [m for m in bot.teams.connector.messages if "asks you to decide" in m.text]
    assert len(nudges) == 2


async def test_nothing_is_nudged_after_the_decision(bot: RunningBot) -> None:
    validation = await bot.submit_file(phones_csv(2))
    approval = await bot.request_approval(validation)
    await bot.click(MEGAN, approval, "reject", {"comment": "No"})
    answer = await bot.send_action(ALEX, "nudge", {"request": request_id_of(validation)})
    assert "Rejected" in texts(answer.card)


async def test_people_of_the_escalation_approve_once_it_is_escalated(make_bot: MakeBot) -> None:
    bot = await make_bot(approvers=(MEGAN.object_id,), escalation=(ISAIAH.object_id,))
    approval = await bot.submit_for_approval(phones_csv(2))
    request_id = request_id_of(approval)
    assert "You can't approve" in (await bot.approve(approval, by=ISAIAH)).text
    other = await bot.request_approval(await bot.submit_file(phones_csv(1, start=50)))

    since = bot.now
    asked_at = datetime.now(UTC) - timedelta(hours=12)
    await bot.sql(update(RequestRow).where(RequestRow.id == request_id).values(asked_at=asked_at))
    notice = await bot.wait_for_text(f"Request {request_id} by Alex Wilber is escalated")
    assert notice.conversation_id.startswith(CHANNEL.id)
    await bot.wait_for(
        lambda posted: posted is approval and "Nobody decided in time" in text_of(posted),
        since=since,
    )
    # Only this one, of which they see all that approvers see.
    assert "You can't approve" in (await bot.approve(other, by=ISAIAH)).text
    await bot.say(f"status {request_id}", chat=ISAIAHS, by=ISAIAH)
    await bot.wait_for(lambda m: m.conversation_id == ISAIAHS.id and has_button(m, "approve"))
    answer = await bot.approve(approval, by=ISAIAH)
    assert "Isaiah Langer approved the sign-in of 2 phones." in texts(answer.card)
    await bot.wait_for_results()
    escalated = [m for m in bot.teams.connector.messages if "is escalated" in m.text]
    assert len(escalated) == 1
