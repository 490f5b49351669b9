"""The worker: claims batches, submits and polls them, and reconciles those of unknown outcome.

It keeps nothing that matters in memory. Whenever it dies, the next worker continues from the tables: an
intent without an answer is of unknown outcome, a submitted batch is simply polled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial

import structlog

from bot.lifecycle import batches as lifecycle
from bot.lifecycle import delegations as delegation_requests
from bot.phones.region import Region
from bot.runner.context import WorkerContext
from bot.runner.loop import Loop
from bot.runner.polling import Polling
from bot.runner.reconciliation import Reconciliation
from bot.runner.submission import Submission
from bot.signin.batch import BatchState
from bot.signin.timing import Window, window
from bot.store import batches, delegation_leases, leases, slots
from bot.store.batches import Batch

_MAX_CONCURRENT_READS = 16
_SUBMIT, _FOLLOW = "submit", "follow"

log = structlog.get_logger()


def _task_key(batch: Batch) -> tuple[str, int, int]:
    """Of the task that is due for the batch, or at work on it."""
    kind = _SUBMIT if batch.state is BatchState.INTENT else _FOLLOW
    return (kind, batch.id, batch.attempt)


class Worker:
    def __init__(self, context: WorkerContext) -> None:
        self._context = context
        self._submission = Submission(context)
        self._polling = Polling(context)
        self._reconciliation = Reconciliation(context, self._submission, self._polling)
        self._loop = Loop("worker", pause_seconds=context.timing.idle_seconds)
        self._heartbeat_at: datetime | None = None  # next one; None before the first
        # Holding an SQLite file's lock, this is the only worker: whoever held leases is gone.
        self._leases_are_stale = context.database.sqlite
        #: by kind, batch id and attempt: a late submit does not keep a new claim from being sent
        self._tasks: dict[tuple[str, int, int], asyncio.Task[None]] = {}
        self._reads = asyncio.Semaphore(_MAX_CONCURRENT_READS)

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
        async with context.database.read() as tx:
            regions = await slots.regions_with_work(tx, now, only=sendable)
            full = await slots.full_regions(tx) if regions else set[tuple[str, Region]]()
            due = [
                batch
                for batch in await batches.due(tx, owner=context.owner, now=now, only=readable)
                if _task_key(batch) not in self._tasks
            ]
            past = {
                batch.id: window(await batches.durations(tx, batch))
                for batch in due
                if batch.state is BatchState.SUBMITTED
            }
            due_at = await batches.next_due_at(tx, now, sendable=sendable, readable=readable)
        for batch in due:
            if batch.state is BatchState.INTENT:
                await self._submission.mark_unknown(batch, "the submit's lease expired")
        for tenant_id, region in regions:
            if (tenant_id, region) not in full:
                await self._claim(tenant_id, region)
        for batch in due:
            if batch.state is not BatchState.INTENT:
                self._start(_FOLLOW, batch, partial(self._follow, past=past.get(batch.id)))
        # What is due and not done (another replica's, or without a free slot) is looked at again then.
        # The end of any task starts a round at once.
        if due_at is None:
            return context.timing.idle_seconds
        wait = (due_at - context.clock()).total_seconds()
        return min(context.timing.idle_seconds, max(0, wait))

    def _start(self, kind: str, batch: Batch, work: Callable[[Batch], Awaitable[None]]) -> None:
        key = (kind, batch.id, batch.attempt)
        if key in self._tasks:
            return

        async def guarded() -> None:
            try:
                await work(batch)
            except Exception:
                log.exception(
                    "worker.task_failed", kind=kind, batch=batch.id, request=batch.request_id
                )
                await asyncio.sleep(self._context.timing.idle_seconds)
            finally:
                self._tasks.pop(key, None)
                self._loop.wake()

        self._tasks[key] = asyncio.create_task(guarded(), name=f"{kind} {batch.id}")

    async def _claim(self, tenant_id: str, region: Region) -> None:
        context = self._context
        claimed = await lifecycle.claim(
            context.database,
            tenant_id,
            region,
            owner=context.owner,
            now=context.clock(),
            lease_until=context.lease_until(),
            only=context.gateways.sendable,
        )
        for batch in claimed:
            self._start(_SUBMIT, batch, self._submission.submit)
        if claimed:
            context.changed()

    async def _follow(self, batch: Batch, *, past: Window | None) -> None:
        async with self._reads:
            if not await self._acquire(batch):
                return
            if batch.state is BatchState.UNKNOWN:
                await self._reconciliation.reconcile(batch)
            else:
                await self._polling.poll(batch, past)

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

    async def _heartbeat(self) -> None:
        """Vouch for the delegations held here, and ask for those that no replica holds."""
        context, now = self._context, self._context.clock()
        delegations = context.gateways.delegations
        if delegations is None:
            return
        lost = delegations.lost()
        if not lost and self._heartbeat_at is not None and now < self._heartbeat_at:
            return
        held, lease_seconds = delegations.held(), delegations.lease_seconds
        async with context.database.write() as tx:
            await delegation_leases.end(tx, lost)
            running = await delegation_leases.heartbeat(tx, held, context.after(lease_seconds))
            wanted = await delegation_requests.ask(
                tx, context.notifications, now, context.gateways.states_needing_delegation
            )
        for request_id in wanted:
            log.info("delegation.wanted", request=request_id)
        await delegations.release((held - frozenset(running)) | lost)
        self._heartbeat_at = now + timedelta(seconds=lease_seconds / 3)
        if wanted:
            context.changed()
