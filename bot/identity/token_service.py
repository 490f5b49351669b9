"""The Bot Framework's token service, which keeps people's sign-ins to bots.

Paths and parameters: `botframework.connector.token_api` 4.17.1, whose client fetches a token of ours on
the event loop for every turn.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import aiohttp

_CALL_SECONDS = 5.0
_MAX_BODY = 256 * 1024
_CHANNEL = "msteams"
_UNSAID = frozenset({401, 403, 408, 429})  # about us or about now, not about the person


class TokenServiceUnavailableError(Exception):
    """The token service could not be asked, or made no sense. The message names no token."""


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody as the chat knows them, and where they wrote: what a sign-in link is made for."""

    user_id: str
    conversation_id: str
    service_url: str
    bot_id: str


@dataclass(frozen=True, slots=True)
class Resource:
    """`link` opens a sign-in; `exchange` lets the client get a token without one (single sign-on)."""

    link: str
    exchange: Mapping[str, Any] | None


class TokenService:
    """`token` gives the bot's own token. The session is shared and stays its owner's."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        base_url: str,
        token: Callable[[], Awaitable[str]],
        *,
        app_id: str,
        connection: str,
    ) -> None:
        self._session = session
        self._base = base_url.rstrip("/")
        self._token = token
        self._app_id = app_id
        self.connection = connection

    async def kept(self, account: Account, code: str = "") -> str | None:
        """The person's token for the app, if they are signed in.

        `code`: what a sign-in link ended with; None then says that it is wrong.
        """
        query = self._of(account) | ({"code": code} if code else {})
        return _token(await self._call("GET", "usertoken/GetToken", query))

    async def exchange(self, account: Account, token: str) -> str | None:
        """The same for a token that the client got by single sign-on; None if it is refused."""
        body = {"token": token}
        return _token(await self._call("POST", "usertoken/exchange", self._of(account), body))

    async def resource(self, account: Account) -> Resource:
        """What a client needs to sign somebody in."""
        state = {
            "ConnectionName": self.connection,
            "Conversation": {
                "bot": {"id": account.bot_id},
                "channelId": _CHANNEL,
                "conversation": {"id": account.conversation_id},
                "serviceUrl": account.service_url,
                "user": {"id": account.user_id},
            },
            "MsAppId": self._app_id,
        }
        packed = base64.b64encode(json.dumps(state).encode()).decode()
        found = await self._call("GET", "botsignin/GetSignInResource", {"state": packed}) or {}
        link = found.get("signInLink")
        if not isinstance(link, str) or not link.startswith(("https://", "http://127.0.0.1:")):
            raise TokenServiceUnavailableError("no sign-in link")
        exchange: Any = found.get("tokenExchangeResource")
        return Resource(
            link, cast(dict[str, Any], exchange) if isinstance(exchange, dict) else None
        )

    async def sign_out(self, account: Account) -> None:
        """Forget the person's sign-in, so that the next one asks for all that is wanted by then."""
        await self._call("DELETE", "usertoken/SignOut", self._of(account))

    def _of(self, account: Account) -> dict[str, str]:
        return {
            "userId": account.user_id,
            "connectionName": self.connection,
            "channelId": _CHANNEL,
        }

    async def _call(
        self, method: str, path: str, query: Mapping[str, str], body: object = None
    ) -> dict[str, Any] | None:
        """The JSON object in the answer; None if the service says no."""
        try:
            async with asyncio.timeout(_CALL_SECONDS):
                headers = {"Authorization": f"Bearer {await self._token()}"}
                async with self._session.request(
                    method,
                    f"{self._base}/api/{path}",
                    params=query,
                    json=body,
                    headers=headers,
                    allow_redirects=False,
                ) as answer:
                    if 400 <= answer.status < 500 and answer.status not in _UNSAID:
                        return None
                    if answer.status >= 300:
                        raise TokenServiceUnavailableError(f"HTTP {answer.status}")
                    content = await answer.content.read(_MAX_BODY)
        except (aiohttp.ClientError, OSError) as error:
            # PermissionError too: without a token of the bot's own nobody can be asked. The error
            # itself would name the address, which holds the code of a sign-in.
            raise TokenServiceUnavailableError(type(error).__name__) from None
        try:
            found: Any = json.loads(content) if content.strip() else {}
        except ValueError:
            raise TokenServiceUnavailableError("the answer was not readable") from None
        if not isinstance(found, dict):
            raise TokenServiceUnavailableError("the answer was not readable")
        return cast(dict[str, Any], found)


def _token(found: Mapping[str, Any] | None) -> str | None:
    token = found.get("token") if found else None
    return token if isinstance(token, str) and token else None
