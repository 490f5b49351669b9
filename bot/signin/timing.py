"""Polling, reconciliation and timeout intervals, all in one place and in seconds."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace


@dataclass(frozen=True, slots=True)
class Timing:
    poll_first_seconds: float = 5.0  #: first poll interval of a batch
    poll_max_seconds: float = 30.0
    settle_seconds: float = (
        90.0  #: before a batch of unknown outcome is looked up, and between reads
    )
    summary_reads: int = 3  #: conclusive reads of the summaries before an approver is asked
    lease_margin_seconds: float = 60.0  #: how much longer than the submit timeout a lease lasts
    throttled_seconds: float = 20.0  #: before a batch is sent again that found no free slot
    denied_seconds: float = 300.0  #: before a batch is sent again for which access was denied
    stalled_seconds: float = 3600.0  #: without progress of a batch: people are told
    abandoned_seconds: float = 86400.0  #: without progress of a batch: open phones end unconfirmed
    unreadable_seconds: float = 86400.0  #: of polls of a batch that all fail: a person is asked
    lookup_seconds: float = 60.0  #: at most, for looking up phones without a result before a retry
    grace_seconds: float = 60.0  #: after "Completed", for phones the report still shows as open
    idle_seconds: float = 5.0  #: between looks at the database while nothing is due
    card_seconds: float = 3.0  #: between card updates in one conversation

    def scaled(self, factor: float) -> Timing:
        """The same timing in a world where everything takes `factor` times as long."""
        seconds = {
            f.name: getattr(self, f.name) * factor
            for f in fields(self)
            if f.name.endswith("_seconds")
        }
        return replace(self, **seconds)


def next_poll_seconds(
    timing: Timing, *, elapsed: float, polls: int, ended: int, size: int, expected: float | None
) -> float:
    """Seconds until the next poll of a batch.

    Intervals grow by half from `poll_first_seconds` to `poll_max_seconds`. Where the end can be
    predicted, from how long such batches took (`expected`) or from this one's progress, the interval
    is cut to meet it and then stays short while the end is overdue, so that the next batch starts
    without delay.

    `elapsed`: seconds since the submit; `ended` of `size` phones have ended; `expected`: seconds a
    batch takes, None if not known.
    """
    interval = min(timing.poll_max_seconds, timing.poll_first_seconds * 1.5 ** min(polls, 20))
    if expected is None and ended:
        expected = elapsed * size / ended
    if expected is None:
        return interval
    shortest = min(timing.poll_first_seconds, 0.05 * expected)
    remaining = expected - elapsed
    if remaining > 0:
        return min(interval, max(shortest, remaining))
    return min(interval, max(shortest, -remaining / 2))
