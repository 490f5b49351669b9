"""Reconciliation: settling a batch of unknown outcome from the SIP Gateway's summaries."""

from __future__ import annotations

from collections.abc import Sequence, Set
from datetime import timedelta

import structlog

from bot.gateway import (
    AccessDeniedError,
    BatchReport,
    BatchSummary,
    GatewayError,
    SipGateway,
    UnknownBatchError,
)
from bot.lifecycle import reconciliation as lifecycle
from bot.runner.context import WorkerContext, traceable
from bot.runner.polling import Polling, results
from bot.runner.submission import Submission
from bot.signin.request import Phone
from bot.store import batches, leases
from bot.store.batches import Batch

log = structlog.get_logger()

# Clocks differ, and a summary may carry the time at which the batch was queued or begun.
_TIME_SLACK = timedelta(minutes=30)
_MAX_CANDIDATES = 50


def is_of(report: BatchReport, phones: Sequence[Phone]) -> bool:
    """True if the report is about exactly these phones."""
    return set(results(report)) == {phone.key for phone in phones}


class TooManyCandidatesError(Exception):
    """The summaries hold more batches that may be the one than can be looked at."""


async def find(
    gateway: SipGateway, batch: Batch, phones: Sequence[Phone], known: Set[str]
) -> BatchReport | None:
    """The batch in the summaries that has exactly these phones and is none of the `known` ones.

    `known`: remote batch ids, casefolded. Returns None if there is none. Raises what the gateway
    raises, except `UnknownBatchError`; and `TooManyCandidatesError` if there are more to look at.
    """
    candidates = [
        summary
        for summary in await gateway.summaries()
        if summary.remote_batch_id.casefold() not in known and _may_be(summary, batch)
    ]
    for summary in candidates[:_MAX_CANDIDATES]:
        try:
            report = await gateway.status(summary.remote_batch_id)
        except UnknownBatchError:
            continue
        if is_of(report, phones):
            return BatchReport(summary.remote_batch_id, report.status, report.items)
    if len(candidates) > _MAX_CANDIDATES:
        raise TooManyCandidatesError(f"{len(candidates)} batches could be this one")
    return None


def _may_be(summary: BatchSummary, batch: Batch) -> bool:
    if summary.region is not None and summary.region is not batch.region:
        return False
    if summary.phone_count is not None and summary.phone_count != batch.size:
        return False
    if summary.created_at is None or batch.sent_at is None:
        return True
    return abs(summary.created_at - batch.sent_at) <= _TIME_SLACK


class Reconciliation:
    """Looks for batches of unknown outcome in the summaries, and asks an approver if they cannot tell."""

    def __init__(self, context: WorkerContext, submission: Submission, polling: Polling) -> None:
        self._context = context
        self._submission = submission
        self._polling = polling

    async def reconcile(self, batch: Batch) -> None:
        context = self._context
        access = context.gateways.for_reads(batch)
        if access is None:
            return
        async with context.database.read() as tx:
            phones = await batches.phones(tx, batch)
            known = await batches.known_remote_batch_ids(tx, batch.tenant_id)
        try:
            match = await find(access.gateway, batch, phones, known)
        except AccessDeniedError as error:
            if access.delegation is not None:
                await self._polling.failed(batch, access, error)
                return
            self._unavailable(batch, error)
            # Asking again will not help.
            await self._inconclusive(batch, counts=True, error=traceable(error))
        except GatewayError as error:
            self._unavailable(batch, error)
            await self._inconclusive(batch, counts=False, error=traceable(error))
        except TooManyCandidatesError as error:
            await self._inconclusive(batch, counts=True, error=str(error))
        else:
            context.outages.recovered()
            if match is None:
                await self._inconclusive(batch, counts=True)
            else:
                log.info("batch.matched", request=batch.request_id, batch=batch.id)
                await self._submission.acknowledged(batch, match.remote_batch_id)

    def _unavailable(self, batch: Batch, error: GatewayError) -> None:
        self._context.outages.failed(
            type(error).__name__,
            request=batch.request_id,
            batch=batch.id,
            message=error.message,
            correlation_id=error.correlation_id,
        )

    async def _inconclusive(self, batch: Batch, *, counts: bool, error: str = "") -> None:
        """Read the summaries again later; or ask an approver, after enough reads that count or when
        they could not be read for too long. `error`: why they could not be read."""
        context, now = self._context, self._context.clock()
        summary_reads = batch.summary_reads + counts
        failing_since = (batch.failing_since or now) if error else None
        failing_seconds = (now - failing_since).total_seconds() if failing_since else 0
        async with context.database.write() as tx:
            if (
                summary_reads >= context.timing.summary_reads
                or failing_seconds >= context.timing.stalled_seconds
            ):
                if await lifecycle.ask_approver(
                    tx,
                    context.notifications,
                    batch,
                    owner=context.owner,
                    error=error,
                    now=now,
                ):
                    log.warning("batch.approver_asked", request=batch.request_id, batch=batch.id)
            else:
                settle = context.timing.settle_seconds
                await leases.reschedule(
                    tx,
                    batch,
                    owner=context.owner,
                    due_at=context.after(settle),
                    lease_until=context.lease_until(settle),
                    summary_reads=summary_reads,
                    failing_since=failing_since,
                )
        context.changed()
