"""One simulated replica's process: its tasks stop wherever they would wait for something outside.

Only one task is ever on its way, so a run depends on nothing but the order in which the stops are
released, and a crash or a pause can happen at any of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

AnyTask = asyncio.Task[Any]


@dataclass(eq=False, slots=True)
class Stop:
    """A task that waits for something outside of its process."""

    label: str
    task: AnyTask
    released: asyncio.Future[Any]
    held: bool  #: released by what it waits for, not by the process going on


@dataclass(eq=False, slots=True)
class Process:
    name: str
    tasks: Callable[[], Iterable[AnyTask]]  #: those that the replica has started
    waits: Callable[[AnyTask], bool] = lambda _: (
        False
    )  #: whether one only waits for another of them
    stops: list[Stop] = field(default_factory=list[Stop])
    paused: bool = False
    dead: bool = False
    _moved: asyncio.Event = field(default_factory=asyncio.Event)

    async def stop(self, label: str) -> None:
        """Called by the replica's own code: wait until this step is released."""
        stop = self._stopped(label, held=False)
        try:
            await stop.released
        except asyncio.CancelledError:
            if stop in self.stops:
                self.stops.remove(stop)
            raise

    def hold(self, label: str) -> Stop:
        """The same for a call that is released with an answer; the caller awaits `released`."""
        return self._stopped(label, held=True)

    def _stopped(self, label: str, *, held: bool) -> Stop:
        task = asyncio.current_task()
        assert task is not None
        stop = Stop(label, task, asyncio.get_running_loop().create_future(), held)
        self.stops.append(stop)
        self._moved.set()
        return stop

    @property
    def ready(self) -> list[Stop]:
        """The stops at which the process can go on by itself, oldest first."""
        return [stop for stop in self.stops if not stop.held]

    def stopped_at(self, label: str) -> list[Stop]:
        return [stop for stop in self.ready if stop.label == label]

    async def release(
        self, stop: Stop, *, result: object = None, error: BaseException | None = None
    ) -> None:
        """Let one task go on until it stops again or ends."""
        self.stops.remove(stop)
        if error is None:
            stop.released.set_result(result)
        else:
            stop.released.set_exception(error)
        await self.settle(stop.task)

    async def run(self) -> None:
        """Go on, in order, until nothing is left but calls without an answer."""
        while self.ready:
            await self.release(self.ready[0])

    async def settle(self, *tasks: AnyTask) -> None:
        """Wait until every task has stopped or ended."""
        while True:
            stopped = {stop.task for stop in self.stops}
            on_their_way = {
                task
                for task in (*self.tasks(), *tasks)
                if not task.done() and task not in stopped and not self.waits(task)
            }
            if not on_their_way:
                return
            self._moved.clear()
            moved = asyncio.ensure_future(self._moved.wait())
            await asyncio.wait({*on_their_way, moved}, return_when=asyncio.FIRST_COMPLETED)
            moved.cancel()

    async def kill(self) -> None:
        """As kill -9 at the current stops: none of the code behind them ever runs."""
        self.dead = True
        tasks = {*self.tasks(), *(stop.task for stop in self.stops)}
        self.stops.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
