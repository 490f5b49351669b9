"""What to do next about a change, from what was read of it. Values are compared as Teams compares names:
without case and without `Tag:`; None means that nothing is assigned to the account itself."""

from __future__ import annotations

from enum import StrEnum

from bot.mending.change import Change, ChangeState

GLOBAL = "Global"


class Step(StrEnum):
    KEEP = "keep"  # it is as wanted: nothing to do
    INTEND = "intend"  # record what is there now; then write
    WRITE = "write"
    WAIT = "wait"  # written: read it again later
    SHOWN = "shown"  # it is as wanted, and Offhook wrote it or may have
    CHANGED_SINCE = "changed-since"  # it is not what the approver was shown: leave it
    #: it is neither what was there before nor what may have been written: somebody else changed it
    CHANGED_MEANWHILE = "changed-meanwhile"
    LEAVE = "leave"  # somebody else changed it: do not set it back


def same(one: str | None, other: str | None) -> bool:
    return _name(one) == _name(other)


def _name(value: str | None) -> str:
    name = (value or "").strip().casefold().removeprefix("tag:")
    return "" if name == GLOBAL.casefold() else name


def forward(change: Change, current: str | None) -> Step:
    """Of a change that is planned, intended or applied."""
    shows = same(current, change.after)
    if change.state is ChangeState.PLANNED:
        if shows:
            return Step.KEEP
        # What comes from a group or from the tenant is not assigned to the account itself.
        expected = not _name(current) or same(current, change.replaces)
        return Step.INTEND if expected else Step.CHANGED_SINCE
    if shows:
        return Step.SHOWN
    if change.state is ChangeState.APPLIED:
        return Step.WAIT
    return Step.WRITE if same(current, change.before) else Step.CHANGED_MEANWHILE


def back(change: Change, current: str | None) -> Step:
    """Of a change that is being undone or restored."""
    if change.state is ChangeState.RESTORED:
        return Step.SHOWN if same(current, change.before) else Step.WAIT
    # As it was before: the grant may be about to show, so it is written even then.
    ours = same(current, change.after) or same(current, change.before)
    return Step.WRITE if ours else Step.LEAVE
