"""The publisher: the only one who writes to chat. It delivers what is in the outbox and keeps the cards
true, one message at a time per conversation, the newest state only."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

import structlog
from sqlalchemy.exc import DBAPIError

from bot.lifecycle.notifications import Notifications
from bot.runner.loop import Loop
from bot.runner.messenger import (
    Address,
    ChatThrottledError,
    ChatUnavailableError,
    MessageGoneError,
    Messenger,
    UndeliverableError,
)
from bot.runner.projection import Projected, Projection
from bot.runner.rate_limit import APP, CONVERSATION, RateLimit
from bot.signin.timing import Timing
from bot.store import posts
from bot.store.database import Database, Transaction
from bot.store.posts import Post

log = structlog.get_logger()

_PARALLEL = 8  # conversations written to at once
_LONGEST_BACKOFF = 300.0
_LONGEST_RETRY_AFTER = 3600.0


@dataclass(slots=True)
class _Lane:
    """One conversation: a channel with its threads, or a chat. Times of the monotonic clock."""

    meter: RateLimit = field(default_factory=lambda: RateLimit(CONVERSATION))
    update_after: float = 0.0
    closed_until: float = 0.0

    def wait(self, post: Post, now: float) -> float:
        wait = max(self.meter.wait(now), self.closed_until - now)
        return max(wait, self.update_after - now) if post.activity_id else wait


class Publisher:
    """`clock` gives UTC time for the tables; `monotonic` seconds for the limits."""

    def __init__(
        self,
        database: Database,
        messenger: Messenger,
        projection: Projection,
        notifications: Notifications,
        *,
        timing: Timing,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float],
    ) -> None:
        self._database = database
        self._messenger = messenger
        self._projection = projection
        self._notifications = notifications
        self._timing = timing
        self._clock = clock
        self._monotonic = monotonic
        self._loop = Loop("publisher", pause=timing.idle_seconds)
        self._lanes: defaultdict[str, _Lane] = defaultdict(_Lane)
        self._app = RateLimit(APP)
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._closing = False

    def wake(self) -> None:
        """Something that people see has changed."""
        self._loop.wake()

    async def run(self) -> None:
        """Deliver until cancelled; what is on its way then is finished."""
        try:
            await self._loop.run(self._round)
        finally:
            self._closing = True
            await asyncio.gather(*self._busy.values(), return_exceptions=True)

    async def _round(self) -> float:
        """Start what can be delivered now; returns the seconds until more can be."""
        # What these deliver while we read would look as if it were still to be delivered. They wake us.
        busy = frozenset(self._busy)
        async with self._database.read() as tx:
            due = await posts.due(tx)
        pause = self._timing.idle_seconds
        by_lane: dict[str, list[Post]] = defaultdict(list)
        for post in due:
            by_lane[post.rate_limit_key].append(post)
        for lane, waiting in by_lane.items():
            if lane not in busy:
                pause = min(pause, self._begin(lane, waiting))
        return max(pause, 0.01)

    def _begin(self, lane: str, waiting: Iterable[Post]) -> float:
        """Start the first message of a lane that may go; else the seconds until one may."""
        soonest = self._timing.idle_seconds
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
            log.exception("publisher.failed", post=post.id, kind=post.kind, request=post.request_id)
            # In memory first: the tables may be what fails.
            self._lanes[lane].closed_until = self._monotonic() + self._backoff(post)
            with suppress(DBAPIError):
                await self._later(post, self._backoff(post))
        finally:
            del self._busy[lane]
            self._loop.wake()

    async def _attempt(self, lane: _Lane, post: Post) -> None:
        async with self._database.read() as tx:
            projected = await self._projection.post(tx, post)
            conversation = await posts.conversation(tx, post.tenant_id, post.conversation_id)
        if projected is None or conversation is None:
            log.warning("publisher.nowhere_to_send", post=post.id, request=post.request_id)
            async with self._database.write() as tx:
                await posts.give_up(tx, post)
            return
        address = Address(
            conversation.tenant_id, conversation.id, conversation.kind, conversation.reference
        )
        self._count(lane, update=bool(post.activity_id))
        try:
            await self._write(post, address, projected)
        except ChatThrottledError as busy:
            wait = self._backoff(post)
            if busy.retry_after is not None:
                wait = min(busy.retry_after, _LONGEST_RETRY_AFTER)
            lane.closed_until = self._monotonic() + wait
            log.info("publisher.throttled", post=post.id, retry_after=busy.retry_after)
            await self._later(post, wait)
        except ChatUnavailableError as trouble:
            log.warning("publisher.unavailable", post=post.id, why=str(trouble))
            await self._later(post, self._backoff(post))
        except MessageGoneError:
            log.info("publisher.card_gone", post=post.id, request=post.request_id)
            async with self._database.write() as tx:
                await posts.gone(tx, post)
        except UndeliverableError as trouble:
            log.warning("publisher.undeliverable", post=post.id, why=str(trouble))
            async with self._database.write() as tx:
                await posts.give_up(tx, post)
                await self._notifications.undeliverable(tx, post, self._clock())

    def _count(self, lane: _Lane, *, update: bool) -> None:
        now = self._monotonic()
        lane.meter.count(now)
        self._app.count(now)
        if update or lane.update_after < now + self._timing.card_seconds:
            lane.update_after = now + self._timing.card_seconds

    async def _write(self, post: Post, address: Address, projected: Projected) -> None:
        if post.activity_id:
            await self._messenger.update(address, post.activity_id, projected.message)
            await self._record(
                partial(posts.updated, post=post, version=projected.version, final=projected.final)
            )
            return
        sent = await self._messenger.send(address, projected.message)
        await self._record(
            partial(
                posts.sent,
                post=post,
                conversation_id=sent.conversation_id,
                activity_id=sent.activity_id,
                version=projected.version,
                # Without an id it can never be updated, and is not to be sent again for that.
                final=projected.final or not sent.activity_id,
            )
        )

    async def _record(self, write: Callable[[Transaction], Awaitable[None]]) -> None:
        """Write down what was delivered, as soon as the tables take it: else it would be sent twice."""
        while True:
            try:
                async with self._database.write() as tx:
                    await write(tx)
            except DBAPIError as error:
                if self._closing:
                    raise
                log.warning("publisher.not_recorded", why=str(error.orig))
                await asyncio.sleep(self._timing.idle_seconds)
            else:
                return

    def _backoff(self, post: Post) -> float:
        seconds = min(_LONGEST_BACKOFF, self._timing.card_seconds * 2.0 ** min(post.attempts, 10))
        return seconds * random.uniform(0.8, 1.2)  # noqa: S311

    async def _later(self, post: Post, seconds: float) -> None:
        async with self._database.write() as tx:
            await posts.later(tx, post, self._clock() + timedelta(seconds=seconds))
