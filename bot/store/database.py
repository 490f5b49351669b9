"""Transactions on SQLite and PostgreSQL, and the few things in which the two differ."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.util import await_only

from bot.store import migrate

Transaction = AsyncConnection
Password = Callable[[], Awaitable[str]]
_WRITES = "offhook_writes"
_TAKE_TURN = text("SELECT pg_advisory_xact_lock(hashtextextended('offhook/write', 0))")
_ADDRESS = "it must begin with sqlite:/// or postgresql://"
# Drivers that block, for what is done before the service serves.
BLOCKING: Mapping[str, str] = MappingProxyType(
    {"sqlite": "sqlite", "postgresql": "postgresql+psycopg"}
)


class DatabaseError(Exception):
    """The database cannot be used; the message says which, why and what to do."""


def engine_url(url: str, *, driver: Mapping[str, str]) -> URL:
    """The address for SQLAlchemy, with the driver of its kind of database. Raises `DatabaseTrouble`."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        # Not quoted: there may be a password in it.
        raise DatabaseError(
            f"OFFHOOK_DATABASE_URL is no address of a database; {_ADDRESS}"
        ) from error
    backend = {"postgres": "postgresql"}.get(parsed.drivername, parsed.get_backend_name())
    if backend not in driver:
        raise DatabaseError(f"OFFHOOK_DATABASE_URL names {backend!r}; {_ADDRESS}")
    return parsed.set(drivername=driver[backend])


def describe_error(error: DBAPIError | OSError | sqlite3.Error) -> str:
    """What the database or the system says, on one line, without the statement and its values."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    said = str(error.orig if isinstance(error, DBAPIError) else error)
    return said.partition("\n")[0].rstrip(". ") or type(error).__name__


class Database:
    """One engine. `read()` and `write()` are the only ways to a connection.

    `password`, if given, is asked for each new connection to PostgreSQL: a token does not last.

    SQLite: WAL, and writers take the database's one write lock at once (BEGIN IMMEDIATE), so that
    what a transaction read still holds when it writes. PostgreSQL: they take
    one advisory lock for the transaction.
    """

    def __init__(
        self, url: str, *, busy_seconds: float = 10, password: Password | None = None
    ) -> None:
        parsed = engine_url(
            url, driver={"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+psycopg"}
        )
        self.url = url
        self._password = password
        self.sqlite = parsed.get_backend_name() == "sqlite"
        arguments: dict[str, Any] = {"timeout": busy_seconds} if self.sqlite else {}
        # A second writer of this process waits here, not in a thread on SQLite's lock.
        self._one_writer = asyncio.Lock() if self.sqlite else None
        self._engine = create_async_engine(
            parsed, connect_args=arguments, pool_pre_ping=not self.sqlite
        )
        if self.sqlite:
            _prepare_sqlite(self._engine.sync_engine)
        elif password is not None:
            _log_in_with(password, self._engine.sync_engine)
        self._sole: sqlite3.Connection | None = None

    async def open(self, *, alone: bool = True) -> None:
        """Bring the schema up to date. `alone`: be the only service that works on this SQLite file.

        Raises `DatabaseTrouble` with what to do.
        """
        if self.sqlite and alone:
            self._be_the_only_one()
        try:
            await asyncio.to_thread(migrate_to_head, await self.address())
        except (DBAPIError, OSError) as error:
            raise DatabaseError(
                f"The database cannot be used: {describe_error(error)}. Check OFFHOOK_DATABASE_URL"
            ) from error

    async def address(self) -> str:
        """The URL with today's password in it: never to be shown."""
        if self._password is None:
            return self.url
        url = make_url(self.url).set(password=await self._password())
        return url.render_as_string(hide_password=False)

    def _be_the_only_one(self) -> None:
        """Two services on one SQLite file would each think that they run all jobs: refuse the second.

        The proof is an exclusive lock on a file beside it, which the system drops when we die.
        """
        path = make_url(self.url).database
        if not path or path == ":memory:":
            raise DatabaseError("OFFHOOK_DATABASE_URL must name a file: jobs outlive the process")
        file = Path(path)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            lock = sqlite3.connect(
                f"{file}.lock", timeout=0, isolation_level=None, check_same_thread=False
            )
        except (OSError, sqlite3.OperationalError) as error:
            raise DatabaseError(
                f"The database cannot be kept in {file.parent}: {describe_error(error)}. "
                "Set OFFHOOK_DATA_DIR or OFFHOOK_DATABASE_URL to a folder that may be written to"
            ) from error
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            lock.close()
            raise DatabaseError(
                f"Another Offhook already works on {file}: stop it, or set OFFHOOK_DATABASE_URL"
            ) from error
        self._sole = lock

    async def close(self) -> None:
        await self._engine.dispose()
        if self._sole is not None:
            self._sole.close()
            self._sole = None

    @asynccontextmanager
    async def read(self) -> AsyncGenerator[Transaction]:
        """A consistent view; nothing is written."""
        async with self._engine.connect() as connection, connection.begin():
            yield connection

    @asynccontextmanager
    async def write(self) -> AsyncGenerator[Transaction]:
        """One transaction: committed as a whole at the end, undone as a whole by an exception.

        Writers take turns, over all replicas, so what one has read still holds when it writes, and
        no two wait for each other's rows.
        """
        async with self._one_writer or nullcontext(), self._engine.connect() as plain:
            connection = await plain.execution_options(**{_WRITES: True})
            async with connection.begin():
                if not self.sqlite:
                    await connection.execute(_TAKE_TURN)
                yield connection


def _log_in_with(password: Password, engine: Engine) -> None:
    @event.listens_for(engine, "do_connect")
    def _connecting(  # pyright: ignore[reportUnusedFunction]
        _dialect: Any, _record: Any, _args: Any, parameters: dict[str, Any]
    ) -> None:
        # Connections are made in SQLAlchemy's greenlet, which may wait without blocking the loop.
        parameters["password"] = await_only(password())


def _prepare_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _record: Any) -> None:  # pyright: ignore[reportUnusedFunction]
        connection.isolation_level = None  # transactions are begun below, not by the driver
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "invalidate")
    def _torn(connection: Any, _record: Any, _error: Any) -> None:  # pyright: ignore[reportUnusedFunction]
        # A cancelled task's connection is closed while a cursor of it may still be alive, and then
        # SQLite would keep its transaction, and the write lock with it, until that is collected.
        connection.rollback()

    @event.listens_for(engine, "begin")
    def _begun(connection: Connection) -> None:  # pyright: ignore[reportUnusedFunction]
        writes = connection.get_execution_options().get(_WRITES)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def migrate_to_head(url: str) -> None:
    """Run the missing migrations; replicas that start together wait for the first."""
    engine = create_engine(engine_url(url, driver=BLOCKING))
    try:
        with engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(
                    text("SELECT pg_advisory_xact_lock(hashtextextended('offhook/migrate', 0))")
                )
            migrate.upgrade(connection)
    finally:
        engine.dispose()
