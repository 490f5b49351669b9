"""Opening a database, transactions that take turns, and transactions whose task is cancelled."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import text

from bot.store.database import Database, DatabaseError
from tests.support.waiting import PATIENCE

_WAITING = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")


async def test_open_raises_when_another_service_uses_sqlite_file(tmp_path: Path) -> None:
    first = Database(f"sqlite:///{tmp_path}/offhook.db")
    second = Database(first.url)
    await first.open()
    with pytest.raises(DatabaseError, match="Another Offhook"):
        await second.open()
    await second.open(alone=False)  # a purge beside the service
    await first.close()
    await second.open()
    await second.close()


async def test_database_raises_for_unsupported_backend() -> None:
    with pytest.raises(DatabaseError, match="sqlite"):
        Database("mysql://here/there")


async def test_second_replica_writes_after_first_commits(postgres_url: str) -> None:
    """Writers take turns over all replicas, so no two wait for each other's rows."""
    first, second = Database(postgres_url), Database(postgres_url)
    await first.open()
    order: list[str] = []
    inside = asyncio.Event()

    async def one() -> None:
        async with first.write():
            order.append("first is in")
            inside.set()
            async with asyncio.timeout(PATIENCE):
                while True:
                    async with first.read() as tx:
                        if (await tx.execute(_WAITING)).scalar_one():
                            break
            order.append("first is out")

    async def other() -> None:
        await inside.wait()
        async with second.write():
            order.append("second is in")

    await asyncio.gather(one(), other())
    assert order == ["first is in", "first is out", "second is in"]
    await first.close()
    await second.close()


async def test_cancelled_transaction_does_not_block_next_write(database: Database) -> None:
    """At whatever await a transaction's task is cancelled, the next one can write at once."""
    rng = random.Random(1)

    async def write() -> None:
        async with database.write() as tx:
            await tx.execute(text("UPDATE requests SET version = 1"))
            await tx.execute(text("SELECT 1"))

    for _ in range(150):
        cancelled = asyncio.create_task(write())
        for _ in range(rng.randint(0, 40)):
            await asyncio.sleep(0)
        await asyncio.sleep(rng.choice((0, rng.uniform(0, 0.003))))  # about as long as it takes
        cancelled.cancel()
        with suppress(asyncio.CancelledError):
            await cancelled
        async with asyncio.timeout(PATIENCE):
            await write()
