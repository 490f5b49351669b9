"""Clients of the remote services, as the settings say: SIP Gateway, Graph, Entra ID, the audit's webhook."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

import aiohttp

from bot.directory.client import GraphClient
from bot.directory.graph import GraphDirectory
from bot.gateway import SipGateway
from bot.gateway.administration import Administrator, ConfigApiAdministration
from bot.gateway.configapi import ConfigApiGateway
from bot.gateway.powershell import PowerShellGateway
from bot.gateway.powershell_administration import PowerShellAdministrator
from bot.gateway.pwsh import Pwsh
from bot.identity.credentials import Credentials
from bot.identity.delegations import Delegations
from bot.identity.tokens import CredentialTokens, FixedToken, Tokens
from bot.runner.facts import ApproverReaders, TenantReader
from bot.runner.webhook import Webhook
from bot.settings.model import Settings
from bot.settings.values import Gateway


@dataclass(frozen=True, slots=True)
class Remote:
    settings: Settings
    session: aiohttp.ClientSession
    configapi_url: str
    graph_url: str
    credentials: Credentials | None  #: the app's own; None in `local`, where none are needed
    tokens: Tokens  #: of the app's own identity

    def gateway(
        self, submit_timeout: float, tokens: Tokens, *, slots: asyncio.Semaphore | None = None
    ) -> SipGateway:
        """`slots`: limits the PowerShell processes of all gateways together; None: no limit."""
        if self.settings.gateway is Gateway.POWERSHELL:
            # Cmdlets take longer: each starts a PowerShell, which first loads its module and connects.
            return PowerShellGateway(
                tokens,
                pwsh=self.settings.pwsh,
                graph_scope=self.settings.graph_scope,
                submit_timeout=3 * submit_timeout,
                slots=slots,
            )
        return self.configapi(tokens, submit_timeout=submit_timeout)

    def configapi(self, tokens: Tokens, *, submit_timeout: float = 60.0) -> ConfigApiGateway:
        return ConfigApiGateway(
            self.session, self.configapi_url, tokens, submit_timeout=submit_timeout
        )

    def administrator(
        self, tokens: Tokens, *, slots: asyncio.Semaphore | None = None
    ) -> Administrator:
        """`slots`: limits the PowerShell processes of all mends together, which last for minutes."""
        settings = self.settings
        if settings.gateway is Gateway.POWERSHELL:
            pwsh = Pwsh(tokens, program=settings.pwsh, graph_scope=settings.graph_scope)
            return PowerShellAdministrator(pwsh, slots=slots)
        return ConfigApiAdministration(self.configapi(tokens))

    def directory(self) -> GraphDirectory:
        """With the app's own permissions."""
        return GraphDirectory(
            self.session, self.graph_url, self.tokens, scope=self.settings.graph_scope
        )

    def graph(self) -> GraphClient:
        """With the app's own permissions."""
        return GraphClient(
            self.session, self.graph_url, self.tokens, scope=self.settings.graph_scope
        )

    def home_reader(self) -> TenantReader:
        """Reads with the app's own permissions, which reach its own tenant."""
        return TenantReader(self.graph(), self.configapi(self.tokens))

    def readers(self) -> Callable[[str], TenantReader | None]:
        """Readers with the app's own permissions, which reach its own tenant; in `local`, every tenant.

        None at all if accounts are not checked.
        """
        home = self.home_reader()

        def reader_of(tenant_id: str) -> TenantReader | None:
            return home if self.settings.checks_accounts and self._is_home(tenant_id) else None

        return reader_of

    def approver_readers(self, delegations: Delegations[SipGateway]) -> ApproverReaders:
        """Readers with the rights of approvers. Graph is read with the app's own, as far as those reach."""
        graph = self.graph()
        return ApproverReaders(
            delegations,
            self.tokens,
            lambda tenant_id: graph if self._is_home(tenant_id) else None,
            self.configapi,
        )

    def webhook(self) -> Webhook | None:
        """Where the audit is delivered; None if nowhere."""
        url = self.settings.audit_webhook.get_secret_value()
        return Webhook(self.session, url, self.settings.webhook_key) if url else None

    def _is_home(self, tenant_id: str) -> bool:
        """Whether the app's own permissions reach the tenant."""
        settings = self.settings
        return settings.local or tenant_id.lower() == settings.home_tenant.lower()


async def open_remote(settings: Settings, stack: AsyncExitStack) -> Remote:
    """Open until the stack is closed. Raises `ScenarioError` or `CredentialError`."""
    session = await stack.enter_async_context(_session(settings))
    configapi_url, graph_url = await _remote_services(settings, stack)
    credentials = await _credentials(settings, session, stack)
    tokens = await _tokens(credentials, stack)
    return Remote(settings, session, configapi_url, graph_url, credentials, tokens)


def _session(settings: Settings) -> aiohttp.ClientSession:
    """For remote services; through the company's proxy if there is one."""
    return aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), trust_env=not settings.local)


async def _remote_services(settings: Settings, stack: AsyncExitStack) -> tuple[str, str]:
    """Base URLs of the SIP Gateway and of Graph: as configured, else simulated or Microsoft's."""
    if settings.gateway is not Gateway.SIMULATOR:
        return settings.hosts.configapi, settings.hosts.graph
    if settings.configapi_url and settings.graph_url:
        return settings.configapi_url, settings.graph_url
    # Imported here, since production never does.
    from bot.simulator.scenario import Scenario
    from bot.simulator.server import Simulator

    scenario = Scenario.load(settings.scenario) if settings.scenario else Scenario()
    simulator = await stack.enter_async_context(Simulator(scenario))
    return settings.configapi_url or simulator.configapi_url, (
        settings.graph_url or simulator.graph_url
    )


async def _credentials(
    settings: Settings, session: aiohttp.ClientSession, stack: AsyncExitStack
) -> Credentials | None:
    """The app's own credentials; None in `local`, where none are needed."""
    if not settings.proves_itself:
        return None
    credentials = Credentials(settings, session)
    stack.push_async_callback(credentials.aclose)
    return credentials


async def _tokens(credentials: Credentials | None, stack: AsyncExitStack) -> Tokens:
    """Tokens of the app's own identity."""
    if credentials is None:
        return FixedToken()
    tokens = CredentialTokens(credentials.app())
    stack.push_async_callback(tokens.aclose)
    return tokens
