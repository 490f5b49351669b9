"""A model of one region in virtual time: slots, batches of given lengths, and the choice of polls.

Nothing but `bot.signin.timing` decides when the model polls, so that it can be judged, and tuned, without
the noise of a machine.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from bot.signin.batch import MAX_BATCHES_PER_REGION, MAX_PHONES_PER_BATCH
from bot.signin.timing import Timing, next_poll_seconds, window

Lengths = Callable[[random.Random], float]  # of a batch, relative to the mean
Progress = Callable[[float], float]  # from the share of a batch's time to the share of phones ended


def _linear(share: float) -> float:
    return share


def _at_once(share: float) -> float:
    return float(share >= 1)


def _slow_tail(share: float) -> float:
    """Nine tenths of the phones end in the first half of the time."""
    return share * 1.8 if share < 0.5 else 0.9 + (share - 0.5) * 0.2


def _some_fail_first(share: float) -> float:
    """A few phones fail at the beginning; all others end at the end."""
    return 1.0 if share >= 1 else 0.03 if share >= 0.02 else 0


LENGTHS: Mapping[str, Lengths] = MappingProxyType(
    {
        "equal": lambda _: 1.0,
        "vary by 40 %": lambda chance: chance.uniform(0.6, 1.4),
        "log-normal": lambda chance: chance.lognormvariate(0, 0.3),
        "one in ten takes three times as long": lambda chance: (
            3.0 if chance.random() < 0.1 else 1.0
        ),
    }
)
PROGRESS: Mapping[str, Progress] = MappingProxyType(
    {
        "one by one": _linear,
        "all at once": _at_once,
        "slow tail": _slow_tail,
        "some fail first": _some_fail_first,
    }
)


@dataclass(frozen=True)
class Outcome:
    """What a run measured."""

    #: Relative to a schedule that starts each batch the moment that a slot is free.
    makespan: float
    #: Mean time from the end of a batch to its detection, relative to its length.
    delay: float
    #: Calls, relative to a poll every second.
    calls: float


def run(
    timing: Timing,
    lengths: Lengths,
    progress: Progress,
    *,
    batch_seconds: float,
    batches: int,
    seed: int,
) -> Outcome:
    """Runs `batches` batches of `batch_seconds` on average through the slots of a region."""
    chance = random.Random(seed)
    durations = [batch_seconds * lengths(chance) for _ in range(batches)]
    finished: list[tuple[float, tuple[float, float]]] = []  # when seen, and what was measured
    slots = [0.0] * MAX_BATCHES_PER_REGION
    ideal = list(slots)
    delays: list[float] = []
    calls = 0
    for duration in durations:
        heapq.heapreplace(ideal, ideal[0] + duration)
        started = slots[0]
        polls = list(_polls(timing, progress, started, duration, finished, chance))
        calls += len(polls)
        running = polls[-2] if len(polls) > 1 else 0.0
        seen = polls[-1]
        finished.append((started + seen, (running, seen)))
        delays.append((seen - duration) / duration)
        heapq.heapreplace(slots, started + seen)
    return Outcome(
        makespan=max(slots) / max(ideal),
        delay=sum(delays) / len(delays),
        calls=calls / sum(durations),
    )


def _polls(
    timing: Timing,
    progress: Progress,
    started: float,
    duration: float,
    finished: list[tuple[float, tuple[float, float]]],
    chance: random.Random,
) -> Iterator[float]:
    """When the batch is polled, in seconds after its start; at the last one it has ended."""
    elapsed, ended, news = 0.0, 0, 0.0
    while ended < MAX_PHONES_PER_BATCH:
        known = sorted(each for each in finished if each[0] <= started + elapsed)[-20:]
        elapsed += chance.uniform(0.95, 1.0) * next_poll_seconds(
            timing,
            elapsed=elapsed,
            silent=elapsed - news,
            ended=ended,
            size=MAX_PHONES_PER_BATCH,
            past=window([measured for _, measured in known]),
        )
        now_ended = int(MAX_PHONES_PER_BATCH * progress(min(1.0, elapsed / duration)) + 1e-9)
        if now_ended > ended:
            news = elapsed
        ended = now_ended
        yield elapsed
