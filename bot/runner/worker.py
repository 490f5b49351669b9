"""The worker: claims batches, submits and polls them, and reconciles those of unknown outcome.

It keeps nothing that matters in memory. Whenever it dies, the next worker continues from the tables: an
intent is sent anew if no byte of it had left, else its outcome is unknown; a submitted batch is simply
polled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from datetime import datetime, timedelta
from functools import partial

import structlog

from bot.gateway import SipGateway
from bot.identity.delegations import Delegations
from bot.lifecycle import batches as lifecycle
from bot.lifecycle import delegations as delegation_requests
from bot.lifecycle import pauses
from bot.phones.region import Region
from bot.runner.context import WorkerContext
from bot.runner.lookups import Lookups
from bot.runner.loop import Loop
from bot.runner.polling import Polling
from bot.runner.reconciliation import Reconciliation
from bot.runner.submission import Submission
from bot.signin.batch import BatchState
from bot.signin.timing import Window, window
from bot.store import asked_retries, batches, delegation_leases, leases, locks, requests, slots
from bot.store.batches import Batch
from bot.store.database import Transaction

_MAX_CONCURRENT_READS = 16
_SUBMIT, _FOLLOW = "submit", "follow"

log = structlog.get_logger()


class Worker:
    def __init__(self, context: WorkerContext) -> None:
        self._context = context
        self._submission = Submission(context)
        self._polling = Polling(context)
        self._lookups = Lookups(context)
        self._reconciliation = Reconciliation(context, self._submission, self._polling)
        self._loop = Loop("worker", pause_seconds=context.timing.idle_seconds)
        self._heartbeat_at: datetime | None = None  # next one; None before the first
        # Holding an SQLite file's lock, this is the only worker: whoever held leases is gone.
        self._leases_are_stale = context.database.sqlite
        #: by kind, batch id and attempt: a late submit does not keep a new claim from being sent
        self._tasks: dict[tuple[str, int, int], asyncio.Task[None]] = {}
        self._reads = asyncio.Semaphore(_MAX_CONCURRENT_READS)
        self._claiming: asyncio.Task[None] | None = (
            None  # the latest claim, with the start of its submits
        )

    def wake(self) -> None:
        """Something was approved, answered or cancelled: start the next round now."""
        self._loop.wake()

    async def run(self) -> None:
        """Work until cancelled; then let in-flight submits finish."""
        try:
            await self._loop.run(self._round)
        finally:
            self._context.stopping.set()
            await self._drain()

    async def _drain(self) -> None:
        if self._claiming is not None:
            await asyncio.wait([self._claiming])
        for (kind, *_), task in self._tasks.items():
            if kind != _SUBMIT:
                task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _round(self) -> float:
        """Start what can be done now; returns the seconds until more can be."""
        context = self._context
        if self._leases_are_stale:
            async with context.database.write() as tx:
                await leases.expire_all(tx, context.clock())
                await delegation_leases.end(tx)
            self._leases_are_stale = False
        await self._heartbeat()
        now = context.clock()
        sendable, readable = context.gateways.sendable, context.gateways.readable
        # Taken before the read: what a task records while this round reads, the round does not see.
        busy = set(self._tasks)
        async with context.database.read() as tx:
            lapsed = await batches.lapsed_intents(tx, now)
            regions = await slots.regions_with_work(tx, now, only=sendable)
            due = [
                batch
                for batch in await batches.due(tx, owner=context.owner, now=now, only=readable)
                if (_FOLLOW, batch.id, batch.attempt) not in busy
            ]
            past = {
                batch.id: window(await batches.durations(tx, batch))
                for batch in due
                if batch.state is BatchState.SUBMITTED
            }
            due_at = await batches.next_due_at(tx, now, sendable=sendable, readable=readable)
            retries_asked = bool(await asked_retries.all_of_them(tx))
        for batch in lapsed:
            if (_SUBMIT, batch.id, batch.attempt) not in busy:
                await self._submission.lapsed(batch)
                self.wake()  # what was not sent may be claimed now
        for tenant_id, region in regions:
            # To its end even if the worker is stopped meanwhile: a claim that is committed and not
            # sent would become a question for an approver.
            self._claiming = asyncio.create_task(self._claim(tenant_id, region))
            await asyncio.shield(self._claiming)
        if retries_asked:
            await self._lookups.draft()
        for batch in due:
            self._start(_FOLLOW, batch, partial(self._follow, past=past.get(batch.id)))
        # What is due and not done (another replica's, or without a free slot) is looked at again then.
        # The end of a task starts a round: at once, or when it says that its batch is due again.
        if due_at is None:
            return context.timing.idle_seconds
        wait = (due_at - context.clock()).total_seconds()
        return min(context.timing.idle_seconds, max(0, wait))

    def _start(
        self, kind: str, batch: Batch, work: Callable[[Batch], Awaitable[float | None]]
    ) -> None:
        """`work` returns the seconds until there is more to do; None: look now."""
        key = (kind, batch.id, batch.attempt)
        if key in self._tasks:
            return

        async def guarded() -> None:
            wait: float | None = None
            try:
                wait = await work(batch)
            except Exception:
                log.exception(
                    "worker.task_failed", kind=kind, batch=batch.id, request=batch.request_id
                )
                await asyncio.sleep(self._context.timing.idle_seconds)
            finally:
                self._tasks.pop(key, None)
                self._loop.wake(wait or 0)

        self._tasks[key] = asyncio.create_task(guarded(), name=f"{kind} {batch.id}")

    async def _claim(self, tenant_id: str, region: Region) -> None:
        context, now = self._context, self._context.clock()
        paused: list[str] = []

        async def closed(tx: Transaction, request_ids: Collection[str]) -> Collection[str]:
            notify = context.notifications
            paused[:] = await pauses.pause_closed(tx, notify, request_ids, context.window, now)
            return paused

        claimed = await lifecycle.claim(
            context.database,
            tenant_id,
            region,
            owner=context.owner,
            now=now,
            lease_until=context.lease_until(),
            only=context.gateways.sendable,
            closed=closed,
        )
        for batch in claimed:
            self._start(_SUBMIT, batch, self._submission.submit)
        for request_id in paused:
            log.info("request.paused", request=request_id)
        if paused:
            self.wake()  # others take their slots
        if claimed or paused:
            context.changed()

    async def _follow(self, batch: Batch, *, past: Window | None) -> float | None:
        """Returns the seconds until the batch is due again; None if others may be due before."""
        async with self._reads:
            if not await self._acquire(batch):
                return None
            match batch.state:
                case BatchState.UNKNOWN:
                    await self._reconciliation.reconcile(batch)
                case BatchState.DONE:
                    await self._lookups.look_up(batch)
                case _:
                    return await self._polling.poll(batch, past)
        return None

    async def _acquire(self, batch: Batch) -> bool:
        """Hold the batch's lease for as long as a read may take. Returns False if another replica does."""
        context = self._context
        now = context.clock()
        soon = now + timedelta(seconds=context.timing.lease_margin_seconds / 2)
        if batch.owner == context.owner and batch.lease_until and batch.lease_until > soon:
            return True
        async with context.database.write() as tx:
            return await leases.acquire(
                tx, batch, owner=context.owner, now=now, lease_until=context.lease_until()
            )

    async def _end_lost(self, delegations: Delegations[SipGateway]) -> None:
        """Vouch no longer for delegations that the SIP Gateway denied or that have expired."""
        lost = [each.request_id for each in delegations.current() if not each.usable]
        async with self._context.database.write() as tx:
            await locks.requests(tx, *lost)
            # Read again: whoever grants another delegation from here on waits for this transaction.
            still = {each.request_id for each in delegations.current() if not each.usable}
            await delegation_leases.end(tx, still.intersection(lost))

    async def _heartbeat(self) -> None:
        """Vouch for the delegations held here, and ask for those that no replica holds."""
        context, now = self._context, self._context.clock()
        delegations = context.gateways.delegations
        if delegations is None:
            return
        lost = any(not each.usable for each in delegations.current())
        if not lost and self._heartbeat_at is not None and now < self._heartbeat_at:
            return
        lease_seconds = delegations.lease_seconds
        current = delegations.current()
        held = {each.request_id for each in current if each.usable}
        # Each locks several requests in order, so each is a transaction of its own.
        if lost:
            await self._end_lost(delegations)
        async with context.database.write() as tx:
            running = await delegation_leases.heartbeat(tx, held, context.after(lease_seconds), now)
        async with context.database.write() as tx:
            wanted = await delegation_requests.ask(
                tx, context.notifications, now, context.gateways.states_needing_delegation
            )
        for request_id in wanted:
            log.info("delegation.wanted", request=request_id)
        if wanted:
            async with context.database.write() as tx:
                await requests.touch_waiting(tx, wanted)
        await delegations.release(
            [each for each in current if not each.usable or each.request_id not in running]
        )
        self._heartbeat_at = now + timedelta(seconds=lease_seconds / 3)
        if wanted:
            context.changed()
