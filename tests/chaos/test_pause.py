"""A replica that is paused past its leases and continued (SIGSTOP, SIGCONT) sends nothing twice."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from pathlib import Path

import aiohttp

from bot.simulator.client import Chat, TeamsClient
from bot.simulator.scenario import PEOPLE, Scenario
from bot.simulator.server import Simulator
from bot.store import posts
from bot.store.database import Database
from tests.support import service

FACTOR = 0.05  # a lease of the publisher lasts three seconds
TIMEOUT_SECONDS = 120.0
ADMIN = PEOPLE[0]
CHAT = Chat("a:admin")
NAMES = ("before", "meanwhile", "after", "finally")  # in the order of their commands


async def recorded(database_url: str) -> None:
    """Wait until every delivery is recorded: one that is not yet would rightly be repeated."""
    database = Database(database_url)
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while True:
            async with database.read() as tx:
                if not await posts.backlog(tx):
                    break
            await asyncio.sleep(0.05)
    await database.close()


async def test_paused_replica_sends_nothing_twice(tmp_path: Path, postgres_url: str) -> None:
    async with Simulator(Scenario()) as simulator, aiohttp.ClientSession() as session:

        async def ask(replica: service.Process, name: str) -> None:
            """A command whose answer repeats the name; wait until it is delivered, by whichever replica."""
            client = TeamsClient(session, replica.url, simulator)
            status, _ = await client.say(ADMIN, CHAT, f"status {name}")
            assert status == 200
            await simulator.connector.wait_for(lambda each: name in each.text, TIMEOUT_SECONDS)

        settings = [
            service.environment(simulator, tmp_path / name, OFFHOOK_DATABASE_URL=postgres_url)
            for name in ("first", "second")
        ]
        first = await service.start(settings[0], FACTOR)
        try:
            await ask(first, "before")  # from here on, the first replica has the chat's lease
            await recorded(postgres_url)
            os.kill(first.pid, signal.SIGSTOP)
            second = await service.start(settings[1], FACTOR)
            try:
                await ask(second, "meanwhile")  # once that lease has expired
                os.kill(first.pid, signal.SIGCONT)
                await ask(first, "after")
                await ask(second, "finally")
            finally:
                await second.stop()
        finally:
            os.kill(first.pid, signal.SIGCONT)
            await first.stop()
    delivered = (
        name for each in simulator.connector.messages for name in NAMES if name in each.text
    )
    assert Counter(delivered) == dict.fromkeys(NAMES, 1)
