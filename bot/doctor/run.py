"""Runs all checks concurrently, each with its own timeout and independent of the others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass

import structlog

from bot.directory.permissions import PERMISSIONS, UNITS_CHECK, Tier
from bot.doctor import (
    Finding,
    access,
    audit_trail,
    failed,
    host,
    ok,
    policy,
    powershell,
    safeguards,
    sip_gateway,
    unknown,
)
from bot.doctor.clients import DirectoryProbe, GatewayAccess, Scopes, WebhookProbe
from bot.identity.tokens import Tokens
from bot.settings.model import Settings
from bot.settings.values import Gateway
from bot.signin.policy.model import Policy
from bot.signin.policy.problem import PolicyError
from bot.store.database import Database

_GATEWAY_CHECKS = ("roles", "configapi", "bulk-sign-in", "tenant-switch", "trusted-addresses")

# PowerShell first has to start, load its module and connect.
_SECONDS_WITH_POWERSHELL = 90.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Doctor:
    """Runs the checks for one configuration."""

    settings: Settings
    database: Database
    scopes: Scopes
    #: Tokens for the app's own identity; `directory` uses them too.
    app_tokens: Tokens
    directory: DirectoryProbe
    #: Timeout per check.
    seconds: float = 20.0
    #: The audit's webhook; None if there is none.
    webhook: WebhookProbe | None = None

    async def run(self, gateway_access: GatewayAccess | None) -> Sequence[Finding]:
        """Findings in dependency order.

        `gateway_access` is None when sign-ins need an approver's delegation and there is none.
        """
        found = await policy.read(self.settings)
        host_checks = [
            self._within(host.settings(self.settings), "settings"),
            self._within(host.cloud(self.settings), "cloud"),
            self._within(host.database(self.database), "database"),
            self._within(audit_trail.chain(self.database), "audit"),
        ]
        if self.webhook is not None:
            delivered = audit_trail.webhook(self.database, self.webhook)
            host_checks.append(self._within(delivered, "audit-webhook"))
        if self._uses_powershell:
            host_checks.append(self._within(powershell.versions(self.settings.pwsh), "powershell"))
        on_host, people, bot, gateway, graph, (chat, reviews) = await asyncio.gather(
            asyncio.gather(*host_checks),
            self._people(found),
            self._bot(),
            self._gateway_skipped() if gateway_access is None else self._gateway(gateway_access),
            self._graph(),
            asyncio.gather(
                self._within(host.chat(self.settings, self.database), "teams"),
                self._within(host.open_reviews(self.database), "reviews"),
            ),
        )
        guarded = [
            *people,
            safeguards.run_as(self.settings),
            safeguards.exports(self.settings),
            safeguards.digest_key(self.settings),
            safeguards.accounts(self.settings),
            safeguards.break_glass(self.settings, found if isinstance(found, Policy) else None),
            reviews,
        ]
        return [*on_host, *guarded, bot, *gateway, *graph, chat]

    async def _people(self, found: Policy | PolicyError | None) -> Sequence[Finding]:
        """Who may request and approve: by the policy file, if there is one; and how they sign in for it."""
        step_up = self._within(safeguards.step_up(self.settings, self.directory), "step-up")
        if found is not None:
            examined = policy.policy(found, self.directory)
            return await asyncio.gather(self._within(examined, "policy"), step_up)
        approvers = safeguards.approvers(self.settings, self.directory)
        return [
            safeguards.four_eyes(self.settings),
            safeguards.requesters(self.settings),
            *await asyncio.gather(self._within(approvers, "approvers"), step_up),
        ]

    @property
    def _uses_powershell(self) -> bool:
        return self.settings.gateway is Gateway.POWERSHELL

    @property
    def _mends_with_powershell(self) -> bool:
        return self._uses_powershell and self.settings.checks_accounts

    @property
    def _gateway_checks(self) -> Sequence[str]:
        return (*_GATEWAY_CHECKS, "mending") if self._mends_with_powershell else _GATEWAY_CHECKS

    async def _bot(self) -> Finding:
        check = "token-bot"
        if not self.settings.signed:
            return ok(check, "found-bot-local")
        return (await self._token(check, self.app_tokens, self.scopes.bot))[0]

    async def _gateway_skipped(self) -> Sequence[Finding]:
        checks = ("token-configapi", *self._gateway_checks)
        return [unknown(check, "found-nobody") for check in checks]

    async def _gateway(self, gateway_access: GatewayAccess) -> Sequence[Finding]:
        finding, token = await self._token(
            "token-configapi", gateway_access.tokens, self.scopes.configapi
        )
        if not token:
            return [finding, *(unknown(check, "found-no-token") for check in self._gateway_checks)]
        findings = [
            access.roles(token, self.settings),
            sip_gateway.discovery(gateway_access.configapi),
            sip_gateway.summaries(gateway_access.gateway),
            sip_gateway.switch(gateway_access.configapi),
            sip_gateway.trusted_addresses(gateway_access.configapi),
        ]
        if self._mends_with_powershell:
            findings.append(powershell.mending(gateway_access.administrator))
        return [finding, *await self._each(self._gateway_checks, findings)]

    async def _graph(self) -> Sequence[Finding]:
        """The permissions by tier; those that only account checks need, if accounts are checked."""
        needed = [
            each for each in PERMISSIONS if each.tier is Tier.BASIC or self.settings.checks_accounts
        ]
        ids = self.settings.scope.ids if self.settings.checks_accounts else frozenset[str]()
        checks = [each.check for each in needed] + ([UNITS_CHECK] if ids else [])
        finding, token = await self._token("token-graph", self.app_tokens, self.scopes.graph)
        if not token:
            return [finding, *(unknown(check, "found-no-token") for check in checks)]
        findings = [access.permission(self.directory, each) for each in needed]
        if ids:
            findings.append(access.units(self.directory, ids))
        return [finding, *await self._each(checks, findings)]

    async def _each(
        self, checks: Sequence[str], findings: Sequence[Awaitable[Finding]]
    ) -> Sequence[Finding]:
        bounded = (
            self._within(finding, check) for check, finding in zip(checks, findings, strict=True)
        )
        return await asyncio.gather(*bounded)

    async def _token(self, check: str, tokens: Tokens, scope: str) -> tuple[Finding, str]:
        token = ""

        async def fetch() -> Finding:
            nonlocal token
            finding, token = await access.token(check, tokens, scope, self.settings)
            return finding

        return await self._within(fetch(), check), token

    async def _within(self, finding: Awaitable[Finding], check: str) -> Finding:
        slow = self._uses_powershell and check in ("powershell", "bulk-sign-in", "mending")
        seconds = max(self.seconds, _SECONDS_WITH_POWERSHELL) if slow else self.seconds
        try:
            async with asyncio.timeout(seconds):
                return await finding
        except TimeoutError:
            return failed(check, "found-slow", seconds=round(seconds))
        except Exception:
            # A crash in one check must not hide the others' findings.
            log.exception("doctor.check_crashed", check=check)
            return unknown(check, "found-fault")
