"""Sends audit events to a webhook, signed as the Standard Webhooks specification has it.

A message is JSON lines: the same OCSF events, with their links, that `audit export` writes. Headers:
`webhook-id`, the same whenever the same events are sent again; `webhook-timestamp`, seconds since 1970;
`webhook-signature`, `v1,` and the Base64 of HMAC-SHA256 over ID, timestamp, and body, joined by periods.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime

import aiohttp

from bot import __version__, retry_after

_SECONDS = 30.0  # timeout of a call
_OK, _REDIRECT, _TOO_LARGE = 200, 300, 413


class WebhookError(Exception):
    """A message was not accepted. The text never has the URL, which may contain a secret."""

    def __init__(
        self, reason: str, *, retry_after: float | None = None, too_large: bool = False
    ) -> None:
        super().__init__(reason)
        self.retry_after = retry_after  #: seconds, if the receiver said so
        self.too_large = too_large


def signature(key: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """Of a message, for its header."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


class Webhook:
    def __init__(self, session: aiohttp.ClientSession, url: str, key: bytes) -> None:
        """`url` may contain a secret, as those of some services do. `key`: to sign with."""
        self._session = session
        self._url = url
        self._key = key

    async def send(self, message_id: str, lines: Sequence[bytes], now: datetime) -> None:
        """Raises WebhookError unless the receiver answers with 2xx. Redirects are not followed."""
        body = b"".join(lines)
        timestamp = int(now.timestamp())
        headers = {
            "Content-Type": "application/x-ndjson",
            "User-Agent": f"Offhook/{__version__}",
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(self._key, message_id, timestamp, body),
        }
        status, wait = await self._status("POST", headers=headers, data=body)
        if not _OK <= status < _REDIRECT:
            reason = f"HTTP {status}"
            raise WebhookError(reason, retry_after=wait, too_large=status == _TOO_LARGE)

    async def probe(self) -> str:
        """Why the receiver cannot be reached at all; "" if it answers to a HEAD, however."""
        try:
            await self._status("HEAD")
        except WebhookError as error:
            return str(error)
        return ""

    async def _status(
        self, method: str, *, headers: Mapping[str, str] | None = None, data: bytes | None = None
    ) -> tuple[int, float | None]:
        """The answer's status, and the seconds that it asks to wait. Its body is not read."""
        try:
            async with self._session.request(
                method,
                self._url,
                data=data,
                headers=headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=_SECONDS),
            ) as response:
                return response.status, retry_after.seconds(response.headers.get("Retry-After"))
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise WebhookError(type(error).__name__) from None
