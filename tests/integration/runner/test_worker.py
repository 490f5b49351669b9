"""The worker against the simulated SIP Gateway over HTTP, on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta

import aiohttp
import pytest
from sqlalchemy import select, update
from structlog.testing import capture_logs

from bot.gateway import BatchReport
from bot.gateway.configapi import ConfigApiGateway
from bot.lifecycle import batches as lifecycle
from bot.lifecycle import reconciliation, submission
from bot.phones.region import Region
from bot.runner.loop import Loop
from bot.runner.worker import Worker
from bot.signin.batch import BatchState
from bot.signin.digest import Digests
from bot.signin.request import RequestState
from bot.signin.snapshot import RequestSnapshot
from bot.simulator.scenario import Call, Fault, FaultKind, Scenario, Statuses, Summaries, Wire
from bot.store import batches, leases
from bot.store.batches import Batch
from bot.store.database import Database, Transaction
from bot.store.models.batches import BatchRow
from bot.store.models.requests import PhoneRow
from tests.support import jobs, worker_harness
from tests.support.waiting import PATIENCE, Clock, until
from tests.support.worker_harness import FAST, World

QUICK = Scenario(batch_seconds=0.2)
SLOW = Scenario(batch_seconds=600)  # a batch ends when the test says so


def ended(snapshot: RequestSnapshot) -> bool:
    return snapshot.state in (RequestState.FINISHED, RequestState.CANCELLED)


def asks(snapshot: RequestSnapshot) -> bool:
    return bool(snapshot.questions)


async def test_worker_signs_in_or_explains_every_phone(database: Database) -> None:
    scenario = Scenario.model_validate(
        {
            "batch_seconds": 0.2,
            "outcomes": {
                "lobby1@contoso.com": "device-offline",
                "lobby2@contoso.com": "A message missing from the catalogue.",
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
        ("unknown", "A message missing from the catalogue."),
    }
    assert here.simulator.configapi.run_twice == []
    assert len(here.simulator.configapi.submits) == 4


async def polling(here: World) -> tuple[Worker, Collection[object]]:
    """A worker, driven round by round, that has begun the first poll of the only batch; and its tasks."""
    worker = here.worker()
    tasks = worker._tasks  # pyright: ignore[reportPrivateUsage]
    await worker._round()  # pyright: ignore[reportPrivateUsage]
    await until(lambda: not tasks)  # it is submitted
    async with here.database.write() as tx:
        await tx.execute(update(BatchRow).values(due_at=jobs.utc_now()))
    await worker._round()  # pyright: ignore[reportPrivateUsage]
    return worker, tasks


async def test_batches_are_followed_without_an_idle_look(database: Database) -> None:
    timing = replace(FAST, idle_seconds=3600.0)
    async with worker_harness.opened(database, QUICK, timing=timing) as here:
        request_id = await jobs.approved(database, 700)
        async with here.working():
            snapshot = await here.until(request_id, ended)
    assert snapshot.phones_by_status.signed_in == 700
    assert len(here.simulator.configapi.submits) == 7


async def test_batch_is_polled_once_when_a_poll_ends_while_the_next_round_reads(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a round has read of a batch is old as soon as a poll under way is recorded."""
    status, lapsed_intents = ConfigApiGateway.status, batches.lapsed_intents
    read_again = asyncio.Event()
    polls = 0

    async def held_status(gateway: ConfigApiGateway, remote_batch_id: str) -> BatchReport:
        nonlocal polls
        polls += 1
        await read_again.wait()
        return await status(gateway, remote_batch_id)

    async def read_until_the_poll_is_over(tx: Transaction, now: datetime) -> list[Batch]:
        found = await lapsed_intents(tx, now)  # the round sees what was committed until here
        if polls:
            read_again.set()
            await until(lambda: not tasks)
        return found

    monkeypatch.setattr(ConfigApiGateway, "status", held_status)
    monkeypatch.setattr(batches, "lapsed_intents", read_until_the_poll_is_over)
    async with worker_harness.opened(database, SLOW) as here:
        await jobs.approved(database, 2)
        worker, tasks = await polling(here)
        await until(lambda: polls)
        await worker._round()  # pyright: ignore[reportPrivateUsage]
        assert not tasks
    assert polls == 1


