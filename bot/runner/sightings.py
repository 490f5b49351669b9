"""Look for signed-in phones in Entra ID's sign-in log, some time after their batches have ended.

The log lags by minutes, so it is read several times, with growing pauses. Each look is a row that one
replica holds; whoever dies leaves it to the next.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Protocol

import structlog

from bot.directory.sign_ins import SignInLog
from bot.lifecycle import sightings as lifecycle
from bot.preflight.facts import Unknown, UnknownReason
from bot.runner.loop import Loop
from bot.signin.timing import MAX_SIGHTING_LOOKS, Timing, next_sighting_seconds
from bot.store import sightings
from bot.store.database import Database

log = structlog.get_logger()

#: For how long a replica may read the log before another takes over; a read ends sooner.
LEASE = timedelta(seconds=120)
#: Reasons for which another look is in vain: what is missing has to be granted or bought first.
_LASTING = frozenset(
    {UnknownReason.PERMISSION, UnknownReason.LICENSE, UnknownReason.CLOUD, UnknownReason.APPROVER}
)
_OUT_OF_REACH = SignInLog(gap=Unknown(UnknownReason.APPROVER))


class SignInReader(Protocol):
    """Reads of the sign-in log of one tenant."""

    async def sign_ins(self, accounts: Sequence[str], since: datetime) -> SignInLog:
        """As `bot.directory.sign_ins.read`."""
        ...


@dataclass
class Sightings:
    """Reads the log with the app's own permissions. What it cannot read is said, and changes nothing."""

    database: Database
    #: None for a tenant that the app's own permissions do not reach
    reader_of: Callable[[str], SignInReader | None]
    timing: Timing
    owner: str  #: this replica
    clock: Callable[[], datetime]  #: UTC
    changed: Callable[[], None]  #: wakes the publisher
    begins: bool = True  #: False: only ends what was begun

    def __post_init__(self) -> None:
        self._loop = Loop("sightings", pause_seconds=self.timing.idle_seconds)

    async def run(self) -> None:
        await self._loop.run(self._round)

    async def _round(self) -> float:
        now = self.clock()
        after = now - self._patience()
        async with self.database.read() as tx:
            to_begin = await sightings.requests_to_begin(tx, after) if self.begins else ()
            due = await sightings.any_due(tx, now)
        for request_id in to_begin:
            await self._begin(request_id, after, now)
        while due and await self._look():
            pass
        return self.timing.idle_seconds

    def _patience(self) -> timedelta:
        """From the end of a batch to the last look."""
        pauses = (
            next_sighting_seconds(self.timing, looks=n) or 0 for n in range(MAX_SIGHTING_LOOKS)
        )
        return timedelta(seconds=sum(pauses))

    async def _begin(self, request_id: str, after: datetime, now: datetime) -> None:
        due_at = now + timedelta(seconds=self.timing.sighting_seconds)
        async with self.database.write() as tx:
            begun = await lifecycle.begin(tx, request_id, after=after, due_at=due_at)
        if begun:
            self.changed()

    async def _look(self) -> bool:
        """Look for what is due of one tenant. Returns False if nothing is."""
        now = self.clock()
        async with self.database.write() as tx:
            looks = await sightings.claim(tx, owner=self.owner, now=now, lease_until=now + LEASE)
        if not looks:
            return False
        async with self.database.read() as tx:
            accounts = await sightings.unseen(tx, [look.batch_id for look in looks])
        reader = self.reader_of(looks[0].tenant_id)
        since = min(look.since for look in looks)
        found = await reader.sign_ins(accounts, since) if reader else _OUT_OF_REACH
        by_request = sorted(looks, key=lambda look: (look.request_id, look.looks))
        for (request_id, number), of_request in groupby(
            by_request, key=lambda look: (look.request_id, look.looks)
        ):
            async with self.database.write() as tx:
                recorded = await lifecycle.record(
                    tx,
                    list(of_request),
                    found,
                    owner=self.owner,
                    due_at=self._next(found.gap, number + 1),
                )
            if recorded:
                log.info(
                    "sign_in_log.read",
                    request=request_id,
                    look=number + 1,
                    gap=found.gap.reason.value if found.gap else None,
                )
                self.changed()
        return True

    def _next(self, gap: Unknown | None, looks: int) -> datetime | None:
        seconds = next_sighting_seconds(self.timing, looks=looks)
        if seconds is None or (gap and gap.reason in _LASTING):
            return None
        return self.clock() + timedelta(seconds=seconds)
