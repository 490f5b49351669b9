"""Asking again: for reads and for what comes before a submit, never for a submit."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from bot.gateway import ThrottledError, UnavailableError

Result = TypeVar("Result")


async def repeated(
    attempt: Callable[[], Awaitable[Result]], *, pauses: Sequence[float], deadline: float
) -> Result:
    """`attempt`'s result, tried again after each of `pauses` (seconds, spread by a quarter).

    Raises what `attempt` raised last: anything but `Throttled` and `Unavailable` at once, these when
    no pause is left or the next try would begin after `deadline` (the loop's time).
    """
    left = iter(pauses)
    while True:
        try:
            return await attempt()
        except (ThrottledError, UnavailableError) as trouble:
            pause = next(left, None)
            if pause is None:
                raise
            pause *= random.uniform(0.75, 1.25)  # noqa: S311 - spreads callers, guards nothing
            if isinstance(trouble, ThrottledError) and trouble.retry_after is not None:
                pause = max(pause, trouble.retry_after)
            if asyncio.get_running_loop().time() + pause >= deadline:
                raise
        await asyncio.sleep(pause)
