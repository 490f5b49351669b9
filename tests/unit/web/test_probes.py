"""Probes ask the database once for many callers, whether it answers or not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import cast

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from bot.store.database import Database, Transaction
from bot.web.probes import metrics_routes, probe_routes


class Counted:
    """Counts the transactions on a database, which may be down."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.reads = 0
        self.down = False

    @asynccontextmanager
    async def read(self) -> AsyncGenerator[Transaction]:
        self.reads += 1
        if self.down:
            await asyncio.sleep(0.01)
            raise OSError("down")
        async with self.database.read() as tx:
            yield tx


@pytest.mark.parametrize("path", ["/readyz", "/metrics"])
@pytest.mark.parametrize("down", [False, True])
async def test_probes_query_once_for_many_callers(
    database: Database, path: str, down: bool
) -> None:
    counted = Counted(database)
    counted.down = down
    app = web.Application()
    app.add_routes(probe_routes(cast(Database, counted)))
    app.add_routes(metrics_routes(cast(Database, counted)))
    async with TestClient(TestServer(app)) as client:

        async def get() -> int:
            async with client.get(path) as response:
                await response.read()
                return response.status

        assert set(await asyncio.gather(*(get() for _ in range(50)))) == {503 if down else 200}
    assert counted.reads == 1
