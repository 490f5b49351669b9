"""Polling, reconciliation and timeout intervals, all in one place and in seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

_BLIND_GROWTH = 0.1  # of the elapsed time, while nothing tells when a batch will end
_GROWTH = 0.6  # of the elapsed time, while its end is not near
_WIDTH_SHARE = 0.042  # of the time in which it is expected to end: what the interval grows by
_OVERDUE_GROWTH = 0.25  # of the time that it is overdue
_NEWS_SHARE = 0.1  # of the elapsed time: how long news of a batch tells its pace
_PACE_SLACK = 1.6  # latest end, relative to the pace so far, which may slow down
_STUCK = 2.0  # median durations: what took longer says nothing of the next batch


@dataclass(frozen=True, slots=True)
class Timing:
    poll_first_seconds: float = 5.0  #: first poll interval of a batch
    poll_min_seconds: float = 0.6  #: shortest poll interval, when a batch is about to end
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
    sighting_seconds: float = (
        300.0  #: after a batch, before the sign-in log is read; it lags by minutes
    )
    mend_first_seconds: float = 5.0  #: before a change to an account is read back first
    mend_max_seconds: float = 600.0  #: between reads of a change that does not show yet
    #: until a change is given up that does not show; Microsoft says that it takes up to 24 hours
    mend_shown_seconds: float = 86400.0
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


@dataclass(frozen=True, slots=True)
class Window:
    """When a batch is expected to end, in seconds after its submit."""

    earliest: float
    latest: float


def window(durations: Sequence[tuple[float, float]]) -> Window | None:
    """When a batch is expected to end, from earlier ones like it; None if they tell nothing.

    `durations`: for each, the seconds after which it was last seen running and first seen ended. The
    true duration is in between, and not known where it was not polled for more than half of it.
    """
    known = [(running, ended) for running, ended in durations if running >= ended / 2]
    if not known:
        return None
    ended_after = sorted(ended for _, ended in known)
    most = ended_after[round(0.9 * (len(known) - 1))]
    return Window(
        earliest=min(running for running, _ in known),
        latest=min(most, _STUCK * ended_after[len(known) // 2]),
    )


def next_poll_seconds(
    timing: Timing, *, elapsed: float, silent: float, ended: int, size: int, past: Window | None
) -> float:
    """Seconds until the next poll of a batch.

    Nearly all of the time lost between two batches passes until the end of the first is seen, so
    polls are spent where the end is likely. A batch in progress tells its end by its own pace,
    within the window of earlier ones (`past`) if they agree; one without news is expected to end in
    that window. Intervals are long before the window, short within it, and grow again when the batch
    is overdue. While nothing is known, they grow with the time elapsed, from `poll_first_seconds` to
    `poll_max_seconds`.

    `elapsed`: seconds since the submit; `silent`: since the latest news; `ended` of `size` phones have
    ended.
    """
    expected = past
    if ended and silent <= _NEWS_SHARE * elapsed:
        pace = Window(elapsed * size / (ended + 1), _PACE_SLACK * elapsed * size / ended)
        expected = pace if past is None else _common(pace, past)
    if expected is None:
        return _growing(timing, _BLIND_GROWTH * elapsed)
    interval = max(
        timing.poll_min_seconds + _WIDTH_SHARE * (expected.latest - expected.earliest),
        _OVERDUE_GROWTH * (elapsed - expected.latest),
        expected.earliest - elapsed,
    )
    return min(interval, _growing(timing, _GROWTH * elapsed))


def _common(pace: Window, past: Window) -> Window:
    """What both expect; the pace, if they do not agree: this batch differs from earlier ones."""
    earliest, latest = max(pace.earliest, past.earliest), min(pace.latest, past.latest)
    return Window(earliest, latest) if earliest <= latest else pace


#: Looks into the sign-in log for one batch; after the last, what was not seen stays so.
MAX_SIGHTING_LOOKS = 3


def next_sighting_seconds(timing: Timing, *, looks: int) -> float | None:
    """Seconds until the sign-in log is read again for a batch, after `looks` of them in vain.

    The pauses grow: by default the log is read 5, 15 and 30 minutes after the batch. Returns None after
    the last look.
    """
    return timing.sighting_seconds * (looks + 1) if looks < MAX_SIGHTING_LOOKS else None


def retry_seconds(timing: Timing, *, failing: float) -> float:
    """Seconds until the next poll of a batch whose polls have failed for `failing` seconds."""
    return _growing(timing, _GROWTH * failing)


def _growing(timing: Timing, seconds: float) -> float:
    return min(timing.poll_max_seconds, max(timing.poll_first_seconds, seconds))
