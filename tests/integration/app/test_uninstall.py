"""The bot is removed from a chat or a team: nothing is sent there, until an activity comes from there."""

from __future__ import annotations

from typing import Any

import pytest

from bot.simulator.client import Chat
from bot.simulator.connector import Posted
from bot.simulator.scenario import Person
from tests.support.running_bot import (
    ALEX,
    CHANNEL,
    CHAT,
    MEGAN,
    RunningBot,
    phones_csv,
    text_of,
)

BOT = {"id": "28:offhook", "name": "Offhook"}
THREAD = Chat(f"{CHANNEL.id};messageid=1", "channel")
REMOVALS: list[dict[str, Any]] = [
    {"type": "installationUpdate", "action": "remove"},
    {"type": "conversationUpdate", "membersRemoved": [{"id": "29:alex"}, BOT]},
    # Not everybody who removes an app is known by an object ID.
    {"type": "installationUpdate", "action": "remove", "from": {"id": "29:somebody"}},
]


async def remove(bot: RunningBot, chat: Chat = CHAT, by: Person = ALEX, **changes: Any) -> None:
    activity = bot.client.activity(by, chat, **(changes or REMOVALS[0]))
    assert (await bot.client.post(activity))[0] == 200


def in_chat(bot: RunningBot, chat: Chat) -> list[Posted]:
    messages = bot.teams.connector.messages
    return [each for each in messages if each.conversation_id.split(";")[0] == chat.id]


@pytest.mark.parametrize("removal", REMOVALS)
async def test_nothing_is_sent_or_updated_where_bot_was_removed(
    bot: RunningBot, removal: dict[str, Any]
) -> None:
    """The simulated connector, like some services, would still take it."""
    approval = await bot.submit_for_approval(phones_csv(1))
    await bot.wait_for_text("is waiting for approval", chat=CHAT)  # nothing is under way there
    before = [(len(each.versions), text_of(each)) for each in in_chat(bot, CHAT)]
    await remove(bot, **removal)
    await bot.approve(approval)
    await bot.wait_for_text("has finished", since=0)
    await bot.received(THREAD, by=MEGAN)
    after = [(len(each.versions), text_of(each)) for each in in_chat(bot, CHAT)]
    assert after == before


async def test_chat_is_written_to_again_after_an_activity_from_there(bot: RunningBot) -> None:
    await bot.received()
    await remove(bot)
    await bot.run_job(phones_csv(1))


async def test_removal_for_an_upgrade_is_ignored(bot: RunningBot) -> None:
    approval = await bot.submit_for_approval(phones_csv(1))
    await remove(bot, type="installationUpdate", action="remove-upgrade")
    await bot.approve(approval)
    await bot.wait_for_results()


async def test_removal_of_another_member_is_ignored(bot: RunningBot) -> None:
    approval = await bot.submit_for_approval(phones_csv(1))
    await remove(bot, type="conversationUpdate", membersRemoved=[{"id": "29:alex"}])
    await bot.approve(approval)
    await bot.wait_for_results()


async def test_repeated_removal_is_ignored_after_bot_came_back(bot: RunningBot) -> None:
    removal = bot.client.activity(ALEX, CHAT, **REMOVALS[0])
    for _ in range(2):
        await bot.client.post(removal)
    approval = await bot.submit_for_approval(phones_csv(1))
    await bot.client.post(removal)
    await bot.approve(approval)
    await bot.wait_for_results()


async def test_requester_is_told_when_approvers_cannot_be_reached(bot: RunningBot) -> None:
    """The team of the approvals channel removed the bot: the card can be approved nowhere else."""
    await bot.submit_for_approval(phones_csv(1))
    since = bot.now
    await remove(bot, CHANNEL, MEGAN)
    await bot.wait_for_text("could not deliver the card", chat=CHAT, since=since)
