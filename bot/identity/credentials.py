"""How the app proves itself to Entra ID: one place for its own tokens and for those on behalf of people.

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

from bot.settings.model import AppType, Settings

# Whoever waits for a token has a limit of their own; more tries would only outlast it.
_RETRIES = {"retry_total": 2, "retry_backoff_factor": 0.2, "retry_backoff_max": 2}


class _Transport(AioHttpTransport):
    """azure-identity's requests over a session of ours: its proxies, its connections.

    `plain`: over HTTP, for a simulated Entra ID on this machine; azure-identity itself insists on HTTPS.
    """

    def __init__(self, session: aiohttp.ClientSession, *, plain: bool) -> None:
        super().__init__(session=session, session_owner=False)
        self._plain = plain

    async def send(self, request: HttpRequest, **config: Any) -> AsyncHttpResponse:
        if self._plain:
            request.url = request.url.replace("https://", "http://", 1)
        return await super().send(request, **config)


class CredentialError(Exception):
    """What the settings name cannot be used to prove who the app is; the message says what and why."""


class Vouched:
    """A credential whose app is vouched for by somebody else's token.

    azure-identity asks for that assertion with a plain call, so it is fetched before each use.
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
    """Makes credentials of `azure.identity.aio` as the settings say. The session stays its owner's.

    Raises `CredentialTrouble` at once for a certificate that cannot be used.
    """

    def __init__(self, settings: Settings, session: aiohttp.ClientSession) -> None:
        self._app_id = settings.app_id
        self._tenant = settings.home_tenant
        self._is_identity = settings.app_type is AppType.MANAGED_IDENTITY
        self._secret = settings.app_password.get_secret_value()
        self._certificate = _certificate(settings.app_certificate)
        self._exchange = f"{settings.hosts.exchange}/.default"
        self._token_file = settings.app_token_file
        self._identity: ManagedIdentityCredential | None = None
        if self._is_identity or settings.managed_identity:
            client_id = settings.managed_identity or settings.app_id
            self._identity = ManagedIdentityCredential(client_id=client_id)
        self._options: dict[str, Any] = {
            # The scheme is the transport's business: see there.
            "authority": f"https://{settings.hosts.authority.partition('://')[2]}",
            "transport": _Transport(session, plain=settings.hosts.authority.startswith("http:")),
            **_RETRIES,
        }

    def app(self) -> AsyncTokenCredential:
        """The app's own identity."""
        if self._is_identity and self._identity is not None:
            return self._identity
        to_prove = (self._tenant, self._app_id)
        if self._secret:
            return ClientSecretCredential(*to_prove, self._secret, **self._options)
        if self._certificate:
            return CertificateCredential(
                *to_prove,
                certificate_data=self._certificate,
                send_certificate_chain=True,
                **self._options,
            )
        return Vouched(
            self._assertion,
            lambda given: ClientAssertionCredential(*to_prove, given, **self._options),
        )

    def on_behalf_of(self, tenant_id: str, assertion: str) -> AsyncTokenCredential:
        """Whoever signed in to the app with `assertion`. Its cache holds this person's tokens only."""
        to_prove = (tenant_id, self._app_id)
        given: dict[str, Any] = {"user_assertion": assertion, **self._options}
        if self._secret:
            return OnBehalfOfCredential(*to_prove, client_secret=self._secret, **given)
        if self._certificate:
            return OnBehalfOfCredential(*to_prove, client_certificate=self._certificate, **given)
        return Vouched(
            self._assertion,
            lambda proof: OnBehalfOfCredential(*to_prove, client_assertion_func=proof, **given),
        )

    async def _assertion(self) -> str:
        """What vouches for the app: the token of its workload, or of its managed identity."""
        if self._token_file is not None:
            return await asyncio.to_thread(_read, self._token_file)
        assert self._identity is not None, "settings name a managed identity or a secret"  # noqa: S101
        return (await self._identity.get_token(self._exchange)).token

    async def aclose(self) -> None:
        if self._identity is not None:
            await self._identity.close()


def _certificate(path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        content = path.read_bytes()
        CertificateCredential("t", "a", certificate_data=content)
    except OSError as error:
        why = error.strerror
    except ValueError as error:
        why = str(error)
    else:
        return content
    raise CredentialError(f"OFFHOOK_APP_CERTIFICATE, {path}, cannot be used: {why}")


def _read(path: Path) -> str:
    return path.read_text("utf-8").strip()
