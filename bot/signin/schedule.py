"""Starts at a set time: what a person typed, read in their time zone, and whether it may still happen.

A wall clock shows some times twice and skips others, when clocks are changed. What is stored is the
instant; zone and typed text say how it came about.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from bot.phones.provisioned import zone_named

SOONEST = timedelta(minutes=5)  #: from the request, so that somebody can approve it
LATEST = timedelta(days=30)  #: from the request
#: How late a start may be before it needs a person. Assumption: whoever approved a time approved an hour.
GRACE = timedelta(hours=1)
NOTICE = timedelta(minutes=15)  #: before a start, for an approver who has to sign in

_DATE = r"(?P<date>20\d\d-\d\d-\d\d)"
_TIME = r"(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::\d\d(?:\.\d+)?)?"
_BOTH = re.compile(rf"{_DATE}[T ]{_TIME}", re.ASCII)
_FOREIGN = ("posix/", "right/", "localtime", "posixrules", "factory")  # no zones of people
_CHOICES = ("earlier", "later")


@dataclass(frozen=True, slots=True)
class Start:
    """When a request is to start."""

    at: datetime  #: UTC
    zone: str  #: IANA name, in which it was typed
    typed: str  #: as typed: YYYY-MM-DDTHH:MM


@dataclass(frozen=True, slots=True)
class Repeated:
    """The clock shows what was typed twice."""

    earlier: Start
    later: Start


class Flaw(StrEnum):
    """Why there is no such start; `start-<value>` is its sentence."""

    UNREADABLE = "unreadable"
    SKIPPED = "skipped"  # the clock never shows it
    PAST = "past"
    TOO_SOON = "too-soon"
    TOO_FAR = "too-far"


@dataclass(frozen=True, slots=True)
class Unusable:
    flaw: Flaw
    arguments: Mapping[str, str | int] = field(default_factory=dict[str, "str | int"])


def joined(date: str, time: str) -> str:
    """`YYYY-MM-DDTHH:MM` from a date and a time, or from both in `date`; "" if they are not written so."""
    match = _BOTH.fullmatch(date) or _BOTH.fullmatch(f"{date}T{time}")
    return f"{match['date']}T{int(match['hour']):02}:{match['minute']}" if match else ""


@lru_cache(maxsize=1)
def _zone_names() -> frozenset[str]:
    return frozenset(available_timezones())


def zone_of(text: str) -> ZoneInfo | None:
    """The time zone that a person or client means: an IANA name in any case, or the city in it, if only
    one zone has it. None if there is none. Reads files when the name is not exact."""
    name = "_".join(text.split())
    if name.casefold().startswith(_FOREIGN):
        return None
    if (exact := zone_named(name)) is not None:
        return exact
    wanted, names = name.casefold(), _zone_names()
    matches = {each for each in names if each.casefold() == wanted}
    matches = matches or {each for each in names if each.casefold().rpartition("/")[2] == wanted}
    return zone_named(matches.pop()) if len(matches) == 1 else None


def instants(wall: datetime, zone: ZoneInfo) -> list[datetime]:
    """The UTC times at which the clocks of `zone` show `wall` (naive): none, one, or two, in order."""
    both = {wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)}
    return sorted(at for at in both if at.astimezone(zone).replace(tzinfo=None) == wall)


def resolve(
    typed: str, zone: ZoneInfo, now: datetime, which: str = ""
) -> Start | Repeated | Unusable:
    """The start that was typed, of `joined`. `which`: "earlier" or "later" if the clock shows it twice.

    `now`: UTC, when approval is requested.
    """
    try:
        wall = datetime.strptime(typed, "%Y-%m-%dT%H:%M")
    except ValueError:
        return Unusable(Flaw.UNREADABLE)
    starts = [Start(at, zone.key, typed) for at in instants(wall, zone)]
    if not starts:
        shifted = wall.replace(tzinfo=zone).astimezone(UTC).astimezone(zone)
        return Unusable(
            Flaw.SKIPPED, {"time": f"{wall:%H:%M}", "zone": zone.key, "other": f"{shifted:%H:%M}"}
        )
    if len(starts) > 1 and which in _CHOICES:
        starts = [starts[_CHOICES.index(which)]]
    possible = [each for each in starts if now + SOONEST <= each.at <= now + LATEST]
    if possible:
        return Repeated(*possible) if len(possible) > 1 else possible[0]
    at = starts[-1].at
    if at > now + LATEST:
        return Unusable(Flaw.TOO_FAR, {"days": LATEST.days})
    if at > now:
        return Unusable(Flaw.TOO_SOON, {"minutes": SOONEST // timedelta(minutes=1)})
    return Unusable(Flaw.PAST, {"start": local_text(at, zone.key)})


def local_text(at: datetime, zone: str) -> str:
    """`at` as the clocks of `zone` show it, with the offset if they show it twice."""
    info = zone_named(zone) or UTC
    local = at.astimezone(info)
    name = str(info)
    if isinstance(info, ZoneInfo) and len(instants(local.replace(tzinfo=None, fold=0), info)) > 1:
        name = f"{name}, {offset_text(at, zone)}"
    return f"{local:%a} {local.day} {local:%b}, {local:%H:%M} ({name})"


def start_text(at: datetime | None, zone: str) -> str:
    """`at` in `zone` and in UTC, for one sentence; "" if there is no start."""
    if at is None:
        return ""
    return ", ".join(filter(None, (local_text(at, zone), utc_text(at, zone))))


def offset_text(at: datetime, zone: str) -> str:
    """How far the clocks of `zone` are from UTC at `at`, such as `UTC+02:00`."""
    digits = f"{at.astimezone(zone_named(zone) or UTC):%z}"
    return f"UTC{digits[:3]}:{digits[3:5]}"


def utc_text(at: datetime, zone: str) -> str:
    """`at` in UTC, with its day if that is another one in `zone`; "" if the zone is UTC itself."""
    local, utc = at.astimezone(zone_named(zone) or UTC), at.astimezone(UTC)
    if str(local.tzinfo) == "UTC":
        return ""
    day = "" if local.date() == utc.date() else f"{utc:%a} {utc.day} {utc:%b}, "
    return f"{day}{utc:%H:%M} UTC"


@dataclass(frozen=True, slots=True)
class Opening:
    """Whether the organization's change windows let a request start at some time."""

    open: bool
    why: str = ""  #: a sentence; "" if it is open
    opens_at: datetime | None = None  #: UTC; None if it is open, or never opens


OPEN = Opening(True)


class Due(StrEnum):
    """What becomes of a start whose time has come. Those that are missed are stored."""

    START = "start"
    WAIT = "wait"  # it cannot be told now
    LATE = "late"  # Offhook was not there in time
    DENIED = "denied"  # whoever requested or approved it may not do so any more
    CLOSED = "closed"  # no change window is open


MISSED = frozenset({Due.LATE, Due.DENIED, Due.CLOSED})


def due(now: datetime, run_by: datetime, *, allowed: bool | None, opening: Opening) -> Due:
    """What to do at its time, or after. `run_by`: the latest time to start without asking a person.
    `allowed`: whether requester and approver still may, None if that cannot be told now."""
    if now > run_by:
        return Due.LATE
    if allowed is False:
        return Due.DENIED
    if not opening.open:
        return Due.CLOSED
    return Due.WAIT if allowed is None else Due.START
