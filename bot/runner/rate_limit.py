"""Teams' rate limits for bots, kept by staying below them.

Source: Microsoft, "Optimize your bot with rate limiting in Teams": per bot and thread 7 operations in
1 s, 8 in 2 s, 60 in 30 s, 1800 in an hour; an update is counted like a send. 50 a second for the app.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

#: (window in seconds, operations), each a little below Teams' own limit: its clock is not ours.
CONVERSATION = ((1.0, 5), (2.0, 6), (30.0, 50), (3600.0, 1700))
APP = ((1.0, 40),)


@dataclass(slots=True)
class RateLimit:
    """Counts operations in sliding windows. Times are seconds of a monotonic clock."""

    windows: tuple[tuple[float, int], ...]  #: (seconds, operations)
    _moments: deque[float] = field(default_factory=deque[float])

    def wait(self, now: float) -> float:
        """Seconds until one more operation stays within every window; 0 if it may go now."""
        wait = 0.0
        for seconds, most in self.windows:
            if len(self._moments) >= most:
                wait = max(wait, self._moments[-most] + seconds - now)
        return wait

    def is_idle(self, now: float) -> bool:
        """Whether no window holds an operation any more."""
        longest, _ = max(self.windows)
        return not self._moments or self._moments[-1] <= now - longest

    def count(self, now: float) -> None:
        """Count one operation at `now`."""
        longest, most = max(self.windows)
        self._moments.append(now)
        while len(self._moments) > most or self._moments[0] <= now - longest:
            self._moments.popleft()
