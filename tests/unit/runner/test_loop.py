"""When a background loop begins its rounds."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from bot.runner.loop import Loop
from tests.support.waiting import PATIENCE, Clock

HOUR = 3600.0


class Rounds:
    """A loop that finds nothing to do for an hour, in its own task."""

    def __init__(self) -> None:
        self.loop = Loop("test", pause_seconds=HOUR)
        self.begun: asyncio.Queue[float] = asyncio.Queue()
        self._task = asyncio.create_task(self.loop.run(self._round))

    async def _round(self) -> float:
        self.begun.put_nowait(asyncio.get_running_loop().time())
        return HOUR

    async def next(self) -> float:
        async with asyncio.timeout(PATIENCE):
            return await self.begun.get()

    async def close(self) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task


async def settle() -> None:
    """Let the loop do whatever it can do without time passing."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_round_begins_when_told_though_the_last_one_said_later(clock: Clock) -> None:
    rounds = Rounds()
    first = await rounds.next()
    rounds.loop.wake(in_seconds=60)
    await settle()
    assert rounds.begun.empty(), "it is not time yet"
    clock.advance(60)
    assert 60 <= await rounds.next() - first < HOUR
    await rounds.close()


async def test_earliest_time_counts(clock: Clock) -> None:
    rounds = Rounds()
    first = await rounds.next()
    rounds.loop.wake(in_seconds=60)
    rounds.loop.wake(in_seconds=2 * HOUR)
    await settle()
    clock.advance(60)
    assert await rounds.next() - first < HOUR
    await settle()
    assert rounds.begun.empty(), "a round is begun once"
    clock.advance(HOUR)
    assert await rounds.next() - first >= HOUR
    await rounds.close()


async def test_wake_begins_a_round_at_once() -> None:
    rounds = Rounds()
    await rounds.next()
    rounds.loop.wake()
    await rounds.next()
    await rounds.close()


async def test_wake_during_a_round_begins_another() -> None:
    loop = Loop("test", pause_seconds=HOUR)
    second = asyncio.Event()
    rounds = 0

    async def woken_meanwhile() -> float:
        nonlocal rounds
        rounds += 1
        if rounds == 1:
            loop.wake()
        else:
            second.set()
        return HOUR

    task = asyncio.create_task(loop.run(woken_meanwhile))
    async with asyncio.timeout(PATIENCE):
        await second.wait()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_rounds_that_await_nothing_let_others_run() -> None:
    loop = Loop("test", pause_seconds=HOUR)
    rounds = 0

    async def at_once() -> float:
        nonlocal rounds
        rounds += 1
        if rounds > 1000:
            raise asyncio.CancelledError  # or nobody else would ever run
        return 0

    task = asyncio.create_task(loop.run(at_once))
    await settle()
    assert 1 < rounds < 1000
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
