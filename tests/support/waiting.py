"""Waiting in tests: for events, however long they take, and for the service's timeouts, at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

PATIENCE = 120.0  # seconds until a test that waits for an event fails


async def until(condition: Callable[[], object]) -> None:
    """Wait until what other tasks do makes `condition` true."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.001)


class Clock:
    """The time of the event loop. Advance it, and whatever the loop was to do by then, it does next.

    So a timeout is tested with the limit that the service has, and what must not run into it has that
    long, on a machine of any speed. `time.monotonic()` and the date stay as they are.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        loop = asyncio.get_running_loop()
        real = loop.time
        self._ahead = 0.0
        monkeypatch.setattr(loop, "time", lambda: real() + self._ahead)

    def advance(self, seconds: float) -> None:
        self._ahead += seconds
