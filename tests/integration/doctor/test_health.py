"""The database is looked at, not touched."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from bot.store.database import BLOCKING, Database, DatabaseError, engine_url, migrate_to_head
from bot.store.health import Health, Schema, Writing, examine, exists


def execute(url: str, *statements: str) -> None:
    engine = create_engine(engine_url(url, driver=BLOCKING))
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def test_one_that_is_in_use(database_url: str) -> None:
    migrate_to_head(database_url)
    found = examine(database_url)
    assert found.schema is Schema.CURRENT
    assert found.revision
    assert found.writing is Writing.ALLOWED


def test_one_that_nobody_has_used(database_url: str) -> None:
    found = examine(database_url)
    assert (found.schema, found.revision, found.writing) == (Schema.MISSING, "", None)


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'none' / 'offhook.db'}"
    assert not exists(url)
    assert examine(url) == Health("sqlite", Schema.MISSING, "", None)
    assert list(tmp_path.iterdir()) == []


def test_a_schema_of_another_version(database_url: str) -> None:
    migrate_to_head(database_url)
    execute(database_url, "UPDATE alembic_version SET version_num = '9999'")
    found = examine(database_url)
    assert (found.schema, found.revision) == (Schema.UNKNOWN, "9999")


async def test_a_held_write_lock_and_a_running_service(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'offhook.db'}"
    database = Database(url)
    await database.open()
    try:
        found = await asyncio.to_thread(examine, url)
        assert found.writing is Writing.ALLOWED
        async with database.write():
            found = await asyncio.to_thread(examine, url, seconds=0.05)
        assert found.writing is Writing.BUSY
    finally:
        await database.close()


def test_nothing_is_changed(tmp_path: Path) -> None:
    file = tmp_path / "offhook.db"
    migrate_to_head(f"sqlite:///{file}")
    with sqlite3.connect(file) as before:
        told = list(before.iterdump())
    content = file.read_bytes()
    examine(f"sqlite:///{file}")
    assert file.read_bytes() == content
    with sqlite3.connect(file) as after:
        assert list(after.iterdump()) == told
    before.close()
    after.close()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_role_without_rights(database_url: str) -> None:
    migrate_to_head(database_url)
    execute(
        database_url,
        "DROP ROLE IF EXISTS reader",
        "CREATE ROLE reader LOGIN",
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader",
    )
    found = examine(database_url.replace("//postgres@", "//reader@"))
    assert found.schema is Schema.CURRENT
    assert found.writing is Writing.REFUSED


@pytest.mark.parametrize(
    "url",
    ["mysql://localhost/offhook", "postgresql://bot:secret@127.0.0.1:1/offhook?connect_timeout=2"],
)
def test_one_that_cannot_be_used(url: str) -> None:
    with pytest.raises(DatabaseError) as caught:
        examine(url)
    assert "secret" not in str(caught.value)


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "offhook.db").write_bytes(b"not a database" * 100)
    with pytest.raises(DatabaseError, match="not a database"):
        examine(f"sqlite:///{tmp_path / 'offhook.db'}")
