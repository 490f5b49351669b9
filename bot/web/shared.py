"""A value that many may ask for and that costs a query: asked for once, shared by all callers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Shared(Generic[Value]):
    """Reads a value at most once per `seconds`, one read at a time; callers wait for the one under way.

    A read that fails is repeated by the next caller. `monotonic`: seconds, for tests.
    """

    def __init__(
        self,
        read: Callable[[], Awaitable[Value]],
        *,
        seconds: float = 1.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._seconds = seconds
        self._monotonic = monotonic
        self._task: asyncio.Task[Value] | None = None
        self._until = 0.0  # when the last value is too old; a read that fails leaves it in the past

    async def value(self) -> Value:
        """Returns the value, at most `seconds` old. Raises what reading raises."""
        task = self._task
        if task is None or (task.done() and self._monotonic() >= self._until):
            task = self._task = asyncio.create_task(self._timed())
        # A caller that goes away does not take the value from the others.
        return await asyncio.shield(task)

    async def _timed(self) -> Value:
        value = await self._read()
        self._until = self._monotonic() + self._seconds
        return value
