"""A request's batch size on both databases: stored, used by the plan, kept and reduced by a retry."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from alembic import command
from sqlalchemy import Connection, create_engine, select, text, update

from bot.lifecycle import asking, drafts
from bot.phones.issue import Notice
from bot.phones.region import Region
from bot.signin.outcome import PhoneStatus
from bot.signin.request import RequestState
from bot.signin.snapshot import RequestSnapshot
from bot.store.database import BLOCKING, Database, engine_url
from bot.store.migrate import configuration
from bot.store.models.batches import BatchRow
from bot.store.models.requests import PhoneRow, RequestRow
from tests.support import jobs


async def request_approval(database: Database, request_id: str, batch_size: int | None) -> None:
    request = await jobs.load(database, request_id)
    async with database.write() as tx:
        assert await asking.request_approval(
            tx,
            jobs.NOTIFY,
            request,
            region=None,
            reason="new lobby",
            ttl=timedelta(hours=1),
            actor=jobs.ADMIN,
            now=jobs.utc_now(),
            batch_size=batch_size,
        )


async def sizes(database: Database, request_id: str) -> list[int]:
    async with database.read() as tx:
        rows = await tx.execute(
            select(BatchRow.size).where(BatchRow.request_id == request_id).order_by(BatchRow.id)
        )
        return list(rows.scalars())


async def end(database: Database, request_id: str, cause: str) -> None:
    """Bring a request to its end as if every phone had failed for this cause."""
    async with database.write() as tx:
        await tx.execute(
            update(PhoneRow)
            .where(PhoneRow.request_id == request_id)
            .values(status=PhoneStatus.FAILED.value, cause=cause)
        )
        await tx.execute(
            update(RequestRow)
            .where(RequestRow.id == request_id)
            .values(state=RequestState.FINISHED.value)
        )


async def retry(database: Database, request_id: str) -> RequestSnapshot:
    request = await jobs.load(database, request_id)
    async with database.write() as tx:
        drafted = await drafts.draft_retry(
            tx, jobs.NOTIFY, jobs.new_request(), request, jobs.utc_now()
        )
    assert drafted is not None
    return await jobs.snapshot_of(database, drafted.request_id)


async def test_plan_uses_the_batch_size_that_was_approved(database: Database) -> None:
    request_id = await jobs.draft(database, 45, Region.EMEA)
    assert (await jobs.snapshot_of(database, request_id)).batch_size == 100
    await request_approval(database, request_id, 20)
    waiting = await jobs.snapshot_of(database, request_id)
    assert (waiting.batch_size, waiting.batch_count) == (20, 3)
    assert await jobs.approve(database, request_id)
    assert await sizes(database, request_id) == [20, 20, 5]


async def test_plan_fills_batches_of_100_when_no_size_is_chosen(database: Database) -> None:
    request_id = await jobs.draft(database, 101, Region.EMEA)
    await request_approval(database, request_id, None)
    assert await jobs.approve(database, request_id)
    assert await sizes(database, request_id) == [100, 1]


async def test_retry_proposes_a_smaller_size_after_throttling(database: Database) -> None:
    request_id = await jobs.draft(database, 3)
    await end(database, request_id, "ad-throttling")
    first = await retry(database, request_id)
    assert first.batch_size == 20
    assert Notice("smaller-batches", {"size": 20}) in first.roster.notices
    await end(database, first.id, "ad-throttling")
    assert (await retry(database, first.id)).batch_size == 10


async def test_retry_keeps_the_size_after_any_other_cause(database: Database) -> None:
    request_id = await jobs.draft(database, 3)
    await request_approval(database, request_id, 50)
    await end(database, request_id, "device-offline")
    retried = await retry(database, request_id)
    assert retried.batch_size == 50
    assert [notice.code for notice in retried.roster.notices] == ["passwords"]


def _migrate(connection: Connection, revision: str, *, down: bool = False) -> None:
    (command.downgrade if down else command.upgrade)(configuration(connection), revision)


async def test_migration_gives_existing_requests_100_and_can_be_undone(database_url: str) -> None:
    database = Database(database_url)
    await database.open()
    request_id = await jobs.draft(database, 1)
    await database.close()

    def there_and_back() -> int:
        engine = create_engine(engine_url(database_url, driver=BLOCKING))
        try:
            with engine.begin() as connection:
                _migrate(connection, "0003", down=True)
                columns = connection.execute(text("SELECT * FROM requests")).keys()
                assert "batch_size" not in columns
            with engine.begin() as connection:
                _migrate(connection, "head")
                return connection.execute(
                    text("SELECT batch_size FROM requests WHERE id = :id"), {"id": request_id}
                ).scalar_one()
        finally:
            engine.dispose()

    assert await asyncio.to_thread(there_and_back) == 100
