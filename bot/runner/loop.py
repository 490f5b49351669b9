"""A background loop: round after round, with a pause in between that a wake-up cuts short."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable

import structlog

log = structlog.get_logger()


class Loop:
    def __init__(self, name: str, *, pause_seconds: float) -> None:
        """`name` is for the log; `pause_seconds` follows a round that failed."""
        self._name = name
        self._pause_seconds = pause_seconds
        self._next_at = math.inf  # of the event loop's clock
        self._woken = asyncio.Event()

    def wake(self, in_seconds: float = 0) -> None:
        """There is something to do then: the next round begins at that time at the latest, or right
        after the current one."""
        self._next_at = min(self._next_at, asyncio.get_running_loop().time() + in_seconds)
        self._woken.set()

    async def run(self, one_round: Callable[[], Awaitable[float]]) -> None:
        """Run until cancelled. A round returns the seconds until the next is due. A round that fails is
        logged and ends nothing."""
        while True:
            self._next_at = math.inf
            try:
                pause = await one_round()
            except Exception:
                log.exception(f"{self._name}.round_failed")
                pause = self._pause_seconds
            self.wake(pause)
            await self._pass()

    async def _pass(self) -> None:
        """Wait for the time of the next round, which may come nearer meanwhile."""
        await asyncio.sleep(0)  # whatever a round awaited, others run before the next
        clock = asyncio.get_running_loop().time
        while (pause := self._next_at - clock()) > 0:
            self._woken.clear()
            try:
                async with asyncio.timeout(pause):
                    await self._woken.wait()
            except TimeoutError:
                pass
