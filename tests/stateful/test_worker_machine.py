"""A random walk through everything that can happen to a worker, on both databases.

`OFFHOOK_STATEFUL_EXAMPLES` sets how many walks there are, `OFFHOOK_STATEFUL_STEPS` how long they are.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from bot.signin import batch
from tests.stateful.databases import ObservedDatabase
from tests.stateful.machine import Setting, Tally, WorkerMachine

# PostgreSQL takes several times as long for an example.
EXAMPLES = os.environ.get("OFFHOOK_STATEFUL_EXAMPLES")
STEPS = int(os.environ.get("OFFHOOK_STATEFUL_STEPS", "40"))
PHONES_PER_BATCH = 2


def test_worker_submits_once_and_loses_nothing_whatever_happens(
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Callable[[str, object], None],
) -> None:
    monkeypatch.setattr(batch, "plan", partial(batch.plan, size=PHONES_PER_BATCH))
    # Random ids would make a failure depend on more than Hypothesis can repeat.
    numbers = itertools.count()
    monkeypatch.setattr("bot.store.drafts.new_id", lambda: f"{next(numbers):08d}")
    tally = Tally()
    with asyncio.Runner() as runner:
        database = ObservedDatabase(database_url)
        runner.run(database.open())

        class Machine(WorkerMachine):
            setting = Setting(runner.get_loop(), database, tally)

        try:
            run_state_machine_as_test(
                Machine,
                settings=settings(
                    max_examples=int(EXAMPLES or (20 if database.sqlite else 6)),
                    stateful_step_count=STEPS,
                    deadline=None,
                    print_blob=True,
                    suppress_health_check=[HealthCheck.too_slow],
                ),
            )
        finally:
            runner.run(database.close())
    kind = "SQLite" if database.sqlite else "PostgreSQL"
    record_property(
        "stateful",
        f"{kind}: {tally.examples} examples, {tally.steps} steps, {tally.transactions} "
        f"transactions, {tally.did['accepted']} batches accepted, {tally.did['question']} questions, "
        f"{len(tally.edges)} different changes of state",
    )
    if os.environ.get("OFFHOOK_STATEFUL_VERBOSE"):
        print(tally)
