"""Looking for phones in the sign-in log, on both databases: when, by whom, and what it records."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import aiohttp
import pytest
from sqlalchemy import update

from bot.directory.client import GraphClient
from bot.directory.sign_ins import SignInLog
from bot.identity.tokens import FixedToken
from bot.preflight.facts import Unknown, UnknownReason
from bot.runner.facts import TenantReader
from bot.runner.sightings import LEASE, Sightings, SignInReader
from bot.signin.outcome import PhoneStatus
from bot.signin.request import RequestState
from bot.signin.sighting import Sightings as Seen
from bot.signin.sighting import SightingState
from bot.signin.timing import Timing
from bot.simulator.scenario import Call, Scenario
from bot.simulator.tenant import PERMISSIONS, GraphApi
from bot.simulator.tenant import SignInLog as Log
from bot.store.database import Database
from bot.store.models.batches import BatchRow
from bot.store.models.requests import PhoneRow
from tests.support import jobs, rows, worker_harness
from tests.support.worker_harness import PATIENCE, World

TIMING = Timing(idle_seconds=0.05)
BLOCKED = 53003


@dataclass
class Clock:
    ahead: timedelta = field(default_factory=timedelta)

    def __call__(self) -> datetime:
        return jobs.utc_now() + self.ahead

    def advance(self, seconds: float) -> None:
        self.ahead += timedelta(seconds=seconds)


def runner(
    world: World,
    reader: SignInReader | None,
    clock: Clock,
    *,
    owner: str = "a",
    begins: bool = True,
) -> Sightings:
    return Sightings(
        world.database,
        lambda _: reader,
        TIMING,
        owner=owner,
        clock=clock,
        changed=world.changed.set,
        begins=begins,
    )


@asynccontextmanager
async def looking(sightings: Sightings) -> AsyncGenerator[None]:
    task = asyncio.create_task(sightings.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def reader_of(world: World) -> AsyncGenerator[TenantReader]:
    async with aiohttp.ClientSession() as session:
        graph = GraphClient(session, world.simulator.graph_url, FixedToken())
        yield TenantReader(graph, world.gateway)


async def finished(world: World, phones: int = 4) -> str:
    request_id = await jobs.approved(world.database, phones)
    async with world.working():
        await world.until(request_id, lambda each: each.state is RequestState.FINISHED)
    return request_id


async def seen(world: World, request_id: str) -> Seen:
    found = (await world.snapshot(request_id)).sightings
    assert found is not None
    return found


async def states(world: World, request_id: str) -> list[SightingState | None]:
    phones = (await world.snapshot(request_id)).phones.items
    return [each.sighting.state if each.sighting else None for each in phones]


async def looks(world: World) -> list[int]:
    return [row["looks"] for row in (await rows.dump(world.database))["sightings"]]


async def until_looked(world: World, number: int) -> None:
    """Wait until the log has been read so often for each batch."""
    async with asyncio.timeout(PATIENCE):
        while True:
            world.changed.clear()
            found = await looks(world)
            if found and min(found) >= number:
                return
            await world.changed.wait()


async def until_begun(world: World) -> None:
    await until_looked(world, 0)


def scenario(log: Log | None = None, **more: object) -> Scenario:
    values = {"batch_seconds": 0.0, "sign_in_log": log or Log(), **more}
    return Scenario.model_validate(values)


async def test_phones_are_seen_in_the_log_after_their_batch(database: Database) -> None:
    clock = Clock()
    async with (
        worker_harness.opened(database, scenario()) as here,
        reader_of(here) as reader,
    ):
        request_id = await finished(here)
        assert (await here.snapshot(request_id)).sightings is None
        async with looking(runner(here, reader, clock)):
            await until_begun(here)
            assert await seen(here, request_id) == Seen(4, 0, 0, pending=True)
            assert await states(here, request_id) == [SightingState.PENDING] * 4
            clock.advance(TIMING.sighting_seconds + 1)
            await until_looked(here, 1)
        assert await seen(here, request_id) == Seen(4, 4, 0, pending=False)
        phones = (await here.snapshot(request_id)).phones.items
        times = [each.sighting.at for each in phones if each.sighting and each.sighting.at]
        assert all(abs(jobs.utc_now() - at) < timedelta(minutes=5) for at in times)
        assert len(times) == 4
        assert here.simulator.graph.calls[Call.SIGN_INS] == 1


async def test_log_is_not_read_before_its_lag(database: Database) -> None:
    clock = Clock()
    async with worker_harness.opened(database, scenario()) as here, reader_of(here) as reader:
        await finished(here)
        async with looking(runner(here, reader, clock)):
            await until_begun(here)
            clock.advance(TIMING.sighting_seconds - 30)
        assert here.simulator.graph.received == 0


async def test_log_is_read_again_with_growing_pauses_and_then_given_up(database: Database) -> None:
    clock = Clock()
    log = Log(missing=("lobby1@contoso.com",))
    async with worker_harness.opened(database, scenario(log)) as here, reader_of(here) as reader:
        request_id = await finished(here)
        async with looking(runner(here, reader, clock)):
            await until_begun(here)
            for look, minutes in enumerate((5, 10, 15), 1):
                assert (await seen(here, request_id)).pending
                clock.advance(minutes * 60 + 1)
                await until_looked(here, look)
            assert await seen(here, request_id) == Seen(4, 3, 0, pending=False)
            clock.advance(24 * 3600)
        assert await looks(here) == [3]
        assert await states(here, request_id) == [
            SightingState.SEEN,
            SightingState.NOT_SEEN,
            SightingState.SEEN,
            SightingState.SEEN,
        ]


async def test_failed_sign_in_is_a_hint_that_changes_no_result(database: Database) -> None:
    clock = Clock()
    log = Log(errors={"lobby2@contoso.com": BLOCKED})
    async with worker_harness.opened(database, scenario(log)) as here, reader_of(here) as reader:
        request_id = await finished(here)
        async with looking(runner(here, reader, clock)):
            await until_begun(here)
            clock.advance(TIMING.sighting_seconds + 1)
            await until_looked(here, 1)
        snapshot = await here.snapshot(request_id)
        assert snapshot.phones_by_status.signed_in == 4
        found = await seen(here, request_id)
        assert (found.seen, found.failing, found.pending) == (3, 1, True)
        failing = snapshot.phones.items[2].sighting
        assert failing is not None
        assert (failing.state, failing.error, failing.refusal) == (
            SightingState.FAILING,
            BLOCKED,
            "blocked",
        )
        assert found.newest_failure == failing


@pytest.mark.parametrize(
    ("graph", "reason"),
    [
        (GraphApi(permissions=PERMISSIONS - {"AuditLog.Read.All"}), UnknownReason.PERMISSION),
        (GraphApi(premium=False), UnknownReason.LICENSE),
        (GraphApi(absent=("auditLogs",)), UnknownReason.CLOUD),
    ],
    ids=["permission", "license", "cloud"],
)
async def test_what_cannot_be_seen_is_asked_for_once(
    database: Database, graph: GraphApi, reason: UnknownReason
) -> None:
    clock = Clock()
    async with (
        worker_harness.opened(database, scenario(graph=graph)) as here,
        reader_of(here) as reader,
    ):
        request_id = await finished(here)
        async with looking(runner(here, reader, clock)):
            await until_begun(here)
            clock.advance(TIMING.sighting_seconds + 1)
            await until_looked(here, 1)
            clock.advance(24 * 3600)
        assert await seen(here, request_id) == Seen(4, 0, 0, pending=False, gap=reason.value)
        assert await states(here, request_id) == [SightingState.CANNOT_BE_SEEN] * 4
        assert await looks(here) == [1]


async def test_unavailable_log_is_read_again(database: Database) -> None:
    clock = Clock()
    async with worker_harness.opened(database, scenario()) as here, reader_of(here) as reader:
        request_id = await finished(here)
        down = Answers([SignInLog(gap=Unknown(UnknownReason.UNAVAILABLE))], then=reader)
        async with looking(runner(here, down, clock)):
            await until_begun(here)
            clock.advance(TIMING.sighting_seconds + 1)
            await until_looked(here, 1)
            assert await states(here, request_id) == [SightingState.PENDING] * 4
            clock.advance(2 * TIMING.sighting_seconds + 1)
            await until_looked(here, 2)
        assert await seen(here, request_id) == Seen(4, 4, 0, pending=False)


@dataclass
class Answers:
    """A log that first answers as told."""

    answers: list[SignInLog]
    then: SignInReader

    async def sign_ins(self, accounts: Sequence[str], since: datetime) -> SignInLog:
        return self.answers.pop(0) if self.answers else await self.then.sign_ins(accounts, since)


@dataclass
class Hanging:
    """A log that never answers."""

    asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def sign_ins(self, accounts: Sequence[str], since: datetime) -> SignInLog:
        self.asked.set()
        await asyncio.Event().wait()
        raise AssertionError


async def test_look_of_a_killed_replica_is_taken_over_by_another(database: Database) -> None:
    clock, hanging = Clock(), Hanging()
    async with worker_harness.opened(database, scenario()) as here, reader_of(here) as reader:
        request_id = await finished(here)
        async with looking(runner(here, hanging, clock)):
            await until_begun(here)
            clock.advance(TIMING.sighting_seconds + 1)
            async with asyncio.timeout(PATIENCE):
                await hanging.asked.wait()
        async with looking(runner(here, reader, clock, owner="b")):
            assert here.simulator.graph.received == 0
            clock.advance(LEASE.total_seconds() + 1)
            await until_looked(here, 1)
        assert (await seen(here, request_id)).seen == 4
        assert await looks(here) == [1]


async def test_late_answer_of_a_replica_that_was_taken_over_records_nothing(
    database: Database,
) -> None:
    clock = Clock()
    async with worker_harness.opened(database, scenario()) as here, reader_of(here) as reader:
        request_id = await finished(here)
        late = Late(asyncio.Event(), asyncio.Event())
        async with looking(runner(here, late, clock)):
            await until_begun(here)
            clock.advance(TIMING.sighting_seconds + 1)
            async with asyncio.timeout(PATIENCE):
                await late.asked.wait()
            clock.advance(LEASE.total_seconds() + 1)
            async with looking(runner(here, reader, clock, owner="b")):
                await until_looked(here, 1)
            late.answer.set()
        assert await seen(here, request_id) == Seen(4, 4, 0, pending=False)
        assert await looks(here) == [1]


@dataclass
class Late:
    """A log that answers when told, that it may not be read."""

    asked: asyncio.Event
    answer: asyncio.Event

    async def sign_ins(self, accounts: Sequence[str], since: datetime) -> SignInLog:
        self.asked.set()
        await self.answer.wait()
        return SignInLog(gap=Unknown(UnknownReason.PERMISSION))


async def test_replicas_read_the_log_once_together(database: Database) -> None:
    clock = Clock()
    async with worker_harness.opened(database, scenario()) as here, reader_of(here) as reader:
        await finished(here, 120)
        async with (
            looking(runner(here, reader, clock)),
            looking(runner(here, reader, clock, owner="b")),
        ):
            await until_begun(here)
            clock.advance(TIMING.sighting_seconds + 1)
            await until_looked(here, 1)
        dump = (await rows.dump(database))["sightings"]
        assert [(row["looks"], row["due_at"], row["owner"]) for row in dump] == [
            (1, None, ""),
            (1, None, ""),
        ]
        assert here.simulator.graph.calls[Call.SIGN_INS] <= 2


async def test_phone_without_a_result_is_looked_for_and_stays_without_one(
    database: Database,
) -> None:
    clock = Clock()
    async with worker_harness.opened(database, scenario()) as here, reader_of(here) as reader:
        request_id = await finished(here)
        async with database.write() as tx:
            await tx.execute(
                update(PhoneRow).values(status=PhoneStatus.UNCONFIRMED.value, cause="no-result")
            )
        async with looking(runner(here, reader, clock)):
            await until_begun(here)
            clock.advance(TIMING.sighting_seconds + 1)
            await until_looked(here, 1)
        snapshot = await here.snapshot(request_id)
        assert snapshot.phones_by_status.unconfirmed == 4
        assert await states(here, request_id) == [SightingState.SEEN] * 4


async def test_failed_phones_are_not_looked_for(database: Database) -> None:
    clock = Clock()
    outcomes = {f"lobby{number}@contoso.com": "device-offline" for number in range(4)}
    async with (
        worker_harness.opened(database, scenario(outcomes=outcomes)) as here,
        reader_of(here) as reader,
    ):
        request_id = await finished(here)
        later = await jobs.approved(here.database, 1, first=10)
        async with here.working():
            await here.until(later, lambda each: each.state is RequestState.FINISHED)
        async with looking(runner(here, reader, clock)):
            await until_begun(here)
        assert (await here.snapshot(later)).sightings is not None
        assert (await here.snapshot(request_id)).sightings is None


async def test_nothing_is_begun_while_account_checks_are_off(database: Database) -> None:
    clock = Clock()
    async with worker_harness.opened(database, scenario()) as here, reader_of(here) as reader:
        request_id = await finished(here)
        async with looking(runner(here, reader, clock)):
            await until_begun(here)
        later = await finished(here)
        async with looking(runner(here, None, clock, begins=False)):
            clock.advance(TIMING.sighting_seconds + 1)
            await until_looked(here, 1)
        assert (await seen(here, request_id)).gap == UnknownReason.APPROVER.value
        assert (await here.snapshot(later)).sightings is None


async def test_batches_that_ended_long_ago_are_not_looked_for(database: Database) -> None:
    async with worker_harness.opened(database, scenario()) as here, reader_of(here) as reader:
        older = await finished(here)
        async with database.write() as tx:
            await tx.execute(update(BatchRow).values(done_at=jobs.utc_now() - timedelta(hours=1)))
        newer = await finished(here)
        async with looking(runner(here, reader, Clock())):
            await until_begun(here)
        assert (await here.snapshot(newer)).sightings is not None
        assert (await here.snapshot(older)).sightings is None
