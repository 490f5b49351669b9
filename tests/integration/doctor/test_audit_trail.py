"""What the doctor says of the audit's chain and of its webhook."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.doctor import FindingState, audit_trail
from bot.store import audit, audit_progress
from bot.store.audit_progress import Progress
from bot.store.chain import Anchor
from bot.store.database import Database
from tests.support import jobs


class Receiver:
    def __init__(self, reason: str = "") -> None:
        self.reason = reason

    async def probe(self) -> str:
        return self.reason


async def record(database: Database, *, hours_ago: float = 0) -> None:
    async with database.write() as tx:
        at = jobs.utc_now() - timedelta(hours=hours_ago)
        await audit.record(tx, None, "tested", at, jobs.ADMIN)


async def reach(
    database: Database, name: Progress, seq: int, *, hours_ago: float = 0, fault: str = ""
) -> None:
    async with database.write() as tx:
        await audit_progress.lock(tx, name)
        at = jobs.utc_now() - timedelta(hours=hours_ago)
        await audit_progress.set_to(tx, name, Anchor(seq, "5" * 64), at, fault=fault)


async def test_chain_is_ok_if_it_was_verified_lately(database: Database) -> None:
    assert (await audit_trail.chain(database)).message == "found-audit-new"
    await record(database)
    assert (await audit_trail.chain(database)).message == "found-audit-never"
    await reach(database, Progress.VERIFIED, 1)
    found = await audit_trail.chain(database)
    assert (found.state, found.arguments) == (FindingState.OK, {"count": 1, "minutes": 0})
    await reach(database, Progress.VERIFIED, 1, hours_ago=5)
    found = await audit_trail.chain(database)
    assert (found.state, found.arguments["hours"]) == (FindingState.WARNING, 5)
    await reach(database, Progress.VERIFIED, 1, fault="2: its event was changed")
    found = await audit_trail.chain(database)
    assert (found.state, found.message) == (FindingState.FAILED, "found-audit-broken")


@pytest.mark.parametrize(
    ("reason", "hours_ago", "message"),
    [
        ("", 0.0, "found-webhook"),
        ("", 2.0, "found-webhook-behind"),
        ("ClientConnectorError", 2.0, "found-webhook-unreachable"),
    ],
)
async def test_webhook_is_ok_if_it_can_be_reached_and_lacks_nothing_old(
    database: Database, reason: str, hours_ago: float, message: str
) -> None:
    for _ in range(3):
        await record(database, hours_ago=hours_ago)
    await reach(database, Progress.WEBHOOK, 1)
    found = await audit_trail.webhook(database, Receiver(reason))
    assert (found.message, found.arguments["count"]) == (message, 2)
