"""Access tokens: where the clients of Microsoft's APIs get them from. Never logged, never stored."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import Protocol

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import AzureError, ClientAuthenticationError
from azure.identity import CredentialUnavailableError

_REFUSED = frozenset({400, 401, 403})


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
    """Tokens of one identity, by a credential of `azure.identity.aio`, which caches and renews them.

    Owns the credential: `aclose()` when done.
    """

    def __init__(self, credential: AsyncTokenCredential) -> None:
        self._credential = credential
        self._fetching = asyncio.Lock()  # whoever finds no token waits for the one that fetches it

    async def token(self, scope: str, *, refresh: bool = False) -> str:
        try:
            # azure-identity looks past its cache only when claims are asked for; "not before now" is
            # the claim that a resource itself asks for after it has revoked a token.
            claims = _issued_from_now_on() if refresh else None
            async with self._fetching:
                return (await self._credential.get_token(scope, claims=claims)).token
        except ClientAuthenticationError as error:
            if _refused(error):
                raise PermissionError(f"no token: {error.message}") from error
            raise ConnectionError("no token: the answer was not readable") from error
        except (AzureError, TypeError, KeyError, ValueError) as error:
            # An answer of another shape reaches us as what its reading failed with.
            raise ConnectionError(f"no token: {type(error).__name__}") from error

    async def aclose(self) -> None:
        await self._credential.close()


def _refused(error: ClientAuthenticationError) -> bool:
    """Whether somebody said no; azure-identity raises the same for what it cannot read."""
    return (
        isinstance(error, CredentialUnavailableError)
        or error.status_code in _REFUSED
        or "AADSTS" in error.message
    )


def _issued_from_now_on() -> str:
    not_before = {"essential": True, "value": str(int(time.time()))}
    return json.dumps({"access_token": {"nbf": not_before}})
