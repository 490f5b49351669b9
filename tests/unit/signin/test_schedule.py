"""Starts at a set time: what wall clocks show, what is refused, and what becomes of a start that is due."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.signin import schedule
from bot.signin.schedule import (
    GRACE,
    LATEST,
    OPEN,
    SOONEST,
    Due,
    Flaw,
    Opening,
    Repeated,
    Start,
    Unusable,
    due,
    instants,
    joined,
    local_text,
    resolve,
    start_text,
    utc_text,
    zone_of,
)
from bot.words import Words

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = st.sampled_from(sorted(available_timezones() - {"localtime", "Factory"})).map(ZoneInfo)
WALLS = st.datetimes(datetime(2020, 1, 1), datetime(2037, 12, 31))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("date", "time", "expected"),
    [
        ("2026-12-01", "18:00", "2026-12-01T18:00"),
        ("2026-12-01", "8:05", "2026-12-01T08:05"),
        ("2026-12-01", "18:00:00", "2026-12-01T18:00"),
        ("2026-12-01T18:00", "", "2026-12-01T18:00"),
        ("2026-12-01 18:00", "", "2026-12-01T18:00"),
        ("2026-12-01T18:00:00.000", "09:00", "2026-12-01T18:00"),
        ("2026-12-01", "", ""),
        ("", "18:00", ""),
        ("01.12.2026", "18:00", ""),
        ("2026-12-01", "6 PM", ""),
        ("1999-12-01", "18:00", ""),
        ("9999-12-01", "18:00", ""),
        ("٢٠٢٦-12-01", "18:00", ""),
    ],
)
def test_date_and_time_are_read_apart_or_together(date: str, time: str, expected: str) -> None:
    assert joined(date, time) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        ("europe/berlin", "Europe/Berlin"),
        ("Berlin", "Europe/Berlin"),
        (" new  york ", "America/New_York"),
        ("UTC", "UTC"),
        ("Etc/GMT+5", "Etc/GMT+5"),
        ("", None),
        ("Atlantis", None),
        ("../../etc/passwd", None),
        ("/etc/passwd", None),
        ("right/Europe/Berlin", None),
        ("localtime", None),
        ("Europe", None),
        ("Europe/Ber\0lin", None),
        ("A" * 5000, None),
    ],
)
def test_zone_is_found_by_name_or_city(text: str, expected: str | None) -> None:
    found = zone_of(text)
    assert (found.key if found else None) == expected


@given(st.text(max_size=40))
def test_any_text_is_a_zone_or_none(text: str) -> None:
    zone_of(text)


@pytest.mark.parametrize(
    ("typed", "now", "expected"),
    [
        ("2026-12-01T18:00", "2026-11-29", "2026-12-01T17:00"),
        ("2028-02-29T12:00", "2028-02-20", "2028-02-29T11:00"),
        ("2027-02-29T12:00", "2027-02-20", Flaw.UNREADABLE),
        ("2026-12-01T24:00", "2026-11-29", Flaw.UNREADABLE),
        ("2026-13-01T18:00", "2026-11-29", Flaw.UNREADABLE),
        # Clocks are set forward on 28 March 2027 at 02:00, and back on 25 October 2026 at 03:00.
        ("2027-03-28T01:59", "2027-03-20", "2027-03-28T00:59"),
        ("2027-03-28T02:00", "2027-03-20", Flaw.SKIPPED),
        ("2027-03-28T02:59", "2027-03-20", Flaw.SKIPPED),
        ("2027-03-28T03:00", "2027-03-20", "2027-03-28T01:00"),
        ("2026-10-25T01:59", "2026-10-20", "2026-10-24T23:59"),
        ("2026-10-25T03:00", "2026-10-20", "2026-10-25T02:00"),
        ("2026-11-29T12:59", "2026-11-29T12:00", Flaw.PAST),
        ("2026-11-29T13:04", "2026-11-29T12:00", Flaw.TOO_SOON),
        ("2026-11-29T13:05", "2026-11-29T12:00", "2026-11-29T12:05"),
        ("2026-12-29T13:00", "2026-11-29T12:00", "2026-12-29T12:00"),
        ("2026-12-29T13:01", "2026-11-29T12:00", Flaw.TOO_FAR),
        ("2099-12-31T23:59", "2026-11-29T12:00", Flaw.TOO_FAR),
    ],
)
def test_start_is_the_instant_or_says_why_there_is_none(
    typed: str, now: str, expected: str | Flaw
) -> None:
    found = resolve(typed, BERLIN, utc(now))
    if isinstance(expected, Flaw):
        assert isinstance(found, Unusable)
        assert found.flaw is expected
        assert Words()(f"start-{found.flaw.value}", **found.arguments)
    else:
        assert found == Start(utc(expected), "Europe/Berlin", typed)


@pytest.mark.parametrize(
    ("now", "which", "expected"),
    [
        ("2026-10-20", "", ("00:30", "01:30")),
        ("2026-10-20", "sideways", ("00:30", "01:30")),
        ("2026-10-20", "earlier", "00:30"),
        ("2026-10-20", "later", "01:30"),
        # Only the later one is left.
        ("2026-10-25T00:40", "", "01:30"),
        ("2026-10-25T00:40", "later", "01:30"),
        ("2026-10-25T00:40", "earlier", Flaw.PAST),
        ("2026-10-25T00:28", "earlier", Flaw.TOO_SOON),
        # Only the earlier one is near enough.
        ("2026-09-25T01:00", "", "00:30"),
        ("2026-09-25T01:00", "later", Flaw.TOO_FAR),
        ("2026-10-25T01:28", "", Flaw.TOO_SOON),
        ("2026-10-25T01:31", "", Flaw.PAST),
    ],
)
def test_time_that_the_clock_shows_twice_is_asked_about(
    now: str, which: str, expected: str | Flaw | tuple[str, str]
) -> None:
    found = resolve("2026-10-25T02:30", BERLIN, utc(now), which)
    if isinstance(found, Unusable):
        assert found.flaw is expected
    elif isinstance(found, Repeated):
        assert (f"{found.earlier.at:%H:%M}", f"{found.later.at:%H:%M}") == expected
    else:
        assert f"{found.at:%H:%M}" == expected


@given(WALLS, ZONES)
def test_instants_are_those_at_which_the_clock_shows_the_time(
    wall: datetime, zone: ZoneInfo
) -> None:
    wall = wall.replace(second=0, microsecond=0)
    found = instants(wall, zone)
    assert found == sorted(set(found))
    assert len(found) <= 2
    assert all(at.astimezone(zone).replace(tzinfo=None, fold=0) == wall for at in found)
    # Nothing is missed: no zone is further from UTC than 15 hours, and offsets are of whole minutes.
    hits = [
        at
        for minutes in range(-15 * 60, 15 * 60 + 1, 15)
        if (at := wall.replace(tzinfo=UTC) - timedelta(minutes=minutes))
        .astimezone(zone)
        .replace(tzinfo=None)
        == wall
    ]
    assert set(hits) <= set(found)


@given(WALLS, ZONES, st.sampled_from(["", "earlier", "later", "x"]), st.integers(-3, 40))
def test_start_is_always_within_its_limits(
    wall: datetime, zone: ZoneInfo, which: str, days: int
) -> None:
    now = wall.replace(tzinfo=UTC) - timedelta(days=days)
    found = resolve(f"{wall:%Y-%m-%dT%H:%M}", zone, now, which)
    starts = [found.earlier, found.later] if isinstance(found, Repeated) else [found]
    for start in starts:
        if isinstance(start, Start):
            assert now + SOONEST <= start.at <= now + LATEST
            assert f"{start.at.astimezone(zone):%Y-%m-%dT%H:%M}" == start.typed
        assert not isinstance(found, Repeated) or which not in ("earlier", "later")


@pytest.mark.parametrize(
    ("at", "zone", "expected"),
    [
        ("2026-12-01T17:00", "Europe/Berlin", "Tue 1 Dec, 18:00 (Europe/Berlin), 17:00 UTC"),
        ("2026-12-01T17:00", "UTC", "Tue 1 Dec, 17:00 (UTC)"),
        ("2026-12-01T17:00", "Europe/London", "Tue 1 Dec, 17:00 (Europe/London), 17:00 UTC"),
        (
            "2026-11-30T23:00",
            "Asia/Kolkata",
            "Tue 1 Dec, 04:30 (Asia/Kolkata), Mon 30 Nov, 23:00 UTC",
        ),
        (
            "2026-10-25T01:30",
            "Europe/Berlin",
            "Sun 25 Oct, 02:30 (Europe/Berlin, UTC+01:00), 01:30 UTC",
        ),
        ("2026-12-01T17:00", "Gone/Zone", "Tue 1 Dec, 17:00 (UTC)"),
    ],
)
def test_start_is_written_in_its_zone_and_in_utc(at: str, zone: str, expected: str) -> None:
    assert start_text(utc(at), zone) == expected
    assert expected.startswith(local_text(utc(at), zone))
    assert expected.endswith(utc_text(utc(at), zone))


def test_no_start_is_written_as_nothing() -> None:
    assert start_text(None, "Europe/Berlin") == ""


NOW = utc("2026-12-01T17:00")
CLOSED = Opening(False, "A freeze.")


@pytest.mark.parametrize(
    ("late", "allowed", "opening"),
    list(itertools.product((False, True), (True, False, None), (OPEN, CLOSED))),
)
def test_due_start_happens_only_if_nothing_speaks_against_it(
    late: bool, allowed: bool | None, opening: Opening
) -> None:
    expected = Due.START
    if allowed is None:
        expected = Due.WAIT
    if not opening.open:
        expected = Due.CLOSED
    if allowed is False:
        expected = Due.DENIED
    if late:
        expected = Due.LATE
    run_by = NOW - timedelta(seconds=1) if late else NOW
    assert due(NOW, run_by, allowed=allowed, opening=opening) is expected
    assert (expected in schedule.MISSED) is (expected not in (Due.START, Due.WAIT))


def test_grace_is_as_long_as_cards_say() -> None:
    assert timedelta(hours=1) == GRACE
    assert "within an hour" in Words()("start-run-within")
    assert f"at least {SOONEST // timedelta(minutes=1)} minutes and at most {LATEST.days} days" in (
        Words()("start-later-how")
    )
