"""The app's credentials for Entra ID, for its own tokens and for the on-behalf-of flow.

https://learn.microsoft.com/entra/identity-platform/v2-oauth2-on-behalf-of-flow
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
from azure.core.credentials import AccessToken
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.pipeline.transport import AioHttpTransport
from azure.core.rest import AsyncHttpResponse, HttpRequest
from azure.identity.aio import (
    CertificateCredential,
    ClientAssertionCredential,
    ClientSecretCredential,
    ManagedIdentityCredential,
    OnBehalfOfCredential,
)

from bot.settings.model import Settings
from bot.settings.values import AppType

# Callers have their own timeouts; more retries would only outlast them.
_RETRIES = {"retry_total": 2, "retry_backoff_factor": 0.2, "retry_backoff_max": 2}


class _Transport(AioHttpTransport):
    """Sends azure-identity's requests over Offhook's own session, with its proxies and connections.

    `insecure` downgrades to HTTP for a simulated Entra ID on loopback; azure-identity insists on HTTPS.
    """

    def __init__(self, session: aiohttp.ClientSession, *, insecure: bool) -> None:
        super().__init__(session=session, session_owner=False)
        self._insecure = insecure

    async def send(self, request: HttpRequest, **config: Any) -> AsyncHttpResponse:
        if self._insecure:
            request.url = request.url.replace("https://", "http://", 1)
        return await super().send(request, **config)


class CredentialError(Exception):
    """A configured credential cannot be used. The message names the setting and the reason."""


class FederatedCredential:
    """A credential that authenticates the app with a token from another identity (an assertion).

    azure-identity reads the assertion from a synchronous callback, so `fetch` runs before each use.
    """

    def __init__(
        self,
        fetch: Callable[[], Awaitable[str]],
        make: Callable[[Callable[[], str]], AsyncTokenCredential],
    ) -> None:
        self._fetch = fetch
        self._assertion = ""
        self._credential = make(lambda: self._assertion)

    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        self._assertion = await self._fetch()
        return await self._credential.get_token(*scopes, **options)

    async def close(self) -> None:
        await self._credential.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self.close()


class Credentials:
    """Creates `azure.identity.aio` credentials from the settings. The caller owns `session`.

    Raises `CredentialError` when the configured certificate cannot be used.
    """

    def __init__(self, settings: Settings, session: aiohttp.ClientSession) -> None:
        self._app_id = settings.app_id
        self._tenant = settings.home_tenant
        self._is_managed_identity = settings.app_type is AppType.MANAGED_IDENTITY
        self._secret = settings.app_password.get_secret_value()
        self._certificate = _certificate(settings.app_certificate)
        self._exchange_scope = f"{settings.hosts.exchange}/.default"
        self._token_file = settings.app_token_file
        self._managed_identity: ManagedIdentityCredential | None = None
        if self._is_managed_identity or settings.managed_identity:
            client_id = settings.managed_identity or settings.app_id
            self._managed_identity = ManagedIdentityCredential(client_id=client_id)
        self._options: dict[str, Any] = {
            # Always HTTPS here; `_Transport` downgrades it for a simulated Entra ID.
            "authority": f"https://{settings.hosts.authority.partition('://')[2]}",
            "transport": _Transport(session, insecure=settings.hosts.authority.startswith("http:")),
            **_RETRIES,
        }

    def app(self) -> AsyncTokenCredential:
        """A credential for the app itself."""
        if self._is_managed_identity and self._managed_identity is not None:
            return self._managed_identity
        app = (self._tenant, self._app_id)
        if self._secret:
            return ClientSecretCredential(*app, self._secret, **self._options)
        if self._certificate:
            return CertificateCredential(
                *app,
                certificate_data=self._certificate,
                send_certificate_chain=True,
                **self._options,
            )
        return FederatedCredential(
            self._assertion,
            lambda assertion: ClientAssertionCredential(*app, assertion, **self._options),
        )

    def on_behalf_of(self, tenant_id: str, assertion: str) -> AsyncTokenCredential:
        """A credential for the user whose token for the app is `assertion`; caches only their tokens."""
        app = (tenant_id, self._app_id)
        options: dict[str, Any] = {"user_assertion": assertion, **self._options}
        if self._secret:
            return OnBehalfOfCredential(*app, client_secret=self._secret, **options)
        if self._certificate:
            return OnBehalfOfCredential(*app, client_certificate=self._certificate, **options)
        return FederatedCredential(
            self._assertion,
            lambda app_assertion: OnBehalfOfCredential(
                *app, client_assertion_func=app_assertion, **options
            ),
        )

    async def _assertion(self) -> str:
        """The token that authenticates the app: from its workload identity or managed identity."""
        if self._token_file is not None:
            return await asyncio.to_thread(_read_token, self._token_file)
        assert self._managed_identity is not None, "settings name a managed identity or a secret"  # noqa: S101
        return (await self._managed_identity.get_token(self._exchange_scope)).token

    async def aclose(self) -> None:
        if self._managed_identity is not None:
            await self._managed_identity.close()


def _certificate(path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        content = path.read_bytes()
        CertificateCredential("t", "a", certificate_data=content)
    except OSError as error:
        reason = error.strerror
    except ValueError as error:
        reason = str(error)
    else:
        return content
    raise CredentialError(f"OFFHOOK_APP_CERTIFICATE, {path}, cannot be used: {reason}")


def _read_token(path: Path) -> str:
    return path.read_text("utf-8").strip()
