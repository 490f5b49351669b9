"""Whose turn it is: between requests of a region, and between conversations of the outbox."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Connection, event, insert, update

from bot.lifecycle import batches as lifecycle
from bot.lifecycle import submission
from bot.phones.region import Region
from bot.store import posts, requests, slots
from bot.store.batches import Batch
from bot.store.database import Database
from bot.store.models.chat import PostRow
from bot.store.models.requests import RequestRow
from tests.support import jobs

HOUR = timedelta(hours=1)
MANY = 5000


async def claim(database: Database) -> list[Batch]:
    now = jobs.utc_now()
    return await lifecycle.claim(
        database, jobs.TENANT, Region.EMEA, owner="a", now=now, lease_until=now + HOUR
    )


async def reject(database: Database, batch: Batch) -> None:
    async with database.write() as tx:
        assert await submission.reject(tx, jobs.NOTIFY, batch, "no", jobs.utc_now())


async def test_claim_takes_turns_between_requests_of_a_region(database: Database) -> None:
    large = await jobs.approved(database, 6000)
    small, smaller = await jobs.approved(database, 300), await jobs.approved(database, 200)
    claimed = await claim(database)
    assert [batch.request_id for batch in claimed] == sorted(
        [large, small, smaller], key=[large, small, smaller].index
    )
    order: list[str] = []
    for _ in range(5):
        done = claimed.pop(0)
        await reject(database, done)
        (batch,) = await claim(database)
        claimed.append(batch)
        order.append(batch.request_id)
    assert order == [large, small, smaller, large, small]


async def test_claim_gives_slot_to_fourth_request_before_the_others_finish(
    database: Database,
) -> None:
    first, *_ = [await jobs.approved(database, 2000) for _ in range(3)]
    claimed = await claim(database)
    single = await jobs.approved(database, 1)
    order: list[str] = []
    for _ in range(4):
        await reject(database, claimed.pop(0))
        (batch,) = await claim(database)
        claimed.append(batch)
        order.append(batch.request_id)
    assert single in order, "a request waits for one batch of each other request at most"
    assert first in order


async def test_claim_fills_all_slots_from_one_request_in_its_order(database: Database) -> None:
    await jobs.approved(database, 500)
    claimed = await claim(database)
    assert [batch.id for batch in claimed] == sorted(batch.id for batch in claimed)
    assert len(claimed) == 3


async def test_regions_with_work_are_in_order_of_tenant_and_region(database: Database) -> None:
    other = "00000000-2222-4333-8444-555555555555"
    await jobs.approved(database, 6, Region.NOAM, Region.EMEA, Region.APAC)
    await jobs.approved(database, 6, Region.NOAM, Region.EMEA, tenant_id=other)
    async with database.read() as tx:
        found = await slots.regions_with_work(tx, jobs.utc_now())
    assert found == sorted(found)
    assert len(found) == 5


async def test_deadlines_come_in_their_own_order(database: Database) -> None:
    now = jobs.utc_now()
    request_ids = [await jobs.draft(database, 1, first=number) for number in range(6)]
    for number, request_id in enumerate(request_ids):
        assert await jobs.request_approval(database, request_id)
        async with database.write() as tx:
            minute = timedelta(minutes=number * 5 % 6)  # 0, 5, 4, 3, 2, 1
            await tx.execute(
                update(RequestRow)
                .where(RequestRow.id == request_id)
                .values(expires_at=now + minute, remind_at=now - HOUR + minute)
            )
    expected = [request_ids[number] for number in (0, 5, 4, 3, 2, 1)]
    async with database.read() as tx:
        assert await requests.due_to_expire(tx, now + HOUR) == expected
        assert await requests.due_to_remind(tx, now - timedelta(seconds=1)) == expected


async def flood(database: Database) -> int:
    """Thousands of messages to one conversation, then one to another, whose id is returned."""
    now = jobs.utc_now()
    columns = {"tenant_id": jobs.TENANT, "conversation_id": "a:flood", "created_at": now}
    async with database.write() as tx:
        await tx.execute(insert(PostRow), [{**columns, "content": {"text": "x" * 500}}] * MANY)
        return await posts.add(tx, posts.NewPost(jobs.TENANT, "a:other"), now)


async def test_next_due_reads_one_post_of_a_flooded_conversation(database: Database) -> None:
    other = await flood(database)
    statements: list[str] = []

    def executed(_: Connection, __: object, statement: str, *___: object) -> None:
        statements.append(statement)

    engine = database._engine.sync_engine  # pyright: ignore[reportPrivateUsage]
    now = jobs.utc_now()
    async with database.read() as tx:
        event.listen(engine, "before_cursor_execute", executed)
        due = await posts.next_due(tx, now, limit=8)
        event.remove(engine, "before_cursor_execute", executed)
        assert [post.rate_limit_key for post in due] == ["a:flood", "a:other"]
        assert due[1].id == other
        assert [post.id for post in await posts.next_due(tx, now, limit=1)] == [due[0].id]
        # While the flooded one is at its limit, the other has its turn.
        assert await posts.next_due(tx, now, limit=1, closed=["a:flood"]) == [due[1]]
    (statement,) = statements
    assert "content" not in statement


async def test_next_due_takes_threads_of_a_channel_for_one_conversation(
    database: Database,
) -> None:
    now = jobs.utc_now()
    async with database.write() as tx:
        first, failed, third = [
            await posts.add(tx, posts.NewPost(jobs.TENANT, f"19:c;messageid={n}"), now)
            for n in range(3)
        ]
        (due,) = await posts.next_due(tx, now, limit=8)
        assert (due.id, due.rate_limit_key) == (first, "19:c")
        assert await posts.next_due(tx, now, limit=8, closed=["19:c"]) == []
        assert await posts.next_due(tx, now, limit=8, closed_to_updates=["19:c"]) == [due]
        for post_id in (first, failed):
            await posts.later(tx, post_id, now + HOUR)
        (due,) = await posts.next_due(tx, now, limit=8)
        assert due.id == third  # those that failed let the others pass
        assert await posts.next_retry_at(tx, now) == now + HOUR
        assert await posts.next_retry_at(tx, now + HOUR) is None
