"""Seconds to verify an audit of 10,000 events, on SQLite.

    python bench/audit.py [--events N]

The events are recorded first, in transactions of 100. Exit code 1 if the chain is not found to be whole, or
a change in its middle is not found.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

from sqlalchemy import update

sys.path.insert(0, str(Path(__file__).parents[1]))

from bot import logs
from bot.signin.request import Person
from bot.store import audit, audit_reading
from bot.store.chain import Break
from bot.store.database import Database
from bot.store.models.audit import EventRow
from tests.support import jobs
from tests.support.tampering import unprotect

APPROVER = Person("00000000-0000-0000-0000-000000000021", "Megan Bowen")
_AT_ONCE = 100


async def verified(database: Database) -> tuple[float, Break | None]:
    started = time.perf_counter()
    async with database.read() as tx:
        _, found = await audit_reading.verify(tx)
    return time.perf_counter() - started, found


async def main() -> int:
    logs.configure(level="error")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=10_000)
    events = parser.parse_args().events
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/audit.db")
        await database.open()
        started = time.perf_counter()
        for first in range(0, events, _AT_ONCE):
            async with database.write() as tx:
                for _ in range(first, min(first + _AT_ONCE, events)):
                    await audit.record(
                        tx,
                        None,
                        "approved",
                        jobs.utc_now(),
                        APPROVER,
                        digest="5" * 64,
                        comment="ok",
                    )
        recorded = time.perf_counter() - started
        seconds, whole = await verified(database)
        async with database.write() as tx:
            of_middle = EventRow.id == events // 2
            await unprotect(tx)
            await tx.execute(update(EventRow).where(of_middle).values(actor_name="Somebody else"))
        _, found = await verified(database)
        await database.close()
    print(f"{events} events: recorded in {recorded:.1f} s, verified in {seconds:.2f} s")
    print(
        f"whole: {whole is None}; change in the middle: {found.fault.value if found else 'missed'}"
    )
    return 0 if whole is None and found is not None and found.seq == events // 2 else 1


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main()))
