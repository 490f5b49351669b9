"""The batch machine's transitions on both databases: fenced, counted, never twice."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from bot.phones.region import Region
from bot.signin.batch import BatchState
from bot.signin.outcome import PhoneStatus
from bot.signin.request import phone_key
from bot.store import batches, snapshots
from bot.store.batches import Batch, PhoneResult
from bot.store.database import Database
from tests.support import jobs

LANE = (jobs.TENANT, Region.EMEA)
MINUTE = timedelta(minutes=1)


async def _claim(database: Database, owner: str = "a", region: Region = Region.EMEA) -> list[Batch]:
    now = jobs.utc_now()
    return await batches.claim(
        database, (jobs.TENANT, region), owner=owner, now=now, lease_until=now + MINUTE
    )


async def _submitted(database: Database, batch: Batch, owner: str = "a") -> Batch:
    now = jobs.utc_now()
    async with database.write() as tx:
        assert await batches.submitted(
            tx,
            batch,
            f"remote-{batch.id}",
            owner=owner,
            lease_until=now + MINUTE,
            due_at=now,
            now=now,
        )
        found = await batches.load(tx, batch.id)
    assert found is not None
    return found


async def test_three_places_a_region_whoever_claims(database: Database) -> None:
    await jobs.approved(database, 600, Region.EMEA)
    await jobs.approved(database, 400, Region.NOAM)
    claimed = await asyncio.gather(*(_claim(database, f"owner{n}") for n in range(6)))
    assert sorted(map(len, claimed)) == [0, 0, 0, 0, 0, 3]
    assert len(await _claim(database, region=Region.NOAM)) == 3
    assert await _claim(database) == []


async def test_an_unknown_batch_keeps_its_place(database: Database) -> None:
    await jobs.approved(database, 400)
    first, second, third = await _claim(database)
    async with database.write() as tx:
        assert await batches.unknown(tx, first, due_at=jobs.utc_now(), error="timeout")
    assert await _claim(database) == []
    now = jobs.utc_now()
    async with database.write() as tx:
        assert await batches.nothing_ran(
            tx, second, before=[BatchState.INTENT], not_before=now + MINUTE, error="429"
        )
    again = await _claim(database)
    assert [batch.id for batch in again] == [third.id + 1]  # the one put back has to wait


async def test_a_late_answer_of_an_older_attempt_is_not_recorded(database: Database) -> None:
    await jobs.approved(database, 10)
    (stale,) = await _claim(database, "slow")
    async with database.write() as tx:
        assert await batches.nothing_ran(
            tx, stale, before=[BatchState.INTENT], not_before=jobs.utc_now(), error=""
        )
    (fresh,) = await _claim(database, "quick")
    assert fresh.attempt == stale.attempt + 1
    now = jobs.utc_now()
    async with database.write() as tx:
        assert not await batches.submitted(
            tx, stale, "late", owner="slow", lease_until=now, due_at=now, now=now
        )
        assert not await batches.refused(tx, stale, "late", now)
        assert not await batches.unknown(tx, stale, due_at=now, error="late")


async def test_a_proof_beats_a_doubt(database: Database) -> None:
    await jobs.approved(database, 10)
    (batch,) = await _claim(database)
    async with database.write() as tx:
        assert await batches.unknown(tx, batch, due_at=jobs.utc_now(), error="lease")
    found = await _submitted(database, batch)
    assert found.state is BatchState.SUBMITTED
    assert found.remote_batch_id == f"remote-{batch.id}"


async def test_a_lapsed_lease_lets_the_next_owner_poll(database: Database) -> None:
    await jobs.approved(database, 10)
    (batch,) = await _claim(database)
    submitted = await _submitted(database, batch)
    now = jobs.utc_now()
    async with database.write() as tx:
        assert not await batches.take(tx, submitted, owner="b", now=now, lease_until=now + MINUTE)
        assert await batches.due(tx, owner="b", now=now) == []
        later = now + 2 * MINUTE
        assert len(await batches.due(tx, owner="b", now=later)) == 1
        assert await batches.take(tx, submitted, owner="b", now=later, lease_until=later + MINUTE)
        # The one who slept must not write any more.
        results = {phone_key("lobby0@contoso.com", "x"): PhoneResult(PhoneStatus.FAILED)}
        assert await batches.apply(tx, submitted, results, owner="a", now=now) is None
        assert not await batches.done(tx, submitted, owner="a", now=now)


async def test_results_are_matched_by_account_and_phone(database: Database) -> None:
    request_id = await jobs.approved(database, 3)
    (batch,) = await _claim(database)
    submitted = await _submitted(database, batch)
    results = {
        phone_key("LOBBY0@Contoso.com", "80-5e-c0-00-00-00"): PhoneResult(PhoneStatus.SIGNED_IN),
        phone_key("lobby1@contoso.com", "80-5E-C0-00-00-01"): PhoneResult(
            PhoneStatus.FAILED, "Device is offline."
        ),
        phone_key("lobby2@contoso.com", "80-5E-C0-00-00-FF"): PhoneResult(PhoneStatus.SIGNED_IN),
    }
    async with database.write() as tx:
        now = jobs.utc_now()
        assert await batches.apply(tx, submitted, results, owner="a", now=now) == 2
        assert await batches.apply(tx, submitted, results, owner="a", now=now) == 2
        assert await batches.done(tx, submitted, owner="a", now=now)
    async with database.read() as tx:
        snapshot = await snapshots.load(tx, request_id)
    assert snapshot is not None
    assert [phone.status for phone in snapshot.phones.items] == [
        PhoneStatus.SIGNED_IN,
        PhoneStatus.FAILED,
        PhoneStatus.UNCONFIRMED,
    ]
    assert [(group.cause.code, group.count) for group in snapshot.causes] == [
        ("device-offline", 1),
        ("no-result", 1),
    ]
    assert snapshot.causes[0].vendors == {"phone": 1}


async def test_what_has_ended_stays_ended(database: Database) -> None:
    await jobs.approved(database, 1)
    (batch,) = await _claim(database)
    submitted = await _submitted(database, batch)
    key = phone_key("lobby0@contoso.com", "80-5E-C0-00-00-00")
    async with database.write() as tx:
        now = jobs.utc_now()
        signed_in = {key: PhoneResult(PhoneStatus.SIGNED_IN)}
        assert await batches.apply(tx, submitted, signed_in, owner="a", now=now) == 1
        running = {key: PhoneResult(PhoneStatus.IN_PROGRESS)}
        assert await batches.apply(tx, submitted, running, owner="a", now=now) == 1


async def test_a_refused_batch_fails_its_phones_with_the_services_words(
    database: Database,
) -> None:
    request_id = await jobs.approved(database, 2)
    (batch,) = await _claim(database)
    async with database.write() as tx:
        assert await batches.refused(tx, batch, "TargetRegion is not valid.", jobs.utc_now())
    async with database.read() as tx:
        snapshot = await snapshots.load(tx, request_id)
    assert snapshot is not None
    assert [(g.cause.code, g.count, g.message) for g in snapshot.causes] == [
        ("refused", 2, "TargetRegion is not valid.")
    ]


async def test_intents_of_the_dead_are_found(database: Database) -> None:
    await jobs.approved(database, 10)
    await _claim(database)
    async with database.read() as tx:
        assert await batches.lapsed_intents(tx, jobs.utc_now()) == []
        lapsed = await batches.lapsed_intents(tx, jobs.utc_now() + 2 * MINUTE)
    assert [batch.state for batch in lapsed] == [BatchState.INTENT]
