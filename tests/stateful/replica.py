"""A worker in a simulated process of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from bot.runner.context import WorkerContext
from bot.runner.worker import Worker
from bot.signin.timing import Timing
from tests.stateful.databases import DatabaseLostError, ObservedDatabase, ReplicaDatabase
from tests.stateful.ledger import Ledger, LedgerGateways
from tests.stateful.process import AnyTask, Process
from tests.support.jobs import NOTIFY

BEGIN = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
#: Production's intervals; a task that failed does not pause, since that would be real time.
TIMING = replace(Timing(), idle_seconds=0.0)


@dataclass(slots=True)
class Clock:
    now: datetime = BEGIN

    def __call__(self) -> datetime:
        return self.now

    def monotonic(self) -> float:
        return (self.now - BEGIN).total_seconds()


class Replica:
    """A worker in a process of its own."""

    def __init__(
        self,
        name: str,
        database: ObservedDatabase,
        ledger: Ledger,
        clock: Clock,
        *,
        sole: bool,
    ) -> None:
        self._round_task: AnyTask | None = None
        self._shutdown: AnyTask | None = None
        self.process = Process(name, self._tasks, self._waits)
        self.database = ReplicaDatabase(database, self.process, sole=sole)
        self.worker = Worker(
            WorkerContext(
                self.database,
                LedgerGateways(ledger, self.process),
                NOTIFY,
                TIMING,
                owner=name,
                clock=clock,
                changed=lambda: None,
            )
        )

    def _tasks(self) -> Iterable[AnyTask]:
        # The endless loop is left out, since it waits in real time: its rounds are called one by one.
        of_worker = self.worker._tasks.values()  # pyright: ignore[reportPrivateUsage]
        apart = (self._round_task, self._claiming)
        return (*(task for task in apart if task is not None), *of_worker)

    @property
    def _claiming(self) -> AnyTask | None:
        """The latest claim: a task of its own, since it outlives the round that made it."""
        return self.worker._claiming  # pyright: ignore[reportPrivateUsage]

    def _waits(self, task: AnyTask) -> bool:
        """True for a round that waits for its claim."""
        claiming = self._claiming
        return task is self._round_task and claiming is not None and not claiming.done()

    @property
    def alive(self) -> bool:
        return not self.process.dead

    @property
    def working(self) -> bool:
        return self.alive and not self.process.paused

    async def begin_round(self) -> None:
        """Start the loop's next round, unless one is under way."""
        if self.draining or (self._round_task is not None and not self._round_task.done()):
            return
        self._round_task = asyncio.ensure_future(self._round())
        await self.process.settle()

    async def _round(self) -> None:
        # As in `Loop`: a round that fails ends nothing.
        with suppress(DatabaseLostError):
            await self.worker._round()  # pyright: ignore[reportPrivateUsage]

    @property
    def draining(self) -> bool:
        return self._shutdown is not None

    async def begin_drain(self) -> None:
        """Stop as the service does: submits in flight finish, the rest is cancelled."""
        if self._round_task is not None:
            self._round_task.cancel()
            await asyncio.gather(self._round_task, return_exceptions=True)
        self._shutdown = asyncio.ensure_future(self.worker._drain())  # pyright: ignore[reportPrivateUsage]
        await asyncio.sleep(0)  # it cancels, and waits for the others
        await self.process.settle()
        await self.notice_end()

    async def notice_end(self) -> None:
        if self._shutdown is not None and not list(self._unfinished()):
            await self._shutdown
            self.process.dead = True

    def _unfinished(self) -> Iterable[AnyTask]:
        return (task for task in self._tasks() if not task.done())

    async def kill(self) -> None:
        await self.process.kill()
        if self._shutdown is not None:
            self._shutdown.cancel()
            await asyncio.gather(self._shutdown, return_exceptions=True)

    async def run(self) -> None:
        """Do all that can be done now."""
        await self.begin_round()
        await self.process.run()
        await self.notice_end()
