"""Reads of batches, as the worker makes them, on both databases."""

from __future__ import annotations

from datetime import timedelta

from bot.lifecycle import batches as lifecycle
from bot.phones.region import Region
from bot.signin.batch import BatchState
from bot.store import batches
from bot.store.database import Database
from tests.support import jobs

MINUTE = timedelta(minutes=1)


async def test_lapsed_intents_are_found_once_their_lease_expires(database: Database) -> None:
    await jobs.approved(database, 10)
    now = jobs.utc_now()
    (claimed,) = await lifecycle.claim(
        database, jobs.TENANT, Region.EMEA, owner="a", now=now, lease_until=now + MINUTE
    )
    async with database.read() as tx:
        assert await batches.lapsed_intents(tx, now) == []
        lapsed = await batches.lapsed_intents(tx, now + 2 * MINUTE)
    assert [(batch.id, batch.state) for batch in lapsed] == [(claimed.id, BatchState.INTENT)]
