"""A worker with a database and a simulated service, in a world in which time runs faster."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace

import aiohttp

from bot.gateway.configapi import ConfigApiGateway
from bot.gateway.identity import FixedToken
from bot.runner.announcements import Announcements
from bot.runner.worker import Worker
from bot.settings import REQUESTER_CHAT
from bot.signin.pace import Pace
from bot.signin.snapshot import RequestSnapshot
from bot.simulator.scenario import Scenario
from bot.simulator.server import Simulator
from bot.store import snapshots
from bot.store.database import Database
from bot.words import Words
from tests.support import jobs

FAST = replace(
    Pace().scaled(0.01), settle=0.25, grace=0.3, busy=0.05, denied=0.1, stuck=60.0, give_up=120.0
)
PATIENCE = 20.0  # seconds until a test that waits for an event fails


@dataclass(frozen=True, slots=True)
class World:
    database: Database
    simulator: Simulator
    gateway: ConfigApiGateway
    pace: Pace
    changed: asyncio.Event

    def worker(self) -> Worker:
        return Worker(
            self.database,
            self.gateway,
            Announcements(REQUESTER_CHAT, REQUESTER_CHAT, Words()),
            pace=self.pace,
            owner=uuid.uuid4().hex,
            clock=jobs.utc_now,
            changed=self.changed.set,
        )

    @asynccontextmanager
    async def working(self) -> AsyncGenerator[Worker]:
        """A worker at work; at the end it is stopped as the service stops it."""
        worker = self.worker()
        task = asyncio.create_task(worker.run())
        try:
            yield worker
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def snapshot(self, request_id: str) -> RequestSnapshot:
        async with self.database.read() as tx:
            found = await snapshots.load(tx, request_id)
        assert found is not None
        return found

    async def until(
        self, request_id: str, fits: Callable[[RequestSnapshot], bool]
    ) -> RequestSnapshot:
        """Wait until the request is as wanted; looks whenever the worker has changed something."""
        async with asyncio.timeout(PATIENCE):
            while True:
                self.changed.clear()
                snapshot = await self.snapshot(request_id)
                if fits(snapshot):
                    return snapshot
                await self.changed.wait()


@asynccontextmanager
async def opened(
    database: Database, scenario: Scenario, *, pace: Pace = FAST, submit_timeout: float = 0.5
) -> AsyncGenerator[World]:
    async with Simulator(scenario) as simulator, aiohttp.ClientSession() as session:
        gateway = ConfigApiGateway(
            session,
            simulator.configapi_url,
            FixedToken(),
            submit_timeout=submit_timeout,
            read_timeout=2.0,
            pauses=(0.01,),
        )
        yield World(database, simulator, gateway, pace, asyncio.Event())
