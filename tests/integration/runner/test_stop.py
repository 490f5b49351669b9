"""Stopping the worker at any moment of a claim: what was claimed is sent, or nothing was claimed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from contextlib import suppress
from functools import partial
from itertools import count
from typing import Any

import pytest
from sqlalchemy import select

from bot.lifecycle import batches as lifecycle
from bot.signin.batch import BatchState
from bot.signin.request import RequestState
from bot.simulator.scenario import Scenario
from bot.store.database import Database
from bot.store.models.batches import BatchRow
from tests.support import jobs, worker_harness
from tests.support.worker_harness import PATIENCE


class Stepped:
    """Runs a coroutine and calls `stop` when it waits for the `step`-th time."""

    def __init__(
        self, work: Coroutine[Any, Any, Any], *, step: int, stop: Callable[[], object]
    ) -> None:
        self._work = work
        self.step = step
        self.stop = stop
        self.waits = 0  #: so far

    def __await__(self) -> Generator[Any, Any, Any]:
        answer: Any = None
        error: BaseException | None = None
        while True:
            try:
                waited_for = self._work.send(answer) if error is None else self._work.throw(error)
            except StopIteration as end:
                return end.value
            self.waits += 1
            if self.waits == self.step:
                self.stop()
            answer = error = None
            try:
                answer = yield waited_for
            except BaseException as raised:
                error = raised


async def batch_states(database: Database, request_id: str) -> set[BatchState]:
    async with database.read() as tx:
        rows = await tx.execute(select(BatchRow.state).where(BatchRow.request_id == request_id))
        return {BatchState(state) for state in rows.scalars()}


async def test_stop_leaves_no_unsent_intent_whenever_it_comes_during_a_claim(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim, step = lifecycle.claim, 0
    async with worker_harness.opened(database, Scenario(batch_seconds=0.0)) as here:
        for step in count(1):
            request_id = await jobs.approved(database, 2, first=2 * step)
            worker = asyncio.create_task(here.worker().run())
            stepping = partial(Stepped, step=step, stop=worker.cancel)
            waits: list[int] = []

            async def stepped_claim(
                *arguments: Any,
                stepping: Callable[[Coroutine[Any, Any, Any]], Stepped] = stepping,
                waits: list[int] = waits,
                **named: Any,
            ) -> Any:
                work = stepping(claim(*arguments, **named))
                try:
                    return await work
                finally:
                    waits.append(work.waits)
                    if work.waits < work.step:
                        work.stop()

            monkeypatch.setattr(lifecycle, "claim", stepped_claim)
            async with asyncio.timeout(PATIENCE):
                with suppress(asyncio.CancelledError):
                    await worker
            states = await batch_states(database, request_id)
            assert states == {BatchState.SUBMITTED}, f"stopped at step {step} of the claim"
            monkeypatch.setattr(lifecycle, "claim", claim)
            await worker_harness.expire_leases(database)
            async with here.working():
                await here.until(request_id, lambda each: each.state is RequestState.FINISHED)
            if waits[0] < step:
                break
    assert step > 5  # a claim waits for a connection, its statements, and its commit
    assert not here.simulator.configapi.run_twice
