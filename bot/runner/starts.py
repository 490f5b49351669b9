"""Start scheduled requests when their time comes; before, have an approver sign in where one has to. Let
those go on that a change window has paused."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

import structlog

from bot.lifecycle import pauses
from bot.lifecycle import starts as lifecycle
from bot.lifecycle.notifications import Notifications
from bot.lifecycle.starts import ChangeWindow, always_open
from bot.runner.loop import Loop
from bot.signin.digest import UNKEYED, Digests
from bot.signin.schedule import NOTICE
from bot.store import requests, starts
from bot.store.database import Database
from bot.store.requests import Request

log = structlog.get_logger()


@dataclass
class Starts:
    """A few queries per round. Any replica may start a request: compare-and-set lets only one do it."""

    database: Database
    notifications: Notifications
    idle_seconds: float  #: between looks at the database
    clock: Callable[[], datetime]  #: UTC
    changed: Callable[
        [], None
    ]  #: wakes the other loops: there are cards to update, or batches to send
    #: whether requester and approver of a request still may; None if that cannot be told now
    allowed: Callable[[Request], Awaitable[bool | None]]
    window: ChangeWindow = always_open
    digests: Digests = UNKEYED  #: what an approved request is compared with before it starts
    check_accounts: bool = False
    as_approver: bool = False  #: requests run with an approver's delegation

    def __post_init__(self) -> None:
        self._loop = Loop("starts", pause_seconds=self.idle_seconds)

    async def run(self) -> None:
        await self._loop.run(self._round)

    async def _round(self) -> float:
        now = self.clock()
        async with self.database.read() as tx:
            due = await starts.due(tx, now)
            to_ask = await starts.due_to_ask(tx, now, now + NOTICE) if self.as_approver else []
            paused = await starts.paused(tx)
        for request_id in due:
            await self._guarded(self._start, request_id)
        for request_id in to_ask:
            if request_id not in due:
                await self._guarded(self._ask, request_id)
        for request_id in paused:
            await self._guarded(self._resume, request_id)
        return self.idle_seconds

    async def _guarded(self, step: Callable[[Request], Awaitable[None]], request_id: str) -> None:
        """One request that fails must not keep others from starting."""
        try:
            async with self.database.read() as tx:
                request = await requests.load(tx, request_id)
            if request is not None:
                await step(request)
        except Exception:
            log.exception("start.failed", request=request_id)

    async def _start(self, request: Request) -> None:
        allowed = await self.allowed(request)
        async with self.database.write() as tx:
            due = await lifecycle.start(
                tx,
                self.notifications,
                request,
                now=self.clock(),
                allowed=allowed,
                window=self.window,
                check_accounts=self.check_accounts,
                digests=self.digests,
            )
        if due is not None:
            log.info("request.due", request=request.id, outcome=due.value)
            self.changed()

    async def _resume(self, request: Request) -> None:
        """Reads first: mostly, nothing has changed."""
        now = self.clock()
        async with self.database.read() as tx:
            opening = await self.window(tx, request, now)
        if not opening.open and opening.opens_at == request.opens_at:
            return
        async with self.database.write() as tx:
            resumed = await pauses.resume(tx, request, now, window=self.window)
        if resumed:
            log.info("request.resumed", request=request.id)
        self.changed()

    async def _ask(self, request: Request) -> None:
        async with self.database.write() as tx:
            asked = await lifecycle.ask_to_sign_in(tx, self.notifications, request, self.clock())
        if asked:
            log.info("delegation.asked", request=request.id)
            self.changed()
