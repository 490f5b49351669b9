"""Migrations: a database of the first release is upgraded with all of its data, and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    DateTime,
    Engine,
    Integer,
    MetaData,
    create_engine,
    inspect,
)

from bot.phones.issue import Severity
from bot.signin.batch import BatchState
from bot.signin.outcome import PhoneStatus
from bot.signin.request import RequestState
from bot.store import audit_reading, migrate
from bot.store.conversations import ConversationKind
from bot.store.database import BLOCKING, Database, engine_url, migrate_to_head
from bot.store.models import Base
from bot.store.models.base import UtcDateTime
from cards.types import CardKind

FIRST = "0001"
Rows = dict[str, list[dict[str, Any]]]

#: table -> column of the first release -> its name today
RENAMED: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "requests": {
            "signed_in_until": "delegation_until",
            "sign_in_since": "delegation_wanted_since",
        },
        "phones": {"batch": "batch_id"},
        "batches": {
            "remote_id": "remote_batch_id",
            "checks": "summary_reads",
            "next_look_at": "due_at",
            "stuck": "stalled",
        },
        "posts": {"batch": "batch_id"},
    }
)
TABLES = ("requests", "batches", "phones", "issues", "events", "conversations", "posts")
BIG = 2**33  # ids have 64 bits


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    opened = create_engine(engine_url(database_url, driver=BLOCKING))
    yield opened
    opened.dispose()


def request_id(number: int) -> str:
    return f"REQ{number:05}"


def own_values() -> Rows:
    """The values that matter by themselves: keys, states and kinds. One row for each state."""
    requests = list(enumerate(RequestState))
    return {
        "requests": [{"id": request_id(n), "state": state.value} for n, state in requests],
        "batches": [
            {
                "id": BIG + n,
                "request_id": request_id(n % len(requests)),
                "state": state.value,
                "remote_id": f"remote-{n}" if state in SENT else "",
            }
            for n, state in enumerate(BatchState)
        ],
        "phones": [
            {
                "request_id": request_id(n % len(requests)),
                "number": n + 2,
                "status": status.value,
                "batch": None if n == 0 else BIG + n,
            }
            for n, status in enumerate(PhoneStatus)
        ],
        "issues": [
            {"id": BIG + n, "request_id": request_id(n), "severity": severity.value}
            for n, severity in enumerate(Severity)
        ],
        "events": [{"id": BIG + n, "request_id": request_id(n)} for n, _ in requests],
        "conversations": [{"kind": kind.value} for kind in ConversationKind],
        "posts": [
            {"id": BIG + n, "kind": kind, "request_id": request_id(n), "batch": BIG + n}
            for n, kind in enumerate(["", *(kind.value for kind in CardKind)])
        ],
    }


SENT = frozenset({BatchState.SUBMITTED, BatchState.DONE})


def value_for(column: Column[Any], place: int, number: int) -> object:
    """A value for a column that differs from those of its neighbors and of other rows."""
    if column.nullable and (place + number) % 3 == 0:
        return None
    if isinstance(column.type, UtcDateTime):
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=place, seconds=number + 0.25)
    if isinstance(column.type, JSON):
        return {"column": column.name, "row": number, "names": ["Zoë"]}
    if isinstance(column.type, Boolean):
        return (place + number) % 2 == 0
    if isinstance(column.type, Integer):
        return 1000 * place + number
    return f"{number}{column.name}ü"[: getattr(column.type, "length", None)]


def reflected(connection: Connection) -> MetaData:
    """The tables as they are in the database, with times as the models read them."""
    metadata = MetaData()
    metadata.reflect(connection)
    for table in metadata.tables.values():
        for column in table.columns:
            if isinstance(column.type, DateTime):
                column.type = UtcDateTime()
    return metadata


def insert_rows(connection: Connection) -> Rows:
    """Rows in every state, with a value in every column; returns them."""
    metadata = reflected(connection)
    inserted: Rows = {}
    for name, table_rows in own_values().items():
        table = metadata.tables[name]
        inserted[name] = [
            {
                column.name: row.get(column.name, value_for(column, place, number))
                for place, column in enumerate(table.columns)
            }
            for number, row in enumerate(table_rows)
        ]
        connection.execute(table.insert(), inserted[name])
    return inserted


def read_rows(connection: Connection) -> Rows:
    metadata = reflected(connection)
    return {
        name: [
            dict(row)
            for row in connection.execute(
                metadata.tables[name].select().order_by(*metadata.tables[name].primary_key.columns)
            ).mappings()
        ]
        for name in TABLES
    }


def renamed(rows: Rows) -> Rows:
    return {
        name: [
            {RENAMED.get(name, {}).get(column, column): value for column, value in row.items()}
            for row in table_rows
        ]
        for name, table_rows in rows.items()
    }


def columns_of(expected: Rows, rows: Rows) -> Rows:
    """`rows` without the columns that later migrations have added."""
    return {
        name: [{column: row[column] for column in expected[name][0]} for row in table_rows]
        for name, table_rows in rows.items()
    }


def schema(connection: Connection) -> dict[str, Any]:
    """Columns, keys and indexes of every table, to be compared."""
    inspector = inspect(connection)
    return {
        table: {
            "columns": [
                (column["name"], str(column["type"]), column["nullable"], column["default"])
                for column in inspector.get_columns(table)
            ],
            "primary key": inspector.get_pk_constraint(table),
            "foreign keys": inspector.get_foreign_keys(table),
            "indexes": sorted(
                (str(index["name"]), index["column_names"], bool(index["unique"]))
                for index in inspector.get_indexes(table)
            ),
        }
        for table in sorted(inspector.get_table_names())
    }


def differences_from_models(connection: Connection) -> list[Any]:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, Base.metadata))


def upgrade_to_first(engine: Engine) -> None:
    with engine.begin() as connection:
        command.upgrade(migrate.configuration(connection), FIRST)


def test_sample_rows_are_in_every_state_and_fill_every_column(engine: Engine) -> None:
    upgrade_to_first(engine)
    with engine.begin() as connection:
        inserted = insert_rows(connection)
        assert read_rows(connection) == inserted
        tables = set(inspect(connection).get_table_names()) - {"alembic_version"}
    assert tables == set(TABLES) == set(inserted)
    assert [row["state"] for row in inserted["requests"]] == list(RequestState)
    assert [row["state"] for row in inserted["batches"]] == list(BatchState)
    assert [row["status"] for row in inserted["phones"]] == list(PhoneStatus)
    for name, rows in inserted.items():
        for column in rows[0]:
            values = [row[column] for row in rows]
            assert any(value is not None for value in values), (name, column)
            assert any(value != values[0] for value in values), (name, column)


def test_upgrade_keeps_every_value_of_first_release(engine: Engine, database_url: str) -> None:
    upgrade_to_first(engine)
    with engine.begin() as connection:
        inserted = insert_rows(connection)
    migrate_to_head(database_url)
    with engine.connect() as connection:
        expected = renamed(inserted)
        assert columns_of(expected, read_rows(connection)) == expected


def test_upgraded_schema_matches_models(engine: Engine, database_url: str) -> None:
    upgrade_to_first(engine)
    with engine.begin() as connection:
        assert differences_from_models(connection)  # so the comparison finds something
        insert_rows(connection)
    migrate_to_head(database_url)
    with engine.connect() as connection:
        assert differences_from_models(connection) == []


def test_downgrade_restores_first_schema_with_data(engine: Engine, database_url: str) -> None:
    upgrade_to_first(engine)
    with engine.begin() as connection:
        inserted = insert_rows(connection)
        first_schema = schema(connection)
    migrate_to_head(database_url)
    with engine.begin() as connection:
        assert schema(connection) != first_schema
        command.downgrade(migrate.configuration(connection), FIRST)
    with engine.connect() as connection:
        assert read_rows(connection) == inserted
        assert schema(connection) == first_schema


async def test_upgrade_chains_the_events_that_are_there(engine: Engine, database_url: str) -> None:
    upgrade_to_first(engine)
    with engine.begin() as connection:
        inserted = insert_rows(connection)
    migrate_to_head(database_url)
    database = Database(database_url)
    async with database.read() as tx:
        verifier, found = await audit_reading.verify(tx)
    await database.close()
    assert (verifier.links, found) == (len(inserted["events"]), None)


async def test_open_upgrades_first_release_and_again_does_nothing(
    engine: Engine, database_url: str
) -> None:
    upgrade_to_first(engine)
    with engine.begin() as connection:
        inserted = insert_rows(connection)
    for _ in range(2):
        database = Database(database_url)
        await database.open()
        await database.close()
        with engine.connect() as connection:
            expected = renamed(inserted)
            assert columns_of(expected, read_rows(connection)) == expected
            head = ScriptDirectory.from_config(migrate.configuration()).get_current_head()
            assert MigrationContext.configure(connection).get_current_revision() == head


def test_newest_revision_is_the_head_of_the_migrations() -> None:
    head = ScriptDirectory.from_config(migrate.configuration()).get_current_head()
    assert migrate.newest_revision() == head
