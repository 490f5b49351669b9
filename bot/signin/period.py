"""Periods as people type them: `until Friday`, `until 2026-12-04 17:00`, `for 3 days`.

Days end at midnight of the approvers' time zone. Names of days and months are English.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from types import MappingProxyType

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july"),
    *("august", "september", "october", "november", "december"),
)
_HOURS: Mapping[str, int] = MappingProxyType({"hour": 1, "day": 24, "week": 7 * 24})
_FOR = re.compile(r"for (?P<count>\d{1,4}|an?|one) (?P<unit>hour|day|week)s?", re.ASCII)
_UNTIL = re.compile(
    r"until (?:the end of )?(?P<day>.+?)"
    r"(?: (?:at )?(?P<hour>[01]?\d|2[0-3]):(?P<minute>[0-5]\d))?",
    re.ASCII,
)
_ISO = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})", re.ASCII)
_DAY_FIRST = re.compile(r"(\d{1,2})(?:st|nd|rd|th)?\.? ([a-z]{3,9})\.?(?:,? (\d{4}))?", re.ASCII)
_MONTH_FIRST = re.compile(r"([a-z]{3,9})\.? (\d{1,2})(?:st|nd|rd|th)?(?:,? (\d{4}))?", re.ASCII)


class PeriodError(Exception):
    """The text is not a period that is understood."""


def end(text: str, now: datetime, zone: tzinfo) -> datetime:
    """When the period ends, in UTC; it may be in the past.

    `text`: with its first word, `for` or `until`. A day without a time ends at its last midnight. Raises
    `PeriodError`.
    """
    text = " ".join(text.lower().split()).rstrip(".!")
    if found := _FOR.fullmatch(text):
        count = int(found["count"]) if found["count"].isdigit() else 1
        return now.astimezone(UTC) + timedelta(hours=count * _HOURS[found["unit"]])
    found = _UNTIL.fullmatch(text)
    if found is None:
        raise PeriodError(text)
    day = _day(found["day"], now.astimezone(zone).date())
    try:
        if found["hour"] is None:
            return _end_of(day, zone)
        at = time(int(found["hour"]), int(found["minute"]))
        return datetime.combine(day, at, zone).astimezone(UTC)
    except (OverflowError, ValueError) as error:  # at the ends of the calendar
        raise PeriodError(text) from error


def _end_of(day: date, zone: tzinfo) -> datetime:
    """The midnight that ends the day, in UTC. Raises `OverflowError` on the calendar's last day."""
    return datetime.combine(day + timedelta(days=1), time(), zone).astimezone(UTC)


def told(at: datetime, zone: tzinfo) -> str:
    """The time for people, with its zone: a midnight is 23:59 of the day that it ends."""
    local = at.astimezone(zone)
    if local.time() == time():
        local -= timedelta(minutes=1)
    return f"{local:%A}, {local.day} {local:%B %Y, %H:%M} ({zone})"


def _day(text: str, today: date) -> date:
    if text in ("today", "tonight"):
        return today
    if text == "tomorrow":
        return today + timedelta(days=1)
    if weekday := [at for at, name in enumerate(_DAYS) if text in (name, name[:3])]:
        return today + timedelta(days=(weekday[0] - today.weekday()) % 7)
    try:
        if found := _ISO.fullmatch(text):
            return date(int(found[1]), int(found[2]), int(found[3]))
        if found := _DAY_FIRST.fullmatch(text):
            return _next(int(found[1]), found[2], found[3], today)
        if found := _MONTH_FIRST.fullmatch(text):
            return _next(int(found[2]), found[1], found[3], today)
    except ValueError as error:  # no such day
        raise PeriodError(text) from error
    raise PeriodError(text)


def _next(day: int, name: str, year: str | None, today: date) -> date:
    """The day of the month; without a year, the next one. Raises ValueError if there is none."""
    months = [at for at, full in enumerate(_MONTHS, 1) if name in (full, full[:3])]
    if not months:
        raise ValueError(name)
    if year is not None:
        return date(int(year), months[0], day)
    this_year = date(today.year, months[0], day)
    return this_year if this_year >= today else date(today.year + 1, months[0], day)
