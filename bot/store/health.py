"""Whether the database can be used, without changing anything in it. These calls block."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, NullPool, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from bot.store import migrate
from bot.store.database import BLOCKING, DatabaseError, engine_url, hide_values
from bot.store.models import Base

PRIVILEGES = ("SELECT", "INSERT", "UPDATE", "DELETE")
#: What the service does without, by table, so that its login can only add to the audit and cannot delete
#: what that tells of. `purge` and `person erase` do, with a login that owns the tables.
WITHHELD: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "audit_chain": ("UPDATE", "DELETE", "TRUNCATE"),
        "events": ("UPDATE", "DELETE", "TRUNCATE"),
        "requests": ("DELETE", "TRUNCATE"),
    }
)


class Writing(StrEnum):
    ALLOWED = "allowed"
    REFUSED = "refused"  # by permissions of the file or role, or by a read-only replica
    BUSY = "busy"  # SQLite: the write lock was held during the whole time allowed


class Schema(StrEnum):
    MISSING = "missing"  # no migration has run
    BEHIND = "behind"
    CURRENT = "current"
    UNKNOWN = "unknown"  # made by a version of Offhook that this one does not know


@dataclass(frozen=True, slots=True)
class Health:
    backend: str  #: `sqlite` or `postgresql`
    schema: Schema
    revision: str  #: of the schema, "" if there is none
    writing: Writing | None  #: None if there is no schema to write to
    audit_protected: bool = (
        True  #: False if this login of PostgreSQL can change or delete audit events
    )


def exists(url: str) -> bool:
    """False for an SQLite file that does not exist; connecting would create it."""
    parsed = engine_url(url, driver=BLOCKING)
    return parsed.get_backend_name() != "sqlite" or _file(url).is_file()


def examine(url: str, *, seconds: float = 3.0) -> Health:
    """Examine the schema, and whether it could be written to.

    `seconds`: how long to wait for a lock or a silent server. Raises `DatabaseError` if the database
    cannot be used at all.
    """
    backend = engine_url(url, driver=BLOCKING).get_backend_name()
    if not exists(url):
        return Health(backend, Schema.MISSING, "", None)
    try:
        with _engine(url, seconds) as engine, engine.connect() as connection:
            revision = MigrationContext.configure(connection).get_current_revision() or ""
            schema = _schema(revision)
            connection.rollback()
            writing = None if schema is Schema.MISSING else _writing(connection)
            protected = schema is not Schema.CURRENT or _audit_protected(connection)
    except SQLAlchemyError as error:
        raise DatabaseError(_reason(error)) from error
    return Health(backend, schema, revision, writing, protected)


def _file(url: str) -> Path:
    return Path(make_url(url).database or "")


@contextmanager
def _engine(url: str, seconds: float) -> Generator[Engine]:
    parsed = engine_url(url, driver=BLOCKING)
    if parsed.get_backend_name() == "sqlite":
        # Opened for writing where allowed; never created.
        address = f"{_file(url).absolute().as_uri()}?mode=rw"

        def connect() -> sqlite3.Connection:
            return sqlite3.connect(address, uri=True, timeout=seconds, isolation_level=None)

        engine = create_engine(
            "sqlite://", creator=connect, poolclass=NullPool, hide_parameters=True
        )
    else:
        arguments: dict[str, Any] = {"connect_timeout": max(2, round(seconds))}
        engine = create_engine(
            parsed, connect_args=arguments, poolclass=NullPool, hide_parameters=True
        )
    hide_values(engine)
    try:
        yield engine
    finally:
        engine.dispose()


def _schema(revision: str) -> Schema:
    scripts = ScriptDirectory.from_config(migrate.configuration())
    if not revision:
        return Schema.MISSING
    if revision == scripts.get_current_head():
        return Schema.CURRENT
    known = {script.revision for script in scripts.walk_revisions()}
    return Schema.BEHIND if revision in known else Schema.UNKNOWN


def _writing(connection: Connection) -> Writing:
    """By the write lock or the permissions: nothing is written."""
    if connection.dialect.name == "sqlite":
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        except DBAPIError as error:
            code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF
            return Writing.BUSY if code == sqlite3.SQLITE_BUSY else Writing.REFUSED
        connection.exec_driver_sql("ROLLBACK")
        return Writing.ALLOWED
    allowed = "current_setting('transaction_read_only') = 'off'"
    for table in Base.metadata.sorted_tables:
        for privilege in PRIVILEGES:
            if privilege not in WITHHELD.get(table.name, ()):
                allowed += f" AND has_table_privilege('{table.name}', '{privilege}')"
    found = connection.execute(text(f"SELECT {allowed}")).scalar_one()
    return Writing.ALLOWED if found else Writing.REFUSED


def _audit_protected(connection: Connection) -> bool:
    """True on SQLite, whose file has no logins."""
    if connection.dialect.name == "sqlite":
        return True
    held = " OR ".join(
        f"has_table_privilege('{table}', '{privilege}')"
        for table, privileges in WITHHELD.items()
        for privilege in privileges
    )
    return not connection.execute(text(f"SELECT {held}")).scalar_one()


def _reason(error: SQLAlchemyError) -> str:
    """The driver's message on one line, without the statement."""
    told = error.orig if isinstance(error, DBAPIError) else error
    return " ".join(str(told).split())[:300]
