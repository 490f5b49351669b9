"""Transitions of batches on both databases: slots counted, answers fenced, nothing submitted twice."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import update

from bot.lifecycle import batches as lifecycle
from bot.lifecycle import polling, reconciliation, submission
from bot.phones.region import Region
from bot.signin.batch import BatchState
from bot.signin.outcome import PhoneResult, PhoneStatus
from bot.signin.request import RequestState, phone_key
from bot.store import batches, leases
from bot.store.batches import Batch
from bot.store.database import Database
from bot.store.leases import LeaseLostError
from bot.store.models.requests import PhoneRow
from tests.support import jobs, rows

MINUTE = timedelta(minutes=1)


async def claim(database: Database, owner: str = "a", region: Region = Region.EMEA) -> list[Batch]:
    now = jobs.utc_now()
    return await lifecycle.claim(
        database, jobs.TENANT, region, owner=owner, now=now, lease_until=now + MINUTE
    )


async def load(database: Database, batch_id: int) -> Batch:
    async with database.read() as tx:
        batch = await batches.load(tx, batch_id)
    assert batch is not None
    return batch


async def acknowledge(
    database: Database, batch: Batch, remote_batch_id: str = "", owner: str = "a"
) -> bool:
    now = jobs.utc_now()
    async with database.write() as tx:
        return await submission.acknowledge(
            tx,
            batch,
            remote_batch_id or f"remote-{batch.id}",
            owner=owner,
            lease_until=now + MINUTE,
            due_at=now,
            now=now,
        )


async def requeue(database: Database, batch: Batch, wait: timedelta = timedelta(0)) -> bool:
    now = jobs.utc_now()
    async with database.write() as tx:
        return await submission.requeue(
            tx, jobs.NOTIFY, batch, not_before=now + wait, error="429", now=now
        )


async def mark_unknown(database: Database, batch: Batch) -> bool:
    async with database.write() as tx:
        return await submission.mark_unknown(
            tx, batch, due_at=jobs.utc_now(), error="timeout", now=jobs.utc_now()
        )


async def ask_approver(database: Database, batch: Batch) -> Batch:
    """Bring a claimed batch to `needs_person`, as failed reconciliation does."""
    assert await mark_unknown(database, batch)
    now = jobs.utc_now()
    unknown = await load(database, batch.id)
    async with database.write() as tx:
        assert await leases.acquire(tx, unknown, owner="a", now=now, lease_until=now + MINUTE)
        assert await reconciliation.ask_approver(
            tx, jobs.NOTIFY, unknown, owner="a", error="", now=now
        )
    return await load(database, batch.id)


async def confirm_not_run(database: Database, batch: Batch) -> bool:
    async with database.write() as tx:
        return await reconciliation.confirm_not_run(
            tx, jobs.NOTIFY, batch, actor=jobs.APPROVER, now=jobs.utc_now()
        )


async def reject(database: Database, batch: Batch, message: str) -> bool:
    async with database.write() as tx:
        return await submission.reject(tx, jobs.NOTIFY, batch, message, jobs.utc_now())


async def submitted(database: Database, batch: Batch) -> Batch:
    assert await acknowledge(database, batch)
    return await load(database, batch.id)


# -- claims --------------------------------------------------------------------------------------------


async def test_concurrent_claims_fill_three_slots_per_region(database: Database) -> None:
    await jobs.approved(database, 600, Region.EMEA)
    await jobs.approved(database, 400, Region.NOAM)
    claimed = await asyncio.gather(*(claim(database, f"owner{n}") for n in range(6)))
    assert sorted(map(len, claimed)) == [0, 0, 0, 0, 0, 3]
    assert len(await claim(database, region=Region.NOAM)) == 3
    assert await claim(database) == []


async def test_claim_counts_unknown_batch_as_slot_holder(database: Database) -> None:
    await jobs.approved(database, 400)
    first, second, third = await claim(database)
    assert await mark_unknown(database, first)
    assert await claim(database) == []
    assert await requeue(database, second, wait=MINUTE)
    assert await claim(database) == []  # the requeued one backs off, and the region with it
    assert await requeue(database, third)
    assert await claim(database) == []


# -- what is certain about an intent -------------------------------------------------------------------


async def mark_sending(
    database: Database, batch: Batch, owner: str = "a", wait: timedelta = timedelta(0)
) -> bool:
    async with database.write() as tx:
        return await submission.mark_sending(tx, batch, owner=owner, now=jobs.utc_now() + wait)


async def release_unsent(database: Database, batch: Batch) -> bool:
    async with database.write() as tx:
        return await submission.release_unsent(tx, jobs.NOTIFY, batch, now=jobs.utc_now())


async def test_claim_is_unsent_until_it_is_marked(database: Database) -> None:
    await jobs.approved(database, 100)
    (batch,) = await claim(database)
    assert batch.unsent
    assert await mark_sending(database, batch)
    assert not (await load(database, batch.id)).unsent
    assert await mark_sending(database, batch), "a refused token is refreshed, and it is sent again"


async def test_mark_is_refused_unless_its_owner_holds_the_lease(database: Database) -> None:
    await jobs.approved(database, 100)
    (batch,) = await claim(database)
    assert not await mark_sending(database, batch, owner="b")
    assert not await mark_sending(database, batch, wait=2 * MINUTE)
    assert (await load(database, batch.id)).unsent


async def test_released_batch_can_be_marked_for_a_new_claim_only(database: Database) -> None:
    await jobs.approved(database, 100)
    (stale,) = await claim(database)
    assert await release_unsent(database, stale)
    assert not await mark_sending(database, stale)
    (batch,) = await claim(database)
    assert (batch.id, batch.attempt) == (stale.id, stale.attempt + 1)
    assert not await mark_sending(database, stale)
    assert (await load(database, batch.id)).unsent
    assert await mark_sending(database, batch)


async def test_marked_batch_is_not_released(database: Database) -> None:
    """Also when whoever releases it has read it before the mark."""
    await jobs.approved(database, 100)
    (unmarked,) = await claim(database)
    assert await mark_sending(database, unmarked)
    assert not await release_unsent(database, unmarked)
    assert (await load(database, unmarked.id)).state is BatchState.INTENT


async def test_mark_and_release_at_once_have_one_winner(database: Database) -> None:
    await jobs.approved(database, 300)
    for batch in await claim(database):
        marked, released = await asyncio.gather(
            mark_sending(database, batch), release_unsent(database, batch)
        )
        assert marked is not released


async def test_batch_released_after_a_cancel_is_not_sent(database: Database) -> None:
    request_id = await jobs.approved(database, 100)
    (batch,) = await claim(database)
    assert await jobs.cancel(database, request_id)
    assert await release_unsent(database, batch)
    assert (await load(database, batch.id)).state is BatchState.CANCELLED
    assert (await jobs.snapshot_of(database, request_id)).state is RequestState.CANCELLED


# -- fencing by attempt --------------------------------------------------------------------------------


async def test_late_answers_are_not_recorded_after_batch_was_claimed_again(
    database: Database,
) -> None:
    await jobs.approved(database, 10)
    (stale,) = await claim(database, "slow")
    assert await requeue(database, stale)
    (fresh,) = await claim(database, "quick")
    assert fresh.attempt == stale.attempt + 1
    before = await rows.dump(database)
    assert not await acknowledge(database, stale, "late", "slow")
    assert not await reject(database, stale, "late")
    assert not await requeue(database, stale)
    assert not await mark_unknown(database, stale)
    assert await rows.dump(database) == before


async def test_acknowledgment_overrides_unknown_outcome(database: Database) -> None:
    await jobs.approved(database, 10)
    (batch,) = await claim(database)
    assert await mark_unknown(database, batch)
    found = await submitted(database, batch)
    assert found.state is BatchState.SUBMITTED
    assert found.remote_batch_id == f"remote-{batch.id}"


async def test_acknowledgment_overrides_approvers_did_not_run_before_batch_is_claimed_again(
    database: Database,
) -> None:
    request_id = await jobs.approved(database, 10)
    (claimed,) = await claim(database)
    asked = await ask_approver(database, claimed)
    assert await confirm_not_run(database, asked)
    assert (await jobs.snapshot_of(database, request_id)).phones_by_status.pending == 10
    found = await submitted(database, claimed)
    assert (found.state, found.attempt) == (BatchState.SUBMITTED, claimed.attempt)
    assert found.remote_batch_id == f"remote-{claimed.id}"
    assert (await jobs.snapshot_of(database, request_id)).phones_by_status.in_progress == 10
    assert await claim(database) == []  # so it is not submitted a second time


async def test_acknowledgment_is_not_recorded_after_did_not_run_and_new_claim(
    database: Database,
) -> None:
    await jobs.approved(database, 10)
    (claimed,) = await claim(database)
    assert await confirm_not_run(database, await ask_approver(database, claimed))
    (again,) = await claim(database, "b")
    before = await rows.dump(database)
    assert not await acknowledge(database, claimed)
    assert await rows.dump(database) == before
    assert await acknowledge(database, again, "second", "b")
    assert (await load(database, claimed.id)).remote_batch_id == "second"


@pytest.mark.parametrize("state", [BatchState.UNKNOWN, BatchState.NEEDS_PERSON])
async def test_late_rejection_ends_batch_of_unknown_outcome(
    database: Database, state: BatchState
) -> None:
    request_id = await jobs.approved(database, 2)
    (claimed,) = await claim(database)
    if state is BatchState.UNKNOWN:
        assert await mark_unknown(database, claimed)
    else:
        await ask_approver(database, claimed)
    assert (await load(database, claimed.id)).state is state
    assert await reject(database, claimed, "TargetRegion is not valid.")
    assert (await load(database, claimed.id)).state is BatchState.DONE
    snapshot = await jobs.snapshot_of(database, request_id)
    assert snapshot.state is RequestState.FINISHED
    assert snapshot.phones_by_status.failed == 2
    assert snapshot.questions == []


async def test_late_rejection_changes_nothing_after_approvers_did_not_run(
    database: Database,
) -> None:
    await jobs.approved(database, 2)
    (claimed,) = await claim(database)
    assert await confirm_not_run(database, await ask_approver(database, claimed))
    before = await rows.dump(database)
    assert not await reject(database, claimed, "TargetRegion is not valid.")
    assert await rows.dump(database) == before


# -- leases --------------------------------------------------------------------------------------------


async def test_next_owner_polls_batch_after_lease_expires(database: Database) -> None:
    await jobs.approved(database, 10)
    (batch,) = await claim(database)
    held_by_a = await submitted(database, batch)
    now = jobs.utc_now()
    later = now + 2 * MINUTE
    async with database.write() as tx:
        assert not await leases.acquire(tx, held_by_a, owner="b", now=now, lease_until=now + MINUTE)
        assert await batches.due(tx, owner="b", now=now) == []
        assert [each.id for each in await batches.due(tx, owner="b", now=later)] == [batch.id]
        assert await leases.acquire(tx, held_by_a, owner="b", now=later, lease_until=later + MINUTE)
    before = await rows.dump(database)
    results = {
        phone_key("lobby0@contoso.com", "80-5E-C0-00-00-00"): PhoneResult(PhoneStatus.FAILED)
    }
    async with database.write() as tx:
        with pytest.raises(LeaseLostError):
            await polling.report(tx, held_by_a, results, owner="a", now=now)
        assert not await polling.complete(tx, jobs.NOTIFY, held_by_a, owner="a", now=now)
    assert await rows.dump(database) == before


# -- results -------------------------------------------------------------------------------------------


async def test_report_matches_results_by_account_and_hardware_id(database: Database) -> None:
    request_id = await jobs.approved(database, 3)
    (batch,) = await claim(database)
    polled = await submitted(database, batch)
    results = {
        phone_key("LOBBY0@Contoso.com", "80-5e-c0-00-00-00"): PhoneResult(PhoneStatus.SIGNED_IN),
        phone_key("lobby1@contoso.com", "80-5E-C0-00-00-01"): PhoneResult(
            PhoneStatus.FAILED, "Device is offline."
        ),
        phone_key("lobby2@contoso.com", "80-5E-C0-00-00-FF"): PhoneResult(PhoneStatus.SIGNED_IN),
    }
    now = jobs.utc_now()
    async with database.write() as tx:
        assert await polling.report(tx, polled, results, owner="a", now=now) == 2
        assert await polling.report(tx, polled, results, owner="a", now=now) == 2
        assert await polling.complete(tx, jobs.NOTIFY, polled, owner="a", now=now)
    snapshot = await jobs.snapshot_of(database, request_id)
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
    assert snapshot.state is RequestState.FINISHED


async def test_report_keeps_result_once_stored(database: Database) -> None:
    request_id = await jobs.approved(database, 1)
    (batch,) = await claim(database)
    polled = await submitted(database, batch)
    key = phone_key("lobby0@contoso.com", "80-5E-C0-00-00-00")
    now = jobs.utc_now()
    async with database.write() as tx:
        for status in (PhoneStatus.SIGNED_IN, PhoneStatus.IN_PROGRESS, PhoneStatus.FAILED):
            results = {key: PhoneResult(status)}
            assert await polling.report(tx, polled, results, owner="a", now=now) == 1
    assert (await jobs.snapshot_of(database, request_id)).phones_by_status.signed_in == 1


async def test_report_counts_no_phone_as_ended_that_was_not_sent(database: Database) -> None:
    """A pending phone has no result, so none is counted that the table of transitions rules out."""
    await jobs.approved(database, 1)
    (batch,) = await claim(database)
    polled = await submitted(database, batch)
    async with database.write() as tx:
        await tx.execute(update(PhoneRow).values(status=PhoneStatus.PENDING.value))
    before = await rows.dump(database)
    results = {
        phone_key("lobby0@contoso.com", "80-5E-C0-00-00-00"): PhoneResult(PhoneStatus.SIGNED_IN)
    }
    async with database.write() as tx:
        assert await polling.report(tx, polled, results, owner="a", now=jobs.utc_now()) == 0
    assert await rows.dump(database) == before


async def test_failures_without_a_message_are_named_apart_from_those_with_one(
    database: Database,
) -> None:
    request_id = await jobs.approved(database, 3)
    (batch,) = await claim(database)
    polled = await submitted(database, batch)
    messages = ("", "A device error of its own.", "")
    results = {
        phone_key(f"lobby{n}@contoso.com", f"80-5E-C0-00-00-0{n}"): PhoneResult(
            PhoneStatus.FAILED, error
        )
        for n, error in enumerate(messages)
    }
    async with database.write() as tx:
        await polling.report(tx, polled, results, owner="a", now=jobs.utc_now())
        unknown = update(PhoneRow).where(PhoneRow.cause != "")
        await tx.execute(unknown.values(cause="unknown"))
    causes = (await jobs.snapshot_of(database, request_id)).causes
    assert [(each.message, each.count, list(each.examples)) for each in causes] == [
        ("", 2, ["lobby0@contoso.com", "lobby2@contoso.com"]),
        ("A device error of its own.", 1, ["lobby1@contoso.com"]),
    ]


async def test_reject_fails_phones_with_gateways_message(database: Database) -> None:
    request_id = await jobs.approved(database, 2)
    (batch,) = await claim(database)
    assert await reject(database, batch, "TargetRegion is not valid.")
    snapshot = await jobs.snapshot_of(database, request_id)
    assert [(g.cause.code, g.count, g.message) for g in snapshot.causes] == [
        ("refused", 2, "TargetRegion is not valid.")
    ]
    assert snapshot.state is RequestState.FINISHED
