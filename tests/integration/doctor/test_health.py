"""The database health check is read-only."""

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


def test_database_is_healthy_when_migrated(database_url: str) -> None:
    migrate_to_head(database_url)
    found = examine(database_url)
    assert found.schema is Schema.CURRENT
    assert found.revision
    assert found.writing is Writing.ALLOWED


def test_schema_is_missing_when_database_is_new(database_url: str) -> None:
    found = examine(database_url)
    assert (found.schema, found.revision, found.writing) == (Schema.MISSING, "", None)


def test_examine_does_not_create_a_missing_file(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'none' / 'offhook.db'}"
    assert not exists(url)
    assert examine(url) == Health("sqlite", Schema.MISSING, "", None)
    assert list(tmp_path.iterdir()) == []


def test_schema_is_unknown_when_revision_is_foreign(database_url: str) -> None:
    migrate_to_head(database_url)
    execute(database_url, "UPDATE alembic_version SET version_num = '9999'")
    found = examine(database_url)
    assert (found.schema, found.revision) == (Schema.UNKNOWN, "9999")


async def test_writing_is_busy_when_write_lock_is_held(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'offhook.db'}"
    database = Database(url)
    await database.open()
    try:
        found = await asyncio.to_thread(examine, url)
        assert found.writing is Writing.ALLOWED
        async with database.write() as tx:
            await tx.execute(text("SELECT 1"))
            found = await asyncio.to_thread(examine, url, seconds=0.05)
        assert found.writing is Writing.BUSY
    finally:
        await database.close()


def test_examine_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "offhook.db"
    migrate_to_head(f"sqlite:///{file}")
    with sqlite3.connect(file) as before:
        dump = list(before.iterdump())
    content = file.read_bytes()
    examine(f"sqlite:///{file}")
    assert file.read_bytes() == content
    with sqlite3.connect(file) as after:
        assert list(after.iterdump()) == dump
    before.close()
    after.close()


def test_writing_is_refused_when_role_is_read_only(postgres_url: str) -> None:
    migrate_to_head(postgres_url)
    execute(
        postgres_url,
        "DROP ROLE IF EXISTS reader",
        "CREATE ROLE reader LOGIN",
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader",
    )
    found = examine(postgres_url.replace("//postgres@", "//reader@"))
    assert found.schema is Schema.CURRENT
    assert found.writing is Writing.REFUSED


@pytest.mark.parametrize(
    "url",
    ["mysql://localhost/offhook", "postgresql://bot:secret@127.0.0.1:1/offhook?connect_timeout=2"],
)
def test_examine_raises_without_password_when_database_is_unusable(url: str) -> None:
    with pytest.raises(DatabaseError) as caught:
        examine(url)
    assert "secret" not in str(caught.value)


def test_examine_raises_when_file_is_not_a_database(tmp_path: Path) -> None:
    (tmp_path / "offhook.db").write_bytes(b"not a database" * 100)
    with pytest.raises(DatabaseError, match="not a database"):
        examine(f"sqlite:///{tmp_path / 'offhook.db'}")
