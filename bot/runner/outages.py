"""Logging an outage once when it begins and once when it is over, instead of once per attempt."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass

import structlog

log = structlog.get_logger()

_MAX_OPEN = 1000  # outages remembered at a time


@dataclass(slots=True)
class _Outage:
    since: float  #: seconds of the monotonic clock
    failures: int = 1


class Outages:
    """Outages of one remote service. `key` tells apart what can fail independently, such as one batch."""

    def __init__(self, service: str, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._service = service
        self._monotonic = monotonic
        self._open: dict[Hashable, _Outage] = {}

    def failed(self, reason: str, key: Hashable = "", **fields: object) -> None:
        """A call failed: `<service>.unavailable`, a warning for the first failure of an outage."""
        outage = self._open.get(key)
        if outage is not None:
            outage.failures += 1
            log.debug(f"{self._service}.unavailable", reason=reason, **fields)
            return
        while len(self._open) >= _MAX_OPEN:  # those that another replica has seen the end of
            del self._open[next(iter(self._open))]
        self._open[key] = _Outage(self._monotonic())
        log.warning(f"{self._service}.unavailable", reason=reason, **fields)

    def recovered(self, *keys: Hashable) -> None:
        """A call succeeded: `<service>.recovered` if that ended an outage. No key: the service's own."""
        for key in keys or ("",):
            outage = self._open.pop(key, None)
            if outage is not None:
                seconds = round(self._monotonic() - outage.since, 1)
                log.info(f"{self._service}.recovered", seconds=seconds, failures=outage.failures)

    def forget(self, key: Hashable) -> None:
        """What could fail is over, so it will not recover."""
        self._open.pop(key, None)
