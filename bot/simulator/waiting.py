"""Waiting for what a far side sees, instead of sleeping."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")


class Signal:
    """Wakes whoever waits each time that something has changed."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()

    def notify(self) -> None:
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)
        self._waiting.clear()

    async def until(self, find: Callable[[], Found | None], timeout: float) -> Found:  # noqa: ASYNC109
        """The first thing that `find` gives, asked now and after each change.

        Raises `TimeoutError` after `timeout` seconds.
        """
        async with asyncio.timeout(timeout):
            while (found := find()) is None:
                waiter = asyncio.get_running_loop().create_future()
                self._waiting.add(waiter)
                try:
                    await waiter
                finally:
                    self._waiting.discard(waiter)
            return found
