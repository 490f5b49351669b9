"""SQLite's statements visit their thread once, and leave nothing open."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiosqlite
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

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


async def test_transaction_begins_and_ends_in_one_visit_each(
    sqlite: Database, visits: Counter[str]
) -> None:
    async with sqlite.read() as tx:
        await tx.execute(text("SELECT 1"))
    visits.clear()
    async with sqlite.read():
        pass
    assert visits.total() == 2


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
