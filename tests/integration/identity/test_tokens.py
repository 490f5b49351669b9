"""`CredentialTokens`, with a fake azure-identity credential."""

from __future__ import annotations

import json
from types import TracebackType
from typing import Any, Self

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError
from azure.identity import CredentialUnavailableError

from bot.identity.tokens import CredentialTokens, FixedToken


class Credential:
    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.claims: list[str | None] = []
        self.closed = False

    async def get_token(
        self,
        *scopes: str,
        claims: str | None = None,
        tenant_id: str | None = None,
        enable_cae: bool = False,
        **kwargs: Any,
    ) -> AccessToken:
        self.claims.append(claims)
        if self.error is not None:
            raise self.error
        return AccessToken(f"secret for {scopes[0]}", 0)

    async def close(self) -> None:
        self.closed = True

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self.close()


async def test_token_comes_from_the_credential() -> None:
    credential = Credential()
    tokens = CredentialTokens(credential)
    assert await tokens.token("api/.default") == "secret for api/.default"
    assert credential.claims == [None]
    await tokens.aclose()
    assert credential.closed


async def test_refresh_requests_a_claim_that_bypasses_the_cache() -> None:
    credential = Credential()
    await CredentialTokens(credential).token("api/.default", refresh=True)
    (claims,) = credential.claims
    assert claims is not None
    assert json.loads(claims)["access_token"]["nbf"]["essential"] is True


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ClientAuthenticationError("AADSTS7000215"), PermissionError),
        (CredentialUnavailableError("no identity here"), PermissionError),
        (ClientAuthenticationError("Unexpected response: <html>"), ConnectionError),
        (KeyError("access_token"), ConnectionError),
        (ServiceRequestError("no route"), ConnectionError),
    ],
)
async def test_token_raises_by_kind_of_failure(error: Exception, expected: type[Exception]) -> None:
    with pytest.raises(expected, match=r"^no token: "):
        await CredentialTokens(Credential(error)).token("api/.default")


async def test_fixed_token_is_hidden_in_repr() -> None:
    token = FixedToken("hidden")
    assert await token.token("api/.default") == "hidden"
    assert "hidden" not in repr(token)
