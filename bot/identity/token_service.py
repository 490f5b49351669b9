"""Client for the Bot Framework token service, which stores users' sign-ins to a bot.

Paths and parameters come from `botframework.connector.token_api` 4.17.1. The SDK's own client is not
used because it fetches the bot's token on the event loop, blocking it, on every turn.
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
_INCONCLUSIVE = frozenset({401, 403, 408, 429})  # about the bot or about load, not about the user


class TokenServiceUnavailableError(Exception):
    """The token service could not be reached, or its response was unreadable.

    The message never contains a token.
    """


@dataclass(frozen=True, slots=True)
class Account:
    """A user in a conversation, as a sign-in link needs them."""

    #: Channel user ID, such as `29:…`; not an Entra object ID.
    user_id: str
    conversation_id: str
    service_url: str
    #: Channel ID of the bot, such as `28:…`.
    bot_id: str


@dataclass(frozen=True, slots=True)
class SignInResource:
    """What a Teams client needs to sign a user in."""

    #: URL of the sign-in page.
    link: str
    #: The `tokenExchangeResource` for single sign-on; None to require an interactive sign-in.
    exchange: Mapping[str, Any] | None


class TokenService:
    """All methods raise `TokenServiceUnavailableError` when the token service gives no usable response.

    `token` returns the bot's own access token. The caller owns `session` and closes it. `connection`
    names the OAuth connection in the Azure Bot resource.
    """

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

    async def user_token(self, account: Account, code: str = "") -> str | None:
        """The user's stored token for the app, which serves as the on-behalf-of assertion.

        `code` is the one shown at the end of an interactive sign-in; "" if there is none.
        Returns None when the user is not signed in, or when `code` is wrong or expired.
        """
        query = self._query(account) | ({"code": code} if code else {})
        return _token(await self._call("GET", "usertoken/GetToken", query))

    async def exchange(self, account: Account, token: str) -> str | None:
        """Exchange a single sign-on token for the user's token. Returns None when it is refused."""
        body = {"token": token}
        return _token(await self._call("POST", "usertoken/exchange", self._query(account), body))

    async def sign_in_resource(self, account: Account) -> SignInResource:
        """What the user's client needs to start a sign-in."""
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
        content = await self._call("GET", "botsignin/GetSignInResource", {"state": packed}) or {}
        link = content.get("signInLink")
        if not isinstance(link, str) or not link.startswith(("https://", "http://127.0.0.1:")):
            raise TokenServiceUnavailableError("no sign-in link")
        exchange: Any = content.get("tokenExchangeResource")
        return SignInResource(
            link, cast(dict[str, Any], exchange) if isinstance(exchange, dict) else None
        )

    async def sign_out(self, account: Account) -> None:
        """Delete the user's stored token, so that the next sign-in meets current requirements."""
        await self._call("DELETE", "usertoken/SignOut", self._query(account))

    def _query(self, account: Account) -> dict[str, str]:
        return {
            "userId": account.user_id,
            "connectionName": self.connection,
            "channelId": _CHANNEL,
        }

    async def _call(
        self, method: str, path: str, query: Mapping[str, str], body: object = None
    ) -> dict[str, Any] | None:
        """The JSON object in the response. Returns None when the token service refuses (4xx)."""
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
                ) as response:
                    if 400 <= response.status < 500 and response.status not in _INCONCLUSIVE:
                        return None
                    if response.status >= 300:
                        raise TokenServiceUnavailableError(f"HTTP {response.status}")
                    content = await response.content.read(_MAX_BODY)
        except (aiohttp.ClientError, OSError) as error:
            # Includes PermissionError and ConnectionError: no token for the bot. The error's own text
            # would reveal the URL, whose query can hold a sign-in code.
            raise TokenServiceUnavailableError(type(error).__name__) from None
        try:
            fields: Any = json.loads(content) if content.strip() else {}
        except ValueError:
            raise TokenServiceUnavailableError("the response was unreadable") from None
        if not isinstance(fields, dict):
            raise TokenServiceUnavailableError("the response was unreadable")
        return cast(dict[str, Any], fields)


def _token(content: Mapping[str, Any] | None) -> str | None:
    token = content.get("token") if content else None
    return token if isinstance(token, str) and token else None
