"""SQLite's statements visit their thread once, and leave nothing open."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiosqlite
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError

from bot.store.database import Database


@pytest.fixture
async def visits(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """What was done in threads, by name of the function."""
    counted: Counter[str] = Counter()
    execute = aiosqlite.Connection._execute  # pyright: ignore[reportPrivateUsage]

    async def count(self: aiosqlite.Connection, function: Any, *arguments: Any) -> Any:
        counted[function.__name__] += 1
        return await execute(self, function, *arguments)

    monkeypatch.setattr(aiosqlite.Connection, "_execute", count)
    return counted


@pytest.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'test.db'}")
    async with database.write() as tx:
        await tx.execute(text("CREATE TABLE numbers (n INTEGER PRIMARY KEY)"))
    yield database
    await database.close()


async def test_statement_visits_the_thread_once(sqlite: Database, visits: Counter[str]) -> None:
    async with sqlite.write() as tx:
        visits.clear()
        inserted = await tx.execute(text("INSERT INTO numbers VALUES (:n)"), [{"n": 1}, {"n": 2}])
        assert inserted.rowcount == 2
        found = await tx.execute(text("SELECT n FROM numbers ORDER BY n"))
        assert found.scalars().all() == [1, 2]
        changed = await tx.execute(text("UPDATE numbers SET n = n + 10"))
        assert changed.rowcount == 2
        assert visits.total() == 3


@pytest.mark.parametrize("statements", [0, 1, 2])
async def test_transaction_begins_with_its_first_statement_and_ends_in_one_visit(
    sqlite: Database, visits: Counter[str], statements: int
) -> None:
    async with sqlite.read() as tx:
        await tx.execute(text("SELECT 1"))
    for transaction in (sqlite.read, sqlite.write):
        visits.clear()
        async with transaction() as tx:
            for _ in range(statements):
                await tx.execute(text("SELECT 1"))
        assert visits.total() == (statements + 1 if statements else 0)


async def test_reads_of_a_transaction_see_the_same(sqlite: Database) -> None:
    count = text("SELECT count(*) FROM numbers")
    async with sqlite.read() as tx:
        assert (await tx.execute(count)).scalar() == 0
        async with sqlite.write() as other:
            await other.execute(text("INSERT INTO numbers VALUES (1)"))
        assert (await tx.execute(count)).scalar() == 0
    async with sqlite.read() as tx:
        assert (await tx.execute(count)).scalar() == 1


async def test_writer_that_cannot_begin_writes_nothing(tmp_path: Path) -> None:
    """Also where somebody goes on after the error: not even outside of a transaction."""
    database = Database(f"sqlite:///{tmp_path / 'test.db'}", busy_seconds=0)
    async with database.write() as tx:
        await tx.execute(text("CREATE TABLE numbers (n INTEGER PRIMARY KEY)"))
    insert = text("INSERT INTO numbers VALUES (1)")
    other = sqlite3.connect(tmp_path / "test.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    async def insert_twice(between: Callable[[], object]) -> None:
        async with database.write() as tx:
            with pytest.raises(OperationalError, match="locked"):
                await tx.execute(insert)
            between()
            await tx.execute(insert)
            raise TimeoutError

    with pytest.raises(OperationalError, match="locked"):
        await insert_twice(lambda: None)
    with pytest.raises(TimeoutError):
        await insert_twice(lambda: other.execute("ROLLBACK"))
    assert other.execute("SELECT count(*) FROM numbers").fetchone() == (0,)
    other.close()
    await database.close()


async def test_cancelled_writes_are_whole_or_nothing(sqlite: Database) -> None:
    """Several at once, each cancelled at some await, also while its transaction begins in the thread."""
    rng = random.Random(1)
    async with sqlite.write() as tx:
        await tx.execute(text("CREATE TABLE twins (n INTEGER PRIMARY KEY)"))

    async def write(n: int) -> None:
        async with sqlite.write() as tx:
            for table in ("numbers", "twins"):
                await tx.execute(text(f"INSERT INTO {table} VALUES (:n)"), {"n": n})

    async def write_for_a_while(n: int) -> None:
        writing = asyncio.create_task(write(n))
        for _ in range(rng.randint(0, 30)):
            await asyncio.sleep(0)
        await asyncio.sleep(rng.choice((0, rng.uniform(0, 0.003))))  # about as long as it takes
        for _ in range(rng.randint(0, 2)):
            writing.cancel()
            await asyncio.sleep(0)
        with suppress(asyncio.CancelledError):
            await writing

    for first in range(0, 400, 4):
        await asyncio.gather(*(write_for_a_while(first + n) for n in range(4)))
    async with sqlite.read() as tx:
        numbers, twins = [
            (await tx.execute(text(f"SELECT n FROM {table} ORDER BY n"))).scalars().all()
            for table in ("numbers", "twins")
        ]
    assert numbers == twins
    assert 0 < len(numbers) < 400


async def test_failed_statement_leaves_nothing_locked(sqlite: Database) -> None:
    async with sqlite.write() as tx:
        await tx.execute(text("INSERT INTO numbers VALUES (1)"))
    twice = text("INSERT INTO numbers VALUES (2), (1)")
    with pytest.raises(IntegrityError):
        async with sqlite.write() as tx:
            await tx.execute(twice)
    other = sqlite3.connect(sqlite.url.removeprefix("sqlite:///"), timeout=0)
    try:
        other.execute("BEGIN IMMEDIATE")
        assert other.execute("SELECT count(*) FROM numbers").fetchone() == (1,)
    finally:
        other.close()


async def test_failed_commit_leaves_nothing_locked(sqlite: Database) -> None:
    async with sqlite.write() as tx:
        await tx.execute(
            text("CREATE TABLE twins (n INTEGER REFERENCES numbers DEFERRABLE INITIALLY DEFERRED)")
        )
    with pytest.raises(IntegrityError):
        async with sqlite.write() as tx:
            await tx.execute(text("INSERT INTO twins VALUES (7)"))
    other = sqlite3.connect(sqlite.url.removeprefix("sqlite:///"), timeout=0)
    try:
        other.execute("BEGIN IMMEDIATE")
        assert other.execute("SELECT count(*) FROM twins").fetchone() == (0,)
    finally:
        other.close()
    async with sqlite.write() as tx:
        assert (await tx.execute(text("SELECT count(*) FROM twins"))).scalar() == 0
