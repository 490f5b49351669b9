"""Which activities say that the bot was removed, and how received activities are told apart."""

from __future__ import annotations

import json

from bot.store import received_activities
from bot.store.conversations import ConversationKind, ConversationReference
from bot.teams import activities


def update(recipient: str, *removed: str) -> activities.Activity:
    return activities.read(
        json.dumps(
            {
                "type": "conversationUpdate",
                "serviceUrl": "https://smba.trafficmanager.net/teams/",
                "from": {"id": "29:somebody"},
                "recipient": {"id": recipient},
                "conversation": {"id": "19:channel"},
                "membersRemoved": [{"id": member} for member in removed],
            }
        ).encode()
    )


def test_removal_names_the_bot_itself() -> None:
    assert update("28:offhook", "28:offhook").removes_bot
    assert not update("28:offhook", "28:another-bot").removes_bot
    assert not update("", "").removes_bot


def test_receipts_differ_when_ids_contain_separators() -> None:
    def key(conversation_id: str, activity_id: str) -> str:
        reference = ConversationReference(
            "tenant", conversation_id, ConversationKind.PERSONAL, "https://x", "28:bot", "Bot"
        )
        return received_activities.key(reference, activity_id)

    assert key("a\nb", "c") != key("a", "b\nc")
    assert key("a", "b") == key("a", "b")
