"""The windows of phones on both databases: as the clocks have them, shown, and kept by a retry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from bot.lifecycle import drafts as lifecycle
from bot.preflight.clocks import DEADLINE, SAFE, SETTLES, Window, window
from bot.signin.batch import MAX_PHONES_PER_BATCH
from bot.signin.outcome import PhoneStatus
from bot.signin.snapshot import ProvisioningWindows
from bot.store import drafts, snapshots, windows
from bot.store.database import Database
from bot.store.models.requests import PhoneRow
from tests.support import jobs

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
AGES = (
    -SECOND,
    timedelta(),
    *(edge + step for edge in (SETTLES, SAFE, DEADLINE) for step in (-SECOND, timedelta(), SECOND)),
)


async def draft(database: Database, times: Sequence[datetime | None]) -> str:
    roster = jobs.roster(len(times))
    rows = [row._replace(provisioned=at) for row, at in zip(roster.rows, times, strict=True)]
    return await lifecycle.draft(
        database, jobs.NOTIFY, jobs.new_request(), replace(roster, rows=rows), lambda: NOW
    )


async def windows_of(
    database: Database, request_id: str, now: datetime = NOW
) -> ProvisioningWindows | None:
    async with database.read() as tx:
        snapshot = await snapshots.load(tx, request_id, now=now)
    assert snapshot is not None
    return snapshot.roster.windows


@pytest.mark.parametrize("age", AGES)
async def test_phone_is_counted_in_the_window_that_the_clocks_say(
    database: Database, age: timedelta
) -> None:
    request_id = await draft(database, [NOW - age])

    counted = await windows_of(database, request_id)

    assert counted is not None
    counts = {
        Window.TOO_EARLY: counted.too_early,
        Window.IN_TIME: counted.in_time,
        Window.NEARLY_TOO_LATE: counted.nearly_too_late,
        Window.TOO_LATE: counted.too_late,
    }
    assert [each for each, phones in counts.items() if phones] == [window(NOW - age, NOW)]
    async with database.read() as tx:
        outside = [row async for row, _ in windows.outside(tx, request_id, NOW)]
    assert outside == ([] if counted.in_time else [2])


async def test_nearest_deadline_is_that_of_the_oldest_phone_in_time(database: Database) -> None:
    hours = (80, 71, 30, None, 0.5, 90, 100, 75)
    times = [None if each is None else NOW - timedelta(hours=each) for each in hours]
    request_id = await draft(database, times)

    counted = await windows_of(database, request_id)

    assert counted is not None
    assert (counted.too_late, counted.nearly_too_late) == (4, 1)
    assert (counted.in_time, counted.too_early, counted.without_time) == (1, 1, 1)
    assert counted.next_deadline == NOW + timedelta(hours=1)
    assert counted.nearly_late_examples == ["lobby1@contoso.com"]
    assert counted.late_examples == [f"lobby{n}@contoso.com" for n in (0, 5, 6)]


@pytest.mark.parametrize("times", [[None, None], [NOW - timedelta(days=9)]])
async def test_there_is_no_deadline_without_a_time_or_when_all_are_too_late(
    database: Database, times: Sequence[datetime | None]
) -> None:
    counted = await windows_of(database, await draft(database, times))

    assert (counted is None) == (times[0] is None)
    assert counted is None or counted.next_deadline is None


async def test_retry_keeps_the_times(database: Database) -> None:
    provisioned = NOW - timedelta(hours=2, microseconds=1)
    request_id = await draft(database, [provisioned, None])
    async with database.write() as tx:
        await tx.execute(update(PhoneRow).values(status=PhoneStatus.FAILED.value))
        retried = await drafts.insert_retry(
            tx, jobs.new_request(), request_id, NOW, batch_size=MAX_PHONES_PER_BATCH
        )
        assert retried is not None
        rows = await tx.execute(
            select(PhoneRow.provisioned_at)
            .where(PhoneRow.request_id == retried[0])
            .order_by(PhoneRow.number)
        )
    assert list(rows.scalars()) == [provisioned, None]
