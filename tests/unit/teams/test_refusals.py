"""The log of refused requests stays short, however many are refused."""

from __future__ import annotations

import structlog
from structlog.testing import capture_logs

from bot.teams.activities import ActivityError
from bot.teams.refusals import RefusalLog
from tests.support.waiting import Clock, until

UNAUTHORIZED = ActivityError(401, "request-unauthorized")


async def test_refusals_are_logged_one_by_one_when_they_are_few() -> None:
    refusals = RefusalLog(first=3)
    with capture_logs() as lines:
        for _ in range(3):
            refusals.refused(UNAUTHORIZED)
        refusals.close()
    assert [line["event"] for line in lines] == ["activity.refused"] * 3
    assert {line["code"] for line in lines} == {"request-unauthorized"}


async def test_refusals_are_summarized_at_the_end_of_the_window_when_they_are_many(
    clock: Clock,
) -> None:
    refusals = RefusalLog(first=3)
    merge = structlog.contextvars.merge_contextvars
    with capture_logs([merge]) as lines, structlog.contextvars.bound_contextvars(reference="1a2b"):
        for _ in range(1000):
            refusals.refused(UNAUTHORIZED)
        refusals.refused(ActivityError(403, "request-channel"))
        assert len(lines) == 3
        clock.advance(60)
        await until(lambda: len(lines) > 3)
    assert lines[3:] == [
        {
            "event": "activity.refused_more",
            "log_level": "warning",
            "count": 998,
            "codes": {"request-unauthorized": 997, "request-channel": 1},
        }
    ]


async def test_refusals_are_logged_one_by_one_again_when_a_window_has_ended(clock: Clock) -> None:
    refusals = RefusalLog(first=1)
    with capture_logs() as lines:
        refusals.refused(UNAUTHORIZED)
        refusals.refused(UNAUTHORIZED)
        clock.advance(60)
        await until(lambda: len(lines) > 1)
        refusals.refused(UNAUTHORIZED)
        refusals.close()
    events = [line["event"] for line in lines]
    assert events == ["activity.refused", "activity.refused_more", "activity.refused"]
