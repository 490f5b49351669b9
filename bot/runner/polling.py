"""Polling submitted batches, and reading the SIP Gateway's reports of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from bot.gateway import (
    AccessDeniedError,
    BatchReport,
    GatewayError,
    ThrottledError,
    UnknownBatchError,
)
from bot.lifecycle import polling, reconciliation
from bot.runner.context import WorkerContext, jitter, traceable
from bot.runner.gateways import Access
from bot.signin.outcome import TERMINAL_PHONE_STATUSES, PhoneResult, PhoneStatus
from bot.signin.request import phone_key
from bot.signin.timing import Window, next_poll_seconds, retry_seconds
from bot.store import leases, requests
from bot.store.batches import Batch
from bot.store.database import Transaction
from bot.store.leases import LeaseLostError

log = structlog.get_logger()

# Statuses seen so far are `success`, `failed` and, of a batch, `Completed`; the list is not published.
# Whatever is not known to be final counts as still running.
_SIGNED_IN = frozenset({"success", "succeeded", "signedin"})
_FAILED = frozenset({"failed", "failure", "error"})
_COMPLETED = frozenset({"completed", "complete"})


def _folded(status: str) -> str:
    return status.strip().lower().replace(" ", "").replace("_", "").replace("-", "")


def is_completed(report: BatchReport) -> bool:
    return _folded(report.status) in _COMPLETED


def results(report: BatchReport) -> dict[tuple[str, str], PhoneResult]:
    """What the report says of each phone, by `phone_key`."""
    by_phone: dict[tuple[str, str], PhoneResult] = {}
    for item in report.items:
        status = _folded(item.status)
        if status in _SIGNED_IN:
            result = PhoneResult(PhoneStatus.SIGNED_IN)
        elif status in _FAILED:
            result = PhoneResult(PhoneStatus.FAILED, item.error or item.status)
        else:
            result = PhoneResult(PhoneStatus.IN_PROGRESS)
        by_phone[phone_key(item.username, item.hardware_id)] = result
    return by_phone


class Polling:
    """Reads the status of submitted batches until every phone has ended or the batch is abandoned."""

    def __init__(self, context: WorkerContext) -> None:
        self._context = context

    async def poll(self, batch: Batch, past: Window | None) -> float | None:
        """Read the status once. `past`: when the batch is expected to end, from earlier ones.

        Returns the seconds until the next poll if that is all there is to do: no slot has become free.
        """
        context = self._context
        access = context.gateways.for_reads(batch)
        if access is None:
            return None
        try:
            report = await access.gateway.status(batch.remote_batch_id)
        except GatewayError as error:
            await self.failed(batch, access, error)
            return None
        context.outages.recovered("", batch.request_id, batch.id)
        try:
            async with context.database.write() as tx:
                visible, wait = await self._record(tx, batch, report, past)
        except LeaseLostError:
            return None  # another replica polls it
        if visible:
            context.changed()
        return wait

    async def _record(
        self, tx: Transaction, batch: Batch, report: BatchReport, past: Window | None
    ) -> tuple[bool, float | None]:
        """Returns False if nothing changed that people can see; and the seconds until the next poll, None
        if others may be due before."""
        context, now = self._context, self._context.clock()
        by_phone, completed, ended = results(report), is_completed(report), batch.ended
        recovered = await requests.mark_reachable(tx, batch.request_id)
        # Most polls bring no news: the phones need not be read for that.
        if completed or ended != sum(
            result.status in TERMINAL_PHONE_STATUSES for result in by_phone.values()
        ):
            ended = await polling.report(tx, batch, by_phone, owner=context.owner, now=now)
        if batch.unreadable_asked:
            await requests.touch(tx, batch.request_id)  # the question has settled itself
        grace_over = (
            batch.completed_at is not None
            and (now - batch.completed_at).total_seconds() >= context.timing.grace_seconds
        )
        silent = ended == batch.ended
        unobserved = timedelta(seconds=self._unobserved_seconds(batch, now))
        if silent and batch.progress_at is not None:
            # Silence counts only while the SIP Gateway was asked and answered.
            batch = replace(batch, progress_at=batch.progress_at + unobserved)
        if (
            ended >= batch.size
            or (completed and grace_over)
            or (silent and self._silent_seconds(batch, now) >= context.timing.abandoned_seconds)
        ):
            await self._complete(tx, batch)
            return True, None
        wait = next_poll_seconds(
            context.timing,
            elapsed=(now - batch.sent_at).total_seconds() if batch.sent_at else 0,
            silent=self._silent_seconds(batch, now) if silent else 0,
            ended=ended,
            size=batch.size,
            past=past,
        )
        next_poll = await self._reschedule(
            tx,
            batch,
            wait,
            completed_at=now if completed and batch.completed_at is None else None,
            progress_at=batch.progress_at if silent else now,
            seen_running_at=now,
        )
        if silent and self._silent_seconds(batch, now) >= context.timing.stalled_seconds:
            await polling.mark_stalled(
                tx, context.notifications, batch, owner=context.owner, now=now
            )
            return True, next_poll
        return recovered or not silent or batch.unreadable_asked, next_poll

    async def failed(self, batch: Batch, access: Access, error: GatewayError) -> None:
        """The status could not be read. The batch keeps running; only its status is unavailable."""
        context, now = self._context, self._context.clock()
        denied = isinstance(error, AccessDeniedError)
        if denied and access.delegation is not None:
            if context.gateways.denied(batch, access):
                async with context.database.write() as tx:
                    await requests.touch(tx, batch.request_id, refused=traceable(error))
                context.changed()
            return  # polled again with the next delegation
        key = (
            batch.id if isinstance(error, UnknownBatchError) else batch.request_id if denied else ""
        )
        context.outages.failed(
            type(error).__name__,
            key,
            request=batch.request_id,
            batch=batch.id,
            message=error.message,
            correlation_id=error.correlation_id,
        )
        async with context.database.write() as tx:
            await requests.mark_unreachable(
                tx, batch.request_id, now, refused=traceable(error) if denied else ""
            )
            await self._record_failure(tx, batch, error)
        if isinstance(error, ThrottledError) and error.retry_after is not None:
            # Calls are limited per tenant: its other batches would fare the same.
            async with context.database.write() as tx:
                until = context.after(error.retry_after)
                await leases.postpone_polls(tx, batch.tenant_id, until)
        context.changed()

    async def _record_failure(self, tx: Transaction, batch: Batch, error: GatewayError) -> None:
        context, now = self._context, self._context.clock()
        gone = isinstance(error, UnknownBatchError)
        if gone and batch.unreadable_seconds >= context.timing.abandoned_seconds:
            await self._complete(tx, batch)
            return
        # Counted from the first failure of this spell: the time that nobody asked says nothing.
        failing_since = batch.failing_since or now
        failing_seconds = (now - failing_since).total_seconds()
        wait = retry_seconds(context.timing, failing=failing_seconds)
        await self._reschedule(tx, batch, wait, failing_since=failing_since)
        if failing_seconds >= context.timing.stalled_seconds:
            await polling.mark_stalled(
                tx, context.notifications, batch, owner=context.owner, now=now
            )
        if (
            batch.unreadable_seconds >= context.timing.unreadable_seconds
            and await reconciliation.ask_about_unreadable(
                tx,
                context.notifications,
                batch,
                owner=context.owner,
                error=traceable(error),
                now=now,
            )
        ):
            log.warning("batch.approver_asked", request=batch.request_id, batch=batch.id)

    async def _complete(self, tx: Transaction, batch: Batch) -> None:
        context = self._context
        if await polling.complete(
            tx, context.notifications, batch, owner=context.owner, now=context.clock()
        ):
            context.outages.forget(batch.id)
            context.outages.forget(batch.request_id)
            log.info("batch.completed", request=batch.request_id, batch=batch.id)

    async def _reschedule(
        self,
        tx: Transaction,
        batch: Batch,
        wait: float,
        *,
        completed_at: datetime | None = None,
        progress_at: datetime | None = None,
        seen_running_at: datetime | None = None,
        failing_since: datetime | None = None,
    ) -> float | None:
        """Poll the batch again in about `wait` seconds. Returns in how many exactly; None if it is not
        held any more."""
        context = self._context
        wait = jitter(wait)
        rescheduled = await leases.reschedule(
            tx,
            batch,
            owner=context.owner,
            due_at=context.after(wait),
            lease_until=context.lease_until(wait),
            polls=batch.polls + 1,
            completed_at=completed_at,
            progress_at=progress_at,
            seen_running_at=seen_running_at,
            failing_since=failing_since,
            # The wait that begins now: if Offhook is down meanwhile, no more than that counts.
            unreadable_seconds=batch.unreadable_seconds + wait if failing_since else 0.0,
        )
        return wait if rescheduled else None

    def _unobserved_seconds(self, batch: Batch, now: datetime) -> float:
        """How long no report was read before this one: because reads failed, others were throttled, or
        Offhook was down."""
        since = batch.failing_since or batch.due_at
        if since is None:
            return 0.0
        if batch.seen_running_at is not None:
            # Whatever it is due after that, it waits for a throttled tenant.
            longest = timedelta(seconds=self._context.timing.poll_max_seconds)
            since = min(since, batch.seen_running_at + longest)
        return max(0.0, (now - since).total_seconds())

    @staticmethod
    def _silent_seconds(batch: Batch, now: datetime) -> float:
        """Seconds without news of a batch."""
        since = batch.progress_at or batch.sent_at
        return (now - since).total_seconds() if since else 0
