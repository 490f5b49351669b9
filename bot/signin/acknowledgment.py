"""Acknowledgment: what an approver does, besides clicking, to say that they know what they approve.

The friction grows with the risk: a box to tick, or the number of passwords to type.
"""

from __future__ import annotations

import re
from enum import StrEnum

_MAX_CHARS = 40
_TOO_LARGE = 10**9  # more passwords than there are
#: Digits, in groups of three if they are separated as people or spreadsheets write them.
_WHOLE = re.compile(r"\d{1,9}|\d{1,3}(?:([ .,'’_\u00a0\u2009\u202f])\d{3})(?:\1\d{3})*")
#: Phones up to which a tick will do, by default: one batch.
TYPED_ABOVE = 100


class Acknowledgment(StrEnum):
    TICK = "tick"
    TYPED = "typed"  # the number of passwords


def wanted(*, phones: int, against_checks: bool, typed_above: int) -> Acknowledgment:
    """`against_checks`: accounts are included that the checks would have left out; `typed_above`: number
    of phones up to which a tick will do, otherwise."""
    if against_checks or phones > typed_above:
        return Acknowledgment.TYPED
    return Acknowledgment.TICK


def typed_number(value: object) -> int | None:
    """The whole number that was typed; None if it is none. Clients send a number, or text as it was typed,
    with white space around it and separators of thousands."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value if 0 <= value < _TOO_LARGE else None
    if isinstance(value, str) and len(value) <= _MAX_CHARS and _WHOLE.fullmatch(value.strip()):
        return int(re.sub(r"\D", "", value))
    return None
