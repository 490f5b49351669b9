"""Writers take turns over all replicas, so no two of them can wait for each other's rows."""

from __future__ import annotations

import asyncio

from sqlalchemy import text

from bot.store.database import Database

_WAITING = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")


async def test_a_second_replica_writes_after_the_first(postgres_url: str) -> None:
    first, second = Database(postgres_url), Database(postgres_url)
    await first.open()
    order: list[str] = []
    inside = asyncio.Event()

    async def one() -> None:
        async with first.write():
            order.append("one is in")
            inside.set()
            async with asyncio.timeout(20):
                while True:
                    async with first.read() as tx:
                        if (await tx.execute(_WAITING)).scalar_one():
                            break
            order.append("one is out")

    async def other() -> None:
        await inside.wait()
        async with second.write():
            order.append("the other is in")

    await asyncio.gather(one(), other())
    assert order == ["one is in", "one is out", "the other is in"]
    await first.close()
    await second.close()
