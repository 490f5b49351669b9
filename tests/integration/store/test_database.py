"""Opening a database, its writers and connections, and transactions whose task is cancelled."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import text

from bot.store.database import MAX_WRITERS, POOL_SIZE, Database, DatabaseError
from tests.support.waiting import PATIENCE

_CONNECTIONS = text(
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND backend_type = 'client backend'"
)


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


async def test_writers_of_sqlite_take_turns(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/offhook.db")
    await database.open()
    inside = 0

    async def write() -> None:
        nonlocal inside
        async with database.write() as tx:
            inside += 1
            assert inside == 1
            await tx.execute(text("UPDATE requests SET version = 1"))
            inside -= 1

    await asyncio.gather(*(write() for _ in range(10)))
    await database.close()


async def test_process_takes_no_more_connections_than_its_pool(postgres_url: str) -> None:
    """Times the replicas, they have to fit into PostgreSQL's `max_connections`."""
    database = Database(postgres_url)
    await database.open()
    together = asyncio.Barrier(MAX_WRITERS)
    most = 0

    async def connections() -> int:
        async with database.read() as tx:
            return (await tx.execute(_CONNECTIONS)).scalar_one()

    async with asyncio.timeout(PATIENCE):
        while await connections() > 1:  # that of the migration may still be closing
            pass

    async def write(number: int) -> None:
        nonlocal most
        async with database.write():
            if number < MAX_WRITERS:
                await together.wait()
            most = max(most, await connections())

    async def read() -> None:
        async with database.read() as tx:
            await tx.execute(text("SELECT 1"))

    writers = (write(number) for number in range(4 * MAX_WRITERS))
    await asyncio.gather(*writers, *(read() for _ in range(4 * POOL_SIZE)))
    assert MAX_WRITERS < most <= POOL_SIZE
    await database.close()


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