async def test_batch_made_due_during_a_poll_without_news_is_polled_again_at_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a grant of a delegation does: it takes the lease, so the poll cannot say when it is due next."""
    status, wake = ConfigApiGateway.status, Loop.wake
    made_due = asyncio.Event()
    polls, waits = 0, list[float]()

    async def held_status(gateway: ConfigApiGateway, remote_batch_id: str) -> BatchReport:
        nonlocal polls
        polls += 1
        await made_due.wait()
        return await status(gateway, remote_batch_id)

    def noted_wake(loop: Loop, in_seconds: float = 0) -> None:
        waits.append(in_seconds)
        wake(loop, in_seconds)

    monkeypatch.setattr(ConfigApiGateway, "status", held_status)
    async with worker_harness.opened(database, SLOW) as here:
        request_id = await jobs.approved(database, 2)
        worker, tasks = await polling(here)
        await until(lambda: polls)
        async with database.write() as tx:
            await leases.make_due(tx, request_id, jobs.utc_now())
        await worker._round()  # pyright: ignore[reportPrivateUsage]
        monkeypatch.setattr(Loop, "wake", noted_wake)
        made_due.set()
        await until(lambda: not tasks)
        async with database.read() as tx:
            (batch,) = await batches.due(tx, owner="another", now=jobs.utc_now())
    assert batch.request_id == request_id, "it is still due, and nobody's"
    assert waits == [0]


async def test_worker_runs_at_most_three_concurrent_batches_per_region(database: Database) -> None:
    async with worker_harness.opened(database, SLOW) as here, here.working():
        request_id = await jobs.approved(database, 900, Region.EMEA, Region.APAC)
        await here.simulator.configapi.wait_for_submits(6, PATIENCE)
        here.simulator.configapi.finish()
        await here.until(request_id, ended)
    assert here.simulator.configapi.peak == {Region.EMEA: 3, Region.APAC: 3}
    assert here.simulator.configapi.run_twice == []


@pytest.mark.parametrize("casing", ["pascal", "camel", "lower"])
@pytest.mark.parametrize("plural", [False, True])
async def test_polling_reads_any_casing_and_unknown_running_statuses(
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


RESPONSE_LOST = [
    FaultKind.TIMEOUT_ACCEPTED,
    FaultKind.DROP_ACCEPTED,
    FaultKind.SERVER_ERROR_ACCEPTED,
    FaultKind.GARBAGE,
]


@pytest.mark.parametrize("fault", RESPONSE_LOST)
async def test_reconciliation_matches_batch_in_summaries_when_response_is_lost(
    database: Database, fault: FaultKind, clock: Clock
) -> None:
    scenario = with_faults(Fault(call=Call.CREATE_BATCH, fault=fault))
    async with worker_harness.opened(database, scenario) as here, here.working():
        request_id = await jobs.approved(database, 20)
        if fault is FaultKind.TIMEOUT_ACCEPTED:
            await worker_harness.time_out_submit(here, clock)
        snapshot = await here.until(request_id, ended)
    assert snapshot.phones_by_status.signed_in == 20
    assert len(here.simulator.configapi.submits) == 1
    assert here.simulator.configapi.run_twice == []


def with_faults(*faults: Fault, **more: object) -> Scenario:
    return Scenario.model_validate({"batch_seconds": 0.2, "faults": faults, **more})


SUBMIT_LOST = [FaultKind.TIMEOUT_LOST, FaultKind.DROP_LOST, FaultKind.SERVER_ERROR]


@pytest.mark.parametrize("fault", SUBMIT_LOST)
async def test_batch_of_unknown_outcome_is_resubmitted_only_after_approver_confirms(
    database: Database, fault: FaultKind, clock: Clock
) -> None:
    scenario = with_faults(Fault(call=Call.CREATE_BATCH, fault=fault))
    async with worker_harness.opened(database, scenario) as here, here.working() as worker:
        request_id = await jobs.approved(database, 20)
        if fault is FaultKind.TIMEOUT_LOST:
            await worker_harness.time_out_submit(here, clock)
        snapshot = await here.until(request_id, asks)
        assert len(here.simulator.configapi.submits) == 1
        question = snapshot.questions[0]
        assert (question.phones, question.first_row, question.last_row) == (20, 2, 21)
        async with database.write() as tx:
            batch = await batches.load(tx, question.batch_id)
            assert batch is not None
            assert await reconciliation.confirm_not_run(
                tx, jobs.NOTIFY, batch, actor=jobs.APPROVER, now=jobs.utc_now()
            )
        worker.wake()
        snapshot = await here.until(request_id, ended)
    assert snapshot.phones_by_status.signed_in == 20
    assert here.simulator.configapi.run_twice == []


async def test_reconciliation_reads_summaries_again_when_they_lag(
    database: Database, clock: Clock
) -> None:
    scenario = with_faults(
        Fault(call=Call.CREATE_BATCH, fault=FaultKind.TIMEOUT_ACCEPTED),
        summaries=Summaries(lag=0.4),
    )
    async with worker_harness.opened(database, scenario) as here, here.working():
        request_id = await jobs.approved(database, 20)
        await worker_harness.time_out_submit(here, clock)
        snapshot = await here.until(request_id, ended)
    assert snapshot.phones_by_status.signed_in == 20
    assert len(here.simulator.configapi.submits) == 1


async def test_reconciliation_matches_summaries_without_details_by_phones(
    database: Database,
) -> None:
    scenario = with_faults(
        Fault(call=Call.CREATE_BATCH, fault=FaultKind.DROP_ACCEPTED, nth=2),
        summaries=Summaries(details=False),
    )
    async with worker_harness.opened(database, scenario) as here, here.working():
        request_id = await jobs.approved(database, 300)
        snapshot = await here.until(request_id, ended)
    assert snapshot.phones_by_status.signed_in == 300
    assert here.simulator.configapi.run_twice == []


@pytest.mark.parametrize("retry_after", [None, 0.1])
async def test_throttled_submit_is_sent_again_after_backoff(
    database: Database, retry_after: float | None
) -> None:
    scenario = with_faults(
        Fault(call=Call.CREATE_BATCH, fault=FaultKind.THROTTLED, times=3, retry_after=retry_after)
    )
    async with worker_harness.opened(database, scenario) as here, here.working():
        request_id = await jobs.approved(database, 20)
        snapshot = await here.until(request_id, ended)
    assert snapshot.phones_by_status.signed_in == 20
    assert len(here.simulator.configapi.submits) == 4


async def test_request_shows_denial_and_continues_when_access_is_granted(
    database: Database,
) -> None:
    denied = Fault(
        call=Call.CREATE_BATCH, fault=FaultKind.FORBIDDEN, message="Access Denied", times=0
    )
    async with worker_harness.opened(database, with_faults(denied)) as here, here.working():
        request_id = await jobs.approved(database, 20)
        snapshot = await here.until(request_id, lambda s: bool(s.refused))
        assert "Access Denied" in snapshot.refused
        assert not here.simulator.configapi.batches
        here.simulator.faults.clear()
        snapshot = await here.until(request_id, ended)
    assert snapshot.refused == ""
    assert snapshot.phones_by_status.signed_in == 20


async def test_denial_is_over_with_the_first_news_of_a_batch(database: Database) -> None:
    denied = Fault(
        call=Call.BATCH_STATUS, fault=FaultKind.FORBIDDEN, message="Access Denied", times=0
    )
    scenario = with_faults(denied, batch_seconds=1.5)
    async with worker_harness.opened(database, scenario) as here, here.working():
        request_id = await jobs.approved(database, 100)
        snapshot = await here.until(request_id, lambda s: bool(s.refused))
        assert snapshot.phones_by_status.in_progress == 100
        here.simulator.faults.clear()
        snapshot = await here.until(request_id, lambda s: s.phones_by_status.in_progress < 100)
        assert snapshot.refused == ""


async def test_rejected_batch_fails_its_phones_and_is_not_resubmitted(database: Database) -> None:
    scenario = with_faults(
        Fault(call=Call.CREATE_BATCH, fault=FaultKind.BAD_REQUEST, message="No such region")
    )
    async with worker_harness.opened(database, scenario) as here, here.working():
        request_id = await jobs.approved(database, 20)
        snapshot = await here.until(request_id, ended)
    assert [(g.cause.code, g.count) for g in snapshot.causes] == [("refused", 20)]
    assert len(here.simulator.configapi.submits) == 1


async def test_polling_continues_after_failed_polls(database: Database) -> None:
    scenario = with_faults(
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


async def test_stalled_batch_is_reported_and_finally_abandoned(database: Database) -> None:
    interval = 600.0  # between polls
    timing = replace(
        worker_harness.FAST,
        poll_first_seconds=interval,
        poll_max_seconds=interval,
        stalled_seconds=3 * interval,
        abandoned_seconds=10 * interval,
    )
    scenario = Scenario(batch_seconds=0, stuck=(1,))
    async with worker_harness.opened(database, scenario, timing=timing) as opened:
        here = replace(opened, clock=worker_harness.Date())
        async with here.working() as worker:
            request_id = await jobs.approved(database, 20)
            snapshot = await worker_harness.poll_until(
                here, worker, request_id, lambda s: bool(s.stalled), interval=interval
            )
            assert snapshot.stalled[0].phones_open == snapshot.phones_by_status.in_progress
            snapshot = await worker_harness.poll_until(
                here, worker, request_id, ended, interval=interval
            )
    assert snapshot.phones_by_status.unconfirmed == 10
    assert snapshot.phones_by_status.signed_in == 10
    assert [(g.cause.code, g.count) for g in snapshot.causes] == [("no-result", 10)]


async def test_completed_batch_with_open_phones_ends_unconfirmed_after_grace_period(
    database: Database,
) -> None:
    scenario = Scenario(
        batch_seconds=0.2, statuses=Statuses(item_success="Whatever"), wire=Wire(casing="lower")
    )
    async with worker_harness.opened(database, scenario) as here, here.working():
        request_id = await jobs.approved(database, 5)
        snapshot = await here.until(request_id, ended)
    assert snapshot.phones_by_status.unconfirmed == 5


@pytest.mark.parametrize("what", ["username", "hardware_id", "region", "more", "digest"])
async def test_batch_changed_after_approval_is_not_submitted(database: Database, what: str) -> None:
    keyed = Digests(b"k" * 16)
    async with worker_harness.opened(database, QUICK) as here:
        request_id = await jobs.draft(database, 4, Region.EMEA, Region.EMEA, Region.NOAM)
        assert await jobs.request_approval(database, request_id, digests=keyed)
        assert await jobs.approve(database, request_id, digests=keyed)
        in_emea = (BatchRow.request_id == request_id, BatchRow.region == "EMEA")
        async with database.write() as tx:
            (batch,) = await batches.select_where(tx, *in_emea)
            row = (PhoneRow.request_id == request_id, PhoneRow.number == 2)
            added = (PhoneRow.request_id == request_id, PhoneRow.region == "NOAM")
            change = {
                "username": update(PhoneRow).where(*row).values(username="ceo@contoso.com"),
                "hardware_id": update(PhoneRow).where(*row).values(hardware_id="80-5E-C0-FF-FF-FF"),
                "region": update(BatchRow).where(*in_emea).values(region="APAC"),
                "more": update(PhoneRow).where(*added).values(batch_id=batch.id),
                "digest": update(BatchRow).where(*in_emea).values(digest=""),
            }[what]
            await tx.execute(change)
        with capture_logs() as logs:
            async with here.working(keyed):
                snapshot = await here.until(request_id, ended)
    submitted = {item.username for each in here.simulator.configapi.submits for item in each.items}
    assert submitted <= {"lobby2@contoso.com"}, "only of the batch that nobody changed"
    (group,) = snapshot.causes
    assert group.cause.code == "changed-after-approval"
    assert group.count == snapshot.phones_by_status.failed >= 3
    lines = [each for each in logs if each["event"] == "batch.digest_mismatched"]
    assert {(each["log_level"], each["request"]) for each in lines} == {("error", request_id)}
    assert batch.id in {each["batch"] for each in lines}


async def test_batch_planned_before_digests_is_submitted_without_key(database: Database) -> None:
    async with worker_harness.opened(database, QUICK) as here:
        request_id = await jobs.approved(database, 2)
        async with database.write() as tx:
            await tx.execute(update(BatchRow).values(digest=""))
        async with here.working():
            snapshot = await here.until(request_id, ended)
    assert snapshot.phones_by_status.signed_in == 2


async def claimed_by_the_dead(database: Database) -> Batch:
    """A claim whose owner died."""
    now = jobs.utc_now()
    (batch,) = await lifecycle.claim(
        database, jobs.TENANT, Region.EMEA, owner="dead", now=now, lease_until=now
    )
    return batch


async def test_lapsed_intent_is_submitted_anew_when_nothing_was_sent(database: Database) -> None:
    async with worker_harness.opened(database, QUICK) as here:
        request_id = await jobs.approved(database, 20)
        batch = await claimed_by_the_dead(database)
        with capture_logs() as logs:
            async with here.working():
                snapshot = await here.until(request_id, ended)
    assert snapshot.phones_by_status.signed_in == 20
    assert len(here.simulator.configapi.submits) == 1
    events = {each["event"] for each in logs if each.get("batch") == batch.id}
    assert "batch.released_unsent" in events
    assert "batch.marked_unknown" not in events


async def test_lapsed_intent_is_submitted_anew_without_waiting_for_an_idle_look(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    wake, waits = Loop.wake, list[float]()

    def noted_wake(loop: Loop, in_seconds: float = 0) -> None:
        waits.append(in_seconds)
        wake(loop, in_seconds)

    monkeypatch.setattr(Loop, "wake", noted_wake)
    async with worker_harness.opened(database, SLOW) as here:
        request_id = await jobs.approved(database, 20)
        await claimed_by_the_dead(database)
        await here.worker()._round()  # pyright: ignore[reportPrivateUsage]
        snapshot = await here.snapshot(request_id)
    assert snapshot.regions[0].batches == {BatchState.PLANNED: 1}
    assert waits == [0]


async def test_lapsed_intent_becomes_unknown_when_it_may_have_been_sent(database: Database) -> None:
    async with worker_harness.opened(database, QUICK) as here:
        request_id = await jobs.approved(database, 20)
        batch = await claimed_by_the_dead(database)
        async with database.write() as tx:
            before = jobs.utc_now() - timedelta(minutes=1)
            assert await submission.mark_sending(tx, batch, owner="dead", now=before)
        async with here.working():
            snapshot = await here.until(request_id, asks)
    assert here.simulator.configapi.submits == []
    assert snapshot.regions[0].batches == {BatchState.NEEDS_PERSON: 1}
    assert snapshot.questions[0].attempt == 1


@pytest.mark.parametrize("unsent_attempt", [None, 1])
async def test_lapsed_intent_becomes_unknown_when_an_older_version_claimed_it(
    database: Database, unsent_attempt: int | None
) -> None:
    """It counts attempts, and leaves the mark as it was."""
    async with worker_harness.opened(database, QUICK) as here:
        request_id = await jobs.approved(database, 20)
        await claimed_by_the_dead(database)
        async with database.write() as tx:
            await tx.execute(update(BatchRow).values(attempt=2, unsent_attempt=unsent_attempt))
        async with here.working():
            snapshot = await here.until(request_id, asks)
    assert here.simulator.configapi.submits == []
    assert snapshot.questions[0].attempt == 2


class BrokenTokens:
    """Fails in a way that no client expects, once."""

    def __init__(self) -> None:
        self.failures = 0

    async def token(self, scope: str, *, refresh: bool = False) -> str:
        if not self.failures:
            self.failures += 1
            raise RuntimeError(scope)
        return "local"


async def test_unexpected_error_before_the_first_byte_asks_nobody(database: Database) -> None:
    tokens = BrokenTokens()
    async with (
        worker_harness.opened(database, QUICK) as here,
        aiohttp.ClientSession() as session,
    ):
        gateway = ConfigApiGateway(session, here.simulator.configapi_url, tokens, submit_timeout=2)
        request_id = await jobs.approved(database, 20)
        with capture_logs() as logs:
            async with replace(here, gateway=gateway).working():
                snapshot = await here.until(request_id, ended)
    assert tokens.failures == 1
    assert snapshot.phones_by_status.signed_in == 20
    assert "batch.marked_unknown" not in {each["event"] for each in logs}


async def test_worker_does_not_submit_when_lease_is_too_short(database: Database) -> None:
    """A process that was paused holds a claim that another replica may have acted on."""
    async with worker_harness.opened(database, QUICK) as here:
        request_id = await jobs.approved(database, 20)
        # The lease ends before an answer could arrive.
        timing = replace(worker_harness.FAST, lease_margin_seconds=-worker_harness.SUBMIT_TIMEOUT)
        async with replace(here, timing=timing).working():
            await here.until(request_id, lambda s: s.version > 4)
    assert here.simulator.configapi.submits == []


async def test_cancelled_request_follows_submitted_batches_to_their_end(database: Database) -> None:
    async with worker_harness.opened(database, SLOW) as here, here.working():
        request_id = await jobs.approved(database, 500)
        await here.until(request_id, lambda s: s.regions[0].batches.get(BatchState.SUBMITTED) == 3)
        assert await jobs.cancel(database, request_id)
        here.simulator.configapi.finish()
        snapshot = await here.until(request_id, ended)
    assert snapshot.state is RequestState.CANCELLED
    tally = snapshot.phones_by_status
    assert (tally.signed_in, tally.not_run) == (300, 200)


async def test_worker_resumes_after_restart_without_resubmitting(database: Database) -> None:
    async with worker_harness.opened(database, SLOW) as here:
        request_id = await jobs.approved(database, 700)
        for _ in range(3):
            async with here.working():
                await here.until(request_id, lambda s: BatchState.SUBMITTED in s.regions[0].batches)
            await worker_harness.expire_leases(database)
        here.simulator.configapi.finish()
        async with here.working():
            snapshot = await here.until(request_id, ended)
    assert snapshot.phones_by_status.signed_in == 700
    assert here.simulator.configapi.run_twice == []


async def test_submit_is_tried_again_while_gateway_is_down(database: Database) -> None:
    async with worker_harness.opened(database, QUICK) as here:
        await here.simulator.__aexit__(None, None, None)
        async with here.working():
            request_id = await jobs.approved(database, 20)
            # Between two attempts: nothing of it is being sent.
            snapshot = await here.until(
                request_id,
                lambda s: s.unreachable_since is not None and s.phones_by_status.pending == 20,
            )
            assert snapshot.refused == ""
            since, later = snapshot.unreachable_since, snapshot.version + 6
            snapshot = await here.until(request_id, lambda s: s.version >= later)
            assert snapshot.unreachable_since == since  # however often it has been tried since
            await here.simulator.__aenter__()
            snapshot = await here.until(request_id, ended)
    assert snapshot.unreachable_since is None
    assert snapshot.phones_by_status.signed_in == 20


@pytest.mark.parametrize("fault", [FaultKind.UNAVAILABLE, FaultKind.DROP_LOST])
async def test_outage_is_logged_once_however_many_polls_fail(
    database: Database, fault: FaultKind
) -> None:
    # One poll takes up to four of these calls: both the gateway and aiohttp retry reads.
    scenario = with_faults(Fault(call=Call.BATCH_STATUS, fault=fault, times=32))
    with capture_logs() as logs:
        async with worker_harness.opened(database, scenario) as here, here.working():
            request_id = await jobs.approved(database, 20)
            snapshot = await here.until(request_id, ended)
    assert snapshot.phones_by_status.signed_in == 20
    unavailable = [entry for entry in logs if entry["event"] == "gateway.unavailable"]
    failed_polls = len(unavailable)
    assert failed_polls >= 8
    assert [entry["log_level"] for entry in unavailable] == ["warning"] + ["debug"] * (
        failed_polls - 1
    )
    assert unavailable[0]["request"] == request_id
    recovered = [entry for entry in logs if entry["event"] == "gateway.recovered"]
    assert [(entry["log_level"], entry["failures"]) for entry in recovered] == [
        ("info", failed_polls)
    ]
    assert recovered[0]["seconds"] > 0


async def test_outage_is_logged_once_when_gateway_is_down_for_several_batches(
    database: Database,
) -> None:
    """Polls only, since an answered submit ends an outage."""
    down = Fault(call=Call.BATCH_STATUS, fault=FaultKind.UNAVAILABLE, times=0)
    async with worker_harness.opened(database, SLOW) as here:
        request_id = await jobs.approved(database, 300)
        async with here.working():
            await here.until(request_id, all_submitted)
        before = await polls_by_batch(database)
        await worker_harness.expire_leases(database)
        here.simulator.faults.add(down)
        with capture_logs() as logs:
            async with here.working():
                await here.until(request_id, lambda s: s.unreachable_since is not None)
                polled = await polled_batches(here, database, polls=max(before) + 4)
    assert polled == 3
    unavailable = [entry for entry in logs if entry["event"] == "gateway.unavailable"]
    assert len({entry["batch"] for entry in unavailable}) == 3
    assert [entry["log_level"] for entry in unavailable].count("warning") == 1
    assert not [entry for entry in logs if entry["event"] == "gateway.recovered"]


def all_submitted(snapshot: RequestSnapshot) -> bool:
    return set(snapshot.regions[0].batches) == {BatchState.SUBMITTED}


async def polls_by_batch(database: Database) -> list[int]:
    async with database.read() as tx:
        return list((await tx.execute(select(BatchRow.polls))).scalars())


async def polled_batches(here: worker_harness.World, database: Database, *, polls: int) -> int:
    """Wait until each batch has been polled `polls` times; returns the number of batches."""
    async with asyncio.timeout(PATIENCE):
        while True:
            here.changed.clear()
            counts = await polls_by_batch(database)
            if min(counts) >= polls:
                return len(counts)
            await here.changed.wait()
