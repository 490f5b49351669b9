"""When a phone can be signed in, counted from its provisioning.

Source: Microsoft, "Configure SIP Gateway": bulk sign-in within 72 hours, best 1 to 70 hours after
provisioning.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

SETTLES = timedelta(hours=1)  #: after provisioning, before the SIP Gateway knows the phone for sure
SAFE = timedelta(hours=70)  #: after provisioning
DEADLINE = timedelta(hours=72)  #: after provisioning


class Window(StrEnum):
    """Where a moment lies in a phone's window."""

    TOO_EARLY = "too-early"
    IN_TIME = "in-time"
    NEARLY_TOO_LATE = "nearly-too-late"
    TOO_LATE = "too-late"


def window(provisioned_at: datetime, at: datetime) -> Window:
    """Where `at` lies in the window of a phone provisioned at `provisioned_at`. Both are aware."""
    age = at - provisioned_at
    if age < SETTLES:
        return Window.TOO_EARLY
    if age <= SAFE:
        return Window.IN_TIME
    return Window.NEARLY_TOO_LATE if age <= DEADLINE else Window.TOO_LATE
