"""The watch over the audit's chain: an anchor in the log, and an error once the chain is broken."""

from __future__ import annotations

from sqlalchemy import update
from structlog.testing import capture_logs

from bot.runner.audit_watch import AuditWatch
from bot.signin.timing import Timing
from bot.store import audit
from bot.store.database import Database, Transaction
from bot.store.models import EventRow
from tests.support import jobs
from tests.support.tampering import unprotect


async def test_watch_logs_the_head_and_what_broke_the_chain_since(database: Database) -> None:
    starts = 0

    async def record_start(_tx: Transaction) -> None:
        nonlocal starts
        starts += 1

    watch = AuditWatch(database, record_start, timing=Timing())
    with capture_logs() as logged:
        await watch.check()
    assert logged == []  # no chain yet
    await jobs.draft(database, 1)
    async with database.read() as tx:
        head = await audit.head(tx)
    assert head is not None
    for _ in range(2):
        with capture_logs() as logged:
            await watch.check()
        (line,) = logged
        assert (line["event"], line["seq"], line["hash"]) == ("audit.head", head.seq, head.hash)
    await jobs.draft(database, 1)
    async with database.write() as tx:
        await unprotect(tx)
        await tx.execute(update(EventRow).values(actor_name="Eve"))
    for _ in range(2):
        with capture_logs() as logged:
            await watch.check()
        (line,) = logged
        assert (line["event"], line["log_level"]) == ("audit.broken", "error")
        assert (line["seq"], line["fault"]) == (2, "event_changed")
    await jobs.draft(database, 1)  # the service runs on
    assert starts == 1
