"""Delivers the audit to a webhook: every event, in the order of the chain, at least once.

How far it is delivered is a row. One replica delivers at a time, and only what the receiver has accepted
counts, so an outage of either side, however long, loses nothing and holds up nothing else.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from contextlib import aclosing
from datetime import datetime, timedelta

import structlog

from bot.runner.loop import Loop
from bot.runner.outages import Outages
from bot.runner.webhook import Webhook, WebhookError
from bot.signin.timing import Timing
from bot.store import audit, audit_export, audit_progress, audit_reading
from bot.store.audit_progress import Progress
from bot.store.chain import Anchor
from bot.store.database import UNUSABLE, Database

log = structlog.get_logger()

_MAX_EVENTS = 100  # of a message
_MAX_BYTES = 512 * 1024  # of a message, unless one event alone is longer
_LEASE = timedelta(seconds=90)  # longer than a call may take
_MAX_BACKOFF_SECONDS = 300.0


class AuditStream:
    def __init__(
        self,
        database: Database,
        webhook: Webhook,
        timing: Timing,
        *,
        owner: str,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float],
    ) -> None:
        """`owner`: this replica, as it signs its leases."""
        self._database = database
        self._webhook = webhook
        self._idle_seconds = timing.idle_seconds
        self._owner = owner
        self._clock = clock
        self._outages = Outages("webhook", monotonic=monotonic)
        self._loop = Loop("webhook", pause_seconds=timing.idle_seconds)
        self._max_events = _MAX_EVENTS
        self._failures = 0

    async def run(self) -> None:
        try:
            await self._loop.run(self.deliver)
        finally:
            await self._release()

    async def deliver(self) -> float:
        """One message, if there is anything to deliver. Returns the seconds until the next round."""
        reached = await self._claim()
        if reached is None:
            return self._idle_seconds
        lines, last = await self._next(reached)
        # With the hash: after a restore, other events have these numbers, and are no repetition.
        message_id = f"audit-{reached.seq + 1}-{last.seq}-{last.hash[:8]}"
        try:
            await self._webhook.send(message_id, lines, self._clock())
        except WebhookError as error:
            return self._failed(error)
        self._outages.recovered()
        self._failures, self._max_events = 0, _MAX_EVENTS
        async with self._database.write() as tx:
            await audit_progress.advance(tx, Progress.WEBHOOK, reached, last, self._clock())
        return 0.0

    async def _claim(self) -> Anchor | None:
        """How far it is delivered; None if there is nothing to do, or another replica does it."""
        async with self._database.read() as tx:
            if not (await audit_progress.behind(tx, Progress.WEBHOOK)).events:
                return None
        async with self._database.write() as tx:
            now = self._clock()
            reached = await audit_progress.claim(
                tx, Progress.WEBHOOK, owner=self._owner, now=now, lease_until=now + _LEASE
            )
            newest = await audit.head(tx)
        if reached is None or newest is None or newest.seq <= reached.anchor.seq:
            return None
        return reached.anchor

    async def _next(self, reached: Anchor) -> tuple[list[bytes], Anchor]:
        """The events after `reached`, as many as one message takes, and the link of the last."""
        lines: list[bytes] = []
        last, size = reached, 0
        async with (
            self._database.read() as tx,
            aclosing(audit_reading.links(tx, after=reached.seq)) as links,
        ):
            async for link, event in links:
                line = f"{json.dumps(audit_export.ocsf(link, event))}\n".encode()
                size += len(line)
                if lines and size > _MAX_BYTES:
                    break
                lines.append(line)
                last = Anchor(link.seq, link.hash)
                if len(lines) >= self._max_events:
                    break
        return lines, last

    def _failed(self, error: WebhookError) -> float:
        self._outages.failed(str(error))
        if error.too_large and self._max_events > 1:
            self._max_events //= 2
            return 0.0
        self._failures += 1
        backoff = self._idle_seconds * 2.0 ** min(self._failures - 1, 20)
        wait = min(backoff, _MAX_BACKOFF_SECONDS) * random.uniform(0.75, 1.25)  # noqa: S311
        return max(wait, error.retry_after or 0.0)

    async def _release(self) -> None:
        """Let another replica take over at once."""
        try:
            async with self._database.write() as tx:
                await audit_progress.release(tx, self._owner)
        except UNUSABLE as error:
            log.warning("webhook.release_failed", error=type(error).__name__)
