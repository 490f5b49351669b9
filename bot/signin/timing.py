"""When to look, when to wonder, when to give up: all the job's times in one place, in seconds."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace


@dataclass(frozen=True, slots=True)
class Timing:
    poll_first_seconds: float = 5.0
    poll_max_seconds: float = 30.0
    settle_seconds: float = (
        90.0  # before the summaries are read for a batch of unknown outcome, and between
    )
    summary_reads: int = 3  # readings of the summaries before a person is asked
    lease_margin_seconds: float = 60.0  # how much longer than the submit's timeout a lease lasts
    throttled_seconds: float = (
        20.0  # before a batch is sent again that the service had no place for
    )
    denied_seconds: float = 300.0  # before a batch is sent again that we had no right to send
    stalled_seconds: float = 3600.0  # without news of a batch: people are told
    abandoned_seconds: float = 86400.0  # without news of a batch: its open phones stay unconfirmed
    grace_seconds: float = 60.0  # after "Completed": for phones that the report still shows as open
    idle_seconds: float = 5.0  # between looks at the database when nothing is due
    card_seconds: float = 3.0  # between updates of cards in one conversation

    def scaled(self, factor: float) -> Timing:
        """The same timing in a world in which everything takes `factor` times as long."""
        times = {f.name: getattr(self, f.name) * factor for f in fields(self) if f.name != "checks"}
        return replace(self, **times)


def next_poll(
    timing: Timing, *, elapsed: float, polls: int, ended: int, size: int, expected: float | None
) -> float:
    """Seconds until a batch is worth asking about again.

    Waits grow by half from `poll_first` to `poll_max`. Where the end can be foreseen, from how long
    such batches took (`expected`) or from how far this one is, the wait is cut to meet it, and then
    stays short while the end is overdue, so that the next batch starts without delay.
    """
    wait = min(timing.poll_max_seconds, timing.poll_first_seconds * 1.5 ** min(polls, 20))
    if expected is None and ended:
        expected = elapsed * size / ended
    if expected is None:
        return wait
    tight = min(timing.poll_first_seconds, 0.05 * expected)
    remaining = expected - elapsed
    if remaining > 0:
        return min(wait, max(tight, remaining))
    return min(wait, max(tight, -remaining / 2))
