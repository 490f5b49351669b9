"""What the endpoint makes of activities that were received before, and of those that remove the bot."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.teams.conftest import Post
from tests.support.teams import RecordingChat, activity, click

SERVICE = "http://127.0.0.1:9/connector"
BOT = {"id": "28:offhook"}


async def test_repeated_message_has_no_effect(post: Post, chat: RecordingChat) -> None:
    chat.repeats = True
    for changes in (
        {},
        {"type": "installationUpdate", "action": "add"},
        {"type": "invoke", "name": "fileConsent/invoke", "value": {"action": "decline"}},
        {"type": "invoke", "name": "signin/verifyState", "value": {"state": "123456"}},
        {"type": "invoke", "name": "signin/tokenExchange", "value": {"token": "x", "id": "1"}},
    ):
        assert (await post(activity(SERVICE, **changes))).status == 200
    assert [*chat.messages, *chat.installs, *chat.consents, *chat.proofs] == []


async def test_repeated_click_is_answered_without_effect(post: Post, chat: RecordingChat) -> None:
    chat.repeats = True
    response = await post(click(SERVICE))
    assert response.status == 200
    assert (await response.json())["value"] == "noted"
    assert len(chat.repeated) == 1
    assert not chat.actions


REMOVALS: list[dict[str, Any]] = [
    {"type": "installationUpdate", "action": "remove"},
    {"type": "conversationUpdate", "membersRemoved": [{"id": "29:alex"}, BOT]},
    {"type": "installationUpdate", "action": "remove", "from": {"id": ""}},
]


@pytest.mark.parametrize("removal", REMOVALS)
async def test_removal_is_passed_on(
    post: Post, chat: RecordingChat, removal: dict[str, Any]
) -> None:
    assert (await post(activity(SERVICE, **removal))).status == 200
    assert [each.conversation_id for each in chat.removals] == ["a:chat"]
    assert not chat.remembered


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "installationUpdate", "action": "remove-upgrade"},
        {"type": "installationUpdate", "action": "add"},
        {"type": "conversationUpdate", "membersRemoved": [{"id": "29:alex"}]},
        {"type": "conversationUpdate", "membersAdded": [BOT]},
        {"type": "message", "membersRemoved": [BOT], "action": "remove"},
    ],
)
async def test_other_activities_are_not_taken_for_a_removal(
    post: Post, chat: RecordingChat, changes: dict[str, Any]
) -> None:
    assert (await post(activity(SERVICE, **changes))).status == 200
    assert not chat.removals
    assert chat.remembered


async def test_team_is_part_of_the_reference_of_its_channels(
    post: Post, chat: RecordingChat
) -> None:
    await post(
        activity(
            SERVICE,
            conversation={"id": "19:c@thread.tacv2;messageid=1", "conversationType": "channel"},
            channelData={
                "channel": {"id": "19:c@thread.tacv2"},
                "team": {"id": "19:t@thread.tacv2"},
            },
        )
    )
    assert chat.remembered[0].team_id == "19:t@thread.tacv2"
    await post(
        activity(
            SERVICE,
            conversation={"id": "19:t@thread.tacv2"},
            channelData={"team": {"id": "19:t@thread.tacv2"}},
        )
    )
    assert chat.remembered[1].channel_id == "19:t@thread.tacv2"


async def test_failed_removal_is_not_reported_where_bot_is_gone(
    post: Post, chat: RecordingChat, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise RuntimeError("database is locked")

    monkeypatch.setattr(chat, "removed", fail)
    assert (await post(activity(SERVICE, **REMOVALS[0]))).status == 200
    assert not chat.faults
