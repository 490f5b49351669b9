"""What people type for a time: `until Friday`, `for 3 days`."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.signin.period import PeriodError, end, told

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 25, 23, 30, tzinfo=UTC)  # in Berlin it is Thursday, 00:30


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("for 3 days", "2026-11-28 23:30"),
        ("for a day", "2026-11-26 23:30"),
        ("for one week", "2026-12-02 23:30"),
        ("for 12 hours", "2026-11-26 11:30"),
        ("  FOR   1  Hour. ", "2026-11-26 00:30"),
        ("until today", "2026-11-26 23:00"),
        ("until tonight", "2026-11-26 23:00"),
        ("until tomorrow", "2026-11-27 23:00"),
        ("until Thursday", "2026-11-26 23:00"),  # which it is: the shorter reading
        ("until Friday", "2026-11-27 23:00"),
        ("until fri", "2026-11-27 23:00"),
        ("until the end of Friday", "2026-11-27 23:00"),
        ("until Wednesday", "2026-12-02 23:00"),
        ("until Friday 17:00", "2026-11-27 16:00"),
        ("until Friday at 9:05", "2026-11-27 08:05"),
        ("until 2026-12-04", "2026-12-04 23:00"),
        ("until 2026-12-04 00:00", "2026-12-03 23:00"),
        ("until 4 December", "2026-12-04 23:00"),
        ("until 4. Dec. 2026", "2026-12-04 23:00"),
        ("until December 4th, 2026", "2026-12-04 23:00"),
        ("until 2 January", "2027-01-02 23:00"),  # the next one
        ("until 26 Nov", "2026-11-26 23:00"),
        ("until 2027-03-28", "2027-03-28 22:00"),  # the clock has been put forward that day
        ("until 2027-03-28 02:30", "2027-03-28 01:30"),  # a time that this day does not have
        ("until 2020-01-01", "2020-01-01 23:00"),  # for the caller to refuse
    ],
)
def test_period_ends_in_the_time_zone_of_approvers(text: str, expected: str) -> None:
    assert f"{end(text, NOW, BERLIN):%Y-%m-%d %H:%M}" == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", "until", "for", "Friday", "3 days", "for ever", "for 3 fortnights", "for -1 days"),
        *("for 0x10 days", "until someday", "until next Friday", "until 31 November"),
        *("until 29 Feb 2027", "until 04/12/2026", "until 2026-13-01", "until 2026-12-04 25:00"),
        *(
            "until 9999-12-31",
            "until 0001-01-01 00:00",
            "until 4 Foo",
            "for ٣ days",
            "until Friday 1pm",
        ),
        "until " + "9" * 5000,
    ],
)
def test_other_text_is_not_understood(text: str) -> None:
    with pytest.raises(PeriodError):
        end(text, NOW, BERLIN)


@given(st.text(max_size=60), st.sampled_from(["", "for ", "until "]))
def test_any_text_is_a_time_or_not_understood(text: str, word: str) -> None:
    with suppress(PeriodError):
        assert end(word + text, NOW, BERLIN).tzinfo is UTC


def test_leap_day_without_a_year_needs_one() -> None:
    at = datetime(2028, 2, 1, tzinfo=UTC)
    assert end("until 29 February", at, UTC) == datetime(2028, 3, 1, tzinfo=UTC)
    with pytest.raises(PeriodError):
        end("until 29 February", at - timedelta(days=300), UTC)


def test_midnight_is_told_as_the_end_of_its_day() -> None:
    assert told(end("until Friday", NOW, BERLIN), BERLIN) == (
        "Friday, 27 November 2026, 23:59 (Europe/Berlin)"
    )
    assert told(NOW, UTC) == "Wednesday, 25 November 2026, 23:30 (UTC)"
