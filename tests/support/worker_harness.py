"""A worker with a database and a simulated SIP Gateway, in a world where time runs faster."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import aiohttp
from sqlalchemy import update

from bot.gateway.configapi import ConfigApiGateway
from bot.identity.tokens import FixedToken
from bot.runner.context import WorkerContext
from bot.runner.gateways import Gateways
from bot.runner.worker import Worker
from bot.signin.batch import BatchState
from bot.signin.digest import UNKEYED, Digests
from bot.signin.snapshot import RequestSnapshot
from bot.signin.timing import Timing
from bot.simulator.scenario import Scenario
from bot.simulator.server import Simulator
from bot.store import batches, snapshots
from bot.store.database import Database
from bot.store.models.batches import BatchRow
from tests.support import jobs
from tests.support.waiting import PATIENCE, Clock

FAST = replace(
    Timing().scaled(0.01),
    idle_seconds=1.0,  # rounds in which nothing is due would cost more than the work itself
    lease_margin_seconds=60.0,  # a busy machine takes its time, too, between a claim and the submit
    lookup_seconds=60.0,
    settle_seconds=0.25,
    grace_seconds=0.3,
    throttled_seconds=0.05,
    denied_seconds=0.1,
    stalled_seconds=60.0,
    abandoned_seconds=120.0,
)
SUBMIT_TIMEOUT = 60.0  # seconds; only reached by a test that advances the loop's clock


@dataclass(slots=True)
class Date:
    """The UTC time that a worker goes by: the real one, plus what a test has let pass."""

    _ahead: timedelta = timedelta(0)

    def __call__(self) -> datetime:
        return jobs.utc_now() + self._ahead

    def advance(self, seconds: float) -> None:
        self._ahead += timedelta(seconds=seconds)


@dataclass(frozen=True, slots=True)
class World:
    database: Database
    simulator: Simulator
    gateway: ConfigApiGateway
    timing: Timing
    changed: asyncio.Event

    clock: Callable[[], datetime] = jobs.utc_now

    def context(self, digests: Digests = UNKEYED) -> WorkerContext:
        return WorkerContext(
            self.database,
            Gateways(self.gateway),
            jobs.NOTIFY,
            self.timing,
            owner=uuid.uuid4().hex,
            clock=self.clock,
            changed=self.changed.set,
            digests=digests,
        )

    def worker(self, digests: Digests = UNKEYED) -> Worker:
        return Worker(self.context(digests))

    @asynccontextmanager
    async def working(self, digests: Digests = UNKEYED) -> AsyncGenerator[Worker]:
        """A running worker, stopped at the end as the service stops it."""
        worker = self.worker(digests)
        task = asyncio.create_task(worker.run())
        try:
            yield worker
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def snapshot(self, request_id: str) -> RequestSnapshot:
        async with self.database.read() as tx:
            snapshot = await snapshots.load(tx, request_id)
        assert snapshot is not None
        return snapshot

    async def until(
        self, request_id: str, fits: Callable[[RequestSnapshot], bool]
    ) -> RequestSnapshot:
        """Wait until the request is as wanted; reads it whenever the worker has changed something."""
        async with asyncio.timeout(PATIENCE):
            while True:
                self.changed.clear()
                snapshot = await self.snapshot(request_id)
                if fits(snapshot):
                    return snapshot
                await self.changed.wait()


async def poll_until(
    world: World,
    worker: Worker,
    request_id: str,
    fits: Callable[[RequestSnapshot], bool],
    *,
    interval: float,
) -> RequestSnapshot:
    """Let `interval` seconds pass until the next poll of the request's only batch, again and again, until
    the request is as wanted."""
    date = world.clock
    assert isinstance(date, Date)
    await world.until(request_id, lambda each: BatchState.SUBMITTED in each.regions[0].batches)
    polls = -1
    async with asyncio.timeout(PATIENCE):
        while True:
            snapshot = await world.snapshot(request_id)
            if fits(snapshot):
                return snapshot
            async with world.database.read() as tx:
                (batch,) = await batches.select_where(tx, BatchRow.request_id == request_id)
            if batch.polls == polls:
                await asyncio.sleep(0.005)
                continue
            polls = batch.polls
            date.advance(interval * 1.1)  # intervals vary by 5 %
            worker.wake()


async def expire_leases(database: Database) -> None:
    """Let the leases of stopped workers expire."""
    async with database.write() as tx:
        await tx.execute(
            update(BatchRow)
            .where(BatchRow.lease_until.is_not(None))
            .values(lease_until=jobs.utc_now() - timedelta(seconds=1))
        )


async def time_out_submit(world: World, clock: Clock) -> None:
    """Let the first submit time out, once the SIP Gateway has received it."""
    await world.simulator.configapi.wait_for_submits(1, PATIENCE)
    clock.advance(SUBMIT_TIMEOUT)


@asynccontextmanager
async def opened(
    database: Database, scenario: Scenario, *, timing: Timing = FAST
) -> AsyncGenerator[World]:
    async with Simulator(scenario) as simulator, aiohttp.ClientSession() as session:
        gateway = ConfigApiGateway(
            session,
            simulator.configapi_url,
            FixedToken(),
            submit_timeout=SUBMIT_TIMEOUT,
            pauses=(0.01,),
        )
        yield World(database, simulator, gateway, timing, asyncio.Event())
