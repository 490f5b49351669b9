"""Transitions of requests on both databases: one change each, however many try."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text, update

from bot.phones.region import Region
from bot.signin.batch import BatchState
from bot.signin.outcome import PhoneStatus
from bot.signin.request import RequestState
from bot.store import batches, drafts, posts, requests, snapshots
from bot.store.database import Database, DatabaseError
from bot.store.models import EventRow, PhoneRow
from tests.support import jobs


async def _events(database: Database) -> list[str]:
    async with database.read() as tx:
        rows = await tx.execute(EventRow.__table__.select().order_by(EventRow.id))
        return [row.action for row in rows]


async def test_of_many_approvals_at_once_one_counts(database: Database) -> None:
    request_id = await jobs.draft(database, 150, Region.EMEA, Region.NOAM)
    await jobs.ask(database, request_id)
    results = await asyncio.gather(*(jobs.approve(database, request_id) for _ in range(8)))
    assert sorted(results) == [False] * 7 + [True]
    async with database.read() as tx:
        snapshot = await snapshots.load(tx, request_id)
    assert snapshot is not None
    assert snapshot.state is RequestState.RUNNING
    assert snapshot.batch_count == 2
    assert (await _events(database)).count("approved") == 1


async def test_approve_and_reject_at_once_leave_one_decision(database: Database) -> None:
    request_id = await jobs.draft(database, 3)
    await jobs.ask(database, request_id)

    async def reject() -> bool:
        async with database.write() as tx:
            return await requests.reject(
                tx, request_id, comment="no", actor=jobs.APPROVER, now=jobs.utc_now()
            )

    approved, rejected = await asyncio.gather(jobs.approve(database, request_id), reject())
    assert approved is not rejected
    state = (await jobs.load(database, request_id)).state
    assert state is (RequestState.RUNNING if approved else RequestState.REJECTED)


async def test_changed_rows_are_not_approved(database: Database) -> None:
    request_id = await jobs.draft(database, 3)
    await jobs.ask(database, request_id)
    async with database.write() as tx:
        await tx.execute(
            update(PhoneRow)
            .where(PhoneRow.request_id == request_id, PhoneRow.number == 3)
            .values(username="ceo@contoso.com")
        )
    with pytest.raises(requests.DigestMismatchError):
        await jobs.approve(database, request_id)
    request = await jobs.load(database, request_id)
    assert request.state is RequestState.WAITING
    assert await batches_of(database, request_id) == []


async def batches_of(database: Database, request_id: str) -> list[tuple[str, str, int]]:
    async with database.read() as tx:
        rows = await tx.execute(
            text("SELECT region, state, size FROM batches WHERE request_id = :r ORDER BY id"),
            {"r": request_id},
        )
        return [(row.region, row.state, row.size) for row in rows]


async def test_an_expired_request_is_not_approved(database: Database) -> None:
    request_id = await jobs.draft(database, 3)
    await jobs.ask(database, request_id, ttl=timedelta(0))
    assert not await jobs.approve(database, request_id)
    async with database.write() as tx:
        assert await requests.due_to_expire(tx, jobs.utc_now()) == [request_id]
        assert await requests.expire(tx, request_id, jobs.utc_now())
        assert not await requests.expire(tx, request_id, jobs.utc_now())
    assert (await jobs.load(database, request_id)).state is RequestState.EXPIRED


async def test_the_chosen_region_is_for_rows_that_name_none(database: Database) -> None:
    request_id = await jobs.draft(database, 4, Region.APAC, None)
    async with database.read() as tx:
        assert await requests.without_region(tx, request_id) == 2
    await jobs.ask(database, request_id, region=Region.NOAM)
    async with database.read() as tx:
        regions = [device.region for device in await requests.devices(tx, request_id)]
    assert regions == [Region.APAC, Region.NOAM, Region.APAC, Region.NOAM]


async def test_batches_hold_a_hundred_of_one_region(database: Database) -> None:
    request_id = await jobs.approved(database, 350, Region.EMEA, Region.EMEA, Region.NOAM)
    found = await batches_of(database, request_id)
    assert found == [
        ("EMEA", "planned", 100),
        ("NOAM", "planned", 100),
        ("EMEA", "planned", 100),
        ("NOAM", "planned", 16),
        ("EMEA", "planned", 34),
    ]


async def test_cancel_leaves_what_was_not_sent(database: Database) -> None:
    request_id = await jobs.approved(database, 450)
    now = jobs.utc_now()
    claimed = await batches.claim(
        database, (jobs.TENANT, Region.EMEA), owner="w", now=now, lease_until=now
    )
    assert len(claimed) == 3
    async with database.write() as tx:
        assert await requests.cancel(tx, request_id, actor=jobs.ADMIN, now=now)
        assert not await requests.cancel(tx, request_id, actor=jobs.ADMIN, now=now)
        assert await requests.finish(tx, request_id, now) is None  # three are with the service
    async with database.read() as tx:
        snapshot = await snapshots.load(tx, request_id)
    assert snapshot is not None
    assert snapshot.phones_by_status.not_run == 150
    assert snapshot.phones_by_status.in_progress == 300
    assert snapshot.regions[0].batches == {BatchState.INTENT: 3, BatchState.CANCELLED: 2}
    # An answer that proves that nothing ran does not put a cancelled request's batch back in line.
    async with database.write() as tx:
        for batch in claimed:
            assert await batches.nothing_ran(
                tx, batch, before=[BatchState.INTENT], not_before=now, error="busy"
            )
        assert await requests.finish(tx, request_id, now) is RequestState.CANCELLED


async def test_retry_takes_what_was_not_signed_in(database: Database) -> None:
    request_id = await jobs.approved(database, 4)
    async with database.write() as tx:
        for number, status in zip(range(2, 6), PhoneStatus.__members__.values(), strict=False):
            await tx.execute(
                update(PhoneRow)
                .where(PhoneRow.request_id == request_id, PhoneRow.number == number)
                .values(status=status.value)
            )
        old = await requests.load(tx, request_id)
        assert old is not None
        new_id = await drafts.retry(
            tx,
            old,
            requester=jobs.ADMIN,
            conversation_id=jobs.CHAT,
            four_eyes=True,
            now=jobs.utc_now(),
        )
    # Of pending, in progress, signed in and failed only the last has ended without a sign-in.
    assert new_id is not None
    async with database.read() as tx:
        devices = await requests.devices(tx, new_id)
        assert [device.username for device in devices] == ["lobby3@contoso.com"]
        assert await drafts.taken_over(tx, request_id) == new_id


async def test_purge_deletes_what_ended_long_ago_and_nothing_else(database: Database) -> None:
    old = await jobs.draft(database, 2)
    waiting = await jobs.draft(database, 2)
    await jobs.ask(database, waiting)
    running = await jobs.approved(database, 2)
    async with database.write() as tx:
        assert await requests.purge(tx, jobs.utc_now() - timedelta(days=1)) == 0
        assert await requests.purge(tx, jobs.utc_now() + timedelta(seconds=1)) == 1
        assert await requests.load(tx, old) is None
        left = await tx.execute(text("SELECT DISTINCT request_id FROM phones"))
        assert set(left.scalars()) == {waiting, running}


async def test_a_second_service_on_one_sqlite_file_is_refused(tmp_path: Path) -> None:
    first = Database(f"sqlite:///{tmp_path}/offhook.db")
    second = Database(first.url)
    await first.open()
    with pytest.raises(DatabaseError, match="Another Offhook"):
        await second.open()
    await second.open(alone=False)  # a purge beside the service
    await first.close()
    await second.open()
    await second.close()


async def test_a_database_of_another_kind_is_refused() -> None:
    with pytest.raises(DatabaseError, match="sqlite"):
        Database("mysql://here/there")


async def test_cards_that_show_only_the_state_leave_their_turn_to_those_that_show_phones(
    database: Database,
) -> None:
    request_id = await jobs.approved(database, 3)
    async with database.write() as tx:
        now = jobs.utc_now()
        for kind in ("validation", "progress"):
            new = posts.NewPost(jobs.TENANT, jobs.CHAT, kind=kind, request_id=request_id)
            await posts.add(tx, new, now)
        for post in await posts.due(tx):
            shown = (await requests.load(tx, request_id)) or pytest.fail("no request")
            await posts.sent(
                tx,
                post,
                conversation_id=jobs.CHAT,
                activity_id=f"activity-{post.id}",
                version=shown.version,
                final=False,
            )
        assert await posts.due(tx) == []
        await requests.touch(tx, request_id)  # a poll brought news
        assert [post.kind for post in await posts.due(tx)] == ["progress"]
        await posts.turn(tx, (await posts.due(tx))[0].id - 1, panel="phones", page=1)
        assert [post.kind for post in await posts.due(tx)] == ["validation", "progress"]
        assert await requests.cancel(tx, request_id, actor=jobs.ADMIN, now=now)
        assert len(await posts.due(tx)) == 2
