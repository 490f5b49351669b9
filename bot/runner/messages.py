"""What the publisher needs of a chat system: send a message, update one. See `bot.teams.connector`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from bot.store.conversations import ConversationReference

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Attachment:
    """An attachment other than an Adaptive Card: a file consent card or a file info card."""

    content_type: str
    content: Json
    name: str = ""
    content_url: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """One message: a text, a card, or an attachment."""

    text: str = ""
    card: Json | None = None  #: Adaptive Card JSON; None if the message has no card
    summary: str = ""  #: of the card, one line for notifications
    attachment: Attachment | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    conversation_id: (
        str  #: differs from the one written to if the send opened a thread in a channel
    )
    activity_id: str  #: "" if the chat named none: the message can never be updated


class DeliveryError(Exception):
    """A message was not delivered.

    DeliveryError
    +-- ChatThrottledError      429 or 412: try again later
    +-- ChatUnavailableError    no answer, or a 5xx: try again later
    +-- MessageGoneError        404 on update: the message was deleted; send it anew
    +-- UndeliverableError      403 or 404 on send: the conversation cannot be reached
    """


class ChatThrottledError(DeliveryError):
    def __init__(self, message: str, retry_after: float | None = None) -> None:
        """`retry_after`: seconds, None if the chat did not say."""
        super().__init__(message)
        self.retry_after = retry_after


class ChatUnavailableError(DeliveryError):
    pass


class MessageGoneError(DeliveryError):
    pass


class UndeliverableError(DeliveryError):
    pass


class Messenger(Protocol):
    """Every call is one attempt, bounded in time; the publisher retries. Raises `DeliveryError`."""

    async def send(self, conversation: ConversationReference, message: Message) -> Sent: ...

    async def update(
        self, conversation: ConversationReference, activity_id: str, message: Message
    ) -> None: ...
