"""Records the start; verifies new links of the audit's chain each hour, and leaves its head where the
database's owner cannot change it: in the log each hour, and in a channel each day."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

import structlog

from bot.lifecycle import audit_trail
from bot.lifecycle.notifications import Notifications
from bot.runner.loop import Loop
from bot.signin.timing import Timing
from bot.store import audit_reading
from bot.store.chain import NOTHING, Anchor, Break, Verifier
from bot.store.database import Database, Transaction

_EVERY_SECONDS = 3600.0

log = structlog.get_logger()


class AuditWatch:
    """The first round verifies the whole chain, later ones what has been added since. A broken chain does
    not stop the service: it is logged as an error at each round, until somebody has looked and restarts.
    """

    def __init__(
        self,
        database: Database,
        notifications: Notifications,
        record_start: Callable[[Transaction], Awaitable[None]],
        *,
        timing: Timing,
        clock: Callable[[], datetime],
        changed: Callable[[], None],
        anchors_in: str = "",
    ) -> None:
        """`record_start`: called until it succeeds, since the service starts even if the database cannot
        be written to just now. `anchors_in`: the channel for anchors; "" for none."""
        self._database = database
        self._notifications = notifications
        self._record_start = record_start
        self._clock = clock
        self._changed = changed
        self._anchors_in = anchors_in
        self._started = False
        self._loop = Loop("audit", pause_seconds=timing.idle_seconds)
        self._verified = Anchor(0, NOTHING)

    async def run(self) -> None:
        await self._loop.run(self.check)

    async def check(self) -> float:
        """One round. Returns the seconds until the next."""
        if not self._started:
            async with self._database.write() as tx:
                await self._record_start(tx)
            self._started = True
        async with self._database.read() as tx:
            verifier, found = await audit_reading.verify(tx, after=self._verified)
        if found is not None:
            log.error("audit.broken", seq=found.seq, fault=found.fault.name.lower())
        elif verifier.head is not None and verifier.head.seq:
            log.info("audit.head", seq=verifier.head.seq, hash=verifier.head.hash)
        await self._record(verifier, found)
        if found is None and verifier.head is not None:
            self._verified = verifier.head
        return _EVERY_SECONDS

    async def _record(self, verifier: Verifier, found: Break | None) -> None:
        head = verifier.head or self._verified
        posted = False
        async with self._database.write() as tx:
            now = self._clock()
            if found is not None:
                posted = await audit_trail.broken(tx, self._notifications, head, found, now)
            else:
                from_start = self._verified.seq == 0
                await audit_trail.whole(tx, head, now, from_start=from_start)
                if self._anchors_in and head.seq:
                    posted = await audit_trail.anchor(
                        tx, self._notifications, self._anchors_in, head, now
                    )
        if posted:
            self._changed()
