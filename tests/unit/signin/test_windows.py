"""Change windows and freezes, over changes of clocks."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.lifecycle.starts import windows_of
from bot.phones.region import Region
from bot.signin.policy.model import Condition, Freeze, Policy, Rule, Traits, Window
from bot.signin.windows import HORIZON, Never, Open, OpensAt, closed_at, closes_at, window_open
from bot.words import Words

BERLIN = ZoneInfo("Europe/Berlin")
EVENINGS = Window(frozenset({1, 2, 3}), time(18), time(23), BERLIN)  # Tuesday to Thursday
NIGHTS = Window(frozenset({4}), time(22), time(4), BERLIN)  # Friday, into Saturday
EMEA = Traits(10, frozenset({Region.EMEA}))


def policy(*windows: Window, freezes: tuple[Freeze, ...] = ()) -> Policy:
    return Policy((), (), rules=(Rule("rule", windows=windows),), freezes=freezes)


def utc(*fields: int) -> datetime:
    return datetime(*fields, tzinfo=UTC)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("windows", "at", "expected"),
    [
        ((), utc(2026, 12, 1, 3), Open()),
        ((EVENINGS,), utc(2026, 12, 1, 17), Open()),
        ((EVENINGS,), utc(2026, 12, 1, 16, 59), OpensAt(utc(2026, 12, 1, 17))),
        ((EVENINGS,), utc(2026, 12, 3, 22), OpensAt(utc(2026, 12, 8, 17))),
        # An hour earlier in UTC while daylight saving lasts.
        ((EVENINGS,), utc(2026, 7, 1, 16), Open()),
        ((NIGHTS,), utc(2026, 12, 5, 2, 59), Open()),
        ((NIGHTS,), utc(2026, 12, 5, 3), OpensAt(utc(2026, 12, 11, 21))),
        ((NIGHTS, EVENINGS), utc(2026, 12, 5, 3), OpensAt(utc(2026, 12, 8, 17))),
    ],
)
def test_window_open(windows: tuple[Window, ...], at: datetime, expected: object) -> None:
    assert window_open(policy(*windows), EMEA, at) == expected


def test_window_in_a_skipped_hour_stays_closed_that_night() -> None:
    """On 28 March 2027 Berlin has no time between 02:00 and 03:00."""
    window = Window(frozenset({6}), time(2, 15), time(2, 45), BERLIN)
    assert window_open(policy(window), EMEA, utc(2027, 3, 27)) == OpensAt(utc(2027, 4, 4, 0, 15))
    longer = Window(frozenset({6}), time(2, 30), time(5), BERLIN)
    assert window_open(policy(longer), EMEA, utc(2027, 3, 27)) == OpensAt(utc(2027, 3, 28, 1))


def test_window_in_a_repeated_hour_is_open_twice() -> None:
    window = Window(frozenset({6}), time(2, 15), time(2, 45), BERLIN)
    assert window_open(policy(window), EMEA, utc(2026, 10, 25, 0, 20)) == Open()
    assert window_open(policy(window), EMEA, utc(2026, 10, 25, 0, 50)) == OpensAt(
        utc(2026, 10, 25, 1, 15)
    )


def test_freeze_beats_window() -> None:
    freeze = Freeze("year-end", utc(2026, 12, 1), utc(2027, 1, 5, 17, 30))
    frozen = policy(EVENINGS, freezes=(freeze,))
    assert window_open(frozen, EMEA, utc(2026, 12, 1, 18)) == OpensAt(utc(2027, 1, 5, 17, 30))


def test_freeze_is_about_its_requests_only() -> None:
    condition = Condition(regions=frozenset({Region.NOAM}))
    freeze = Freeze("noam", utc(2026, 12, 1), utc(2027, 1, 5), condition)
    assert window_open(policy(freezes=(freeze,)), EMEA, utc(2026, 12, 2)) == Open()


def test_windows_without_a_common_time_never_open() -> None:
    early = Window(frozenset({0}), time(1), time(2), BERLIN)
    both = Policy((), (), rules=(Rule("one", windows=(early,)), Rule("other", windows=(EVENINGS,))))
    assert window_open(both, EMEA, utc(2026, 12, 1)) == Never()


WINDOWS = st.builds(
    Window,
    st.frozensets(st.integers(0, 6), min_size=1),
    st.times().map(lambda t: t.replace(second=0, microsecond=0)),
    st.times().map(lambda t: t.replace(second=0, microsecond=0)),
    st.sampled_from(["Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe"]).map(ZoneInfo),
)


@given(
    st.lists(WINDOWS, min_size=1, max_size=3),
    st.integers(0, 366 * 24 * 60).map(lambda m: utc(2026, 1, 1) + timedelta(minutes=m)),
    st.integers(0, 10_000),
)
def test_opening_is_the_first_moment_that_is_open(
    windows: list[Window], at: datetime, minutes: int
) -> None:
    rules = policy(*windows)
    answer = window_open(rules, EMEA, at)
    if isinstance(answer, OpensAt):
        assert at < answer.at <= at + HORIZON
        assert window_open(rules, EMEA, answer.at) == Open()
        before = min(at + timedelta(minutes=minutes), answer.at - timedelta(minutes=1))
        assert window_open(rules, EMEA, before) == answer


@given(
    st.lists(st.sampled_from([EVENINGS, NIGHTS]), max_size=2),
    st.lists(st.integers(0, 30), max_size=2),
    st.integers(0, 60 * 24 * 30),
)
def test_part_that_is_closed_decides_like_the_whole(
    windows: list[Window], freezes: list[int], minutes: int
) -> None:
    at = utc(2026, 10, 20) + timedelta(minutes=minutes)
    begins = [utc(2026, 10, 20) + timedelta(days=day) for day in freezes]
    whole = policy(
        *windows, freezes=tuple(Freeze("f", day, day + timedelta(hours=30)) for day in begins)
    )
    closed = closed_at(whole, at)
    assert (window_open(closed, EMEA, at) == Open()) is (window_open(whole, EMEA, at) == Open())
    assert closed.ruled or window_open(whole, EMEA, at) == Open()


@pytest.mark.parametrize(
    ("windows", "at", "hours", "expected"),
    [
        ((EVENINGS,), utc(2026, 12, 1, 17), 5, None),  # until the end is enough
        ((EVENINGS,), utc(2026, 12, 1, 17), 6, utc(2026, 12, 1, 22)),
        ((NIGHTS,), utc(2026, 12, 5, 1), 24, utc(2026, 12, 5, 3)),  # begun the day before
        ((), utc(2026, 12, 1, 17), 1000, None),
        # One window follows the other without a gap.
        (
            (EVENINGS, Window(frozenset({1}), time(23), time(1), BERLIN)),
            utc(2026, 12, 1, 21),
            9,
            utc(2026, 12, 2),
        ),
        # The clock skips the end of the window: it closes when that happens.
        (
            (Window(frozenset({6}), time(1), time(2, 30), BERLIN),),
            utc(2027, 3, 28, 0, 30),
            9,
            utc(2027, 3, 28, 1),
        ),
    ],
)
def test_closes_at(
    windows: tuple[Window, ...], at: datetime, hours: int, expected: datetime | None
) -> None:
    until = at + timedelta(hours=hours)
    assert closes_at(policy(*windows), EMEA, at, until) == expected


def test_freeze_closes_what_is_open() -> None:
    begin = utc(2026, 12, 1, 20)
    frozen = policy(EVENINGS, freezes=(Freeze("f", begin, begin + timedelta(days=1)),))
    at = utc(2026, 12, 1, 17)
    assert closes_at(frozen, EMEA, at, at + timedelta(hours=9)) == begin


async def test_request_is_not_looked_at_while_nothing_is_closed() -> None:
    nothing: Any = None  # neither transaction nor request is touched
    window = windows_of(lambda: policy(EVENINGS), Words())
    assert (await window(nothing, nothing, utc(2026, 12, 1, 17))).open
