"""The log of refused requests, which anyone who reaches the port can cause: of limited length."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextvars import Context

import structlog

from bot.teams.activities import ActivityError

_FIRST = 10  # refusals logged one by one, per window
_WINDOW_SECONDS = 60.0

log = structlog.get_logger(__name__)


class RefusalLog:
    """Logs the first refusals of a window one by one, and the others as one line at its end.

    A window begins with a refusal while none is open, so nothing runs while nothing is refused.
    """

    def __init__(self, *, first: int = _FIRST, window_seconds: float = _WINDOW_SECONDS) -> None:
        self._first = first
        self._window_seconds = window_seconds
        self._logged = 0
        #: Refusals of this window that were not logged one by one, by code.
        self._others: Counter[str] = Counter()
        self._window: asyncio.TimerHandle | None = None

    def refused(self, error: ActivityError) -> None:
        """Logs or counts one refusal. Call it in the event loop."""
        if self._window is None:
            loop = asyncio.get_running_loop()
            # In an empty context: the summary is not about the request that opened the window.
            self._window = loop.call_later(self._window_seconds, self.close, context=Context())
        if self._logged >= self._first:
            self._others[error.code] += 1
            return
        self._logged += 1
        cause = type(error.__cause__).__name__
        log.warning("activity.refused", code=error.code, field=error.field, cause=cause)

    def close(self) -> None:
        """Ends the window: logs what was only counted."""
        if self._window is not None:
            self._window.cancel()
            self._window = None
        if self._others:
            count = self._others.total()
            log.warning("activity.refused_more", count=count, codes=dict(self._others))
        self._logged = 0
        self._others.clear()
