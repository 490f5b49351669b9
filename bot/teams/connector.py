"""Sends and updates messages over the Bot Connector REST API: one attempt per call, bounded in time.

https://learn.microsoft.com/azure/bot-service/rest-api/bot-framework-rest-connector-api-reference

The SDK's connector client is not used: it fetches tokens on the event loop, sends updates up to four
times unasked, and forgets the status of an answer that is not JSON.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast
from urllib.parse import quote

import aiohttp
import structlog
from yarl import URL

from bot.runner.messenger import (
    Address,
    ChatThrottledError,
    ChatUnavailableError,
    DeliveryError,
    Message,
    MessageGoneError,
    Sent,
    UndeliverableError,
)

_ADAPTIVE_CARD = "application/vnd.microsoft.card.adaptive"
_CALL_SECONDS = 15.0

log = structlog.get_logger(__name__)


class ConnectorMessenger:
    """`Messenger` for Teams. `token` gives a token that is still good; None in `local`."""

    def __init__(
        self, session: aiohttp.ClientSession, token: Callable[[], Awaitable[str]] | None
    ) -> None:
        self._session = session
        self._token = token

    async def send(self, address: Address, message: Message) -> Sent:
        where, activity = address.conversation_id, _activity(address, message)
        if where != address.reference.get("channel_id"):
            sent = await self._call("POST", address, activity, where, "activities")
            return Sent(where, str(sent.get("id", "")))
        thread = {
            "isGroup": True,
            "bot": activity["from"],
            "tenantId": address.tenant_id,
            "channelData": {"channel": {"id": where}, "tenant": {"id": address.tenant_id}},
            "activity": activity,
        }
        opened = await self._call("POST", address, thread)
        return Sent(str(opened.get("id", where)), str(opened.get("activityId", "")))

    async def update(self, address: Address, activity_id: str, message: Message) -> None:
        activity = {**_activity(address, message), "id": activity_id}
        path = (address.conversation_id, "activities", activity_id)
        await self._call("PUT", address, activity, *path)

    async def _call(
        self, method: str, address: Address, body: Mapping[str, Any], *path: str
    ) -> dict[str, Any]:
        """The JSON object in the answer, {} if there is none. Raises `DeliveryError` only."""
        base: str = address.reference["service_url"].rstrip("/")
        parts = [base, "v3/conversations", *(quote(part, safe="") for part in path)]
        url = URL("/".join(parts), encoded=True)
        try:
            async with asyncio.timeout(_CALL_SECONDS):
                headers = await self._headers()
                async with self._session.request(
                    method, url, json=body, headers=headers, allow_redirects=False
                ) as answer:
                    if answer.status >= 300:
                        raise _failure(answer)
                    found = await answer.json(content_type=None)
        except (aiohttp.ClientError, OSError) as error:
            raise ChatUnavailableError(type(error).__name__) from error
        except ValueError:  # done, but not said as we expect it
            found = None
        return cast(dict[str, Any], found) if isinstance(found, dict) else {}

    async def _headers(self) -> dict[str, str]:
        if self._token is None:
            return {}
        try:
            return {"Authorization": f"Bearer {await self._token()}"}
        except (PermissionError, ConnectionError) as error:
            log.warning("chat.no_token", why=str(error))
            raise ChatUnavailableError("no token for the connector") from error


def _failure(answer: aiohttp.ClientResponse) -> DeliveryError:
    text = f"HTTP {answer.status}"
    if answer.status in (412, 429):  # 412: two operations on one conversation at the same time
        seconds = answer.headers.get("Retry-After", "")
        return ChatThrottledError(text, float(seconds) if seconds.isdecimal() else None)
    if answer.status >= 500 or answer.status in (401, 408):  # 401: the secret is being changed
        return ChatUnavailableError(text)
    if answer.status in (403, 404):
        return MessageGoneError(text) if answer.method == "PUT" else UndeliverableError(text)
    log.error("chat.refused", status=answer.status)  # too big or malformed: a fault of ours
    return UndeliverableError(text)


def _activity(address: Address, message: Message) -> dict[str, Any]:
    reference, extra = address.reference, message.attachment
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
        "serviceUrl": reference["service_url"],
        "from": {"id": reference["bot_id"], "name": reference["bot_name"]},
        "conversation": {"id": address.conversation_id},
        "text": message.text,
        "textFormat": "plain",  # else what it quotes could hold links and mentions
        "summary": message.summary,
        "attachments": attachments,
    }
