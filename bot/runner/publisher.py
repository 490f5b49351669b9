"""The publisher: delivers the outbox and keeps posted cards current. Nothing else sends or updates
messages of requests. It makes one call at a time per conversation and shows the newest state only."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

import structlog

from bot.lifecycle.notifications import Notifications
from bot.runner.loop import Loop
from bot.runner.messages import (
    ChatThrottledError,
    ChatUnavailableError,
    MessageGoneError,
    Messenger,
    UndeliverableError,
)
from bot.runner.outages import Outages
from bot.runner.projection import Projected, Projection
from bot.runner.rate_limit import APP, CONVERSATION, RateLimit
from bot.signin.timing import Timing
from bot.store import conversations, posts, publisher_leases
from bot.store.conversations import ConversationReference
from bot.store.database import UNUSABLE, Database, Transaction
from bot.store.posts import DuePost, Post

log = structlog.get_logger()

_MAX_CONCURRENT_CONVERSATIONS = 8
_MAX_BACKOFF_SECONDS = 300.0
_MAX_RETRY_AFTER_SECONDS = 3600.0


@dataclass(slots=True)
class _Conversation:
    """What Teams limits together: a channel with its threads, or a chat. Times of the monotonic clock."""

    rate_limit: RateLimit = field(default_factory=lambda: RateLimit(CONVERSATION))
    update_after: float = 0.0  #: earliest time of the next card update
    closed_until: float = 0.0  #: throttled, failing, or another replica's
    leased_until: float = 0.0  #: end of this replica's lease

    def wait(self, now: float) -> float:
        """Seconds until a message may be sent; 0 or less if it may go now."""
        return max(self.rate_limit.wait(now), self.closed_until - now)

    def update_wait(self, now: float) -> float:
        """Seconds until a card may be updated."""
        return max(self.wait(now), self.update_after - now)

    def is_idle(self, now: float) -> bool:
        """Whether a new one would do as well."""
        limits = max(self.update_after, self.closed_until, self.leased_until)
        return limits <= now and self.rate_limit.is_idle(now)


class Publisher:
    def __init__(
        self,
        database: Database,
        messenger: Messenger,
        projection: Projection,
        notifications: Notifications,
        *,
        timing: Timing,
        owner: str,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float],
    ) -> None:
        """`owner`: this replica, as it signs its leases. `clock` gives UTC time for the tables,
        `monotonic` seconds for the rate limits."""
        self._database = database
        self._messenger = messenger
        self._projection = projection
        self._notifications = notifications
        self._timing = timing
        self._owner = owner
        self._clock = clock
        self._monotonic = monotonic
        self._loop = Loop("publisher", pause_seconds=timing.idle_seconds)
        self._conversations: defaultdict[str, _Conversation] = defaultdict(_Conversation)
        self._app_rate_limit = RateLimit(APP)
        self._deliveries: dict[str, asyncio.Task[None]] = {}
        self._outages = Outages("chat", monotonic=monotonic)
        self._database_outages = Outages("database", monotonic=monotonic)
        self._closing = False

    def wake(self) -> None:
        """Something that people see has changed."""
        self._loop.wake()

    async def run(self) -> None:
        """Deliver until cancelled; then let deliveries in flight finish."""
        try:
            await self._loop.run(self._round)
        finally:
            self._closing = True
            await asyncio.gather(*self._deliveries.values(), return_exceptions=True)
            with suppress(*UNUSABLE):
                async with self._database.write() as tx:
                    await publisher_leases.release(tx, self._owner)

    async def _round(self) -> float:
        """Start what can be delivered now; returns the seconds until more can be."""
        now, moment = self._clock(), self._monotonic()
        self._forget_idle(moment)
        # Noted before the read: a delivery that ends meanwhile would still look undelivered in what was
        # read. Its end wakes the loop.
        in_flight = frozenset(self._deliveries)
        free = _MAX_CONCURRENT_CONVERSATIONS - len(in_flight)
        app_wait = self._app_rate_limit.wait(moment)
        if free <= 0 or app_wait > 0:
            return max(app_wait, 0.01) if free > 0 else self._timing.idle_seconds
        sends = {key: known.wait(moment) for key, known in self._conversations.items()}
        updates = {key: known.update_wait(moment) for key, known in self._conversations.items()}
        async with self._database.read() as tx:
            due = await posts.next_due(
                tx,
                now,
                limit=free,
                closed=in_flight.union(key for key, wait in sends.items() if wait > 0),
                closed_to_updates=[key for key, wait in updates.items() if wait > 0],
            )
            # The end of a delivery wakes the loop anyway.
            retry_at = None if due else await posts.next_retry_at(tx, now)
        for post in due:
            key = post.rate_limit_key
            self._deliveries[key] = asyncio.create_task(self._deliver(key, post))
        waits = [wait for wait in (*sends.values(), *updates.values()) if wait > 0]
        if retry_at is not None:
            waits.append((retry_at - now).total_seconds())
        return max(min([self._timing.idle_seconds, *waits]), 0.01)

    def _forget_idle(self, moment: float) -> None:
        """Keep only the conversations that were written to lately, or hold a lease or have to wait."""
        idle = [
            key
            for key, known in self._conversations.items()
            if key not in self._deliveries and known.is_idle(moment)
        ]
        for key in idle:
            del self._conversations[key]

    async def _deliver(self, key: str, post: DuePost) -> None:
        try:
            await self._attempt(self._conversations[key], key, post.id)
        except Exception:
            log.exception(
                "publisher.delivery_failed", post=post.id, kind=post.kind, request=post.request_id
            )
            # In memory first: the database may be what fails.
            self._conversations[key].closed_until = self._monotonic() + self._backoff(post)
            with suppress(*UNUSABLE):
                await self._retry_later(post, self._backoff(post))
        finally:
            del self._deliveries[key]
            self._loop.wake()

    async def _hold(self, conversation: _Conversation, key: str) -> bool:
        """Hold the conversation's lease for as long as a delivery may take.

        Returns False while another replica writes there. On SQLite there is only one.
        """
        if self._database.sqlite:
            return True
        moment, seconds = self._monotonic(), self._timing.lease_margin_seconds
        if conversation.leased_until > moment + seconds / 2:
            return True
        now = self._clock()
        async with self._database.write() as tx:
            held = await publisher_leases.acquire(
                tx, key, owner=self._owner, now=now, lease_until=now + timedelta(seconds=seconds)
            )
        if held:
            conversation.leased_until = moment + seconds
        else:
            conversation.closed_until = moment + seconds / 4
        return held

    def _holds(self, conversation: _Conversation) -> bool:
        """Whether enough is left of the lease for a delivery."""
        if self._database.sqlite:
            return True
        left = conversation.leased_until - self._monotonic()
        return left > self._timing.lease_margin_seconds / 4

    async def _attempt(self, conversation: _Conversation, key: str, post_id: int) -> None:
        if not await self._hold(conversation, key):
            return
        async with self._database.read() as tx:
            # Read anew under the lease: another replica may have delivered it.
            post = await posts.load_due(tx, post_id)
            if post is None:
                return
            projected = await self._projection.post(tx, post)
            reference = await conversations.load(tx, post.tenant_id, post.conversation_id)
        if projected is None or reference is None:
            log.warning("publisher.conversation_unknown", post=post.id, request=post.request_id)
            async with self._database.write() as tx:
                await self._notifications.dead_letter(tx, post, self._clock())
            return
        if projected.failed and post.activity_id:
            await self._retry_later(post, self._backoff(post))
            return  # an outdated card says more than a text
        await self._publish(conversation, post, reference, projected)

    async def _publish(
        self,
        conversation: _Conversation,
        post: Post,
        reference: ConversationReference,
        projected: Projected,
    ) -> None:
        if not self._holds(conversation):
            return  # this replica was paused: another may be writing there by now
        self._count(conversation, update=bool(post.activity_id))
        try:
            await self._write(post, reference, projected)
            if projected.failed:
                await self._retry_later(post, self._backoff(post))
        except ChatThrottledError as error:
            wait = self._backoff(post)
            if error.retry_after is not None:
                wait = min(error.retry_after, _MAX_RETRY_AFTER_SECONDS)
            conversation.closed_until = self._monotonic() + wait
            log.info("publisher.throttled", post=post.id, retry_after=error.retry_after)
            await self._retry_later(post, wait)
        except ChatUnavailableError as error:
            self._outages.failed(str(error), post=post.id)
            await self._retry_later(post, self._backoff(post))
        except MessageGoneError:
            log.info("publisher.card_deleted", post=post.id, request=post.request_id)
            async with self._database.write() as tx:
                await posts.resend(tx, post)
        except UndeliverableError as error:
            log.warning("publisher.dead_lettered", post=post.id, reason=str(error))
            async with self._database.write() as tx:
                await self._notifications.dead_letter(tx, post, self._clock())
        else:
            self._outages.recovered()

    def _count(self, conversation: _Conversation, *, update: bool) -> None:
        now = self._monotonic()
        conversation.rate_limit.count(now)
        self._app_rate_limit.count(now)
        if update or conversation.update_after < now + self._timing.card_seconds:
            conversation.update_after = now + self._timing.card_seconds

    async def _write(
        self, post: Post, reference: ConversationReference, projected: Projected
    ) -> None:
        if post.activity_id:
            await self._messenger.update(reference, post.activity_id, projected.message)
            await self._record(
                partial(posts.updated, post=post, version=projected.version, final=projected.final)
            )
            return
        sent = await self._messenger.send(reference, projected.message)
        await self._record(
            partial(
                posts.sent,
                post=post,
                conversation_id=sent.conversation_id,
                activity_id=sent.activity_id,
                version=projected.version,
                # Without an id it can never be updated, and must not be sent again for that.
                final=projected.final or not sent.activity_id,
            )
        )

    async def _record(self, write: Callable[[Transaction], Awaitable[None]]) -> None:
        """Record a delivery, as soon as the database takes it: otherwise it would be sent twice."""
        while True:
            try:
                async with self._database.write() as tx:
                    await write(tx)
            except UNUSABLE as error:
                if self._closing:
                    raise
                self._database_outages.failed(type(error).__name__)
                await asyncio.sleep(self._timing.idle_seconds)
            else:
                self._database_outages.recovered()
                return

    def _backoff(self, post: Post | DuePost) -> float:
        seconds = min(
            _MAX_BACKOFF_SECONDS, self._timing.card_seconds * 2.0 ** min(post.attempts, 10)
        )
        return seconds * random.uniform(0.8, 1.2)  # noqa: S311

    async def _retry_later(self, post: Post | DuePost, seconds: float) -> None:
        async with self._database.write() as tx:
            await posts.later(tx, post.id, self._clock() + timedelta(seconds=seconds))
