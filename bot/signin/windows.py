"""Change windows and freezes: when the policy lets a request start, and go on.

Windows are read off the wall clock of their own time zone, so they move with daylight saving: an hour that
a zone skips is in no window, and one that it repeats is in its window twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from bot.signin.policy.model import Freeze, Policy, Traits, Window

#: How far ahead an opening is looked for. Windows are weekly, and a year has every change of clocks.
HORIZON = timedelta(days=370)
_DAY = timedelta(days=1)
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Open:
    """It may start now."""


@dataclass(frozen=True, slots=True)
class OpensAt:
    """It may not start now; UTC time at which it next may."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Never:
    """It may not start within `HORIZON`: its windows have no time in common, or a freeze lasts longer."""


@dataclass(frozen=True, slots=True)
class CutShort:
    """A request will probably not be over when its window closes."""

    closes_at: datetime  #: UTC
    seconds: int  #: that it probably takes


WindowAnswer = Open | OpensAt | Never


def window_open(policy: Policy, request: Traits, at: datetime) -> WindowAnswer:
    """Whether a request may start at an (aware) time.

    It may in a window of every rule that applies and has windows, and in no freeze that applies.
    """
    windows = [rule.windows for rule in policy.rules_for(request) if rule.windows]
    freezes = [each for each in policy.freezes if each.condition.applies(request)]

    def open_at(moment: datetime) -> bool:
        return not any(freeze.begin <= moment < freeze.end for freeze in freezes) and all(
            any(_inside(window, moment) for window in of_rule) for of_rule in windows
        )

    if open_at(at):
        return Open()
    limit = at + HORIZON
    every = [window for of_rule in windows for window in of_rule]
    for moment in sorted(_openings(every, freezes, at)):
        if at < moment <= limit and open_at(moment):
            return OpensAt(moment)
    return Never()


def closed_at(policy: Policy, at: datetime) -> Policy:
    """The part of a policy that lets some request not start at an (aware) time: its rules without an open
    window, and the freezes that are on. Mostly nothing, and then nothing has to be known of any request."""
    return replace(
        policy,
        rules=tuple(
            rule
            for rule in policy.rules
            if rule.windows and not any(_inside(window, at) for window in rule.windows)
        ),
        freezes=tuple(each for each in policy.freezes if each.begin <= at < each.end),
        denies=(),
        accounts_per_day=None,
    )


def closes_at(policy: Policy, request: Traits, at: datetime, until: datetime) -> datetime | None:
    """When a request that may start at `at` may first not go on, in UTC; None if it may up to `until`."""
    moments = [freeze.begin.astimezone(UTC) for freeze in policy.freezes]
    for rule in policy.rules_for(request):
        for window in rule.windows:
            first = at.astimezone(window.zone).date()
            for number in range((until - at).days + 3):
                moments += _starts(datetime.combine(first + number * _DAY, window.end, window.zone))
    for moment in sorted(moments):
        if at < moment < until and window_open(policy, request, moment) != Open():
            return moment
    return None


def _inside(window: Window, at: datetime) -> bool:
    local = at.astimezone(window.zone)
    clock, day = local.time(), local.weekday()
    if window.start < window.end:
        return day in window.days and window.start <= clock < window.end
    if clock >= window.start:
        return day in window.days
    return clock < window.end and (day - 1) % 7 in window.days


def _openings(
    windows: Iterable[Window], freezes: Iterable[Freeze], at: datetime
) -> Iterator[datetime]:
    """Moments, in UTC, from which on something more may be open than just before."""
    for freeze in freezes:
        yield freeze.end.astimezone(UTC)
    for window in windows:
        first = at.astimezone(window.zone).date() - _DAY
        for number in range(HORIZON.days + 2):
            day = first + number * _DAY
            if day.weekday() in window.days:
                yield from _starts(datetime.combine(day, window.start, window.zone))


def _starts(local: datetime) -> Iterator[datetime]:
    """When the wall clock shows that time or, if the zone skips it, each minute around the skipped ones."""
    first, second = local.astimezone(UTC), local.replace(fold=1).astimezone(UTC)
    yield from (first, second)
    minutes = (first - second) // _MINUTE  # positive only for a time that is skipped
    yield from (second + number * _MINUTE for number in range(1, minutes))
