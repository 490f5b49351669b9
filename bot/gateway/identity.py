"""Access tokens: where the clients of Microsoft's APIs get them from. Never logged, never stored."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Protocol

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import AzureError, ClientAuthenticationError


class Tokens(Protocol):
    async def token(self, scope: str, *, refresh: bool = False) -> str:
        """A bearer token for `scope` (`<resource>/.default`).

        `refresh`: the last one was refused, so give a newer one than any cache holds.
        Raises `PermissionError` if the identity was refused, `ConnectionError` if nobody could be asked.
        """
        ...


@dataclass(frozen=True, slots=True)
class FixedToken:
    """The dummy token that `local` sends to far sides on loopback. It opens nothing."""

    value: str = field(default="local", repr=False)

    async def token(self, scope: str, *, refresh: bool = False) -> str:
        del scope, refresh
        return self.value


class AppTokens:
    """Tokens of the application's own identity, by a credential of `azure.identity.aio`.

    Owns the credential: `aclose()` when done. The credential caches and renews.
    """

    def __init__(self, credential: AsyncTokenCredential) -> None:
        self._credential = credential

    async def token(self, scope: str, *, refresh: bool = False) -> str:
        try:
            # azure-identity looks past its cache only when claims are asked for; "not before now" is
            # the claim that a resource itself asks for after it has revoked a token.
            claims = _issued_from_now_on() if refresh else None
            return (await self._credential.get_token(scope, claims=claims)).token
        except ClientAuthenticationError as error:
            raise PermissionError(f"no token: {error.message}") from error
        except AzureError as error:
            raise ConnectionError(f"no token: {error.message}") from error

    async def aclose(self) -> None:
        await self._credential.close()


def _issued_from_now_on() -> str:
    not_before = {"essential": True, "value": str(int(time.time()))}
    return json.dumps({"access_token": {"nbf": not_before}})
