"""Transactions on SQLite and PostgreSQL, and the few differences between the two."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.engine import URL, ExceptionContext
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import PoolResetState
from sqlalchemy.util import await_only

from bot.store import migrate, sqlite

Transaction = AsyncConnection
Password = Callable[[], Awaitable[str]]
_WRITES = "offhook_writes"
_LAST_STEPS = "offhook_last_steps"
#: Connections to PostgreSQL per process. Times the replicas, they have to fit into its `max_connections`.
POOL_SIZE = 8
#: Write transactions at a time per process on PostgreSQL: readers find a connection even while each of
#: them waits for a lock.
MAX_WRITERS = 6
# Limits come with the transaction, since a pooler in transaction mode keeps no session. A writer that
# is paused in the middle of a transaction loses it to `idle_in_transaction_session_timeout`, so those
# that need its locks wait no longer than that.
_LIMIT_TIME = text(
    "SELECT set_config('lock_timeout', '20s', true), set_config('statement_timeout', '30s', true),"
    " set_config('idle_in_transaction_session_timeout', '15s', true)"
)
_ADDRESS = "it must begin with sqlite:/// or postgresql://"
#: Blocking drivers, for what happens before the service serves.
BLOCKING: Mapping[str, str] = MappingProxyType(
    {"sqlite": "sqlite", "postgresql": "postgresql+psycopg"}
)


class LastStep(Protocol):
    """What a write transaction does at its very end."""

    async def before_commit(self, tx: Transaction) -> None:
        """An exception rolls the transaction back."""
        ...

    def after_commit(self) -> None: ...


_Step = TypeVar("_Step", bound=LastStep)


def last_step(tx: Transaction, make: type[_Step]) -> _Step:
    """The transaction's own step of this type. Raises KeyError for one that only reads."""
    steps: dict[type[LastStep], Any] = tx.sync_connection.get_execution_options()[_LAST_STEPS]  # pyright: ignore[reportOptionalMemberAccess]
    if make not in steps:
        steps[make] = make()
    return steps[make]


@dataclass(slots=True)
class Commits:
    """Counts write transactions that were, or may have been, committed."""

    count: int = 0


_commits: ContextVar[Commits | None] = ContextVar("commits", default=None)


@contextmanager
def counted_commits() -> Generator[Commits]:
    """Counts the commits of this task, and of the tasks that it starts, until the end of the block."""
    commits = Commits()
    token = _commits.set(commits)
    try:
        yield commits
    finally:
        _commits.reset(token)


#: libpq's parameters. A connection that has gone silent, as after a failover, is given up within half a
#: minute. Prepared statements break behind a pooler in transaction mode.
_POSTGRESQL: Mapping[str, Any] = MappingProxyType(
    {
        "prepare_threshold": None,
        "connect_timeout": 10,
        "keepalives_idle": 15,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 30_000,
    }
)


class DatabaseError(Exception):
    """The database cannot be used. The message says why and what to do."""


#: What a transaction raises when the database cannot be used just now.
UNUSABLE = (SQLAlchemyError, OSError, DatabaseError)


def engine_url(url: str, *, driver: Mapping[str, str]) -> URL:
    """The URL for SQLAlchemy, with the driver for its kind of database. Raises `DatabaseError`."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        # Not quoted, since it may contain a password.
        raise DatabaseError(f"OFFHOOK_DATABASE_URL is not a database URL; {_ADDRESS}") from error
    backend = {"postgres": "postgresql"}.get(parsed.drivername, parsed.get_backend_name())
    if backend not in driver:
        raise DatabaseError(f"OFFHOOK_DATABASE_URL names {backend!r}; {_ADDRESS}")
    return parsed.set(drivername=driver[backend])


def describe_error(error: DBAPIError | OSError | sqlite3.Error) -> str:
    """What the database or the operating system says, on one line, without the statement and its values."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    said = str(error.orig if isinstance(error, DBAPIError) else error)
    return said.partition("\n")[0].rstrip(". ") or type(error).__name__


