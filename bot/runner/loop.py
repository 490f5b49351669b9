"""A loop that looks at the tables: round after round, with a pause in between that ends at a wake-up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

log = structlog.get_logger()


class Loop:
    """`name` is for the log; `pause` in seconds follows a round that failed."""

    def __init__(self, name: str, *, pause: float) -> None:
        self._name = name
        self._pause = pause
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """There is something to do: the next round begins now, or after the one that runs."""
        self._woken.set()

    async def run(self, one_round: Callable[[], Awaitable[float]]) -> None:
        """Until cancelled. A round gives the seconds until the next is due; its failures are logged,
        and end nothing."""
        while True:
            self._woken.clear()
            try:
                pause = await one_round()
            except Exception:
                log.exception(f"{self._name}.round_failed")
                pause = self._pause
            try:
                async with asyncio.timeout(pause):
                    await self._woken.wait()
            except TimeoutError:
                pass
