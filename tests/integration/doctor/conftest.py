"""A doctor with simulated remote services and a database."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlalchemy import make_url

from bot.directory.client import SCOPE as GRAPH
from bot.directory.graph import GraphDirectory
from bot.doctor import Finding
from bot.doctor.clients import GatewayAccess, Scopes
from bot.doctor.run import Doctor
from bot.gateway.administration import ConfigApiAdministration
from bot.gateway.configapi import SCOPE as CONFIGAPI
from bot.gateway.configapi import ConfigApiGateway
from bot.identity.tokens import FixedToken, Tokens
from bot.settings.model import Settings
from bot.simulator.client import TENANT
from bot.simulator.scenario import Call, Scenario
from bot.simulator.server import Simulator
from bot.store import conversations
from bot.store.conversations import ConversationKind, ConversationReference
from bot.store.database import Database
from tests.support.jobs import utc_now
from tests.support.waiting import Clock, until

TIMEOUT = 60.0  # seconds, of each check and each read
BOT = "https://api.botframework.com/.default"
CHANNEL = "19:approvals@thread.tacv2"
__all__ = ["BOT", "CHANNEL", "CONFIGAPI", "GRAPH", "DoctorHarness", "FakeTokens", "MakeHarness"]


@dataclass
class FakeTokens:
    """Implements `Tokens`: always the same token, except for the scopes in `errors`."""

    value: str = "local"
    #: Scope -> error to raise.
    errors: Mapping[str, Exception] = field(default_factory=dict[str, Exception])

    async def token(self, scope: str, *, refresh: bool = False) -> str:
        del refresh
        if scope in self.errors:
            raise self.errors[scope]
        return self.value


@dataclass
class DoctorHarness:
    """A doctor and its environment."""

    doctor: Doctor
    access: GatewayAccess
    simulator: Simulator
    #: HTTP methods of all outgoing calls.
    methods: list[str]
    #: Seconds after which a read or a check that hangs ends.
    timeout: float

    async def examine(self, *, hung: Clock | None = None) -> dict[str, Finding]:
        """Run all checks. Returns findings by check.

        `hung`: the clock to advance when the check of the summaries hangs and all others are done.
        """
        running = asyncio.ensure_future(self.doctor.run(self.access))
        if hung is not None:
            await until(lambda: self.simulator.configapi.calls[Call.BATCH_SUMMARIES])
            await until(lambda: _parts_at_work() == ["_gateway", "_within", "run"])
            hung.advance(self.timeout)
        found = await running
        assert len({each.check for each in found}) == len(found)
        return {each.check: each for each in found}


def _parts_at_work() -> list[str]:
    """Of the doctor: one `_within` for each check."""
    names = [str(getattr(task.get_coro(), "__qualname__", "")) for task in asyncio.all_tasks()]
    return sorted(name.removeprefix("Doctor.") for name in names if name.startswith("Doctor."))


MakeHarness = Callable[..., Awaitable[DoctorHarness]]


@pytest.fixture(autouse=True)
def settings_of_nobody_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Isolate the tests from the developer's environment variables and `.env` file."""
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith("OFFHOOK_"):
            monkeypatch.delenv(name)


@pytest.fixture
async def make_harness(tmp_path: Path, migrated: Path) -> AsyncIterator[MakeHarness]:
    empty_tables = migrated
    async with AsyncExitStack() as stack:

        async def make(
            scenario: Scenario | None = None,
            *,
            tokens: Tokens | None = None,
            known_channels: bool = True,
            migrated: bool = True,
            read_timeout: float = TIMEOUT,
            **more: Any,
        ) -> DoctorHarness:
            values: dict[str, Any] = {"data_dir": tmp_path, "tenant_ids": (TENANT,), **more}
            settings = Settings(**values)
            simulator = await stack.enter_async_context(Simulator(scenario))
            methods: list[str] = []
            session = await stack.enter_async_context(
                aiohttp.ClientSession(trace_configs=[_tracing(methods)])
            )
            database = Database(settings.database)
            stack.push_async_callback(database.close)
            if migrated:
                shutil.copy(empty_tables, make_url(settings.database).database or "")
            if known_channels:
                async with database.write() as tx:
                    for each in ("a:chat", CHANNEL):
                        reference = ConversationReference(
                            TENANT, each, ConversationKind.PERSONAL, "", "", ""
                        )
                        await conversations.remember(tx, reference, utc_now())
            tokens = tokens or FixedToken()
            gateway = ConfigApiGateway(
                session, simulator.configapi_url, tokens, read_timeout=read_timeout, pauses=(0.01,)
            )
            directory = GraphDirectory(session, simulator.graph_url, tokens)
            return DoctorHarness(
                Doctor(
                    settings, database, Scopes(CONFIGAPI, GRAPH, BOT), tokens, directory, TIMEOUT
                ),
                GatewayAccess(tokens, gateway, gateway, ConfigApiAdministration(gateway)),
                simulator,
                methods,
                min(read_timeout, TIMEOUT),
            )

        yield make


def _tracing(methods: list[str]) -> aiohttp.TraceConfig:
    async def began(
        _session: aiohttp.ClientSession, _context: object, call: aiohttp.TraceRequestStartParams
    ) -> None:
        methods.append(call.method)

    trace = aiohttp.TraceConfig()
    trace.on_request_start.append(began)
    return trace
