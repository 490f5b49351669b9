"""What is due because time has passed: requests expire or are escalated, approvers are reminded, stand-ins
end, what serves for a day is deleted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta, tzinfo

import structlog

from bot.lifecycle import break_glass, urgency
from bot.lifecycle import requests as lifecycle
from bot.lifecycle import stand_ins as stand_in_lifecycle
from bot.lifecycle.notifications import Notifications
from bot.runner.escalations import Escalations
from bot.runner.loop import Loop
from bot.signin.policy.model import Policy, no_rules
from bot.signin.timing import Timing
from bot.store import requests, reviews, stand_ins
from bot.store.database import Database, Transaction
from bot.store.purge import sweep
from bot.store.requests import Request
from bot.store.stand_ins import StandIn

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
        zone: tzinfo = UTC,
        policy: Callable[[], Policy] = no_rules,
    ) -> None:
        """`zone`: of the approvers. `policy`: the one in force."""
        self._database = database
        self._notifications = notifications
        self._timing = timing
        self._clock = clock
        self._changed = changed
        self._zone = zone
        self._escalations = Escalations(database, notifications, policy, clock)
        self._loop = Loop("deadlines", pause_seconds=timing.idle_seconds)
        self._sweep_at: datetime | None = None  #: UTC; None before the first

    async def run(self) -> None:
        await self._loop.run(self._round)

    async def _round(self) -> float:
        now = self._clock()
        async with self._database.read() as tx:
            overdue = await requests.due_to_expire(tx, now)
            to_remind = await requests.due_to_remind(tx, now)
            unreviewed = await reviews.due_to_remind(tx, now)
            over = await stand_ins.ended(tx, now)
        for request_id in overdue:
            await self._expire(request_id)
        for request_id in to_remind:
            await self._remind(request_id)
        if await self._escalations.round(now):
            self._changed()
        for request_id in unreviewed:
            await self._remind_of_review(request_id)
        for stand_in in over:
            await self._end(stand_in)
        if self._sweep_at is None or now >= self._sweep_at:
            async with self._database.write() as tx:
                await sweep(tx, now)
            self._sweep_at = now + _SWEEP_EVERY
        return self._timing.idle_seconds

    async def _apply(
        self, request_id: str, change: Callable[[Transaction, Request], Awaitable[bool]]
    ) -> bool:
        """Returns False if nothing changes: the request is decided or purged, another replica was first,
        or it has to wait."""
        async with self._database.write() as tx:
            request = await requests.load(tx, request_id)
            changed = request is not None and await change(tx, request)
        if changed:
            self._changed()
        return changed

    async def _expire(self, request_id: str) -> None:
        if await self._apply(
            request_id,
            lambda tx, request: lifecycle.expire(tx, self._notifications, request, self._clock()),
        ):
            log.info("request.expired", request=request_id)

    async def _remind(self, request_id: str) -> None:
        await self._apply(
            request_id,
            lambda tx, request: urgency.remind(
                tx, self._notifications, request, self._clock(), zone=self._zone
            ),
        )

    async def _remind_of_review(self, request_id: str) -> None:
        await self._apply(
            request_id,
            lambda tx, request: break_glass.remind(
                tx, self._notifications, request, self._clock(), zone=self._zone
            ),
        )

    async def _end(self, stand_in: StandIn) -> None:
        async with self._database.write() as tx:
            if not await stand_in_lifecycle.end(
                tx, self._notifications, stand_in, actor=None, now=self._clock()
            ):
                return  # replaced meanwhile, or ended by another replica
        self._changed()
