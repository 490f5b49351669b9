"""The keeper: the only one who writes to chat. It delivers what is in the outbox and keeps the cards
true, one message at a time per conversation, the newest state only."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from bot.runner.limits import APP, CONVERSATION, Meter
from bot.runner.messenger import (
    Address,
    ChatThrottled,
    ChatUnavailable,
    Gone,
    Messenger,
    Undeliverable,
)
from bot.runner.projection import Projected, Projection
from bot.signin.pace import Pace
from bot.store import posts
from bot.store.database import Database
from bot.store.posts import Post

log = structlog.get_logger()

_PARALLEL = 8  # conversations written to at once
_LONGEST_BACKOFF = 300.0


@dataclass(slots=True)
class _Lane:
    """One conversation: a channel with its threads, or a chat. Times of the monotonic clock."""

    meter: Meter = field(default_factory=lambda: Meter(CONVERSATION))
    update_after: float = 0.0
    closed_until: float = 0.0

    def wait(self, post: Post, now: float) -> float:
        wait = max(self.meter.wait(now), self.closed_until - now)
        return max(wait, self.update_after - now) if post.activity_id else wait


class Keeper:
    """`clock` gives UTC time for the tables; `monotonic` seconds for the limits."""

    def __init__(
        self,
        database: Database,
        messenger: Messenger,
        projection: Projection,
        *,
        pace: Pace,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float],
    ) -> None:
        self._database = database
        self._messenger = messenger
        self._projection = projection
        self._pace = pace
        self._clock = clock
        self._monotonic = monotonic
        self._wake = asyncio.Event()
        self._lanes: defaultdict[str, _Lane] = defaultdict(_Lane)
        self._app = Meter(APP)
        self._busy: dict[str, asyncio.Task[None]] = {}

    def wake(self) -> None:
        """Something that people see has changed."""
        self._wake.set()

    async def run(self) -> None:
        """Deliver until cancelled; what is on its way then is finished."""
        try:
            while True:
                self._wake.clear()
                try:
                    pause = await self._round()
                except Exception:
                    log.exception("keeper.round_failed")
                    pause = self._pace.idle
                try:
                    async with asyncio.timeout(pause):
                        await self._wake.wait()
                except TimeoutError:
                    pass
        finally:
            await asyncio.gather(*self._busy.values(), return_exceptions=True)

    async def _round(self) -> float:
        """Start what can be delivered now; returns the seconds until more can be."""
        async with self._database.read() as tx:
            due = await posts.due(tx)
        pause = self._pace.idle
        by_lane: dict[str, list[Post]] = defaultdict(list)
        for post in due:
            by_lane[post.lane].append(post)
        for lane, waiting in by_lane.items():
            if lane not in self._busy:
                pause = min(pause, self._begin(lane, waiting))
        return max(pause, 0.01)

    def _begin(self, lane: str, waiting: Iterable[Post]) -> float:
        """Start the first message of a lane that may go; else the seconds until one may."""
        soonest = self._pace.idle
        if len(self._busy) >= _PARALLEL:
            return soonest  # whoever ends wakes us
        now, moment = self._clock(), self._monotonic()
        for post in waiting:
            wait = max(self._lanes[lane].wait(post, moment), self._app.wait(moment))
            if post.not_before is not None:
                wait = max(wait, (post.not_before - now).total_seconds())
            if wait <= 0:
                self._busy[lane] = asyncio.create_task(self._deliver(lane, post))
                return soonest
            soonest = min(soonest, wait)
            if not post.activity_id and not post.attempts:
                # Sends keep their order; one that failed before lets the others pass.
                break
        return soonest

    async def _deliver(self, lane: str, post: Post) -> None:
        try:
            await self._attempt(self._lanes[lane], post)
        except Exception:
            log.exception("keeper.failed", post=post.id, kind=post.kind, request=post.request_id)
            await self._later(post, None)
        finally:
            del self._busy[lane]
            self._wake.set()

    async def _attempt(self, lane: _Lane, post: Post) -> None:
        async with self._database.read() as tx:
            projected = await self._projection.post(tx, post)
            conversation = await posts.conversation(tx, post.tenant_id, post.conversation_id)
        if projected is None or conversation is None:
            log.warning("keeper.nowhere_to_send", post=post.id, request=post.request_id)
            async with self._database.write() as tx:
                await posts.give_up(tx, post)
            return
        address = Address(
            conversation.tenant_id, conversation.id, conversation.kind, conversation.reference
        )
        self._count(lane, update=bool(post.activity_id))
        try:
            await self._write(post, address, projected)
        except ChatThrottled as busy:
            lane.closed_until = self._monotonic() + (
                self._backoff(post) if busy.retry_after is None else busy.retry_after
            )
            log.info("keeper.throttled", post=post.id, retry_after=busy.retry_after)
            await self._later(post, busy.retry_after)
        except ChatUnavailable as trouble:
            log.warning("keeper.unavailable", post=post.id, why=str(trouble))
            await self._later(post, None)
        except Gone:
            log.info("keeper.card_gone", post=post.id, request=post.request_id)
            async with self._database.write() as tx:
                await posts.gone(tx, post)
        except Undeliverable as trouble:
            log.warning("keeper.undeliverable", post=post.id, why=str(trouble))
            async with self._database.write() as tx:
                await posts.give_up(tx, post)

    def _count(self, lane: _Lane, *, update: bool) -> None:
        now = self._monotonic()
        lane.meter.count(now)
        self._app.count(now)
        if update or lane.update_after < now + self._pace.card:
            lane.update_after = now + self._pace.card

    async def _write(self, post: Post, address: Address, projected: Projected) -> None:
        if post.activity_id:
            await self._messenger.update(address, post.activity_id, projected.message)
            async with self._database.write() as tx:
                await posts.updated(tx, post, version=projected.version, final=projected.final)
            return
        sent = await self._messenger.send(address, projected.message)
        async with self._database.write() as tx:
            await posts.sent(
                tx,
                post,
                conversation_id=sent.conversation_id,
                activity_id=sent.activity_id,
                version=projected.version,
                final=projected.final,
            )

    def _backoff(self, post: Post) -> float:
        seconds = min(_LONGEST_BACKOFF, self._pace.card * 2.0 ** min(post.attempts, 10))
        return seconds * random.uniform(0.8, 1.2)  # noqa: S311

    async def _later(self, post: Post, seconds: float | None) -> None:
        wait = self._backoff(post) if seconds is None else seconds
        async with self._database.write() as tx:
            await posts.later(tx, post, self._clock() + timedelta(seconds=wait))
