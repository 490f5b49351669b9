"""The worker: sends batches, follows them to their end, and finds out what became of the doubtful ones.

It keeps nothing that matters in memory. Whatever moment it dies at, the next one goes on from the
tables: an intent without an answer is in doubt, a submitted batch is simply polled.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import structlog

from bot.gateway import (
    AccessDeniedError,
    BatchRejectedError,
    BatchReport,
    GatewayError,
    NotRunError,
    OutcomeUnknownError,
    SipGateway,
    ThrottledError,
)
from bot.identity.delegations import Delegations
from bot.lifecycle.notifications import Notifications
from bot.phones.region import Region
from bot.runner import matching
from bot.runner.loop import Loop
from bot.signin.batch import BatchState
from bot.signin.timing import Timing, next_poll
from bot.store import batches, requests
from bot.store.batches import Batch
from bot.store.database import Database, Transaction

Clock = Callable[[], datetime]
_PARALLEL_LOOKS = 16

log = structlog.get_logger()


class Worker:
    """`changed` is called after every commit that people may see.

    With `delegations` a request runs with the rights of somebody who signed in for it, and waits while
    nobody has; `follow_as_app`: what was sent is then followed with `gateway`, the app's own.
    """

    def __init__(
        self,
        database: Database,
        gateway: SipGateway,
        notifications: Notifications,
        *,
        timing: Timing,
        owner: str,
        clock: Clock,
        changed: Callable[[], None],
        delegations: Delegations[SipGateway] | None = None,
        follow_as_app: bool = False,
    ) -> None:
        self._database = database
        self._delegations = delegations
        self._follow_as_app = follow_as_app
        self._vouch_at: datetime | None = None
        self._gateway = gateway
        self._notifications = notifications
        self._timing = timing
        self._owner = owner
        self._clock = clock
        self._changed = changed
        self._loop = Loop("worker", pause=timing.idle_seconds)
        # We hold an SQLite file's lock: whoever owned its leases is gone.
        self._alone = database.sqlite
        self._tasks: dict[tuple[str, int], asyncio.Task[None]] = {}
        self._looks = asyncio.Semaphore(_PARALLEL_LOOKS)

    def wake(self) -> None:
        """Something was approved, answered or cancelled: look now."""
        self._loop.wake()

    async def run(self) -> None:
        """Work until cancelled. What is being sent at that moment is finished first."""
        try:
            await self._loop.run(self._round)
        finally:
            await self._wind_down()

    async def _wind_down(self) -> None:
        for (kind, _), task in self._tasks.items():
            if kind != "submit":
                task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _round(self) -> float:
        """Start what can be done now; returns the seconds until more can be."""
        if self._alone:
            async with self._database.write() as tx:
                await batches.release_all(tx, self._clock())
                await requests.signed_out(tx)
            self._alone = False
        now = self._clock()
        await self._mind_sign_ins(now)
        async with self._database.read() as tx:
            lapsed = await batches.lapsed_intents(tx, now)
            lanes = await batches.lanes_with_work(tx, now, only=self._can_send)
            due = await batches.due(tx, owner=self._owner, now=now, only=self._can_look)
        for batch in lapsed:
            if ("submit", batch.id) not in self._tasks:
                await self._doubt(batch, "the sender went away before it had an answer")
        for lane in lanes:
            await self._claim(lane)
        for batch in due:
            self._start("look", batch, self._look)
        return await self._until_next()

    async def _until_next(self) -> float:
        async with self._database.read() as tx:
            moment = await batches.next_moment(tx, send=self._can_send, look=self._can_look)
        if moment is None:
            return self._timing.idle_seconds
        wait = (moment - self._clock()).total_seconds()
        # Due, and yet nothing could be done (another replica's, or no free place): do not spin.
        return min(
            self._timing.idle_seconds, wait if wait > 0 else self._timing.poll_first_seconds / 4
        )

    def _start(self, kind: str, batch: Batch, work: Callable[[Batch], Awaitable[None]]) -> None:
        key = (kind, batch.id)
        if key in self._tasks:
            return

        async def guarded() -> None:
            try:
                await work(batch)
            except Exception:
                log.exception("worker.failed", kind=kind, batch=batch.id, request=batch.request_id)
                await asyncio.sleep(self._timing.idle_seconds)
            finally:
                self._tasks.pop(key, None)
                self._loop.wake()

        self._tasks[key] = asyncio.create_task(guarded(), name=f"{kind} {batch.id}")

    def _after(self, seconds: float) -> datetime:
        return self._clock() + timedelta(seconds=seconds)

    def _lease(self, wait: float = 0) -> datetime:
        return self._after(wait + self._gateway.submit_timeout + self._timing.lease_margin_seconds)

    # -- rights ----------------------------------------------------------------------------------

    @property
    def _can_send(self) -> frozenset[str] | None:
        """The requests whose batches may be sent from here; None for all."""
        return None if self._delegations is None else self._delegations.held()

    @property
    def _can_look(self) -> frozenset[str] | None:
        return None if self._follow_as_app else self._can_send

    def _sender(self, batch: Batch) -> SipGateway | None:
        """The service as whoever signed in for the batch may use it; None if nobody has."""
        if self._delegations is None:
            return self._gateway
        return self._delegations.client(batch.request_id)

    def _looker(self, batch: Batch) -> SipGateway | None:
        return self._sender(batch) or (self._gateway if self._follow_as_app else None)

    def _turned_away(self, batch: Batch, error: AccessDeniedError) -> dict[str, Any]:
        """The rights of whoever signed in are used no more. What cards say of it: the service's words, or
        nothing where it is only the sign-in that has ended."""
        ended = self._sender(batch) is None
        if self._delegations is not None:
            self._delegations.deny(batch.request_id)
        return {} if ended else {"refused": _traceable(error)}

    async def _mind_sign_ins(self, now: datetime) -> None:
        """Vouch for the sign-ins that are held here, and say of which requests nobody has one."""
        if self._delegations is None:
            return
        lost = self._delegations.lost()
        if not lost and self._vouch_at is not None and now < self._vouch_at:
            return
        held, lease = self._delegations.held(), self._delegations.lease
        work = {BatchState.PLANNED}
        if not self._follow_as_app:
            work |= {BatchState.SUBMITTED, BatchState.UNKNOWN}
        async with self._database.write() as tx:
            await requests.signed_out(tx, lost)
            running = await requests.still_signed_in(tx, held, self._after(lease))
            wanted = await requests.want_sign_in(tx, now, work)
            for request in wanted:
                await self._notifications.sign_in_wanted(tx, request, now)
                log.info("request.sign_in_wanted", request=request.id)
        await self._delegations.release((held - frozenset(running)) | lost)
        self._vouch_at = now + timedelta(seconds=lease / 3)
        if wanted:
            self._changed()

    # -- sending ---------------------------------------------------------------------------------

    async def _claim(self, lane: tuple[str, Region]) -> None:
        claimed = await batches.claim(
            self._database,
            lane,
            owner=self._owner,
            now=self._clock(),
            lease_until=self._lease(),
            only=self._can_send,
        )
        for batch in claimed:
            self._start("submit", batch, self._submit)
        if claimed:
            self._changed()

    async def _submit(self, batch: Batch) -> None:
        async with self._database.read() as tx:
            devices = await batches.devices(tx, batch)
        if batch.lease_until is None or self._after(self._gateway.submit_timeout) >= (
            batch.lease_until
        ):
            # We slept (a paused process): somebody else may act on this batch by the time we would
            # have an answer. Nothing has left yet.
            await self._nothing_ran(
                batch, "the lease was too short to send", self._timing.poll_first_seconds
            )
            return
        gateway = self._sender(batch)
        if gateway is None:
            await self._nothing_ran(batch, "nobody is signed in", 0)
            return
        try:
            remote_batch_id = await gateway.submit(batch.region, devices)
        except NotRunError as refusal:
            await self._refused(batch, refusal)
        except OutcomeUnknownError as doubt:
            await self._doubt(batch, doubt.message)
        except Exception as error:
            await self._doubt(batch, f"{type(error).__name__}: {error}")
            raise
        else:
            await self._submitted(batch, remote_batch_id)

    async def _submitted(self, batch: Batch, remote_batch_id: str) -> None:
        expected = await self._expected(batch.region)
        wait = self._jitter(
            next_poll(self._timing, elapsed=0, polls=0, ended=0, size=batch.size, expected=expected)
        )
        async with self._database.write() as tx:
            recorded = await batches.submitted(
                tx,
                batch,
                remote_batch_id,
                owner=self._owner,
                lease_until=self._lease(wait),
                due_at=self._after(wait),
                now=self._clock(),
            )
        log.info(
            "batch.submitted",
            request=batch.request_id,
            batch=batch.id,
            remote_batch_id=remote_batch_id,
            region=batch.region.value,
            phones=batch.size,
            recorded=recorded,
        )
        self._changed()

    async def _refused(self, batch: Batch, refusal: NotRunError) -> None:
        log.warning(
            "batch.not_run",
            request=batch.request_id,
            batch=batch.id,
            why=type(refusal).__name__,
            message=refusal.message,
            correlation_id=refusal.correlation_id,
        )
        if isinstance(refusal, BatchRejectedError):
            now = self._clock()
            async with self._database.write() as tx:
                if await batches.refused(tx, batch, refusal.message, now):
                    await self._maybe_ended(tx, batch.request_id)
            self._changed()
            return
        if isinstance(refusal, AccessDeniedError):
            # With somebody's rights it is sent again as soon as somebody signs in.
            wait = self._timing.denied_seconds if self._delegations is None else 0
            await self._nothing_ran(
                batch, refusal.message, wait, **self._turned_away(batch, refusal)
            )
        elif isinstance(refusal, ThrottledError):
            wait = (
                self._timing.throttled_seconds
                if refusal.retry_after is None
                else refusal.retry_after
            )
            await self._nothing_ran(batch, refusal.message, wait)
        else:
            await self._nothing_ran(
                batch, refusal.message, self._timing.throttled_seconds, unreachable=True
            )

    async def _nothing_ran(
        self, batch: Batch, error: str, wait: float, *, unreachable: bool = False, **columns: object
    ) -> None:
        async with self._database.write() as tx:
            if unreachable:
                await requests.unreachable(tx, batch.request_id, self._clock())
            if await batches.nothing_ran(
                tx,
                batch,
                before=(BatchState.INTENT, BatchState.UNKNOWN, BatchState.NEEDS_PERSON),
                not_before=self._after(wait * random.uniform(1, 1.25)),  # noqa: S311
                error=error,
                **columns,
            ):
                await self._maybe_ended(tx, batch.request_id)
        self._changed()

    async def _doubt(self, batch: Batch, error: str) -> None:
        async with self._database.write() as tx:
            await batches.unknown(
                tx, batch, due_at=self._after(self._timing.settle_seconds), error=error
            )
        log.warning("batch.unknown", request=batch.request_id, batch=batch.id, why=error)
        self._changed()

    # -- following -------------------------------------------------------------------------------

    async def _look(self, batch: Batch) -> None:
        async with self._looks:
            if not await self._take(batch):
                return
            if batch.state is BatchState.UNKNOWN:
                await self._reconcile(batch)
            else:
                await self._poll(batch)

    async def _take(self, batch: Batch) -> bool:
        """True if the batch is ours to look after, for as long as a look may take."""
        now = self._clock()
        soon = now + timedelta(seconds=self._timing.lease_margin_seconds / 2)
        if batch.owner == self._owner and batch.lease_until and batch.lease_until > soon:
            return True
        async with self._database.write() as tx:
            return await batches.take(
                tx, batch, owner=self._owner, now=now, lease_until=self._lease()
            )

    async def _poll(self, batch: Batch) -> None:
        gateway = self._looker(batch)
        if gateway is None:
            return
        try:
            report = await gateway.status(batch.remote_batch_id)
        except GatewayError as error:
            await self._no_answer(batch, error)
            return
        now = self._clock()
        results = matching.results(report)
        completed = matching.is_completed(report)
        async with self._database.write() as tx:
            ended = await batches.apply(tx, batch, results, owner=self._owner, now=now)
            if ended is None:
                return
            await requests.reachable(tx, batch.request_id)
            grace_over = (
                batch.completed_at is not None
                and (now - batch.completed_at).total_seconds() >= self._timing.grace_seconds
            )
            if ended >= batch.size or (completed and grace_over) or self._given_up(batch, now):
                if await batches.done(tx, batch, owner=self._owner, now=now):
                    await self._maybe_ended(tx, batch.request_id)
                    log.info("batch.done", request=batch.request_id, batch=batch.id)
            else:
                await self._poll_later(
                    tx, batch, ended=ended, news=ended > batch.ended, completed=completed
                )
        self._changed()

    def _given_up(self, batch: Batch, now: datetime) -> bool:
        return self._silent_for(batch, now) >= self._timing.abandoned_seconds

    @staticmethod
    def _silent_for(batch: Batch, now: datetime) -> float:
        since = batch.progress_at or batch.sent_at
        return (now - since).total_seconds() if since else 0

    async def _poll_later(
        self, tx: Transaction, batch: Batch, *, ended: int, news: bool, completed: bool
    ) -> None:
        now = self._clock()
        elapsed = (now - batch.sent_at).total_seconds() if batch.sent_at else 0
        expected = await self._expected_in(tx, batch.region)
        wait = self._jitter(
            next_poll(
                self._timing,
                elapsed=elapsed,
                polls=batch.polls + 1,
                ended=ended,
                size=batch.size,
                expected=expected,
            )
        )
        stalled = not news and self._silent_for(batch, now) >= self._timing.stalled_seconds
        await batches.look_later(
            tx,
            batch,
            owner=self._owner,
            due_at=self._after(wait),
            lease_until=self._lease(wait),
            polls=batch.polls + 1,
            stalled=stalled,
            completed_at=now if completed and batch.completed_at is None else None,
        )
        if stalled and not batch.stalled:
            request = await requests.load(tx, batch.request_id)
            if request is not None:
                await self._notifications.stalled(tx, request, batch.region.value, now)

    async def _no_answer(self, batch: Batch, error: GatewayError) -> None:
        """The service did not say. Work goes on over there; we only cannot see it."""
        if isinstance(error, AccessDeniedError) and self._can_look is not None:
            said = self._turned_away(batch, error)
            async with self._database.write() as tx:
                await requests.touch(tx, batch.request_id, **said)
            return  # whoever signs in next looks
        log.warning(
            "batch.no_status",
            request=batch.request_id,
            batch=batch.id,
            why=type(error).__name__,
            message=error.message,
            correlation_id=error.correlation_id,
        )
        now = self._clock()
        async with self._database.write() as tx:
            refused = _traceable(error) if isinstance(error, AccessDeniedError) else ""
            await requests.unreachable(tx, batch.request_id, now, refused=refused)
            if self._given_up(batch, now):
                if await batches.done(tx, batch, owner=self._owner, now=now):
                    await self._maybe_ended(tx, batch.request_id)
            else:
                await self._poll_later(tx, batch, ended=batch.ended, news=False, completed=False)
        self._changed()

    async def _reconcile(self, batch: Batch) -> None:
        """Look for a batch of unknown outcome among those that the service says it has."""
        gateway = self._looker(batch)
        if gateway is None:
            return
        found: BatchReport | None = None
        conclusive = True
        try:
            async with self._database.read() as tx:
                devices = await batches.devices(tx, batch)
                known = await batches.known_remote_batch_ids(tx, batch.tenant_id)
            found = await matching.find(gateway, batch, devices, known)
        except (AccessDeniedError, NotRunError) as error:
            if isinstance(error, AccessDeniedError) and self._can_look is not None:
                await self._no_answer(batch, error)
                return
            conclusive = isinstance(error, AccessDeniedError)  # asking again will not help
            log.warning("batch.no_summaries", batch=batch.id, message=error.message)
        except GatewayError as error:
            conclusive = False
            log.warning("batch.no_summaries", batch=batch.id, message=error.message)
        if found is not None:
            log.info("batch.found", request=batch.request_id, batch=batch.id)
            await self._submitted(batch, found.remote_batch_id)
            return
        now = self._clock()
        checks = batch.summary_reads + conclusive
        async with self._database.write() as tx:
            if checks >= self._timing.summary_reads:
                if await batches.needs_person(tx, batch, owner=self._owner):
                    request = await requests.load(tx, batch.request_id)
                    if request is not None:
                        await self._notifications.question(tx, request, batch.id, now)
            else:
                await batches.look_later(
                    tx,
                    batch,
                    owner=self._owner,
                    due_at=self._after(self._timing.settle_seconds),
                    lease_until=self._lease(self._timing.settle_seconds),
                    checks=checks,
                )
        self._changed()

    async def _maybe_ended(self, tx: Transaction, request_id: str) -> None:
        after = await self._notifications.end_if_over(tx, request_id, self._clock())
        if after is not None:
            log.info("request.ended", request=request_id, state=after.value)

    # -- times -----------------------------------------------------------------------------------

    async def _expected(self, region: Region) -> float | None:
        async with self._database.read() as tx:
            return await self._expected_in(tx, region)

    @staticmethod
    async def _expected_in(tx: Transaction, region: Region) -> float | None:
        """How long a batch takes in this region, as the newest ones did: the shortest of them, since
        what was measured includes the lag of our own polls."""
        return min(await batches.durations(tx, region), default=None)

    @staticmethod
    def _jitter(seconds: float) -> float:
        return seconds * random.uniform(0.95, 1.05)  # noqa: S311


def _traceable(error: GatewayError) -> str:
    """The service's words, with what Microsoft's support finds the call by."""
    return f"{error.message} ({error.correlation_id})" if error.correlation_id else error.message
