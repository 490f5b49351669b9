"""A submitted batch whose status stays unreadable: a person is asked, once Offhook has asked for long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest

from bot.lifecycle import reconciliation as lifecycle
from bot.runner.worker import Worker
from bot.signin.batch import BatchState
from bot.signin.request import RequestState
from bot.signin.snapshot import RequestSnapshot
from bot.simulator.scenario import Call, Fault, FaultKind, Scenario
from bot.store import batches
from bot.store.batches import Batch
from bot.store.database import Database
from bot.store.models.batches import BatchRow
from tests.support import jobs, rows, worker_harness
from tests.support.worker_harness import FAST, PATIENCE, World

LIMIT = timedelta(hours=24)
INTERVAL = timedelta(hours=4)  # between polls
#: As in production, except that a poll is due every four hours only.
TIMING = replace(
    FAST,
    poll_first_seconds=INTERVAL.total_seconds(),
    poll_max_seconds=INTERVAL.total_seconds(),
    unreadable_seconds=LIMIT.total_seconds(),
    stalled_seconds=3600.0,
    abandoned_seconds=LIMIT.total_seconds(),
    lease_margin_seconds=60.0,
)


@dataclass
class Clock:
    now: datetime = field(default_factory=jobs.utc_now)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, by: timedelta) -> None:
        self.now += by


@dataclass
class Unreadable:
    """One request with one submitted batch, which the SIP Gateway says nothing about."""

    world: World
    clock: Clock
    request_id: str

    async def batch(self) -> Batch:
        async with self.world.database.read() as tx:
            (batch,) = await batches.select_where(tx, BatchRow.request_id == self.request_id)
        return batch

    async def poll(self, worker: Worker, times: int) -> RequestSnapshot:
        """Let the worker poll so many times more, one interval after the other."""
        for _ in range(times):
            polls = (await self.batch()).polls
            self.clock.advance(INTERVAL * 1.1)  # intervals vary by 5 %
            worker.wake()
            await self.until(lambda batch, polls=polls: batch.polls != polls)
        return await self.world.snapshot(self.request_id)

    async def until(self, fits: Callable[[Batch], object]) -> None:
        """Wait until the batch is as wanted. Not every change of a batch changes a card, so it is read
        again and again.
        """
        async with asyncio.timeout(PATIENCE):
            while not fits(await self.batch()):
                await asyncio.sleep(0.005)

    async def answer(self, *, give_up: bool) -> bool:
        batch, now = await self.batch(), self.clock()
        async with self.world.database.write() as tx:
            if give_up:
                return await lifecycle.give_up(tx, jobs.NOTIFY, batch, actor=jobs.APPROVER, now=now)
            return await lifecycle.keep_polling(tx, batch, actor=jobs.APPROVER, now=now)


@pytest.fixture
async def unreadable(database: Database) -> AsyncIterator[Unreadable]:
    scenario = Scenario.model_validate(
        {
            "batch_seconds": 0.0,
            "faults": [Fault(call=Call.BATCH_STATUS, fault=FaultKind.SERVER_ERROR, times=0)],
        }
    )
    async with worker_harness.opened(database, scenario, timing=TIMING) as opened:
        clock = Clock()
        world = replace(opened, clock=clock)
        request_id = await jobs.approved(database, 20)
        unreadable = Unreadable(world, clock, request_id)
        async with world.working():
            await unreadable.until(lambda batch: batch.remote_batch_id)
        yield unreadable


async def test_approver_is_asked_once_when_status_is_unreadable_for_a_day(
    unreadable: Unreadable,
) -> None:
    async with unreadable.world.working() as worker:
        snapshot = await unreadable.poll(worker, 5)
        assert snapshot.questions == []
        snapshot = await unreadable.poll(worker, 4)
    (question,) = snapshot.questions
    assert question.remote_batch_id == (await unreadable.batch()).remote_batch_id
    assert "500" in question.error or "Internal" in question.error
    assert snapshot.state is RequestState.RUNNING
    posts = (await rows.dump(unreadable.world.database))["posts"]
    assert [post["kind"] for post in posts].count("question") == 1


async def test_approver_is_not_asked_when_offhook_was_down_meanwhile(
    unreadable: Unreadable,
) -> None:
    for _ in range(3):
        async with unreadable.world.working() as worker:
            snapshot = await unreadable.poll(worker, 2)
        assert snapshot.questions == []
        unreadable.clock.advance(10 * LIMIT)
    batch = await unreadable.batch()
    assert batch.unreadable_seconds < LIMIT.total_seconds()


async def test_question_settles_itself_when_status_is_readable_again(
    unreadable: Unreadable,
) -> None:
    async with unreadable.world.working() as worker:
        assert (await unreadable.poll(worker, 9)).questions
    unreadable.world.simulator.faults.clear()
    async with unreadable.world.working() as worker:
        unreadable.clock.advance(INTERVAL * 1.1)
        worker.wake()
        snapshot = await unreadable.world.until(
            unreadable.request_id, lambda each: each.state is RequestState.FINISHED
        )
    assert snapshot.questions == []
    assert snapshot.phones_by_status.signed_in == 20
    assert not await unreadable.answer(give_up=True)


async def test_batch_is_polled_on_or_given_up_as_approver_answers(unreadable: Unreadable) -> None:
    async with unreadable.world.working() as worker:
        assert (await unreadable.poll(worker, 9)).questions
        assert await unreadable.answer(give_up=False)
        assert not await unreadable.answer(give_up=True)  # settled
        assert (await unreadable.poll(worker, 5)).questions == []
        assert (await unreadable.poll(worker, 4)).questions
        assert await unreadable.answer(give_up=True)
    snapshot = await unreadable.world.snapshot(unreadable.request_id)
    assert snapshot.state is RequestState.FINISHED
    assert snapshot.phones_by_status.unconfirmed == 20
    actions = rows.column((await rows.dump(unreadable.world.database))["events"], "action")
    assert {"batch to be polled", "batch given up"} <= set(actions)
    assert len(unreadable.world.simulator.configapi.submits) == 1


async def test_answer_that_comes_second_changes_nothing(unreadable: Unreadable) -> None:
    """Both approvers, and a poll under way, saw the batch before the first answer."""
    async with unreadable.world.working() as worker:
        assert (await unreadable.poll(worker, 9)).questions
    asked, now = await unreadable.batch(), unreadable.clock()
    assert await unreadable.answer(give_up=False)

    async with unreadable.world.database.write() as tx:
        given_up = await lifecycle.give_up(tx, jobs.NOTIFY, asked, actor=jobs.APPROVER, now=now)
    async with unreadable.world.database.write() as tx:
        asked_again = await lifecycle.ask_about_unreadable(
            tx, jobs.NOTIFY, asked, owner=asked.owner, error="500", now=now
        )

    assert (given_up, asked_again) == (False, False)
    batch = await unreadable.batch()
    assert (batch.state, batch.unreadable_asked) == (BatchState.SUBMITTED, False)
    assert batch.unreadable_seconds == 0
