"""A value that is read once for all who ask at the same time."""

from __future__ import annotations

import asyncio

import pytest

from bot.web.shared import Shared


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Source:
    """Counts reads; each waits until it is let go, and then fails if it is told to."""

    def __init__(self) -> None:
        self.reads = 0
        self.go = asyncio.Event()
        self.fails = False

    async def read(self) -> int:
        self.reads += 1
        reads = self.reads
        await self.go.wait()
        if self.fails:
            raise OSError("down")
        return reads


async def test_shared_value_is_read_once_when_many_ask_at_once() -> None:
    source = Source()
    shared = Shared(source.read, monotonic=Clock())
    callers = [asyncio.create_task(shared.value()) for _ in range(100)]
    await asyncio.sleep(0)
    source.go.set()
    assert await asyncio.gather(*callers) == [1] * 100
    assert await shared.value() == 1


async def test_shared_value_is_read_again_when_a_second_has_passed() -> None:
    source, clock = Source(), Clock()
    source.go.set()
    shared = Shared(source.read, monotonic=clock)
    assert [await shared.value() for _ in range(2)] == [1, 1]
    clock.now = 0.99
    assert await shared.value() == 1
    clock.now = 1.0
    assert await shared.value() == 2


async def test_shared_value_ages_from_the_end_of_a_slow_read() -> None:
    source, clock = Source(), Clock()
    shared = Shared(source.read, monotonic=clock)
    first = asyncio.create_task(shared.value())
    await asyncio.sleep(0)
    clock.now = 30.0
    second = asyncio.create_task(shared.value())
    await asyncio.sleep(0)
    source.go.set()
    assert (await first, await second, await shared.value()) == (1, 1, 1)


async def test_shared_value_stays_for_others_when_a_caller_goes_away() -> None:
    source = Source()
    shared = Shared(source.read, monotonic=Clock())
    gone, stays = (asyncio.create_task(shared.value()) for _ in range(2))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.sleep(0)
    source.go.set()
    assert await stays == 1
    assert gone.cancelled()


async def test_shared_value_is_read_again_when_reading_failed() -> None:
    source = Source()
    source.go.set()
    source.fails = True
    shared = Shared(source.read, monotonic=Clock())
    with pytest.raises(OSError, match="down"):
        await shared.value()
    source.fails = False
    assert await shared.value() == 2
