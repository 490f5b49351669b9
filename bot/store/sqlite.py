"""SQLite's connections for asyncio: one visit to their thread for each statement.

SQLAlchemy asks aiosqlite to make a cursor, execute, fetch, and close, each in the connection's thread.
Waking the thread and the event loop four times takes four times as long as the statement itself. So
rows come all at once, and cannot be streamed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import aiosqlite
from aiosqlite.context import contextmanager

_ROWS_AT_A_TIME = 64  # aiosqlite's own default, for cursors that are iterated


def connect(database: str, **options: Any) -> aiosqlite.Connection:
    """A connection that is opened when awaited. `options` are those of `sqlite3.connect`."""
    return _Connection(partial(sqlite3.connect, database, **options), _ROWS_AT_A_TIME)


class _Connection(aiosqlite.Connection):
    def __init__(self, connector: Callable[[], sqlite3.Connection], iter_chunk_size: int) -> None:
        super().__init__(connector, iter_chunk_size)
        self._thread.daemon = True  # never keeps the process from ending
        self._begin = ""

    def begin(self, statement: str) -> None:
        """Begin a transaction with `statement` once there is anything to do in it."""
        self._begin = statement

    def begun(self, cursor: sqlite3.Cursor) -> None:
        """Begins it in the thread; again with the next statement, should it fail."""
        if self._begin:
            cursor.execute(self._begin)
            self._begin = ""

    @contextmanager
    async def cursor(self) -> aiosqlite.Cursor:
        return _Cursor(self, self._conn.cursor())

    async def commit(self) -> None:
        if self._begin:
            self._begin = ""
        else:
            await super().commit()

    # Rolling back leaves `_begin` alone, which the next transaction sets anew: done late, for a task that was
    # cancelled, it would take that one's.


class _Cursor(aiosqlite.Cursor):
    """Has all rows once a statement has ended, and holds nothing of the database by then."""

    _rows: Iterable[sqlite3.Row] = ()

    def __init__(self, connection: _Connection, cursor: sqlite3.Cursor) -> None:
        super().__init__(connection, cursor)
        self._connection = connection

    async def execute(self, sql: str, parameters: Iterable[Any] | None = None) -> aiosqlite.Cursor:
        await self._execute(self._run, sqlite3.Cursor.execute, sql, parameters or ())
        return self

    async def executemany(self, sql: str, parameters: Iterable[Iterable[Any]]) -> aiosqlite.Cursor:
        await self._execute(self._run, sqlite3.Cursor.executemany, sql, parameters)
        return self

    def _run(self, execute: Callable[..., object], *arguments: Any) -> None:
        cursor = self._cursor = self._cursor.connection.cursor()
        try:
            self._connection.begun(cursor)
            execute(cursor, *arguments)
            self._rows = cursor.fetchall() if cursor.description else ()
        finally:
            cursor.close()  # even if the task was cancelled that waited for it

    async def fetchall(self) -> Iterable[sqlite3.Row]:
        return self._rows

    async def close(self) -> None:
        """It is closed already."""
