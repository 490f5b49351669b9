"""What the publisher needs of a chat system: send a message, update one. Implemented by `bot.teams`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Attachment:
    """An attachment other than an Adaptive Card: a file consent card, a file info card."""

    content_type: str
    content: Json
    name: str = ""
    content_url: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """One message: a text, or a card with `summary` as the line in notifications, or an attachment."""

    text: str = ""
    card: Json | None = None
    summary: str = ""
    attachment: Attachment | None = None


@dataclass(frozen=True, slots=True)
class Address:
    """Where messages go: a conversation, or a channel in which each first message opens a thread.

    `reference` is what the chat edge needs to reach it again, opaque to everybody else, JSON-safe.
    """

    tenant_id: str
    conversation_id: str
    kind: str  # ConversationKind of bot.store
    reference: Json


@dataclass(frozen=True, slots=True)
class Sent:
    """`conversation_id` differs from the address's when a thread was opened in a channel."""

    conversation_id: str
    activity_id: str


class DeliveryError(Exception):
    """Base: `ChatThrottled`, `ChatUnavailable` (both: again later), `Gone`, `Undeliverable`."""


class ChatThrottledError(DeliveryError):
    """429 or 412. `retry_after` in seconds, None if the chat did not say."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ChatUnavailableError(DeliveryError):
    """No answer or a 5xx: try again later."""


class MessageGoneError(DeliveryError):
    """The message to update is not there any more (404 on update): send the card anew."""


class UndeliverableError(DeliveryError):
    """This conversation cannot be reached (403, 404 on send): give it up and say so in the log."""


class Messenger(Protocol):
    """Every call is one attempt, bounded in time; the publisher retries."""

    async def send(self, address: Address, message: Message) -> Sent: ...

    async def update(self, address: Address, activity_id: str, message: Message) -> None: ...
