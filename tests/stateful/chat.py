"""A chat that keeps what people see."""

from __future__ import annotations

from dataclasses import dataclass, field

from bot.runner.messages import ChatUnavailableError, Message, Sent
from bot.store.conversations import ConversationReference
from tests.support.jobs import CHAT


@dataclass(eq=False)
class Chatroom:
    """A Messenger that keeps what people see."""

    up: bool = True
    sent: dict[str, Message] = field(default_factory=dict[str, Message])

    async def send(self, conversation: ConversationReference, message: Message) -> Sent:
        if not self.up:
            raise ChatUnavailableError("down")
        activity_id = str(len(self.sent) + 1)
        self.sent[activity_id] = message
        return Sent(conversation.conversation_id, activity_id)

    async def update(
        self, conversation: ConversationReference, activity_id: str, message: Message
    ) -> None:
        if not self.up:
            raise ChatUnavailableError("down")
        assert conversation.conversation_id == CHAT
        self.sent[activity_id] = message
