"""A background loop: round after round, with a pause in between that a wake-up cuts short."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

log = structlog.get_logger()


class Loop:
    def __init__(self, name: str, *, pause_seconds: float) -> None:
        """`name` is for the log; `pause_seconds` follows a round that failed."""
        self._name = name
        self._pause_seconds = pause_seconds
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """There is something to do: the next round begins now, or right after the current one."""
        self._woken.set()

    async def run(self, one_round: Callable[[], Awaitable[float]]) -> None:
        """Run until cancelled. A round returns the seconds until the next is due. A round that fails is
        logged and ends nothing."""
        while True:
            self._woken.clear()
            try:
                pause = await one_round()
            except Exception:
                log.exception(f"{self._name}.round_failed")
                pause = self._pause_seconds
            try:
                async with asyncio.timeout(pause):
                    await self._woken.wait()
            except TimeoutError:
                pass
