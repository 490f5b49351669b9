"""Access tokens for Microsoft's APIs. Never logged, never stored."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import Protocol

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import AzureError, ClientAuthenticationError
from azure.identity import CredentialUnavailableError

from bot.identity.step_up import claims_request

_REFUSED_STATUSES = frozenset({400, 401, 403})


class Tokens(Protocol):
    """Issues bearer tokens for one identity."""

    async def token(self, scope: str, *, refresh: bool = False) -> str:
        """A bearer token for `scope` (`<resource>/.default`).

        `refresh` bypasses any cache, for when the last token was refused.
        Raises `PermissionError` when the identity is refused, and `ConnectionError` when the token
        endpoint cannot be reached or its response cannot be read.
        """
        ...


@dataclass(frozen=True, slots=True)
class FixedToken:
    """The dummy token sent to simulated remote services on loopback in `local`. Grants nothing."""

    value: str = field(default="local", repr=False)

    async def token(self, scope: str, *, refresh: bool = False) -> str:
        del scope, refresh
        return self.value


class CredentialTokens:
    """Implements `Tokens` with an `azure.identity.aio` credential, which caches and renews them.

    Owns the credential: call `aclose()` when done.
    """

    def __init__(self, credential: AsyncTokenCredential) -> None:
        self._credential = credential
        self._fetch_lock = asyncio.Lock()  # concurrent callers share one fetch

    async def token(self, scope: str, *, refresh: bool = False) -> str:
        # "nbf" is the claim that a resource itself requests after it has revoked a token.
        return await self._fetch(scope, _issued_from_now_on() if refresh else None)

    async def stepped_up(self, scope: str, context: str) -> str:
        """A new token of a user who has satisfied an authentication context, if Entra ID issues it.

        What it has is for the caller to check (`bot.identity.step_up`). Raises as `token`.
        """
        return await self._fetch(scope, claims_request(context))

    async def _fetch(self, scope: str, claims: str | None) -> str:
        """`claims`: a claims request. azure-identity bypasses its cache only with one."""
        try:
            async with self._fetch_lock:
                return (await self._credential.get_token(scope, claims=claims)).token
        except ClientAuthenticationError as error:
            if _refused(error):
                raise PermissionError(f"no token: {error.message}") from error
            raise ConnectionError("no token: the response was unreadable") from error
        except (AzureError, TypeError, KeyError, ValueError) as error:
            # azure-identity fails with these on a response of unexpected shape.
            raise ConnectionError(f"no token: {type(error).__name__}") from error

    async def aclose(self) -> None:
        await self._credential.close()


def _refused(error: ClientAuthenticationError) -> bool:
    """Whether Entra ID refused; azure-identity raises the same error for an unreadable response."""
    return (
        isinstance(error, CredentialUnavailableError)
        or error.status_code in _REFUSED_STATUSES
        or "AADSTS" in error.message
    )


def _issued_from_now_on() -> str:
    """A claims request for a token issued no earlier than now."""
    not_before = {"essential": True, "value": str(int(time.time()))}
    return json.dumps({"access_token": {"nbf": not_before}})
