"""What becomes known about the audit's chain, and who is told: verified, broken, anchored."""

from __future__ import annotations

from datetime import UTC, datetime

from bot.lifecycle.notifications import Notifications
from bot.store import audit_progress
from bot.store.audit_progress import Progress
from bot.store.chain import Anchor, Break
from bot.store.database import Transaction


async def whole(tx: Transaction, head: Anchor, now: datetime, *, from_start: bool) -> None:
    """The chain is whole up to `head`. Only who verified it `from_start` can say that a break that was
    found before is none."""
    before = await audit_progress.lock(tx, Progress.VERIFIED)
    fault = "" if from_start else before.fault
    await audit_progress.set_to(tx, Progress.VERIFIED, head, now, fault=fault)


async def broken(
    tx: Transaction, notify: Notifications, whole_to: Anchor, found: Break, now: datetime
) -> bool:
    """The chain is broken. The channel of notifications is told of it once. Returns whether it is told
    now."""
    before = await audit_progress.lock(tx, Progress.VERIFIED)
    fault = f"{found.seq}: {found.fault.value}"
    await audit_progress.set_to(tx, Progress.VERIFIED, whole_to, now, fault=fault)
    if before.fault:
        return False
    return await notify.audit_broken(tx, found.seq, now)


async def anchor(
    tx: Transaction, notify: Notifications, channel: str, head: Anchor, now: datetime
) -> bool:
    """Post the head of the chain to a channel, once a day (UTC) over all replicas, and only if there are
    new events; first on the day after the first round. Returns whether it was posted."""
    before = await audit_progress.lock(tx, Progress.NOTICE)
    if before.at is None:
        await audit_progress.set_to(tx, Progress.NOTICE, before.anchor, now)
        return False
    today = now.astimezone(UTC).date()
    if head.seq <= before.anchor.seq or (before.at and before.at.date() >= today):
        return False
    if not await notify.audit_anchor(tx, channel, head.seq, head.hash, now):
        return False
    await audit_progress.set_to(tx, Progress.NOTICE, head, now)
    return True
