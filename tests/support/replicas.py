"""Replicas on one PostgreSQL database, and transactions that overlap as a test wants them to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from sqlalchemy import text

from bot.store.database import Database, Transaction
from tests.support.worker_harness import PATIENCE

First = TypeVar("First")
Second = TypeVar("Second")

_BLOCKED = text(
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


class Replica(Database):
    """A replica that can be stopped right before it commits, with all its locks."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.at_commit = asyncio.Event()  #: set when the next write transaction is about to commit
        self.may_commit = asyncio.Event()
        self.may_commit.set()

    def stop_before_commit(self) -> None:
        self.may_commit.clear()

    @asynccontextmanager
    async def write(self) -> AsyncGenerator[Transaction]:
        async with super().write() as tx:
            yield tx
            if not self.may_commit.is_set():
                self.at_commit.set()
                await self.may_commit.wait()


@asynccontextmanager
async def replicas(url: str, count: int = 2) -> AsyncGenerator[list[Replica]]:
    opened = [Replica(url) for _ in range(count)]
    await opened[0].open()
    try:
        yield opened
    finally:
        for replica in opened:
            await replica.close()


async def until_blocked(watching: Database, blocked: asyncio.Future[Any]) -> None:
    """Returns when a transaction waits for a lock, or `blocked` ends without one."""
    async with asyncio.timeout(PATIENCE):
        while not blocked.done():
            async with watching.read() as tx:
                if (await tx.execute(_BLOCKED)).scalar_one():
                    return


async def overlapping(
    replica: Replica, first: Awaitable[First], second: Awaitable[Second]
) -> tuple[First, Second]:
    """`second` runs while `first`, on `replica`, is about to commit; it ends by itself or waits for it."""
    replica.stop_before_commit()
    one = asyncio.ensure_future(first)
    async with asyncio.timeout(PATIENCE):
        await replica.at_commit.wait()
    other = asyncio.ensure_future(second)
    await until_blocked(replica, other)
    replica.may_commit.set()
    return await one, await other
