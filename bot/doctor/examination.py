"""One examination: every step on its own, bounded in time, whatever becomes of the others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass

import structlog

from bot.doctor import Finding, access, failed, host, ok, powershell, service, unknown
from bot.doctor.far import FarSides, Scopes
from bot.gateway.identity import Tokens
from bot.settings import Gateway, Settings
from bot.store.database import Database

# Microsoft Graph permissions by what is asked for in `bot.directory.graph`; the smallest that do.
_PERMISSIONS = (
    ("graph-users", "users", "User.Read.All"),
    ("graph-groups", "groups", "GroupMember.Read.All"),
)
_STEPS_OF_CONFIGAPI = ("roles", "configapi", "bulk-sign-in", "tenant-switch", "trusted-addresses")

# PowerShell has to start, to load its module and to connect before it can ask.
_SECONDS_WITH_POWERSHELL = 90.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Doctor:
    """`bot` gives tokens for the Bot Framework, None if the bot has no registration, as in `local`.
    `seconds` bounds each step."""

    settings: Settings
    database: Database
    scopes: Scopes
    bot: Tokens | None
    seconds: float = 20.0

    async def examine(self, far: FarSides | None) -> Sequence[Finding]:
        """In the order in which things build on each other.

        `far` is None if nobody is there with whose rights the far sides could be asked.
        """
        here = [
            self._within(host.settings(self.settings), "settings"),
            self._within(host.database(self.database.url), "database"),
            self._bot(),
        ]
        if self._powershell:
            here.append(self._within(powershell.versions(self.settings.pwsh), "powershell"))
        chat = self._within(host.chat(self.settings, self.database), "teams")
        there = self._nobody() if far is None else self._far(far)
        found_here, found_chat, found_there = await asyncio.gather(
            asyncio.gather(*here), chat, there
        )
        return [*found_here, *found_there, found_chat]

    @property
    def _powershell(self) -> bool:
        return self.settings.gateway is Gateway.POWERSHELL

    async def _bot(self) -> Finding:
        step = "token-bot"
        if self.bot is None:
            return ok(step, "found-bot-local")
        return (await self._token(step, self.bot, self.scopes.bot))[0]

    async def _nobody(self) -> Sequence[Finding]:
        steps = ("token-configapi", "token-graph", *_STEPS_OF_CONFIGAPI)
        return [
            unknown(step, "found-nobody") for step in (*steps, *(name for name, *_ in _PERMISSIONS))
        ]

    async def _far(self, far: FarSides) -> Sequence[Finding]:
        (configapi, teams_token), (graph, graph_token) = await asyncio.gather(
            self._token("token-configapi", far.tokens, self.scopes.configapi),
            self._token("token-graph", far.tokens, self.scopes.graph),
        )
        checks: list[Awaitable[Finding]] = []
        if teams_token:
            checks += [
                self._within(access.roles(teams_token, self.settings), "roles"),
                self._within(service.discovery(far.configapi), "configapi"),
                self._within(service.summaries(far.gateway), "bulk-sign-in"),
                self._within(service.switch(far.configapi), "tenant-switch"),
                self._within(service.trusted_addresses(far.configapi), "trusted-addresses"),
            ]
        if graph_token:
            checks += [
                self._within(access.permission(step, far.directory, what, permission), step)
                for step, what, permission in _PERMISSIONS
            ]
        found = await asyncio.gather(*checks)
        missing = [
            unknown(step, "found-no-token")
            for token, steps in (
                (teams_token, _STEPS_OF_CONFIGAPI),
                (graph_token, [name for name, *_ in _PERMISSIONS]),
            )
            if not token
            for step in steps
        ]
        return [configapi, graph, *found, *missing]

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
