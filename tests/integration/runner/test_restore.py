"""Restoring a backup: by the statements in docs/operations.md, nothing is sent again by itself."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

from sqlalchemy import select, text, update

from bot.lifecycle import asking
from bot.lifecycle import requests as lifecycle
from bot.lifecycle import starts as release
from bot.signin.batch import BatchState
from bot.signin.outcome import PhoneStatus
from bot.signin.request import Hold, RequestState
from bot.signin.schedule import Start
from bot.signin.snapshot import RequestSnapshot
from bot.simulator.scenario import Scenario
from bot.store import requests, snapshots, starts
from bot.store.database import Database, Transaction
from bot.store.models.batches import BatchRow
from bot.store.models.requests import PhoneRow, RequestRow
from bot.store.requests import Request
from tests.support import jobs, worker_harness

OPERATIONS = Path(__file__).parents[3] / "docs" / "operations.md"


def _statement(begin: str = "UPDATE batches") -> str:
    blocks = re.findall(r"```sql\n(.*?)```", OPERATIONS.read_text("utf-8"), re.DOTALL)
    (statement,) = (block for block in blocks if begin in block)
    return str(statement).strip().rstrip(";")


async def _restore_state_before_submit(database: Database) -> None:
    async with database.write() as tx:
        await tx.execute(
            update(BatchRow).values(
                state=BatchState.PLANNED.value,
                remote_batch_id="",
                sent_at=None,
                done_at=None,
                ended=0,
            )
        )
        await tx.execute(update(PhoneRow).values(status=PhoneStatus.PENDING.value))
        await tx.execute(
            update(RequestRow).values(state=RequestState.RUNNING.value, finished_at=None)
        )


def _ended(snapshot: RequestSnapshot) -> bool:
    return snapshot.state is RequestState.FINISHED


async def test_batches_submitted_after_backup_are_not_resubmitted(database: Database) -> None:
    async with worker_harness.opened(database, Scenario(batch_seconds=0.2)) as here:
        async with here.working():
            request_id = await jobs.approved(database, 20)
            await here.until(request_id, _ended)
        await _restore_state_before_submit(database)
        async with database.write() as tx:
            await tx.execute(text(_statement()))
        async with here.working():
            snapshot = await here.until(request_id, _ended)
    assert snapshot.phones_by_status.signed_in == 20
    assert len(here.simulator.configapi.submits) == 1


async def test_approver_is_asked_about_batch_not_found_after_restore(database: Database) -> None:
    async with worker_harness.opened(database, Scenario(batch_seconds=0.2)) as here:
        request_id = await jobs.approved(database, 20)
        async with database.write() as tx:
            await tx.execute(text(_statement()))
        async with here.working():
            snapshot = await here.until(request_id, lambda each: bool(each.questions))
    assert not here.simulator.configapi.submits
    assert snapshot.regions[0].batches == {BatchState.NEEDS_PERSON: 1}


async def test_approver_is_asked_about_what_was_not_started_at_the_backup(
    database: Database,
) -> None:
    start = jobs.utc_now().replace(microsecond=0) + timedelta(hours=1)
    scheduled, checking = await jobs.draft(database, 2), await jobs.draft(database, 2, first=2)
    for request_id, at in ((scheduled, Start(start, "UTC", "")), (checking, None)):
        async with database.write() as tx:
            await asking.request_approval(
                tx,
                jobs.NOTIFY,
                await _loaded(tx, request_id),
                region=None,
                reason="new lobby",
                ttl=timedelta(days=1),
                actor=jobs.ADMIN,
                now=jobs.utc_now(),
                start=at,
            )
            await lifecycle.approve(
                tx,
                jobs.NOTIFY,
                await _loaded(tx, request_id),
                comment="",
                actor=jobs.APPROVER,
                now=jobs.utc_now(),
                check_accounts=True,
            )
    async with database.write() as tx:
        await tx.execute(text(_statement("UPDATE requests")))
    for request_id in (scheduled, checking):
        request = await jobs.load(database, request_id)
        assert (request.state, request.hold) == (RequestState.RUNNING, Hold.MISSED)
        async with database.read() as tx:
            assert await starts.due(tx, start) == []
            snapshot = await snapshots.load(tx, request_id, now=start)
        assert snapshot is not None
        assert snapshot.missed is not None
        async with database.write() as tx:
            assert await release.start_now(tx, jobs.NOTIFY, request, actor=jobs.APPROVER, now=start)
        async with database.read() as tx:
            planned = select(BatchRow.id).where(BatchRow.request_id == request_id)
            assert len((await tx.execute(planned)).all()) == 1


async def _loaded(tx: Transaction, request_id: str) -> Request:
    request = await requests.load(tx, request_id)
    assert request is not None
    return request
