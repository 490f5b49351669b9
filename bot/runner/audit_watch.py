"""Verifies new links of the audit's chain, and leaves its head in the log as an anchor, each hour."""

from __future__ import annotations

import structlog

from bot.runner.loop import Loop
from bot.signin.timing import Timing
from bot.store import audit_reading
from bot.store.chain import NOTHING, Anchor
from bot.store.database import Database

_EVERY_SECONDS = 3600.0

log = structlog.get_logger()


class AuditWatch:
    """The first round verifies the whole chain, later ones what has been added since. A broken chain does
    not stop the service: it is logged as an error at each round, until somebody has looked and restarts.
    """

    def __init__(self, database: Database, *, timing: Timing) -> None:
        self._database = database
        self._loop = Loop("audit", pause_seconds=timing.idle_seconds)
        self._verified = Anchor(0, NOTHING)

    async def run(self) -> None:
        await self._loop.run(self._round)

    async def _round(self) -> float:
        async with self._database.read() as tx:
            verifier, found = await audit_reading.verify(tx, after=self._verified)
        if found is not None:
            log.error("audit.broken", seq=found.seq, fault=found.fault.name.lower())
            return _EVERY_SECONDS
        if verifier.head is not None and verifier.head.seq:
            self._verified = verifier.head
            log.info("audit.head", seq=self._verified.seq, hash=self._verified.hash)
        return _EVERY_SECONDS
