"""A random walk through everything that can happen to a worker, on both databases.

`OFFHOOK_STATEFUL_EXAMPLES` sets how many walks there are, `OFFHOOK_STATEFUL_STEPS` how long they are.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from bot.signin import batch
from tests.stateful.base import Setting, Tally
from tests.stateful.batches import in_small_batches
from tests.stateful.databases import ObservedDatabase
from tests.stateful.machine import WorkerMachine

EXAMPLES = int(os.environ.get("OFFHOOK_STATEFUL_EXAMPLES", "6"))
STEPS = int(os.environ.get("OFFHOOK_STATEFUL_STEPS", "40"))


@pytest.fixture
def setting(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Setting]:
    monkeypatch.setattr(batch, "plan", in_small_batches)
    with asyncio.Runner() as runner:
        database = ObservedDatabase(database_url)
        # Random ids would make a failure depend on more than Hypothesis can repeat.
        for drafts in ("bot.lifecycle.drafts", "bot.store.drafts"):
            monkeypatch.setattr(f"{drafts}.new_id", lambda: next(database.request_ids))
        runner.run(database.open())
        yield Setting(runner.get_loop(), database, Tally())
        runner.run(database.close())


def test_worker_submits_once_and_loses_nothing_whatever_happens(
    setting: Setting, record_property: Callable[[str, object], None]
) -> None:
    walk(setting, max_examples=EXAMPLES, stateful_step_count=STEPS, print_blob=True)
    tally = setting.tally
    kind = "SQLite" if setting.database.sqlite else "PostgreSQL"
    record_property(
        "stateful",
        f"{kind}: {tally.examples} examples, {tally.steps} steps, {tally.transactions} "
        f"transactions, {tally.did['accepted']} batches accepted, {tally.did['question']} questions, "
        f"{len(tally.edges)} different changes of state",
    )
    if os.environ.get("OFFHOOK_STATEFUL_VERBOSE"):
        print(tally)


def test_machine_does_the_same_again_given_the_same_choices(setting: Setting) -> None:
    """Otherwise Hypothesis fails, now and then, with "inconsistent data generation"."""
    again = replace(setting, tally=Tally())
    for each in (setting, again):
        walk(each, max_examples=2, stateful_step_count=30, derandomize=True, database=None)
    assert setting.tally.trace == again.tally.trace


def walk(shared: Setting, **options: Any) -> None:
    class Machine(WorkerMachine):
        setting = shared

    run_state_machine_as_test(
        Machine,
        settings=settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], **options),
    )
