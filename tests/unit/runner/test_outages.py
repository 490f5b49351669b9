"""Outages: one warning when an outage begins, one line when it is over."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from bot.runner.outages import Outages


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def outages(clock: Clock) -> Outages:
    return Outages("gateway", monotonic=clock)


@pytest.fixture
def logs() -> Iterator[list[EventDict]]:
    with capture_logs() as entries:
        yield entries


def lines(logs: list[EventDict]) -> list[tuple[str, str]]:
    return [(entry["log_level"], entry["event"]) for entry in logs]


def test_failed_warns_once_per_outage(outages: Outages, logs: list[EventDict]) -> None:
    for attempt in range(4):
        outages.failed("TimeoutError", batch=attempt)
    assert lines(logs) == [
        ("warning", "gateway.unavailable"),
        *[("debug", "gateway.unavailable")] * 3,
    ]
    assert [(entry["reason"], entry["batch"]) for entry in logs] == [
        ("TimeoutError", attempt) for attempt in range(4)
    ]


def test_recovered_reports_duration_and_failures_once(
    outages: Outages, clock: Clock, logs: list[EventDict]
) -> None:
    outages.failed("TimeoutError")
    clock.now += 12.34
    outages.failed("TimeoutError")
    outages.recovered()
    outages.recovered()
    assert lines(logs)[-1] == ("info", "gateway.recovered")
    assert len(logs) == 3
    assert (logs[-1]["seconds"], logs[-1]["failures"]) == (12.3, 2)


def test_recovered_logs_nothing_without_outage(outages: Outages, logs: list[EventDict]) -> None:
    outages.recovered()
    outages.recovered("", "request", 7)
    assert logs == []


def test_failed_warns_again_after_recovery(outages: Outages, logs: list[EventDict]) -> None:
    for _ in range(2):
        outages.failed("TimeoutError")
        outages.recovered()
    assert [level for level, _ in lines(logs)] == ["warning", "info"] * 2


def test_keys_have_independent_outages(outages: Outages, logs: list[EventDict]) -> None:
    outages.failed("AccessDeniedError", "request")
    outages.failed("UnknownBatchError", 7)
    outages.failed("TimeoutError")
    assert [level for level, _ in lines(logs)] == ["warning"] * 3
    outages.recovered(7)
    outages.failed("AccessDeniedError", "request")
    outages.failed("TimeoutError")
    outages.recovered("", "request", 7)
    assert [level for level, _ in lines(logs)[3:]] == ["info", "debug", "debug", "info", "info"]


def test_forget_ends_outage_without_recovery(outages: Outages, logs: list[EventDict]) -> None:
    outages.failed("UnknownBatchError", 7)
    outages.forget(7)
    outages.forget(8)
    outages.recovered(7)
    assert lines(logs) == [("warning", "gateway.unavailable")]
