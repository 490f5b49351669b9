"""What happens because time goes by: requests expire, approvers are reminded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from bot.lifecycle.notifications import Notifications
from bot.signin.timing import Timing
from bot.store import requests
from bot.store.database import Database

log = structlog.get_logger()

# After a reminder the next comes when three quarters of the time left are over: an approver who has
# not looked for hours does not look sooner for being told every hour. The last hour has none.
_NEXT_REMINDER = 0.75
_LAST_REMINDER = timedelta(hours=1)


def first_reminder(now: datetime, expires_at: datetime) -> datetime:
    return now + (expires_at - now) / 2


def next_reminder(now: datetime, expires_at: datetime) -> datetime | None:
    at = now + (expires_at - now) * _NEXT_REMINDER
    return at if expires_at - at >= _LAST_REMINDER else None


class Deadlines:
    """One query a tick for all that waits: waiting for a person is a row, not a timer."""

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

    async def run(self) -> None:
        while True:
            try:
                await self.tick()
            except Exception:
                log.exception("deadlines.failed")
            await asyncio.sleep(self._timing.idle_seconds)

    async def tick(self) -> None:
        now = self._clock()
        async with self._database.read() as tx:
            late = await requests.due_to_expire(tx, now)
            quiet = await requests.due_to_remind(tx, now)
        for request_id in late:
            await self.expire(request_id)
        for request_id in quiet:
            await self._remind(request_id)

    async def expire(self, request_id: str) -> None:
        """Let a request expire whose time is over, and tell its requester."""
        now = self._clock()
        async with self._database.write() as tx:
            if not await requests.expire(tx, request_id, now):
                return
            request = await requests.load(tx, request_id)
            if request is not None:
                await self._notifications.expired(tx, request, now)
        log.info("request.expired", request=request_id)
        self._changed()

    async def _remind(self, request_id: str) -> None:
        now = self._clock()
        async with self._database.write() as tx:
            if not await requests.take_reminder(tx, request_id, now):
                return  # another replica was first
            request = await requests.load(tx, request_id)
            if request is None or request.expires_at is None:
                return
            await requests.remind_next(tx, request_id, next_reminder(now, request.expires_at))
            await self._notifications.reminded(tx, request, now)
        self._changed()
