"""Do approved mends, a pass at a time; any replica with the access goes on where another left off."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

import structlog

from bot.gateway.administration import Administration, Administrator
from bot.identity.delegations import Delegations
from bot.lifecycle import mending as lifecycle
from bot.lifecycle import mends as decisions
from bot.lifecycle.notifications import Notifications
from bot.mending.mend import MendState
from bot.runner.loop import Loop
from bot.runner.mend_pass import MendPass, Outcome
from bot.signin.timing import Timing
from bot.store import due_mends, mends, requests
from bot.store.database import UNUSABLE, Database, Transaction
from bot.store.mends import Mend
from bot.store.requests import Request

log = structlog.get_logger()

MAX_MENDS = 2  #: that are worked on at the same time


def delegation_key(mend_id: int) -> str:
    """Under which a mend's delegation is held."""
    return f"mend {mend_id}"


@dataclass
class Mending:
    """With `delegations`, a mend is done with the access of the approver who approved it, and waits while
    none is held; without, as the app."""

    database: Database
    notifications: Notifications
    app: Administrator
    delegations: Delegations[Administrator] | None
    timing: Timing
    owner: str  #: this replica
    clock: Callable[[], datetime]  #: UTC
    changed: Callable[[], None]  #: wakes the publisher
    recheck: Callable[[], None]  #: wakes the checks of accounts
    _under_way: dict[int, asyncio.Task[None]] = field(
        default_factory=dict[int, "asyncio.Task[None]"]
    )

    def __post_init__(self) -> None:
        self._loop = Loop("mending", pause_seconds=self.timing.idle_seconds)
        # Holding an SQLite file's lock, this is the only process: whoever held leases is gone.
        self._leases_are_stale = self.database.sqlite

    @property
    def lease_until(self) -> datetime:
        """The end of a lease that begins now."""
        return self.clock() + timedelta(seconds=self.timing.lease_margin_seconds)

    @property
    def limit(self) -> timedelta:
        """Until a change has to show."""
        return timedelta(seconds=self.timing.mend_shown_seconds)

    def wake(self) -> None:
        self._loop.wake()

    async def run(self) -> None:
        try:
            await self._loop.run(self._round)
        finally:
            for task in self._under_way.values():
                task.cancel()
            await asyncio.gather(*self._under_way.values(), return_exceptions=True)

    async def _round(self) -> float:
        """Start the passes that are due; returns the seconds until more are."""
        if self._leases_are_stale:
            async with self.database.write() as tx:
                await due_mends.expire_leases(tx)
            self._leases_are_stale = False
        held = await self._vouch()
        now = self.clock()
        async with self.database.read() as tx:
            expired = await due_mends.due_to_expire(tx, now)
            rechecked = await due_mends.rechecked(tx)
            due = await due_mends.due(
                tx, owner=self.owner, now=now, only=held, limit=MAX_MENDS + len(self._under_way)
            )
            overdue = await due_mends.overdue(
                tx, owner=self.owner, now=now, before=now - self.limit
            )
            lost = await due_mends.without_access(tx, now) if held is not None else []
            next_due_at = await due_mends.next_due_at(tx, now)
        for mend_id in expired:
            await self._apply(mend_id, decisions.expire_mend)
        for mend_id in rechecked:
            await self._apply(mend_id, lifecycle.tell_rechecked)
        for mend_id in lost:
            if held is not None and mend_id not in held and mend_id not in overdue:
                await self._lose_access(mend_id, "")
        for mend_id in dict.fromkeys([*overdue, *due]):
            await self._start(mend_id)
        wait = self.timing.idle_seconds
        if held is not None:
            wait = min(wait, self.timing.lease_margin_seconds / 3)
        if next_due_at is not None:
            wait = min(wait, max(0.0, (next_due_at - self.clock()).total_seconds()))
        return wait

    # -- access ----------------------------------------------------------------------------------

    async def _vouch(self) -> frozenset[int] | None:
        """Renew the leases of mends whose delegation is held here, and drop delegations that are of no use
        any more. Returns these mends' ids; None without delegations."""
        if self.delegations is None:
            return None
        held: set[int] = set()
        useless = [each for each in self.delegations.current() if not each.usable]
        for delegation in self.delegations.current():
            mend_id = int(delegation.request_id.removeprefix("mend "))
            if not delegation.usable:
                continue
            async with self.database.write() as tx:
                renewed = await due_mends.renew(
                    tx, mend_id, owner=self.owner, now=self.clock(), until=self.lease_until
                )
            if renewed:
                held.add(mend_id)
            else:
                useless.append(delegation)
        await self.delegations.release(useless)
        return frozenset(held)

    @asynccontextmanager
    async def _administration(self, mend: Mend) -> AsyncGenerator[Administration | None]:
        """The client for a pass; None if the mend needs a delegation and none is held here."""
        administrator = self.app
        if self.delegations is not None:
            delegation = self.delegations.for_request(delegation_key(mend.id))
            if delegation is None:
                yield None
                return
            administrator = delegation.client
        async with administrator.session() as administration:
            yield administration

    async def _lose_access(self, mend_id: int, reason: str) -> None:
        if await self._apply(mend_id, partial(lifecycle.lose_access, reason=reason)):
            log.info("mend.access_wanted", mend=mend_id, reason=reason)

    # -- passes ----------------------------------------------------------------------------------

    async def _start(self, mend_id: int) -> None:
        if mend_id in self._under_way or len(self._under_way) >= MAX_MENDS:
            return
        async with self.database.write() as tx:
            taken = await due_mends.renew(
                tx, mend_id, owner=self.owner, now=self.clock(), until=self.lease_until
            )
            mend = await mends.load(tx, mend_id)
        if taken and mend is not None:
            self._under_way[mend_id] = asyncio.create_task(self._work(mend), name=f"mend {mend_id}")

    async def _work(self, mend: Mend) -> None:
        try:
            async with self._heartbeat(mend):
                async with self._administration(mend) as administration:
                    one = MendPass(
                        self.database,
                        administration,
                        mend,
                        self.owner,
                        self.clock,
                        self.limit,
                        self.changed,
                    )
                    outcome = await one.run()
                await self._end_pass(mend, outcome)
        except Exception:
            log.exception("mend.pass_failed", mend=mend.id)
            await asyncio.sleep(self.timing.idle_seconds)
        finally:
            del self._under_way[mend.id]
            self._loop.wake()

    @asynccontextmanager
    async def _heartbeat(self, mend: Mend) -> AsyncGenerator[None]:
        """Keep the lease while Teams takes its time."""

        async def renew() -> None:
            while True:
                await asyncio.sleep(self.timing.lease_margin_seconds / 3)
                try:
                    async with self.database.write() as tx:
                        await due_mends.renew(
                            tx, mend.id, owner=self.owner, now=self.clock(), until=self.lease_until
                        )
                except UNUSABLE:  # the next record finds out
                    log.warning("mend.heartbeat_failed", mend=mend.id)

        task = asyncio.create_task(renew())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _end_pass(self, mend: Mend, outcome: Outcome) -> None:
        now = self.clock()
        if await self._finish(mend, now):
            return
        if outcome.denied and self.delegations is not None:
            if delegation := self.delegations.for_request(delegation_key(mend.id)):
                self.delegations.deny(delegation)
            await self._lose_access(mend.id, outcome.denied)
            return
        passes = 0 if outcome.progressed else mend.passes + 1
        wait = min(
            self.timing.mend_max_seconds, self.timing.mend_first_seconds * 2.0 ** min(passes, 20)
        )
        if outcome.retry_after is not None:
            wait = max(wait, outcome.retry_after)
        if outcome.denied:
            wait = max(wait, self.timing.denied_seconds)
        async with self.database.write() as tx:
            await lifecycle.end_pass(
                tx,
                mend,
                owner=self.owner,
                due_at=now + timedelta(seconds=wait),
                progressed=outcome.progressed,
                refused=outcome.denied,
            )
        self.changed()

    async def _finish(self, mend: Mend, now: datetime) -> bool:
        async with self.database.write() as tx:
            request = await requests.load(tx, mend.request_id)
            if request is None:
                return True
            end = (
                lifecycle.finish_mend if mend.state is MendState.RUNNING else lifecycle.finish_undo
            )
            finished = await end(tx, self.notifications, request, mend, owner=self.owner, now=now)
        if finished:
            log.info("mend.finished", mend=mend.id, request=mend.request_id, was=mend.state.value)
            self.changed()
            self.recheck()
        return finished

    # -- what is due -----------------------------------------------------------------------------

    async def _apply(
        self,
        mend_id: int,
        change: Callable[[Transaction, Notifications, Request, Mend, datetime], Awaitable[bool]],
    ) -> bool:
        """Returns False if nothing changes: the mend is purged, or another replica was first."""
        async with self.database.write() as tx:
            mend = await mends.load(tx, mend_id)
            request = None if mend is None else await requests.load(tx, mend.request_id)
            if mend is None or request is None:
                return False
            changed = await change(tx, self.notifications, request, mend, self.clock())
        if changed:
            self.changed()
        return changed
