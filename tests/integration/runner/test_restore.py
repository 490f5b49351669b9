"""Restoring a backup: batches submitted after it are reconciled, by the statement in docs/operations.md."""

from __future__ import annotations

import re
from pathlib import Path

from sqlalchemy import text, update

from bot.signin.batch import BatchState
from bot.signin.outcome import PhoneStatus
from bot.signin.request import RequestState
from bot.signin.snapshot import RequestSnapshot
from bot.simulator.scenario import Scenario
from bot.store.database import Database
from bot.store.models.batches import BatchRow
from bot.store.models.requests import PhoneRow, RequestRow
from tests.support import jobs, worker_harness

OPERATIONS = Path(__file__).parents[3] / "docs" / "operations.md"


def _statement() -> str:
    blocks = re.findall(r"```sql\n(.*?)```", OPERATIONS.read_text("utf-8"), re.DOTALL)
    (statement,) = (block for block in blocks if "UPDATE batches" in block)
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
