"""Transitions of requests on both databases: one change each, however many try."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text, update

from bot.lifecycle import batches as batch_lifecycle
from bot.lifecycle import drafts as draft_lifecycle
from bot.lifecycle import requests as lifecycle
from bot.lifecycle import submission
from bot.lifecycle.asking import RegionMissingError
from bot.lifecycle.requests import DigestMismatchError
from bot.phones.region import Region
from bot.signin.batch import BatchState
from bot.signin.digest import UNKEYED, Digests
from bot.signin.outcome import PhoneStatus
from bot.signin.request import RequestState
from bot.store import batches, drafts, requests
from bot.store.database import Database
from bot.store.models.audit import EventRow
from bot.store.models.batches import BatchRow
from bot.store.models.requests import PhoneRow, RequestRow
from tests.support import jobs, rows


async def actions(database: Database) -> list[str]:
    async with database.read() as tx:
        events = await tx.execute(EventRow.__table__.select().order_by(EventRow.id))
        return [event.action for event in events]


async def batches_of(database: Database, request_id: str) -> list[tuple[str, str, int]]:
    async with database.read() as tx:
        found = await tx.execute(
            text("SELECT region, state, size FROM batches WHERE request_id = :r ORDER BY id"),
            {"r": request_id},
        )
        return [(row.region, row.state, row.size) for row in found]


async def reject(database: Database, request_id: str) -> bool:
    request = await jobs.load(database, request_id)
    async with database.write() as tx:
        return await lifecycle.reject(
            tx, jobs.NOTIFY, request, comment="no", actor=jobs.APPROVER, now=jobs.utc_now()
        )


# -- approval ------------------------------------------------------------------------------------------


async def test_only_one_of_concurrent_approvals_counts(database: Database) -> None:
    request_id = await jobs.draft(database, 150, Region.EMEA, Region.NOAM)
    assert await jobs.request_approval(database, request_id)
    results = await asyncio.gather(*(jobs.approve(database, request_id) for _ in range(8)))
    assert sorted(results) == [False] * 7 + [True]
    snapshot = await jobs.snapshot_of(database, request_id)
    assert snapshot.state is RequestState.RUNNING
    assert snapshot.batch_count == 2
    assert len(await batches_of(database, request_id)) == 2
    assert (await actions(database)).count("approved") == 1


async def test_concurrent_approve_and_reject_leave_one_decision(database: Database) -> None:
    request_id = await jobs.draft(database, 3)
    assert await jobs.request_approval(database, request_id)
    approved, rejected = await asyncio.gather(
        jobs.approve(database, request_id), reject(database, request_id)
    )
    assert approved is not rejected
    state = (await jobs.load(database, request_id)).state
    assert state is (RequestState.RUNNING if approved else RequestState.REJECTED)
    decision = "approved" if approved else "rejected"
    assert (await actions(database)) == ["drafted", "asked", decision]


async def test_approve_raises_when_rows_changed_since_approval_was_requested(
    database: Database,
) -> None:
    request_id = await jobs.draft(database, 3)
    assert await jobs.request_approval(database, request_id)
    async with database.write() as tx:
        await tx.execute(
            update(PhoneRow)
            .where(PhoneRow.request_id == request_id, PhoneRow.number == 3)
            .values(username="ceo@contoso.com")
        )
    before = await rows.dump(database)
    with pytest.raises(DigestMismatchError):
        await jobs.approve(database, request_id)
    assert (await jobs.load(database, request_id)).state is RequestState.WAITING
    assert await batches_of(database, request_id) == []
    assert await rows.dump(database) == before


async def test_approve_raises_when_batch_size_changed_since_approval_was_requested(
    database: Database,
) -> None:
    request_id = await jobs.draft(database, 3)
    assert await jobs.request_approval(database, request_id)
    async with database.write() as tx:
        await tx.execute(update(RequestRow).where(RequestRow.id == request_id).values(batch_size=1))
    with pytest.raises(DigestMismatchError):
        await jobs.approve(database, request_id)
    assert await batches_of(database, request_id) == []


async def test_approve_raises_when_key_changed_since_approval_was_requested(
    database: Database,
) -> None:
    request_id = await jobs.draft(database, 3)
    key, other = Digests(b"k" * 16), Digests(b"K" * 16)
    assert await jobs.request_approval(database, request_id, digests=key)
    for digests in (UNKEYED, other):
        with pytest.raises(DigestMismatchError):
            await jobs.approve(database, request_id, digests=digests)
    assert (await jobs.load(database, request_id)).state is RequestState.WAITING
    assert await jobs.approve(database, request_id, digests=key)


async def test_approve_stores_digest_of_each_batch(database: Database) -> None:
    request_id = await jobs.draft(database, 150, Region.EMEA, Region.NOAM)
    digests = Digests(b"k" * 16)
    assert await jobs.request_approval(database, request_id, digests=digests)
    assert await jobs.approve(database, request_id, digests=digests)
    async with database.read() as tx:
        planned = await batches.select_where(tx, BatchRow.request_id == request_id)
        for batch in planned:
            phones = await batches.phones(tx, batch)
            expected = digests.batch(phones, tenant_id=jobs.TENANT, request_id=request_id)
            assert batch.digest == expected
    assert len({batch.digest for batch in planned}) == 2


async def test_approve_changes_nothing_after_request_expired(database: Database) -> None:
    request_id = await jobs.draft(database, 3)
    assert await jobs.request_approval(database, request_id, ttl=timedelta(0))
    before = await rows.dump(database)
    assert not await jobs.approve(database, request_id)
    assert not await reject(database, request_id)
    assert await rows.dump(database) == before
    request = await jobs.load(database, request_id)
    async with database.write() as tx:
        assert await requests.due_to_expire(tx, jobs.utc_now()) == [request_id]
        assert await lifecycle.expire(tx, jobs.NOTIFY, request, jobs.utc_now())
        assert not await lifecycle.expire(tx, jobs.NOTIFY, request, jobs.utc_now())
    assert (await jobs.load(database, request_id)).state is RequestState.EXPIRED
    assert (await actions(database)).count("expired") == 1


async def test_request_approval_sets_chosen_region_only_where_file_gave_none(
    database: Database,
) -> None:
    request_id = await jobs.draft(database, 4, Region.APAC, None)
    async with database.read() as tx:
        assert await requests.without_region(tx, request_id) == 2
    assert await jobs.request_approval(database, request_id, region=Region.NOAM)
    async with database.read() as tx:
        assert await requests.without_region(tx, request_id) == 0
        regions = [phone.region for phone in await requests.phones(tx, request_id)]
    assert regions == [Region.APAC, Region.NOAM, Region.APAC, Region.NOAM]


async def test_request_approval_changes_nothing_while_region_is_missing(
    database: Database,
) -> None:
    request_id = await jobs.draft(database, 4, Region.APAC, None)
    before = await rows.dump(database)
    with pytest.raises(RegionMissingError):
        await jobs.request_approval(database, request_id)
    assert await rows.dump(database) == before


async def test_approve_plans_batches_of_at_most_one_hundred_per_region(
    database: Database,
) -> None:
    request_id = await jobs.approved(database, 350, Region.EMEA, Region.EMEA, Region.NOAM)
    assert await batches_of(database, request_id) == [
        ("EMEA", "planned", 100),
        ("NOAM", "planned", 100),
        ("EMEA", "planned", 100),
        ("NOAM", "planned", 16),
        ("EMEA", "planned", 34),
    ]


# -- cancellation --------------------------------------------------------------------------------------


async def test_cancel_stops_planned_batches_and_waits_for_sent_ones(database: Database) -> None:
    request_id = await jobs.approved(database, 450)
    now = jobs.utc_now()
    claimed = await batch_lifecycle.claim(
        database, jobs.TENANT, Region.EMEA, owner="w", now=now, lease_until=now
    )
    assert len(claimed) == 3
    assert await jobs.cancel(database, request_id)
    before = await rows.dump(database)
    assert not await jobs.cancel(database, request_id)
    assert await rows.dump(database) == before
    snapshot = await jobs.snapshot_of(database, request_id)
    assert snapshot.state is RequestState.RUNNING  # three are with the SIP Gateway
    assert snapshot.phones_by_status.not_run == 150
    assert snapshot.phones_by_status.in_progress == 300
    assert snapshot.regions[0].batches == {BatchState.INTENT: 3, BatchState.CANCELLED: 2}
    # A proof that nothing ran does not put a cancelled request's batch back in line.
    states: list[RequestState] = []
    for batch in claimed:
        async with database.write() as tx:
            assert await submission.requeue(
                tx, jobs.NOTIFY, batch, not_before=now, error="busy", now=now
            )
        states.append((await jobs.load(database, request_id)).state)
    assert states == [RequestState.RUNNING, RequestState.RUNNING, RequestState.CANCELLED]
    snapshot = await jobs.snapshot_of(database, request_id)
    assert snapshot.regions[0].batches == {BatchState.CANCELLED: 5}
    assert snapshot.phones_by_status.not_run == 450
    assert (await actions(database)).count("cancelled") == 1


async def test_cancel_ends_request_at_once_when_nothing_was_sent(database: Database) -> None:
    request_id = await jobs.approved(database, 150)
    assert await jobs.cancel(database, request_id)
    snapshot = await jobs.snapshot_of(database, request_id)
    assert snapshot.state is RequestState.CANCELLED
    assert snapshot.phones_by_status.not_run == 150


# -- retry ---------------------------------------------------------------------------------------------


async def test_draft_retry_copies_phones_that_ended_without_sign_in(database: Database) -> None:
    request_id = await jobs.approved(database, len(PhoneStatus))
    async with database.write() as tx:
        for number, status in enumerate(PhoneStatus, start=2):
            await tx.execute(
                update(PhoneRow)
                .where(PhoneRow.request_id == request_id, PhoneRow.number == number)
                .values(status=status.value)
            )
    failed = await jobs.load(database, request_id)
    async with database.write() as tx:
        retry = await draft_lifecycle.draft_retry(
            tx, jobs.NOTIFY, jobs.new_request(), failed, jobs.utc_now()
        )
    assert retry is not None
    assert retry.phones == 3
    async with database.read() as tx:
        phones = await requests.phones(tx, retry.request_id)
        assert await drafts.retry_of(tx, request_id) == retry.request_id
        assert await drafts.retry_of(tx, retry.request_id) is None
    # Of pending, in progress and signed in, none is to be retried.
    assert [phone.username for phone in phones] == [f"lobby{n}@contoso.com" for n in (3, 4, 5)]
    assert (await jobs.snapshot_of(database, retry.request_id)).retry_of == request_id


async def test_draft_retry_makes_no_request_when_no_phone_is_left(database: Database) -> None:
    request_id = await jobs.approved(database, 2)
    failed = await jobs.load(database, request_id)
    before = await rows.dump(database)
    async with database.write() as tx:
        assert (
            await draft_lifecycle.draft_retry(
                tx, jobs.NOTIFY, jobs.new_request(), failed, jobs.utc_now()
            )
            is None
        )
    assert await rows.dump(database) == before
