"""What faults must not do to a job: end it too early, stop it for good, or flood the SIP Gateway."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError

from bot.gateway import BatchReport, BatchSummary, ThrottledError, UnknownBatchError
from bot.gateway.configapi import ConfigApiGateway
from bot.lifecycle import batches as lifecycle
from bot.lifecycle import reconciliation, submission
from bot.phones.region import Region
from bot.runner.reconciliation import TooManyCandidatesError, find
from bot.signin.batch import BatchState
from bot.signin.request import RequestState
from bot.signin.snapshot import RequestSnapshot
from bot.simulator.scenario import Call, Fault, FaultKind, Scenario
from bot.store import batches, slots
from bot.store.batches import Batch
from bot.store.database import Database, Transaction
from bot.store.models.batches import BatchRow
from tests.support import jobs, worker_harness
from tests.support.waiting import Clock, until
from tests.support.worker_harness import FAST, Date, World, poll_until

DAY = timedelta(days=1)


def scenario(*faults: Fault, **settings: object) -> Scenario:
    return Scenario.model_validate({"batch_seconds": 0.2, "faults": faults, **settings})


def has_ended(snapshot: RequestSnapshot) -> bool:
    return snapshot.state in (RequestState.FINISHED, RequestState.CANCELLED)


async def set_batches(database: Database, **columns: object) -> None:
    async with database.write() as tx:
        await tx.execute(update(BatchRow).values(columns))


async def claim(database: Database, owner: str = "a") -> list[Batch]:
    now = jobs.utc_now()
    return await lifecycle.claim(
        database,
        jobs.TENANT,
        Region.EMEA,
        owner=owner,
        now=now,
        lease_until=now + timedelta(minutes=1),
    )


async def acknowledge(database: Database, batch: Batch, remote_batch_id: str) -> bool:
    now = jobs.utc_now()
    async with database.write() as tx:
        return await submission.acknowledge(
            tx, batch, remote_batch_id, owner="a", lease_until=now, due_at=now, now=now
        )


async def test_batch_is_not_abandoned_when_offhook_was_down_for_a_day(database: Database) -> None:
    timing = replace(FAST, stalled_seconds=3600.0, abandoned_seconds=86400.0)
    async with worker_harness.opened(database, Scenario(batch_seconds=1.0), timing=timing) as here:
        request_id = await jobs.approved(database, 20)
        async with here.working():
            await here.until(request_id, lambda s: BatchState.SUBMITTED in s.regions[0].batches)
        past = jobs.utc_now() - 2 * DAY
        await set_batches(database, progress_at=past, due_at=past, lease_until=past)
        async with here.working():
            snapshot = await here.until(request_id, has_ended)
    assert snapshot.phones_by_status.signed_in == 20


async def test_batch_is_not_abandoned_while_the_sip_gateway_is_unavailable(
    database: Database,
) -> None:
    interval = 600.0  # between polls
    timing = replace(
        FAST,
        poll_first_seconds=interval,
        poll_max_seconds=interval,
        stalled_seconds=2 * interval,
        abandoned_seconds=4 * interval,
    )
    faults = Fault(call=Call.BATCH_STATUS, fault=FaultKind.UNAVAILABLE, times=30)
    failing = scenario(faults, batch_seconds=0)
    async with worker_harness.opened(database, failing, timing=timing) as opened:
        here = replace(opened, clock=Date())
        async with here.working() as worker:
            request_id = await jobs.approved(database, 20)
            snapshot = await poll_until(
                here, worker, request_id, lambda s: bool(s.stalled), interval=interval
            )
            assert snapshot.unreachable_since is not None
            snapshot = await poll_until(here, worker, request_id, has_ended, interval=interval)
    assert snapshot.phones_by_status.signed_in == 20


async def test_approver_is_asked_when_summaries_stay_unreadable(
    database: Database, clock: Clock
) -> None:
    timing = replace(FAST, stalled_seconds=0.5)
    faults = (
        Fault(call=Call.CREATE_BATCH, fault=FaultKind.TIMEOUT_ACCEPTED),
        Fault(call=Call.BATCH_SUMMARIES, fault=FaultKind.GARBAGE, times=1000),
    )
    async with (
        worker_harness.opened(database, scenario(*faults), timing=timing) as here,
        here.working(),
    ):
        request_id = await jobs.approved(database, 20)
        await worker_harness.time_out_submit(here, clock)
        snapshot = await here.until(request_id, lambda s: bool(s.questions))
    assert snapshot.questions[0].error


async def test_acknowledgment_is_recorded_when_the_database_fails_meanwhile(
    database: Database,
) -> None:
    async with worker_harness.opened(database, scenario()) as here:
        flaky = FlakyWrites(database, lambda: bool(here.simulator.configapi.submits))
        async with replace(here, database=flaky).working():
            request_id = await jobs.approved(database, 20)
            snapshot = await here.until(request_id, has_ended)
    assert flaky.failures == 0
    assert snapshot.phones_by_status.signed_in == 20
    assert len(here.simulator.configapi.submits) == 1


class FlakyWrites(Database):
    """The same database, of which some writes fail once `begin` is true."""

    def __init__(self, database: Database, begin: Callable[[], bool], failures: int = 5) -> None:
        self.sqlite = database.sqlite
        self._database = database
        self._begin = begin
        self.failures = failures

    @asynccontextmanager
    async def read(self) -> AsyncGenerator[Transaction]:
        async with self._database.read() as tx:
            yield tx

    @asynccontextmanager
    async def write(self) -> AsyncGenerator[Transaction]:
        if self.failures and self._begin():
            self.failures -= 1
            raise OperationalError("UPDATE", {}, Exception("the server closed the connection"))
        async with self._database.write() as tx:
            yield tx


async def calls_until_held(here: World, request_id: str) -> int:
    """Wait until the region is held; returns how many submits it took."""
    async with here.working():
        await here.until(
            request_id,
            lambda s: s.version > 3 and s.phones_by_status.pending == s.phones_by_status.total,
        )
        # Whatever could still be sent would be within these rounds, each started by a wake-up.
        for _ in range(20):
            async with here.database.read() as tx:
                held = await slots.next_to_send(tx, jobs.TENANT, Region.EMEA, jobs.utc_now())
            assert not held
    return len(here.simulator.configapi.submits)


async def test_throttling_holds_the_region_not_the_batch(database: Database) -> None:
    faults = Fault(call=Call.CREATE_BATCH, fault=FaultKind.THROTTLED, times=1000, retry_after=3600)
    async with worker_harness.opened(database, scenario(faults)) as here:
        request_id = await jobs.approved(database, 2000)
        submits = await calls_until_held(here, request_id)
    assert 1 <= submits <= 3


async def test_denial_holds_the_region_not_the_batch(database: Database) -> None:
    timing = replace(FAST, denied_seconds=3600)
    faults = Fault(call=Call.CREATE_BATCH, fault=FaultKind.FORBIDDEN, times=1000)
    async with worker_harness.opened(database, scenario(faults), timing=timing) as here:
        request_id = await jobs.approved(database, 2000)
        submits = await calls_until_held(here, request_id)
    assert 1 <= submits <= 3


async def test_unknown_outcomes_stop_further_submits_of_the_region(database: Database) -> None:
    """A constant 502 must not turn a whole file into questions."""
    faults = Fault(call=Call.CREATE_BATCH, fault=FaultKind.SERVER_ERROR, times=1000)
    async with worker_harness.opened(database, scenario(faults)) as here, here.working():
        request_id = await jobs.approved(database, 1000)
        snapshot = await here.until(request_id, lambda s: len(s.questions) >= 2)
        counts = snapshot.regions[0].batches
        assert await claim(database) == []
    unsettled = counts.get(BatchState.NEEDS_PERSON, 0) + counts.get(BatchState.UNKNOWN, 0)
    assert len(here.simulator.configapi.submits) == unsettled <= 3
    assert counts[BatchState.PLANNED] >= 7


async def test_batch_that_needs_a_person_keeps_its_slot(database: Database) -> None:
    await jobs.approved(database, 400)
    first, *_ = await claim(database)
    now = jobs.utc_now()
    async with database.write() as tx:
        assert await submission.mark_unknown(tx, first, due_at=now, error="timeout", now=now)
        unknown = await batches.load(tx, first.id)
        assert unknown is not None
        assert await reconciliation.ask_approver(
            tx, jobs.NOTIFY, unknown, owner="", error="", now=now
        )
    assert await claim(database) == []


async def test_two_batches_never_take_one_remote_batch_id(database: Database) -> None:
    await jobs.approved(database, 200)
    first, second = await claim(database)
    assert await acknowledge(database, first, "AB-12")
    assert not await acknowledge(database, second, "ab-12")
    async with database.read() as tx:
        rows = await tx.execute(select(BatchRow.id, BatchRow.state))
        states = {row.id: row.state for row in rows}
    assert states == {first.id: "submitted", second.id: "intent"}


class SummariesOnly:
    """A SIP Gateway that lists batches of which it then knows nothing."""

    submit_timeout = 1.0

    def __init__(self, count: int) -> None:
        self.asked: list[str] = []
        self._count = count

    async def submit(self, region: Region, phones: object, before_sending: object = None) -> str:
        raise AssertionError(region)

    async def status(self, remote_batch_id: str) -> BatchReport:
        self.asked.append(remote_batch_id)
        raise UnknownBatchError("no such batch")

    async def summaries(self) -> list[BatchSummary]:
        return [BatchSummary(f"ID-{number}", "Completed") for number in range(self._count)]


async def test_find_ignores_known_batches_whatever_their_case(database: Database) -> None:
    await jobs.approved(database, 10)
    (batch,) = await claim(database)
    gateway = SummariesOnly(2)
    assert await find(gateway, batch, [], {"id-0"}) is None
    assert gateway.asked == ["ID-1"]


async def test_find_is_not_conclusive_when_candidates_are_cut(database: Database) -> None:
    await jobs.approved(database, 10)
    (batch,) = await claim(database)
    with pytest.raises(TooManyCandidatesError):
        await find(SummariesOnly(51), batch, [], set())


async def test_throttled_poll_holds_the_polls_of_all_batches_of_the_tenant(
    database: Database,
) -> None:
    faults = Fault(call=Call.BATCH_STATUS, fault=FaultKind.THROTTLED, times=0, retry_after=600)
    async with worker_harness.opened(database, scenario(faults)) as here, here.working():
        request_id = await jobs.approved(database, 300)
        await here.until(request_id, lambda s: s.unreachable_since is not None)
        async with asyncio.timeout(worker_harness.PATIENCE):
            while True:
                here.changed.clear()
                if not await due_within(database, timedelta(seconds=300)):
                    break
                await here.changed.wait()
    # Each batch may have been polled once before the first answer was recorded.
    assert here.simulator.configapi.calls[Call.BATCH_STATUS] <= 3


async def test_poll_that_was_under_way_keeps_to_the_throttled_tenants_wait(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    throttled, answer = asyncio.Event(), asyncio.Event()
    status = ConfigApiGateway.status

    async def first_is_throttled(gateway: ConfigApiGateway, remote_batch_id: str) -> BatchReport:
        if not throttled.is_set():
            throttled.set()
            raise ThrottledError("Too many requests", retry_after=600)
        await answer.wait()
        return await status(gateway, remote_batch_id)

    monkeypatch.setattr(ConfigApiGateway, "status", first_is_throttled)
    async with worker_harness.opened(database, Scenario(batch_seconds=60)) as here:
        await jobs.approved(database, 200)
        worker = here.worker()
        tasks = worker._tasks  # pyright: ignore[reportPrivateUsage]
        await worker._round()  # pyright: ignore[reportPrivateUsage]
        await until(lambda: not tasks)  # both are submitted
        await set_batches(database, due_at=jobs.utc_now())
        await worker._round()  # pyright: ignore[reportPrivateUsage]
        await until(lambda: len(tasks) == 1 and throttled.is_set())  # the wait is recorded
        answer.set()
        await until(lambda: not tasks)
        assert not await due_within(database, timedelta(seconds=300))


async def test_wait_for_a_throttled_tenant_is_not_taken_for_silence(database: Database) -> None:
    """Other batches were throttled for a day, so that nobody asked for this one."""
    timing = replace(FAST, stalled_seconds=3600.0, abandoned_seconds=86400.0)
    async with worker_harness.opened(database, Scenario(batch_seconds=60), timing=timing) as here:
        await jobs.approved(database, 100)
        worker = here.worker()
        tasks = worker._tasks  # pyright: ignore[reportPrivateUsage]
        await worker._round()  # pyright: ignore[reportPrivateUsage]
        await until(lambda: not tasks)  # it is submitted
        past = jobs.utc_now() - 2 * DAY
        await set_batches(database, progress_at=past, seen_running_at=past, due_at=jobs.utc_now())
        await worker._round()  # pyright: ignore[reportPrivateUsage]
        await until(lambda: not tasks)
        async with database.read() as tx:
            (batch,) = await batches.select_where(tx)
    assert (batch.state, batch.polls, batch.stalled) == (BatchState.SUBMITTED, 1, False)


async def due_within(database: Database, seconds: timedelta) -> int:
    """How many batches are due, or will be soon."""
    async with database.read() as tx:
        due_at = (await tx.execute(select(BatchRow.due_at))).scalars()
        return sum(at is None or at < jobs.utc_now() + seconds for at in due_at)
