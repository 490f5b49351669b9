"""Retries for reads and submit preparation. Submits are never retried."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from bot.gateway import ThrottledError, UnavailableError

Result = TypeVar("Result")


async def call_with_retries(
    call: Callable[[], Awaitable[Result]], *, pauses: Sequence[float], deadline: float
) -> Result:
    """Await `call()`, retrying after each of `pauses` (seconds, with 25 % jitter).

    Only `ThrottledError` and `UnavailableError` are retried; a throttle's `retry_after` lengthens the
    pause. The last error is raised when no pause is left, or when the next attempt would start after
    `deadline` (event loop time).
    """
    remaining = iter(pauses)
    while True:
        try:
            return await call()
        except (ThrottledError, UnavailableError) as error:
            pause = next(remaining, None)
            if pause is None:
                raise
            pause *= random.uniform(0.75, 1.25)  # noqa: S311 - jitter, not security
            if isinstance(error, ThrottledError) and error.retry_after is not None:
                pause = max(pause, error.retry_after)
            if asyncio.get_running_loop().time() + pause >= deadline:
                raise
        await asyncio.sleep(pause)