class Database:
    """One engine. `read()` and `write()` are the only ways to get a connection.

    SQLite runs in WAL mode, and writers take its one write lock at once (BEGIN IMMEDIATE). On
    PostgreSQL they run side by side, and lock what has to hold until they end: see `bot.store.locks`.
    """

    def __init__(
        self, url: str, *, busy_seconds: float = 10, password: Password | None = None
    ) -> None:
        """`busy_seconds`: how long to wait for a locked SQLite file. `password`: called for each new
        connection to PostgreSQL, since tokens expire; None if the URL has one. Raises `DatabaseError`.
        """
        parsed = engine_url(
            url, driver={"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+psycopg"}
        )
        self.url = url
        self._password = password
        self.sqlite = parsed.get_backend_name() == "sqlite"
        # Other writers of this process wait here rather than in threads on SQLite's lock, or each
        # on a connection to PostgreSQL.
        self._writers = asyncio.Semaphore(1 if self.sqlite else MAX_WRITERS)
        options: dict[str, Any] = {
            "connect_args": {"timeout": busy_seconds, "async_creator_fn": sqlite.connect},
            "pool_reset_on_return": None,  # see `_prepare_sqlite`
        }
        if not self.sqlite:
            options = {
                "connect_args": dict(_POSTGRESQL),
                "pool_pre_ping": True,
                "pool_size": POOL_SIZE,
                "max_overflow": 0,
            }
        self._engine = create_async_engine(parsed, hide_parameters=True, **options)
        hide_values(self._engine.sync_engine)
        if self.sqlite:
            _prepare_sqlite(self._engine.sync_engine)
        elif password is not None:
            _log_in_with(password, self._engine.sync_engine)
        self._sole: sqlite3.Connection | None = None

    async def open(self, *, alone: bool = True) -> None:
        """Bring the schema up to date. `alone`: be the only service on this SQLite file.

        Raises `DatabaseError`.
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
        """The URL with the current password: a secret."""
        if self._password is None:
            return self.url
        url = make_url(self.url).set(password=await self._password())
        return url.render_as_string(hide_password=False)

    def _be_the_only_one(self) -> None:
        """Refuse a second service on one SQLite file: each would believe that all leases are its own.

        Holds an exclusive lock on a file beside the database, which ends with the process.
        """
        path = make_url(self.url).database
        if not path or path == ":memory:":
            raise DatabaseError(
                "OFFHOOK_DATABASE_URL must name a file, since jobs outlive the process"
            )
        file = Path(path)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            lock = sqlite3.connect(
                f"{file}.lock", timeout=0, isolation_level=None, check_same_thread=False
            )
        except (OSError, sqlite3.OperationalError) as error:
            raise DatabaseError(
                f"The database cannot be stored in {file.parent}: {describe_error(error)}. "
                "Set OFFHOOK_DATA_DIR or OFFHOOK_DATABASE_URL to a writable directory"
            ) from error
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            lock.close()
            raise DatabaseError(
                f"Another Offhook is already using {file}: stop it, or set OFFHOOK_DATABASE_URL"
            ) from error
        self._sole = lock

    async def close(self) -> None:
        await self._engine.dispose()
        if self._sole is not None:
            self._sole.close()
            self._sole = None

    @asynccontextmanager
    async def read(self) -> AsyncGenerator[Transaction]:
        """A transaction that only reads: one consistent view."""
        async with self._engine.connect() as plain:
            # PostgreSQL's default would show each statement what others have committed meanwhile.
            connection = (
                plain
                if self.sqlite
                else await plain.execution_options(isolation_level="REPEATABLE READ")
            )
            async with connection.begin():
                yield connection

    @asynccontextmanager
    async def write(self) -> AsyncGenerator[Transaction]:
        """A transaction that is committed at the end, or rolled back by an exception.

        What it has read may change before it writes, unless it holds the lock of `bot.store.locks`.
        """
        async with self._writers, self._engine.connect() as plain:
            steps: dict[type[LastStep], LastStep] = {}
            options: dict[str, Any] = {_WRITES: True, _LAST_STEPS: steps}
            if not self.sqlite:
                # Each statement sees what was committed before it, and so what a lock has waited for.
                options["isolation_level"] = "READ COMMITTED"
            connection = await plain.execution_options(**options)
            async with connection.begin():
                if not self.sqlite:
                    await connection.execute(_LIMIT_TIME)
                yield connection
                for step in steps.values():
                    await step.before_commit(connection)
                if commits := _commits.get():
                    commits.count += 1
            for step in steps.values():
                step.after_commit()


def hide_values(engine: Engine) -> None:
    """Keeps values of rows out of the text of errors, which is logged.

    `hide_parameters` hides those that SQLAlchemy adds. PostgreSQL's own message quotes some after its
    first line: DETAIL of a violated constraint, CONTEXT of a failed statement.
    """

    @event.listens_for(engine, "handle_error")
    def _failed(context: ExceptionContext) -> None:  # pyright: ignore[reportUnusedFunction]
        original, wrapped = context.original_exception, context.sqlalchemy_exception
        whole = str(original)
        first = whole.partition("\n")[0]
        if first == whole or not isinstance(wrapped, DBAPIError):
            return
        original.args = (first,)
        wrapped.args = tuple(
            part.replace(whole, first) if isinstance(part, str) else part for part in wrapped.args
        )


def _log_in_with(password: Password, engine: Engine) -> None:
    @event.listens_for(engine, "do_connect")
    def _connecting(  # pyright: ignore[reportUnusedFunction]
        _dialect: Any, _record: Any, _args: Any, parameters: dict[str, Any]
    ) -> None:
        # SQLAlchemy connects in a greenlet, which can wait without blocking the event loop.
        parameters["password"] = await_only(password())


def _prepare_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _record: Any) -> None:  # pyright: ignore[reportUnusedFunction]
        connection.isolation_level = (
            None  # the "begin" event below begins transactions, not the driver
        )
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "invalidate")
    def _torn(connection: Any, _record: Any, _error: Any) -> None:  # pyright: ignore[reportUnusedFunction]
        # A cancelled task's connection may be closed while one of its cursors is still alive. SQLite
        # would then keep the transaction, and the write lock, until the cursor is collected.
        connection.rollback()

    @event.listens_for(engine, "reset")
    def _returned(connection: Any, _record: Any, state: PoolResetState) -> None:  # pyright: ignore[reportUnusedFunction]
        # `read` and `write` end each transaction, but not one whose COMMIT or ROLLBACK fails. It would
        # keep the write lock. To ask takes no visit to the connection's thread.
        if state.asyncio_safe and connection.driver_connection.in_transaction:
            connection.rollback()

    @event.listens_for(engine, "begin")
    def _begun(connection: Connection) -> None:  # pyright: ignore[reportUnusedFunction]
        writes = connection.get_execution_options().get(_WRITES)
        driver: Any = connection.connection.driver_connection
        driver.begin("BEGIN IMMEDIATE" if writes else "BEGIN")


def migrate_to_head(url: str) -> None:
    """Run the missing migrations. Replicas that start together wait for the first."""
    engine = create_engine(engine_url(url, driver=BLOCKING), hide_parameters=True)
    hide_values(engine)
    try:
        with engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(
                    text("SELECT pg_advisory_xact_lock(hashtextextended('offhook/migrate', 0))")
                )
            migrate.upgrade(connection)
    finally:
        engine.dispose()
