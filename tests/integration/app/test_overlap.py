"""Overlap in chat: the cards show it, the reason explains it, and a new one stops Approve."""

from __future__ import annotations

import json

from sqlalchemy import create_engine, text

from bot.signin.policy.model import simple
from bot.simulator.client import button, texts
from tests.support.running_bot import (
    ALEX,
    MEGAN,
    RunningBot,
    chat_of,
    has_button,
    phones_csv,
    request_id_of,
    text_of,
)

YES = {"acknowledge": "true"}


def audited(bot: RunningBot, action: str) -> list[tuple[str, str, dict[str, str]]]:
    """Request, person and detail of each such event."""
    engine = create_engine(f"sqlite:///{bot.database}")
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT request_id, actor_id, detail FROM events WHERE action = :a ORDER BY id"),
            {"a": action},
        ).all()
    engine.dispose()
    return [(row[0], row[1], json.loads(row[2])) for row in rows]


async def test_new_overlap_stops_approve_until_the_requester_gives_a_reason(
    bot: RunningBot,
) -> None:
    first = await bot.submit_for_approval(phones_csv(2))
    first_id = request_id_of(first)
    assert "in another request" not in text_of(first)
    validation = await bot.submit_file(phones_csv(2))
    assert f"Request {first_id}, waiting for approval since" in text_of(validation)
    since = bot.now
    second = await bot.request_approval(validation)
    assert "Approving resets these passwords again." in text_of(second)
    await bot.approve(second)
    await bot.wait_for_results(since=since)

    stopped = await bot.click(MEGAN, first, "approve", YES)
    assert "Not approved: this was found after the reason below" in json.dumps(stopped.card)
    await bot.wait_for_text(f"Request {first_id} was not approved")
    assert len(bot.gateway.configapi.submits) == 1

    stale = button(first.card, "approve")["data"]
    own = await bot.wait_for(lambda message: "Give this reason" in json.dumps(message.card))
    assert request_id_of(own) == first_id
    since = bot.now
    await bot.click(ALEX, own, "request_approval", {"reason": "the batch of the morning failed"})
    again = await bot.wait_for(
        lambda message: (
            has_button(message, "approve") and "the batch of the morning failed" in text_of(message)
        ),
        since=since,
    )
    voided = await bot.send_action(
        MEGAN, "approve", {**stale, **YES}, chat=chat_of(first), activity_id=first.activity_id
    )
    assert "Nothing was approved. Since the card that you clicked was made:" in texts(voided.card)
    assert "The requester gave another reason or ticket." in texts(voided.card)
    assert "the batch of the morning failed" in json.dumps(voided.card)
    assert len(bot.gateway.configapi.submits) == 1
    since = bot.now
    await bot.approve(again)
    await bot.wait_for_results(since=since)
    assert len(bot.gateway.configapi.submits) == 2
    [(request_id, _, detail)] = audited(bot, "overlap explained")
    assert (request_id, detail["reason"]) == (first_id, "the batch of the morning failed")


async def test_denied_clicks_and_commands_are_audited(bot: RunningBot) -> None:
    approval = await bot.submit_for_approval(phones_csv(1))
    request_id = request_id_of(approval)
    await bot.click(ALEX, approval, "approve", YES)
    await bot.say(f"retry {request_id}", by=ALEX)
    await bot.wait_for_text("has not ended")
    policy = simple(["*"], ["*"], four_eyes=True).hash
    assert audited(bot, "denied") == [
        (
            request_id,
            ALEX.object_id,
            {"what": what, "reason": reason, "policy": policy},
        )
        for what, reason in (("approve", "own-request"), ("retry", "not-ended"))
    ]
