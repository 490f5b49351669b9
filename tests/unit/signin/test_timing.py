"""When batches are polled: measured with a model in virtual time, and the edges one by one."""

from __future__ import annotations

import statistics
from collections.abc import Callable

import pytest

from bot.signin.timing import Timing, Window, next_poll_seconds, retry_seconds, window
from tests.support import polling_model
from tests.support.polling_model import LENGTHS, PROGRESS, Outcome

TIMING = Timing()
SEEDS = range(4)
LENGTH_SECONDS = (60, 300)
BATCHES = (20, 67)  # of a region: 6,000 and 20,000 phones in three regions
#: Largest mean delay, as a share of the batch; where it depends on chance more than on the choice of polls.
MAX_DELAY = {"equal": 0.03, "vary by 40 %": 0.03}
MAX_DELAY_OTHERWISE = 0.04
#: Largest mean delay of all kinds of batches, by their seconds.
MAX_MEAN_DELAY = {60: 0.02, 300: 0.011}


def runs(lengths: str, progress: str, batch_seconds: float, batches: int) -> list[Outcome]:
    return [
        polling_model.run(
            TIMING,
            LENGTHS[lengths],
            PROGRESS[progress],
            batch_seconds=batch_seconds,
            batches=batches,
            seed=seed,
        )
        for seed in SEEDS
    ]


def mean(outcomes: list[Outcome], figure: Callable[[Outcome], float]) -> float:
    return statistics.mean(map(figure, outcomes))


@pytest.mark.parametrize("batches", BATCHES)
@pytest.mark.parametrize("batch_seconds", LENGTH_SECONDS)
@pytest.mark.parametrize("progress", PROGRESS)
@pytest.mark.parametrize("lengths", LENGTHS)
def test_end_is_seen_soon_with_few_calls_for_any_lengths(
    lengths: str, progress: str, batch_seconds: float, batches: int
) -> None:
    outcomes = runs(lengths, progress, batch_seconds, batches)
    assert mean(outcomes, lambda each: each.calls) <= 0.30
    assert mean(outcomes, lambda each: each.delay) <= MAX_DELAY.get(lengths, MAX_DELAY_OTHERWISE)


@pytest.mark.parametrize("batch_seconds", LENGTH_SECONDS)
def test_end_is_seen_soon_of_short_and_of_long_batches(batch_seconds: int) -> None:
    delays = [
        each.delay
        for lengths in LENGTHS
        for progress in PROGRESS
        for each in runs(lengths, progress, batch_seconds, 67)
    ]
    assert statistics.mean(delays) <= MAX_MEAN_DELAY[batch_seconds]


@pytest.mark.parametrize("batches", BATCHES)
@pytest.mark.parametrize("batch_seconds", LENGTH_SECONDS)
@pytest.mark.parametrize("progress", ["one by one", "all at once"])
@pytest.mark.parametrize("lengths", ["equal", "vary by 40 %"])
def test_slots_stay_filled_for_equal_and_varying_lengths(
    lengths: str, progress: str, batch_seconds: float, batches: int
) -> None:
    outcomes = runs(lengths, progress, batch_seconds, batches)
    assert mean(outcomes, lambda each: each.makespan) <= 1.03


def next_poll(elapsed: float, *, silent: float, ended: int = 0, past: Window | None) -> float:
    return next_poll_seconds(
        TIMING, elapsed=elapsed, silent=silent, ended=ended, size=100, past=past
    )


@pytest.mark.parametrize("past", [None, Window(50, 70), Window(86400, 86400)])
@pytest.mark.parametrize("ended", [0, 99])
def test_interval_is_never_below_minimum_nor_above_maximum(past: Window | None, ended: int) -> None:
    for elapsed in range(0, 90_000, 7):
        for silent in (0, elapsed):
            seconds = next_poll(elapsed, silent=silent, ended=ended, past=past)
            assert TIMING.poll_min_seconds <= seconds <= TIMING.poll_max_seconds


def test_interval_grows_to_maximum_when_batch_is_long_overdue() -> None:
    assert next_poll(600, silent=600, past=Window(55, 65)) == TIMING.poll_max_seconds


def test_interval_grows_to_maximum_when_last_phone_is_stuck() -> None:
    seconds = next_poll(600, silent=540, ended=99, past=Window(55, 65))
    assert seconds == TIMING.poll_max_seconds


def test_first_interval_is_the_configured_one_while_nothing_is_known() -> None:
    timing = Timing(poll_first_seconds=8)
    seconds = next_poll_seconds(timing, elapsed=0, silent=0, ended=0, size=100, past=None)
    assert seconds == 8


def test_poll_meets_the_end_of_a_batch_that_tells_its_pace() -> None:
    seconds = next_poll(100, silent=0, ended=90, past=Window(500, 500))
    assert 109 <= 100 + seconds <= 112


def test_earlier_batches_narrow_what_the_pace_of_a_batch_tells() -> None:
    """By its pace it ends after 43 to 70 s; all before it took about a minute."""
    assert next_poll(40, silent=0, ended=92, past=Window(58, 62)) == pytest.approx(18)


def test_pace_alone_tells_the_end_of_a_batch_that_differs_from_earlier_ones() -> None:
    alone = next_poll(40, silent=0, ended=92, past=None)
    assert alone < 5
    assert next_poll(40, silent=0, ended=92, past=Window(20, 30)) == alone


def test_window_spans_earlier_batches() -> None:
    assert window([(58, 60), (50, 55), (62, 70)]) == Window(50, 70)


def test_window_is_unknown_without_batches_that_were_followed() -> None:
    assert window([]) is None
    assert window([(1, 60)]) is None


def test_window_leaves_out_batch_that_was_stuck() -> None:
    found = window([(58, 60), (59, 61), (86_000, 86_400)])
    assert found is not None
    assert found.latest <= 2 * 61


def test_retries_of_failed_polls_grow_to_maximum() -> None:
    assert retry_seconds(TIMING, failing=0) == TIMING.poll_first_seconds
    assert retry_seconds(TIMING, failing=3600) == TIMING.poll_max_seconds
