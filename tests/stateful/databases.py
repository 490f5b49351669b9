"""The real database, with an observer before each commit and with failures on demand."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from enum import StrEnum

from sqlalchemy import delete, event
from sqlalchemy.exc import OperationalError

from bot.store.database import Database, Transaction
from bot.store.models import Base
from tests.stateful.process import Process
from tests.stateful.tables import Observer


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
    """One database for all examples of a test, emptied in between."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.observer: Observer | None = None
        if self.sqlite:
            # Machines that lose power are not part of this test, and waiting for disks is slow.
            @event.listens_for(self._engine.sync_engine, "connect")
            def _connected(connection: object, _record: object) -> None:  # pyright: ignore[reportUnusedFunction]
                connection.execute("PRAGMA synchronous=OFF").close()  # type: ignore[attr-defined]

    @asynccontextmanager
    async def write(self) -> AsyncGenerator[Transaction]:
        async with super().write() as tx:
            yield tx
            if self.observer is not None:
                await self.observer.about_to_commit(tx)

    async def empty(self) -> None:
        async with super().write() as tx:
            for table in reversed(Base.metadata.sorted_tables):
                await tx.execute(delete(table))


class ReplicaDatabase(Database):
    """The same database as one replica sees it: each transaction is a stop of its process."""

    def __init__(self, shared: ObservedDatabase, process: Process) -> None:
        super().__init__(shared.url)  # its own engine is never used
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
