"""Reading the service's answers: which phone a result belongs to, and which batch is ours."""

from __future__ import annotations

from collections.abc import Sequence, Set
from datetime import timedelta

from bot.gateway import BatchReport, BatchSummary, SipGateway, UnknownBatchError
from bot.signin.outcome import PhoneStatus
from bot.signin.request import Phone, phone_key
from bot.store.batches import Batch, PhoneResult

# Statuses that were seen are `success`, `failed` and, of a batch, `Completed`; the list is not
# published. Whatever is not known to be an end counts as still running.
_SIGNED_IN = frozenset({"success", "succeeded", "signedin"})
_FAILED = frozenset({"failed", "failure", "error"})
_COMPLETED = frozenset({"completed", "complete"})

# Clocks differ, and a summary may carry the time at which the batch was queued or begun.
_TIME_SLACK = timedelta(minutes=30)
_CANDIDATES = 50


def _plain(status: str) -> str:
    return status.strip().lower().replace(" ", "").replace("_", "").replace("-", "")


def is_completed(report: BatchReport) -> bool:
    return _plain(report.status) in _COMPLETED


def results(report: BatchReport) -> dict[tuple[str, str], PhoneResult]:
    """What the report says of each phone, by (username, hardware id)."""
    found: dict[tuple[str, str], PhoneResult] = {}
    for item in report.items:
        status = _plain(item.status)
        if status in _SIGNED_IN:
            result = PhoneResult(PhoneStatus.SIGNED_IN)
        elif status in _FAILED:
            result = PhoneResult(PhoneStatus.FAILED, item.error or item.status)
        else:
            result = PhoneResult(PhoneStatus.IN_PROGRESS)
        found[phone_key(item.username, item.hardware_id)] = result
    return found


def is_of(report: BatchReport, devices: Sequence[Phone]) -> bool:
    """True if the report is about exactly these devices."""
    return set(results(report)) == {device.key for device in devices}


async def find(
    gateway: SipGateway, batch: Batch, devices: Sequence[Phone], known: Set[str]
) -> BatchReport | None:
    """The batch in the service's summaries that has exactly our devices, and that none of our other
    batches is; None if there is none. Raises what the gateway raises, `UnknownBatch` excepted."""
    candidates = [
        summary
        for summary in await gateway.summaries()
        if summary.remote_batch_id not in known and _may_be(summary, batch)
    ]
    for summary in candidates[:_CANDIDATES]:
        try:
            report = await gateway.status(summary.remote_batch_id)
        except UnknownBatchError:
            continue
        if is_of(report, devices):
            return BatchReport(summary.remote_batch_id, report.status, report.items)
    return None


def _may_be(summary: BatchSummary, batch: Batch) -> bool:
    if summary.region is not None and summary.region is not batch.region:
        return False
    if summary.devices is not None and summary.devices != batch.size:
        return False
    if summary.created_at is None or batch.sent_at is None:
        return True
    return abs(summary.created_at - batch.sent_at) <= _TIME_SLACK
