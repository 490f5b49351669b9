"""One examination: every step on its own, bounded in time, whatever becomes of the others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass

import structlog

from bot.doctor import Finding, access, failed, host, ok, powershell, service, unknown
from bot.doctor.clients import Lists, Rights, Scopes
from bot.identity.tokens import Tokens
from bot.settings.model import Gateway, Settings
from bot.store.database import Database

# Microsoft Graph permissions by what is asked for in `bot.directory.graph`; the smallest that do.
_PERMISSIONS = (
    ("graph-users", "users", "User.Read.All"),
    ("graph-groups", "groups", "GroupMember.Read.All"),
)
_WITH_RIGHTS = ("roles", "configapi", "bulk-sign-in", "tenant-switch", "trusted-addresses")

# PowerShell has to start, to load its module and to connect before it can ask.
_SECONDS_WITH_POWERSHELL = 90.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Doctor:
    """`app` gives tokens of the app's own identity, with which `directory` is asked. `seconds` bounds
    each step."""

    settings: Settings
    database: Database
    scopes: Scopes
    app: Tokens
    directory: Lists
    seconds: float = 20.0

    async def examine(self, rights: Rights | None) -> Sequence[Finding]:
        """In the order in which things build on each other.

        `rights` is None if sign-ins run with those of a person and nobody is there who has them.
        """
        own = [
            self._within(host.settings(self.settings), "settings"),
            self._within(host.database(self.database), "database"),
        ]
        if self._powershell:
            own.append(self._within(powershell.versions(self.settings.pwsh), "powershell"))
        here, bot, service, graph, chat = await asyncio.gather(
            asyncio.gather(*own),
            self._bot(),
            self._nobody() if rights is None else self._service(rights),
            self._graph(),
            self._within(host.chat(self.settings, self.database), "teams"),
        )
        return [*here, bot, *service, *graph, chat]

    @property
    def _powershell(self) -> bool:
        return self.settings.gateway is Gateway.POWERSHELL

    async def _bot(self) -> Finding:
        step = "token-bot"
        if not self.settings.signed:
            return ok(step, "found-bot-local")
        return (await self._token(step, self.app, self.scopes.bot))[0]

    async def _nobody(self) -> Sequence[Finding]:
        return [unknown(step, "found-nobody") for step in ("token-configapi", *_WITH_RIGHTS)]

    async def _service(self, rights: Rights) -> Sequence[Finding]:
        found, token = await self._token("token-configapi", rights.tokens, self.scopes.configapi)
        if not token:
            return [found, *(unknown(step, "found-no-token") for step in _WITH_RIGHTS)]
        checks = (
            access.roles(token, self.settings),
            service.discovery(rights.configapi),
            service.summaries(rights.gateway),
            service.switch(rights.configapi),
            service.trusted_addresses(rights.configapi),
        )
        return [found, *await self._each(_WITH_RIGHTS, checks)]

    async def _graph(self) -> Sequence[Finding]:
        steps = [step for step, *_ in _PERMISSIONS]
        found, token = await self._token("token-graph", self.app, self.scopes.graph)
        if not token:
            return [found, *(unknown(step, "found-no-token") for step in steps)]
        checks = [access.permission(self.directory, *each) for each in _PERMISSIONS]
        return [found, *await self._each(steps, checks)]

    async def _each(
        self, steps: Sequence[str], checks: Sequence[Awaitable[Finding]]
    ) -> Sequence[Finding]:
        bounded = (self._within(check, step) for step, check in zip(steps, checks, strict=True))
        return await asyncio.gather(*bounded)

    async def _token(self, step: str, tokens: Tokens, scope: str) -> tuple[Finding, str]:
        got = ""

        async def ask() -> Finding:
            nonlocal got
            finding, got = await access.token(step, tokens, scope, self.settings)
            return finding

        return await self._within(ask(), step), got

    async def _within(self, check: Awaitable[Finding], step: str) -> Finding:
        slow = self._powershell and step in ("powershell", "bulk-sign-in")
        seconds = max(self.seconds, _SECONDS_WITH_POWERSHELL) if slow else self.seconds
        try:
            async with asyncio.timeout(seconds):
                return await check
        except TimeoutError:
            return failed(step, "found-slow", seconds=round(seconds))
        except Exception:
            # The others are worth as much without this one.
            log.exception("doctor.fault", step=step)
            return unknown(step, "found-fault")
