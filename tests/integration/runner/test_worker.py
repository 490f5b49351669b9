"""The worker against the simulated service over HTTP, on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import update

from bot.phones.region import Region
from bot.signin.batch import BatchState
from bot.signin.request import RequestState
from bot.signin.snapshot import RequestSnapshot
from bot.simulator.scenario import Call, Fault, FaultKind, Scenario, Statuses, Summaries, Wire
from bot.store import batches, requests
from bot.store.database import Database
from bot.store.models import BatchRow
from tests.support import jobs, worker_harness

QUICK = Scenario(batch_seconds=0.2)


def ended(snapshot: RequestSnapshot) -> bool:
    return snapshot.state in (RequestState.FINISHED, RequestState.CANCELLED)


def asks(snapshot: RequestSnapshot) -> bool:
    return bool(snapshot.questions)


async def test_every_phone_is_signed_in_or_explained(database: Database) -> None:
    scenario = Scenario.model_validate(
        {
            "batch_seconds": 0.2,
            "outcomes": {
                "lobby1@contoso.com": "device-offline",
                "lobby2@contoso.com": "A message that nobody has listed.",
            },
        }
    )
    async with worker_harness.opened(database, scenario) as here, here.working():
        request_id = await jobs.approved(database, 250, Region.EMEA, Region.NOAM)
        snapshot = await here.until(request_id, ended)
    tally = snapshot.phones_by_status
    assert (tally.signed_in, tally.failed, tally.total) == (248, 2, 250)
    assert {(g.cause.code, g.message) for g in snapshot.causes} == {
        ("device-offline", "Device is offline."),
        ("unknown", "A message that nobody has listed."),
    }
    assert here.simulator.configapi.run_twice == []
    assert len(here.simulator.configapi.submits) == 4


async def test_never_more_than_three_a_region(database: Database) -> None:
    async with worker_harness.opened(database, QUICK) as here, here.working():
        request_id = await jobs.approved(database, 900, Region.EMEA, Region.APAC)
        await here.until(request_id, ended)
    assert here.simulator.configapi.peak == {Region.EMEA: 3, Region.APAC: 3}
    assert here.simulator.configapi.run_twice == []


@pytest.mark.parametrize("casing", ["pascal", "camel", "lower"])
@pytest.mark.parametrize("plural", [False, True])
async def test_any_casing_and_any_words_for_running(
    tmp_path_factory: pytest.TempPathFactory, casing: str, plural: bool
) -> None:
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('d')}/offhook.db")
    await database.open()
    scenario = Scenario.model_validate(
        {
            "batch_seconds": 0.2,
            "wire": {"casing": casing, "plural": plural},
            "statuses": {
                "queued": "Erwartet",
                "running": "⏳",
                "item_running": "",
                "item_waiting": "?",
            },
        }
    )
    async with worker_harness.opened(database, scenario) as here, here.working():
        request_id = await jobs.approved(database, 20)
        snapshot = await here.until(request_id, ended)
    await database.close()
    assert snapshot.phones_by_status.signed_in == 20


LOST = [
    FaultKind.TIMEOUT_ACCEPTED,
    FaultKind.DROP_ACCEPTED,
    FaultKind.SERVER_ERROR_ACCEPTED,
    FaultKind.GARBAGE,
]


@pytest.mark.parametrize("fault", LOST)
async def test_a_lost_answer_is_found_in_the_summaries(
    database: Database, fault: FaultKind
) -> None:
    scenario = replace_faults(Fault(call=Call.CREATE_BATCH, fault=fault))
    async with worker_harness.opened(database, scenario) as here, here.working():
        request_id = await jobs.approved(database, 20)
        snapshot = await here.until(request_id, ended)
    assert snapshot.phones_by_status.signed_in == 20
    assert len(here.simulator.configapi.submits) == 1
    assert here.simulator.configapi.run_twice == []


def replace_faults(*faults: Fault, **more: object) -> Scenario:
    return Scenario.model_validate({"batch_seconds": 0.2, "faults": faults, **more})


NEVER_ARRIVED = [FaultKind.TIMEOUT_LOST, FaultKind.DROP_LOST, FaultKind.SERVER_ERROR]


@pytest.mark.parametrize("fault", NEVER_ARRIVED)
async def test_what_nobody_can_tell_is_asked_and_sent_only_on_a_persons_word(
    database: Database, fault: FaultKind
) -> None:
    scenario = replace_faults(Fault(call=Call.CREATE_BATCH, fault=fault))
    async with worker_harness.opened(database, scenario) as here, here.working() as worker:
        request_id = await jobs.approved(database, 20)
        snapshot = await here.until(request_id, asks)
        assert len(here.simulator.configapi.submits) == 1
        question = snapshot.questions[0]
        assert (question.phones, question.first_row, question.last_row) == (20, 2, 21)
        async with database.write() as tx:
            batch = await batches.load(tx, question.batch_id)
            assert batch is not None
            assert await batches.nothing_ran(
                tx, batch, before=[BatchState.NEEDS_PERSON], not_before=jobs.utc_now(), error=""
            )
        worker.wake()
        snapshot = await here.until(request_id, ended)
    assert snapshot.phones_by_status.signed_in == 20
    assert here.simulator.configapi.run_twice == []


async def test_summaries_that_lag_are_read_again(database: Database) -> None:
    scenario = replace_faults(
        Fault(call=Call.CREATE_BATCH, fault=FaultKind.TIMEOUT_ACCEPTED),
        summaries=Summaries(lag=0.4),
    )
    async with worker_harness.opened(database, scenario) as here, here.working():
        request_id = await jobs.approved(database, 20)
        snapshot = await here.until(request_id, ended)
    assert snapshot.phones_by_status.signed_in == 20
    assert len(here.simulator.configapi.submits) == 1


async def test_summaries_without_details_are_matched_by_their_phones(database: Database) -> None:
    scenario = replace_faults(
        Fault(call=Call.CREATE_BATCH, fault=FaultKind.DROP_ACCEPTED, nth=2),
        summaries=Summaries(details=False),
    )
    async with worker_harness.opened(database, scenario) as here, here.working():
        request_id = await jobs.approved(database, 300)
        snapshot = await here.until(request_id, ended)
    assert snapshot.phones_by_status.signed_in == 300
    assert here.simulator.configapi.run_twice == []


@pytest.mark.parametrize("retry_after", [None, 0.1])
async def test_a_full_service_is_asked_again_later(
    database: Database, retry_after: float | None
) -> None:
    scenario = replace_faults(
        Fault(call=Call.CREATE_BATCH, fault=FaultKind.THROTTLED, times=3, retry_after=retry_after)
    )
    async with worker_harness.opened(database, scenario) as here, here.working():
        request_id = await jobs.approved(database, 20)
        snapshot = await here.until(request_id, ended)
    assert snapshot.phones_by_status.signed_in == 20
    assert len(here.simulator.configapi.submits) == 4


async def test_without_the_roles_nothing_is_lost_and_the_request_says_so(
    database: Database,
) -> None:
    scenario = replace_faults(
        Fault(call=Call.CREATE_BATCH, fault=FaultKind.FORBIDDEN, message="Access Denied")
    )
    async with worker_harness.opened(database, scenario) as here, here.working():
        request_id = await jobs.approved(database, 20)
        snapshot = await here.until(request_id, lambda s: bool(s.refused))
        assert "Access Denied" in snapshot.refused
        assert snapshot.phones_by_status.pending == 20
        snapshot = await here.until(request_id, ended)
    assert snapshot.refused == ""
    assert snapshot.phones_by_status.signed_in == 20


async def test_a_batch_that_is_refused_as_such_fails_its_phones(database: Database) -> None:
    scenario = replace_faults(
        Fault(call=Call.CREATE_BATCH, fault=FaultKind.BAD_REQUEST, message="No such region")
    )
    async with worker_harness.opened(database, scenario) as here, here.working():
        request_id = await jobs.approved(database, 20)
        snapshot = await here.until(request_id, ended)
    assert [(g.cause.code, g.count) for g in snapshot.causes] == [("refused", 20)]
    assert len(here.simulator.configapi.submits) == 1


async def test_polls_that_fail_do_not_end_the_watch(database: Database) -> None:
    scenario = replace_faults(
        Fault(call=Call.BATCH_STATUS, fault=FaultKind.UNAVAILABLE, times=6),
        Fault(call=Call.BATCH_STATUS, fault=FaultKind.GARBAGE, nth=7, times=3),
    )
    async with worker_harness.opened(database, scenario) as here, here.working():
        request_id = await jobs.approved(database, 20)
        snapshot = await here.until(request_id, lambda s: s.unreachable_since is not None)
        assert snapshot.phones_by_status.in_progress == 20
        snapshot = await here.until(request_id, ended)
    assert snapshot.unreachable_since is None
    assert snapshot.phones_by_status.signed_in == 20


async def test_a_stuck_batch_is_told_and_in_the_end_given_up(database: Database) -> None:
    scenario = Scenario(batch_seconds=0.1, stuck=(1,))
    timing = replace(worker_harness.FAST, stalled_seconds=0.3, abandoned_seconds=1.0)
    async with worker_harness.opened(database, scenario, timing=timing) as here, here.working():
        request_id = await jobs.approved(database, 20)
        snapshot = await here.until(request_id, lambda s: bool(s.stalled))
        assert snapshot.stalled[0].phones_open == snapshot.phones_by_status.in_progress
        snapshot = await here.until(request_id, ended)
    assert snapshot.phones_by_status.unconfirmed == 10
    assert snapshot.phones_by_status.signed_in == 10
    assert [(g.cause.code, g.count) for g in snapshot.causes] == [("no-result", 10)]


async def test_completed_with_open_phones_waits_a_while_then_ends(database: Database) -> None:
    scenario = Scenario(
        batch_seconds=0.2, statuses=Statuses(item_success="Whatever"), wire=Wire(casing="lower")
    )
    async with worker_harness.opened(database, scenario) as here, here.working():
        request_id = await jobs.approved(database, 5)
        snapshot = await here.until(request_id, ended)
    assert snapshot.phones_by_status.unconfirmed == 5


async def test_a_dead_senders_intent_is_in_doubt_and_never_sent_again(database: Database) -> None:
    async with worker_harness.opened(database, QUICK) as here:
        request_id = await jobs.approved(database, 20)
        now = jobs.utc_now()
        await batches.claim(
            database, (jobs.TENANT, Region.EMEA), owner="dead", now=now, lease_until=now
        )
        async with here.working():
            snapshot = await here.until(request_id, asks)
    assert here.simulator.configapi.submits == []
    assert snapshot.regions[0].batches == {BatchState.NEEDS_PERSON: 1}


async def test_one_who_slept_past_its_lease_does_not_send(database: Database) -> None:
    """A paused process wakes with a claim in its hand that others may have acted on."""
    async with worker_harness.opened(database, QUICK) as here:
        request_id = await jobs.approved(database, 20)
        timing = replace(
            worker_harness.FAST, lease_margin=-0.6
        )  # the lease ends before an answer could come
        async with replace(here, timing=timing).working():
            await here.until(request_id, lambda s: s.version > 4)
    assert here.simulator.configapi.submits == []


async def test_cancel_follows_what_was_sent(database: Database) -> None:
    async with worker_harness.opened(database, Scenario(batch_seconds=0.6)) as here, here.working():
        request_id = await jobs.approved(database, 500)
        await here.until(request_id, lambda s: s.phones_by_status.in_progress == 300)
        async with database.write() as tx:
            assert await requests.cancel(tx, request_id, actor=jobs.ADMIN, now=jobs.utc_now())
        snapshot = await here.until(request_id, ended)
    assert snapshot.state is RequestState.CANCELLED
    tally = snapshot.phones_by_status
    assert (tally.signed_in, tally.not_run) == (300, 200)


async def test_a_restart_goes_on_where_it_was(database: Database) -> None:
    async with worker_harness.opened(database, Scenario(batch_seconds=0.5)) as here:
        request_id = await jobs.approved(database, 700)
        for _ in range(3):
            async with here.working():
                await here.until(request_id, lambda s: BatchState.SUBMITTED in s.regions[0].batches)
            async with database.write() as tx:  # as time would: the dead one's leases run out
                await tx.execute(
                    update(BatchRow)
                    .where(BatchRow.lease_until.is_not(None))
                    .values(lease_until=jobs.utc_now() - timedelta(seconds=1))
                )
        async with here.working():
            snapshot = await here.until(request_id, ended)
    assert snapshot.phones_by_status.signed_in == 700
    assert here.simulator.configapi.run_twice == []


async def test_a_service_that_is_down_is_tried_again(database: Database) -> None:
    async with worker_harness.opened(database, QUICK) as here:
        await here.simulator.__aexit__(None, None, None)
        async with here.working():
            request_id = await jobs.approved(database, 20)
            snapshot = await here.until(request_id, lambda s: s.unreachable_since is not None)
            assert snapshot.phones_by_status.pending == 20
            assert snapshot.refused == ""
            since, later = snapshot.unreachable_since, snapshot.version + 6
            snapshot = await here.until(request_id, lambda s: s.version >= later)
            assert snapshot.unreachable_since == since  # however often it was tried since then
            await here.simulator.__aenter__()
            snapshot = await here.until(request_id, ended)
    assert snapshot.unreachable_since is None
    assert snapshot.phones_by_status.signed_in == 20
