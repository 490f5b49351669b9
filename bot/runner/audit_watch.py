"""Records the start; verifies new links of the audit's chain each hour, and leaves its head in the log as an
anchor."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog

from bot.runner.loop import Loop
from bot.signin.timing import Timing
from bot.store import audit_reading
from bot.store.chain import NOTHING, Anchor
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
        record_start: Callable[[Transaction], Awaitable[None]],
        *,
        timing: Timing,
    ) -> None:
        """`record_start`: called until it succeeds, since the service starts even if the database cannot
        be written to just now."""
        self._database = database
        self._record_start = record_start
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
            return _EVERY_SECONDS
        if verifier.head is not None and verifier.head.seq:
            self._verified = verifier.head
            log.info("audit.head", seq=self._verified.seq, hash=self._verified.hash)
        return _EVERY_SECONDS
