"""What is due because time has passed: requests expire, approvers are reminded, what serves for a day
is deleted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from bot.lifecycle import requests as lifecycle
from bot.lifecycle.notifications import Notifications
from bot.runner.loop import Loop
from bot.signin.timing import Timing
from bot.store import requests
from bot.store.database import Database
from bot.store.purge import sweep

_SWEEP_EVERY = timedelta(hours=1)

log = structlog.get_logger()


class Deadlines:
    """One query per round for everything that waits: waiting for a person is a row, not a timer."""

    def __init__(
        self,
        database: Database,
        notifications: Notifications,
        *,
        timing: Timing,
        clock: Callable[[], datetime],
        changed: Callable[[], None],
    ) -> None:
        self._database = database
        self._notifications = notifications
        self._timing = timing
        self._clock = clock
        self._changed = changed
        self._loop = Loop("deadlines", pause_seconds=timing.idle_seconds)
        self._sweep_at: datetime | None = None  #: UTC; None before the first

    async def run(self) -> None:
        await self._loop.run(self._round)

    async def _round(self) -> float:
        now = self._clock()
        async with self._database.read() as tx:
            overdue = await requests.due_to_expire(tx, now)
            to_remind = await requests.due_to_remind(tx, now)
        for request_id in overdue:
            await self._expire(request_id)
        for request_id in to_remind:
            await self._remind(request_id)
        if self._sweep_at is None or now >= self._sweep_at:
            async with self._database.write() as tx:
                await sweep(tx, now)
            self._sweep_at = now + _SWEEP_EVERY
        return self._timing.idle_seconds

    async def _expire(self, request_id: str) -> None:
        async with self._database.write() as tx:
            request = await requests.load(tx, request_id)
            if request is None or not await lifecycle.expire(
                tx, self._notifications, request, self._clock()
            ):
                return  # decided meanwhile, or expired by another replica
        log.info("request.expired", request=request_id)
        self._changed()

    async def _remind(self, request_id: str) -> None:
        async with self._database.write() as tx:
            request = await requests.load(tx, request_id)
            if request is None or not await lifecycle.remind(
                tx, self._notifications, request, self._clock()
            ):
                return  # another replica was first
        self._changed()
