"""The real database, with an observer before each commit and with failures on demand."""

from __future__ import annotations

import itertools
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Table, Update, delete, event, make_url, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import QueuePool
from sqlalchemy.sql.dml import UpdateBase

from bot.store.database import Database, Transaction
from bot.store.models import Base
from tests.stateful.observer import Observer
from tests.stateful.process import Process
from tests.support.tampering import unprotect


class DatabaseLostError(OperationalError):
    """What the driver raises when the connection breaks."""

    def __init__(self) -> None:
        super().__init__("lost", None, Exception("the connection broke"))


class Outage(StrEnum):
    """When the connection breaks."""

    BEFORE = "before"  # the transaction begins
    AT_COMMIT = "at_commit"  # it is undone
    AFTER_COMMIT = "after_commit"  # it is committed, and nobody is told


class ObservedDatabase(Database):
    """One database for all examples of a test, emptied in between.

    Whatever Hypothesis repeats has to happen again exactly, whatever time it takes: ids begin anew with
    each example, and PostgreSQL neither moves rows nor changes plans by itself.
    """

    def __init__(self, url: str) -> None:
        super().__init__(_without_waits_for_disks(url))
        self.observer: Observer | None = None
        self.request_ids: Iterator[str] = iter(())
        engine = self._engine.sync_engine
        engine.pool._pre_ping = False  # pyright: ignore[reportPrivateUsage]  # the server never leaves
        event.listen(engine, "after_cursor_execute", _note_table)
        if self.sqlite:
            event.listen(engine, "connect", _do_not_wait_for_disks)

    async def open(self, *, alone: bool = True) -> None:
        await super().open(alone=alone)
        async with super().write() as tx:
            if self.sqlite:
                await unprotect(tx)  # it is emptied between examples
            else:
                for name in Base.metadata.tables:
                    await tx.execute(text(f'ALTER TABLE "{name}" SET (autovacuum_enabled = off)'))

    @asynccontextmanager
    async def write(self) -> AsyncGenerator[Transaction]:
        async with super().write() as tx:
            tx.info["changed"] = set()
            yield tx
            if self.observer is not None:
                await self.observer.about_to_commit(tx, tx.info["changed"])

    async def empty(self) -> None:
        """As after `open()`, down to the next ids."""
        self.check_idle()
        self.request_ids = (f"{number:08d}" for number in itertools.count())
        tables = [table.name for table in reversed(Base.metadata.sorted_tables)]
        async with super().write() as tx:
            if self.sqlite:
                for table in reversed(Base.metadata.sorted_tables):
                    await tx.execute(delete(table))
            else:
                names = ", ".join(f'"{table}"' for table in tables)
                await tx.execute(text(f"TRUNCATE {names} RESTART IDENTITY"))

    def check_idle(self) -> None:
        """A process that was killed held no transaction: it only ever stops between two."""
        pool = self._engine.sync_engine.pool
        assert isinstance(pool, QueuePool)
        assert pool.checkedout() == 0, pool.status()


def _without_waits_for_disks(url: str) -> str:
    """Machines that lose power are not part of this test."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return url
    options = "-c synchronous_commit=off -c jit=off"
    return parsed.update_query_dict({"options": options}).render_as_string(hide_password=False)


def _do_not_wait_for_disks(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA synchronous=OFF").close()


def _note_table(
    connection: Connection, cursor: Any, _: str, __: object, context: Any, ___: bool
) -> None:
    """Remember which tables the transaction has changed."""
    statement = getattr(getattr(context, "compiled", None), "statement", None)
    if isinstance(statement, UpdateBase) and not (
        isinstance(statement, Update) and cursor.rowcount == 0
    ):
        assert isinstance(statement.table, Table)
        connection.info.setdefault("changed", set()).add(statement.table.name)


class ReplicaDatabase(Database):
    """The same database as one replica sees it: each transaction is a stop of its process."""

    def __init__(self, shared: ObservedDatabase, process: Process, *, sole: bool) -> None:
        """`sole`: the replica may take it that no other lives, as it may with an SQLite file."""
        super().__init__(shared.url)  # its own engine is never used
        self.sqlite = sole
        self._shared = shared
        self._process = process
        self.outages: list[Outage] = []

    @asynccontextmanager
    async def read(self) -> AsyncGenerator[Transaction]:
        await self._process.stop("read")
        if self._next_outage() is not None:
            raise DatabaseLostError
        async with self._shared.read() as tx:
            yield tx

    @asynccontextmanager
    async def write(self) -> AsyncGenerator[Transaction]:
        await self._process.stop("write")
        outage = self._next_outage()
        if outage is Outage.BEFORE:
            raise DatabaseLostError
        async with self._shared.write() as tx:
            yield tx
            if outage is Outage.AT_COMMIT:
                raise DatabaseLostError
        if outage is Outage.AFTER_COMMIT:
            raise DatabaseLostError

    def _next_outage(self) -> Outage | None:
        return self.outages.pop(0) if self.outages else None
