"""An acknowledgment that arrives when nobody follows the batch any more: people are told."""

from __future__ import annotations

import pytest

from bot.lifecycle import batches as lifecycle
from bot.lifecycle import reconciliation, submission
from bot.phones.region import Region
from bot.runner.submission import Submission
from bot.signin.request import RequestState
from bot.simulator.scenario import Scenario
from bot.store import batches
from bot.store.batches import Batch
from bot.store.database import Database
from tests.support import jobs, rows, worker_harness

OWNER = "a"


async def claim(database: Database) -> Batch:
    now = jobs.utc_now()
    (batch,) = await lifecycle.claim(
        database, jobs.TENANT, Region.EMEA, owner=OWNER, now=now, lease_until=now
    )
    return batch


async def answered_not_run(database: Database, batch: Batch) -> None:
    """The batch's outcome became unknown, and an approver answered that it did not run."""
    now = jobs.utc_now()
    async with database.write() as tx:
        assert await submission.mark_unknown(tx, batch, due_at=now, error="timeout", now=now)
        unknown = await batches.load(tx, batch.id)
        assert unknown is not None
        assert await reconciliation.ask_approver(
            tx, jobs.NOTIFY, unknown, owner="", error="", now=now
        )
        assert await reconciliation.confirm_not_run(
            tx, jobs.NOTIFY, unknown, actor=jobs.APPROVER, now=now
        )


@pytest.mark.parametrize("sent_again", [False, True])
async def test_late_acknowledgment_of_batch_that_moved_on_is_told_and_audited_once(
    database: Database, *, sent_again: bool
) -> None:
    async with worker_harness.opened(database, Scenario()) as here:
        request_id = await jobs.approved(database, 20)
        batch = await claim(database)
        if not sent_again:
            assert await jobs.cancel(database, request_id)
        await answered_not_run(database, batch)
        if sent_again:
            assert (await claim(database)).id == batch.id
        else:
            assert (await here.snapshot(request_id)).state is RequestState.CANCELLED
        before = await rows.dump(database)
        for _ in range(2):  # as when only the answer of the commit was lost
            await Submission(here.context()).acknowledged(batch, "AB-12")
        after = await rows.dump(database)
    assert after["batches"] == before["batches"]
    assert after["phones"] == before["phones"]
    (post,) = after["posts"][len(before["posts"]) :]
    text = post["content"]["text"]
    assert f"Request {request_id}: the SIP Gateway did take a batch of 20 phones in EMEA" in text
    assert "-Batchid AB-12" in text
    assert ("runs twice" in text) is sent_again
    (event,) = after["events"][len(before["events"]) :]
    assert (event["action"], event["detail"]) == (
        "batch ran after all",
        {"batch": batch.id, "remote_id": "AB-12"},
    )
