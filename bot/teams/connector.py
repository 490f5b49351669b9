"""Messages over the Bot Connector REST API: one attempt per call, bounded in time.

https://learn.microsoft.com/azure/bot-service/rest-api/bot-framework-rest-connector-api-reference

The SDK's connector client is not used: it blocks the event loop to fetch tokens, sends updates up to
four times on its own, and drops the status of responses that are not JSON.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast
from urllib.parse import quote

import aiohttp
import structlog
from yarl import URL

from bot.commands.chat import RosterError
from bot.runner.messages import (
    ChatThrottledError,
    ChatUnavailableError,
    DeliveryError,
    Message,
    MessageGoneError,
    Sent,
    UndeliverableError,
)
from bot.store.conversations import THREAD_SEPARATOR, ConversationReference

_ADAPTIVE_CARD = "application/vnd.microsoft.card.adaptive"
_CALL_SECONDS = 15.0

log = structlog.get_logger(__name__)


class ConnectorMessenger:
    """`Messenger` for Teams."""

    def __init__(
        self, session: aiohttp.ClientSession, token: Callable[[], Awaitable[str]] | None
    ) -> None:
        """`token` returns the bot's valid token; None in `local`, where none is needed."""
        self._session = session
        self._token = token

    async def send(self, conversation: ConversationReference, message: Message) -> Sent:
        where, activity = conversation.conversation_id, _activity(conversation, message)
        if not conversation.opens_thread:
            sent = await self._call("POST", conversation, activity, where, "activities")
            return Sent(where, str(sent.get("id", "")))
        thread = {
            "isGroup": True,
            "bot": activity["from"],
            "tenantId": conversation.tenant_id,
            "channelData": {"channel": {"id": where}, "tenant": {"id": conversation.tenant_id}},
            "activity": activity,
        }
        opened = await self._call("POST", conversation, thread)
        return Sent(str(opened.get("id", where)), str(opened.get("activityId", "")))

    async def update(
        self, conversation: ConversationReference, activity_id: str, message: Message
    ) -> None:
        activity = {**_activity(conversation, message), "id": activity_id}
        path = (conversation.conversation_id, "activities", activity_id)
        await self._call("PUT", conversation, activity, *path)

    async def object_id(self, conversation: ConversationReference, account_id: str) -> str:
        """Implements `bot.commands.chat.Members`."""
        path = (conversation.conversation_id.split(THREAD_SEPARATOR)[0], "members", account_id)
        try:
            member = await self._call("GET", conversation, None, *path)
        except UndeliverableError:  # 404: no such member; 403: the bot is not there any more
            return ""
        except DeliveryError as error:
            raise RosterError(str(error)) from error
        found = member.get("aadObjectId") or member.get("objectId")
        return found.lower() if isinstance(found, str) else ""

    async def _call(
        self,
        method: str,
        conversation: ConversationReference,
        body: Mapping[str, Any] | None,
        *path: str,
    ) -> dict[str, Any]:
        """Returns the JSON object of the response, {} if there is none. Raises `DeliveryError` only."""
        base = conversation.service_url.rstrip("/")
        parts = [base, "v3/conversations", *(quote(part, safe="") for part in path)]
        url = URL("/".join(parts), encoded=True)
        try:
            async with asyncio.timeout(_CALL_SECONDS):
                headers = await self._headers()
                async with self._session.request(
                    method, url, json=body, headers=headers, allow_redirects=False
                ) as response:
                    if response.status >= 300:
                        raise _failure(response)
                    found = await response.json(content_type=None)
        except (aiohttp.ClientError, OSError) as error:
            raise ChatUnavailableError(type(error).__name__) from error
        except ValueError:  # delivered, though the response is not JSON
            found = None
        return cast(dict[str, Any], found) if isinstance(found, dict) else {}

    async def _headers(self) -> dict[str, str]:
        if self._token is None:
            return {}
        try:
            return {"Authorization": f"Bearer {await self._token()}"}
        except (PermissionError, ConnectionError) as error:
            raise ChatUnavailableError(f"no token for the connector: {error}") from error


def _failure(response: aiohttp.ClientResponse) -> DeliveryError:
    text = f"HTTP {response.status}"
    if response.status in (412, 429):  # 412: concurrent operations in one conversation
        seconds = response.headers.get("Retry-After", "")
        return ChatThrottledError(text, float(seconds) if seconds.isdecimal() else None)
    if response.status >= 500 or response.status in (401, 408):  # 401: the secret is being rotated
        return ChatUnavailableError(text)
    if response.status in (403, 404):
        return MessageGoneError(text) if response.method == "PUT" else UndeliverableError(text)
    log.error("chat.refused", status=response.status)  # too big or malformed: a bug in Offhook
    return UndeliverableError(text)


def _activity(conversation: ConversationReference, message: Message) -> dict[str, Any]:
    extra = message.attachment
    attachments: list[dict[str, Any]] = []
    if message.card is not None:
        attachments.append({"contentType": _ADAPTIVE_CARD, "content": dict(message.card)})
    if extra is not None:
        content: dict[str, Any] = {
            "contentType": extra.content_type,
            "content": dict(extra.content),
        }
        attachments.append(content | {"name": extra.name, "contentUrl": extra.content_url or None})
    return {
        "type": "message",
        "channelId": "msteams",
        "serviceUrl": conversation.service_url,
        "from": {"id": conversation.bot_id, "name": conversation.bot_name},
        "conversation": {"id": conversation.conversation_id},
        "text": message.text,
        "textFormat": "plain",  # otherwise what it quotes could hold links and mentions
        "summary": message.summary,
        "attachments": attachments,
    }
