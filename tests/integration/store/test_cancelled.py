"""Transactions whose task is cancelled: at a stop, or because somebody's time was up."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress

from sqlalchemy import text

from bot.store.database import Database


async def test_a_cancelled_transaction_holds_up_nobody(database: Database) -> None:
    """At whatever await it is cancelled: the next one can write at once."""
    rng = random.Random(1)

    async def write() -> None:
        async with database.write() as tx:
            await tx.execute(text("UPDATE requests SET version = 1"))
            await tx.execute(text("SELECT 1"))

    for _ in range(150):
        cancelled = asyncio.create_task(write())
        for _ in range(rng.randint(0, 40)):
            await asyncio.sleep(0)
        await asyncio.sleep(rng.choice((0, rng.uniform(0, 0.003))))  # about as long as it takes
        cancelled.cancel()
        with suppress(asyncio.CancelledError):
            await cancelled
        async with asyncio.timeout(5):
            await write()
