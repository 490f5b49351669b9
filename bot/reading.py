"""What commands read of the remote services without a running service; and the doctor's checks."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from bot.directory.client import SCOPE as GRAPH_SCOPE
from bot.directory.graph import GraphDirectory
from bot.doctor import Finding, RunChecks
from bot.doctor.clients import GatewayAccess, Scopes
from bot.gateway.configapi import SCOPE
from bot.identity.tokens import Tokens
from bot.remote import Remote, open_remote
from bot.runner.facts import TenantReader
from bot.settings.model import Settings
from bot.settings.values import RunAs
from bot.store.connect import database_of
from bot.store.database import Database


@asynccontextmanager
async def reading_facts(settings: Settings) -> AsyncGenerator[TenantReader]:
    """A reader of the home tenant with the app's own permissions, and no running service.

    Raises `ScenarioError` or `CredentialError`.
    """
    async with AsyncExitStack() as stack:
        remote = await open_remote(settings, stack)
        yield remote.home_reader()


@asynccontextmanager
async def reading_directory(settings: Settings) -> AsyncGenerator[GraphDirectory]:
    """The directory with the app's own permissions, and no running service.

    Raises `ScenarioError` or `CredentialError`.
    """
    async with AsyncExitStack() as stack:
        remote = await open_remote(settings, stack)
        yield remote.directory()


@asynccontextmanager
async def examining(settings: Settings) -> AsyncGenerator[RunChecks]:
    """The doctor with its own clients and no running service.

    Raises `ScenarioError`, `CredentialError`, or `DatabaseError` for a URL of an unknown kind.
    """
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(database_of(settings))
        remote = await open_remote(settings, stack)
        yield run_checks_of(remote, database)


def run_checks_of(remote: Remote, database: Database) -> RunChecks:
    """The doctor's checks, with an approver's tokens where requests run as approvers."""
    settings = remote.settings
    as_approver = settings.proves_itself and settings.run_as is RunAs.APPROVER

    async def run_checks(approver: Tokens | None) -> Sequence[Finding]:
        # Imported when somebody asks: its checks need Alembic, among others.
        from bot.doctor.run import Doctor

        doctor = Doctor(
            settings,
            database,
            Scopes(SCOPE, GRAPH_SCOPE, f"{settings.hosts.bot}/.default"),
            remote.tokens,
            remote.directory(),
            webhook=remote.webhook(),
        )
        tokens = approver if as_approver else remote.tokens
        if tokens is None:
            return await doctor.run(None)
        gateway = remote.gateway(60.0, tokens)
        administrator = remote.administrator(tokens)
        return await doctor.run(
            GatewayAccess(tokens, gateway, remote.configapi(tokens), administrator)
        )

    return run_checks
