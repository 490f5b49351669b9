"""Submitting a batch: once, never retried, and what each answer proves."""

from __future__ import annotations

import random
from datetime import datetime
from typing import Any

import structlog

from bot.gateway import (
    AccessDeniedError,
    BatchRejectedError,
    NotRunError,
    OutcomeUnknownError,
    ThrottledError,
    UnreachableError,
)
from bot.lifecycle import submission as lifecycle
from bot.runner.context import WorkerContext, jitter, traceable
from bot.runner.gateways import Access
from bot.signin.outcome import CHANGED_MESSAGE
from bot.store import batches, requests
from bot.store.batches import Batch
from bot.store.database import UNUSABLE, Transaction
from bot.store.leases import LeaseLostError

log = structlog.get_logger()


class Submission:
    """Sends batches that have been claimed."""

    def __init__(self, context: WorkerContext) -> None:
        self._context = context

    async def submit(self, batch: Batch) -> None:
        """Send the batch and record the outcome. The intent is committed already."""
        context = self._context
        try:
            async with context.database.read() as tx:
                phones = await batches.phones(tx, batch)
        except UNUSABLE:
            # Nothing has been sent yet, which is worth recording: nobody has to be asked about it.
            await self._requeue(batch, "the database failed", context.timing.poll_first_seconds)
            return
        if not context.digests.match_batch(
            batch.digest, phones, tenant_id=batch.tenant_id, request_id=batch.request_id
        ):
            await self._changed(batch)
            return
        answer_by = context.after(context.gateways.submit_timeout)
        if batch.lease_until is None or answer_by >= batch.lease_until:
            # The process was paused: another replica may act on this batch before we had an answer.
            # Nothing has been sent yet.
            await self._requeue(
                batch, "the lease was too short to send", context.timing.poll_first_seconds
            )
            return
        access = context.gateways.for_submit(batch)
        if access is None:
            await self._requeue(batch, "no delegation is held", 0)
            return
        sending = False

        async def before_sending() -> None:
            nonlocal sending
            await self._mark_sending(batch, answer_by)
            sending = True

        try:
            remote_batch_id = await access.gateway.submit(batch.region, phones, before_sending)
        except LeaseLostError:
            await self._requeue(
                batch, "the lease ended before it was sent", context.timing.poll_first_seconds
            )
        except NotRunError as error:
            await self._not_run(batch, access, error)
        except OutcomeUnknownError as error:
            await self.mark_unknown(batch, error.message)
        except Exception as error:
            message = f"{type(error).__name__}: {error}"
            if sending:
                await self.mark_unknown(batch, message)
            else:
                await self._requeue(batch, message, context.timing.throttled_seconds)
            raise
        else:
            context.outages.recovered()
            await self.acknowledged(batch, remote_batch_id)

    async def _mark_sending(self, batch: Batch, answer_by: datetime) -> None:
        """Record that the batch is about to be sent, by a gateway that gives up at `answer_by`.

        Raises what means that it must not be sent: `LeaseLostError`, or `NotRunError` if the mark
        cannot be recorded.
        """
        context = self._context
        try:
            async with context.database.write() as tx:
                marked = await lifecycle.mark_sending(
                    tx, batch, owner=context.owner, now=context.clock()
                )
        except UNUSABLE as error:
            raise NotRunError(f"the database failed ({type(error).__name__})") from error
        # Without time for an answer, the process was paused: others may act on the batch meanwhile.
        if not marked or context.clock() >= answer_by:
            raise LeaseLostError(batch.id)

    async def lapsed(self, batch: Batch) -> None:
        """The lease of an intent expired. It is sent anew if no byte of it can have left."""
        if not batch.unsent:
            await self.mark_unknown(batch, "the submit's lease expired")
            return
        context = self._context
        async with context.database.write() as tx:
            released = await lifecycle.release_unsent(
                tx, context.notifications, batch, now=context.clock()
            )
        if released:
            log.warning("batch.released_unsent", request=batch.request_id, batch=batch.id)
            context.changed()

    async def acknowledged(self, batch: Batch, remote_batch_id: str) -> None:
        """The SIP Gateway has the batch: by its answer, or found in its summaries."""
        context = self._context
        # Logged first: whatever happens next, the id is the proof that the batch runs.
        log.info(
            "batch.acknowledged",
            request=batch.request_id,
            batch=batch.id,
            remote_batch_id=remote_batch_id,
        )

        async def acknowledge(tx: Transaction) -> bool:
            wait = jitter(context.timing.poll_first_seconds)
            if await lifecycle.acknowledge(
                tx,
                batch,
                remote_batch_id,
                owner=context.owner,
                lease_until=context.lease_until(wait),
                due_at=context.after(wait),
                now=context.clock(),
            ):
                return True
            # The batch has moved on, so what runs in the SIP Gateway is not followed.
            await lifecycle.report_late(
                tx, context.notifications, batch, remote_batch_id, context.clock()
            )
            return False

        recorded = await context.record(acknowledge)
        (log.info if recorded else log.error)(
            "batch.submitted",
            request=batch.request_id,
            batch=batch.id,
            remote_batch_id=remote_batch_id,
            region=batch.region.value,
            phones=batch.size,
            recorded=recorded,
        )
        context.changed()

    async def mark_unknown(self, batch: Batch, error: str) -> None:
        """Whether the batch ran is not known: the summaries are read after the settle time."""
        context = self._context
        due_at = context.after(context.timing.settle_seconds)
        marked = await context.record(
            lambda tx: lifecycle.mark_unknown(
                tx, batch, due_at=due_at, error=error, now=context.clock()
            )
        )
        if marked:
            log.warning(
                "batch.marked_unknown", request=batch.request_id, batch=batch.id, reason=error
            )
            context.changed()

    async def _changed(self, batch: Batch) -> None:
        """The batch is not what was approved: it is not sent, and ends."""
        context = self._context
        log.error("batch.digest_mismatched", request=batch.request_id, batch=batch.id)
        await context.record(
            lambda tx: lifecycle.reject(
                tx, context.notifications, batch, CHANGED_MESSAGE, context.clock()
            )
        )
        context.changed()

    async def _not_run(self, batch: Batch, access: Access, error: NotRunError) -> None:
        context = self._context
        details = {
            "request": batch.request_id,
            "batch": batch.id,
            "message": error.message,
            "correlation_id": error.correlation_id,
        }
        if isinstance(error, UnreachableError):
            context.outages.failed(type(error).__name__, **details)
        else:
            log.warning("batch.not_run", reason=type(error).__name__, **details)
        if isinstance(error, BatchRejectedError):
            message = error.message
            await context.record(
                lambda tx: lifecycle.reject(
                    tx, context.notifications, batch, message, context.clock()
                )
            )
            context.changed()
        elif isinstance(error, AccessDeniedError):
            await self._denied(batch, access, error)
        elif isinstance(error, ThrottledError):
            wait = error.retry_after
            await self._requeue(
                batch, error.message, context.timing.throttled_seconds if wait is None else wait
            )
        else:
            await self._requeue(
                batch, error.message, context.timing.throttled_seconds, unreachable=True
            )

    async def _denied(self, batch: Batch, access: Access, error: AccessDeniedError) -> None:
        context = self._context
        in_use = context.gateways.denied(batch, access)
        # With a delegation it is sent again as soon as an approver grants another.
        wait = context.timing.denied_seconds if access.delegation is None else 0
        refused: dict[str, Any] = {"refused": traceable(error)} if in_use else {}
        await self._requeue(batch, error.message, wait, **refused)

    async def _requeue(
        self,
        batch: Batch,
        error: str,
        wait_seconds: float,
        *,
        unreachable: bool = False,
        **request_columns: Any,
    ) -> None:
        context = self._context
        now = context.clock()
        wait = wait_seconds * random.uniform(1, 1.25)  # noqa: S311

        async def requeue(tx: Transaction) -> bool:
            if unreachable:
                await requests.mark_unreachable(tx, batch.request_id, now)
            return await lifecycle.requeue(
                tx,
                context.notifications,
                batch,
                not_before=context.after(wait),
                error=error,
                now=now,
                **request_columns,
            )

        if await context.record(requeue):
            # The only line for what no answer of the SIP Gateway explains, such as too short a lease.
            log.info("batch.requeued", request=batch.request_id, batch=batch.id, reason=error)
        context.changed()
