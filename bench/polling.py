"""What the choice of polls costs: a model of one region in virtual time, without any I/O.

    python bench/polling.py [--seconds S] [--batches N]

For batches of S seconds on average, whose lengths and progress differ: the makespan relative to a schedule
that starts each batch the moment that a slot is free, the mean delay until an end is seen, relative to the
batch, and the calls relative to a poll every second. `bench/throughput.py` measures the whole service.
Exit code 1 if a goal is missed: makespan 1.03 for equal and varying lengths, calls 0.30 for all.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))

from bot.signin.timing import Timing
from tests.support import polling_model
from tests.support.polling_model import LENGTHS, PROGRESS

SEEDS = range(10)
GOAL_MAKESPAN = {"equal": 1.03, "vary by 40 %": 1.03}
GOAL_CALLS = 0.30


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--batches", type=int, default=67)
    options = parser.parse_args()
    table = Table("Lengths", "Phones end", "makespan", "delay", "calls", "")
    missed = 0
    for lengths, length in LENGTHS.items():
        for progress, ended in PROGRESS.items():
            runs = [
                polling_model.run(
                    Timing(),
                    length,
                    ended,
                    batch_seconds=options.seconds,
                    batches=options.batches,
                    seed=seed,
                )
                for seed in SEEDS
            ]
            makespan = statistics.mean(run.makespan for run in runs)
            delay = statistics.mean(run.delay for run in runs)
            calls = statistics.mean(run.calls for run in runs)
            met = calls <= GOAL_CALLS and makespan <= GOAL_MAKESPAN.get(lengths, makespan)
            missed += not met
            figures = (f"{figure:.3f}" for figure in (makespan, delay, calls))
            table.add_row(lengths, progress, *figures, "✓" if met else "✕ missed")
    Console().print(table)
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
