"""Reads of batches, as the worker makes them, on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import update

from bot.lifecycle import batches as lifecycle
from bot.phones.region import Region
from bot.signin.batch import BatchState
from bot.store import batches, slots
from bot.store.database import Database
from bot.store.models.batches import BatchRow
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


async def test_durations_are_of_similar_batches_of_the_same_tenant_and_region(
    database: Database,
) -> None:
    await jobs.approved(database, 110)
    now = jobs.utc_now()
    large, small = await lifecycle.claim(
        database, jobs.TENANT, Region.EMEA, owner="a", now=now, lease_until=now + MINUTE
    )
    async with database.write() as tx:
        await tx.execute(
            update(BatchRow)
            .where(BatchRow.id == large.id)
            .values(seen_running_at=now + MINUTE, done_at=now + 2 * MINUTE)
        )
        assert await batches.durations(tx, large) == [(60, 120)]
        assert await batches.durations(tx, replace(large, size=51)) == [(60, 120)]
        assert await batches.durations(tx, small) == []
        assert await batches.durations(tx, replace(large, region=Region.APAC)) == []
        assert await batches.durations(tx, replace(large, tenant_id="other")) == []


async def test_region_without_a_free_slot_has_no_work(database: Database) -> None:
    await jobs.approved(database, 400)
    now = jobs.utc_now()
    async with database.read() as tx:
        assert await slots.regions_with_work(tx, now) == [(jobs.TENANT, Region.EMEA)]
    await lifecycle.claim(
        database, jobs.TENANT, Region.EMEA, owner="a", now=now, lease_until=now + MINUTE
    )
    async with database.read() as tx:
        assert await slots.regions_with_work(tx, now) == []
