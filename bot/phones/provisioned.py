"""Times of provisioning: when a phone got its configuration, from which the SIP Gateway counts.

Reads what people and spreadsheets write: ISO 8601, `24.11.2026 14:00`, `24 Nov 2026`, `Nov 24, 2026 2 PM`,
and `11/24/2026` where only one order of day and month is possible. A date alone is its beginning, so that
no deadline is told too late.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from types import MappingProxyType
from zoneinfo import ZoneInfo

from bot.phones.value import Flaw, trim

_YEARS = range(2000, 2100)  # others are typing errors
_TIME = (
    r"(?:(?:T|,? )(?P<hour>\d{1,2})(?::(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,]\d+)?)?)?"
    r" ?(?P<half>[AP]\.?M\.?)?)?"
    r" ?(?P<zone>Z|UTC|GMT|[+-]\d\d(?::?\d\d)?)?"
)


def _pattern(date: str) -> re.Pattern[str]:
    return re.compile(date + _TIME, re.ASCII | re.IGNORECASE)


_YEAR, _NUMBER, _NAME = r"(?P<year>\d{4})", r"\d{1,2}", r"(?P<name>[a-z]{3,9})\.?"
_PATTERNS = (
    _pattern(rf"{_YEAR}(?P<mark>[-/.])(?P<month>{_NUMBER})(?P=mark)(?P<day>{_NUMBER})"),
    _pattern(rf"(?P<day>{_NUMBER})\.(?P<month>{_NUMBER})\.{_YEAR}"),
    _pattern(rf"(?P<day>{_NUMBER})[ -]{_NAME}[ -]{_YEAR}"),
    _pattern(rf"{_NAME} (?P<day>{_NUMBER}),? {_YEAR}"),
    # Day and month, or month and day.
    _pattern(rf"(?P<one>{_NUMBER})(?P<mark>[-/])(?P<other>{_NUMBER})(?P=mark){_YEAR}"),
)
_MONTHS: Mapping[str, int] = MappingProxyType(
    {
        name: number
        for number, full in enumerate(
            (
                *("january", "february", "march", "april", "may", "june", "july"),
                *("august", "september", "october", "november", "december"),
            ),
            start=1,
        )
        for name in (full, full[:3], *(("sept",) if number == 9 else ()))
    }
)
_ZONE_NAME = re.compile(r"[A-Za-z][\w+-]{1,30}(?:/[\w+-]{1,30}){0,2}", re.ASCII)
_UNREADABLE = Flaw("provisioned-unreadable")


@dataclass(frozen=True, slots=True)
class Provisioned:
    """A time of provisioning as read."""

    at: datetime  #: UTC
    zone_given: bool  #: by the text itself


def parse(text: str, zone: tzinfo) -> Provisioned | Flaw | None:
    """The time in `text`, in `zone` unless it names its own; None if it is blank."""
    spaced = " ".join(trim(text).split())
    if not spaced:
        return None
    match = next(filter(None, (pattern.fullmatch(spaced) for pattern in _PATTERNS)), None)
    if match is None:
        return _UNREADABLE
    given = match["zone"]
    times = sorted(set(_times(match, _offset(given) if given else zone)))
    if not times:
        return _UNREADABLE
    if len(times) > 1:
        readings = [f"{time:%d %B %Y}" for time in times]
        return Flaw("provisioned-ambiguous", {"first": readings[0], "second": readings[1]})
    return Provisioned(times[0].astimezone(UTC), zone_given=given is not None)


def _times(match: re.Match[str], zone: tzinfo) -> Iterator[datetime]:
    """What the text can mean: nothing if it is no time at all, two readings if it is ambiguous."""
    parts = match.groupdict()
    hour = _hour(int(parts["hour"] or 0), (parts["half"] or "").replace(".", "").upper())
    if hour is None or int(parts["year"]) not in _YEARS or (parts["hour"] and not _dated(parts)):
        return
    for month, day in _dates(parts):
        try:
            yield datetime(
                int(parts["year"]),
                month,
                day,
                hour,
                int(parts["minute"] or 0),
                int(parts["second"] or 0),
                tzinfo=zone,
            )
        except ValueError:
            continue


def _dated(parts: Mapping[str, str | None]) -> bool:
    """True if the time of day is one: `14:00` or `2 PM`, not a stray number."""
    return bool(parts["minute"] or parts["half"])


def _dates(parts: Mapping[str, str | None]) -> Iterator[tuple[int, int]]:
    """Month and day, in every order that the text allows."""
    if name := parts.get("name"):
        yield _MONTHS.get(name.lower(), 0), int(parts["day"] or 0)
    elif month := parts.get("month"):
        yield int(month), int(parts["day"] or 0)
    else:
        one, other = int(parts["one"] or 0), int(parts["other"] or 0)
        yield one, other
        yield other, one


def _hour(hour: int, half: str) -> int | None:
    """The hour of the day; None if there is none such."""
    if not half:
        return hour
    if not 1 <= hour <= 12:
        return None
    return hour % 12 + (12 if half == "PM" else 0)


def _offset(text: str) -> tzinfo:
    if text[0] not in "+-":
        return UTC
    digits = text[1:].replace(":", "").ljust(4, "0")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    # The sign of an offset beyond a day does not matter: no time zone has one.
    return timezone(min(offset, timedelta(hours=23, minutes=59)) * (-1 if text[0] == "-" else 1))


def zone_named(name: str) -> ZoneInfo | None:
    """The IANA time zone of this name, such as `Europe/Berlin`; None if there is none."""
    if not _ZONE_NAME.fullmatch(name):
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None
