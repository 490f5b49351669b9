"""Tickets: what a rule's regular expression may be, and whether somebody named one.

Requesters choose the text that the expression is tried on, and Python's `re` tries every way to match it:
`^(a+)+$` would keep the service busy for years with one line of 40 letters. So an expression has to be one
that cannot take long.
"""

from __future__ import annotations

import re
from math import factorial

from bot.signin.request import MAX_TICKET

_MAX_CHARS = 200
_CHARACTER = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
_REPEATED_GROUP = re.compile(r"\)\s*[*+{]")
_REPEATS = re.compile(r"[*+]|\{\d*,\d*\}")
_CHOICES = re.compile(r"[?|]")
_FREE_SPACING = re.compile(r"\(\?[A-Za-z-]*x")
_MOST_REPEATS = 4


def compiled(text: str) -> re.Pattern[str]:
    """Raises ValueError, whose text is a sentence, if it is none that can be used."""
    if len(text) > _MAX_CHARS:
        raise ValueError(f"use at most {_MAX_CHARS} characters")
    try:
        pattern = re.compile(text)
    except (re.error, RecursionError) as error:
        raise ValueError(f"this is no regular expression: {error}") from None
    plain = _CHARACTER.sub("-", text)
    if _FREE_SPACING.search(plain):
        raise ValueError("write it without (?x): spaces and comments hide what is repeated")
    plain = plain.replace("(?", "(")
    if _REPEATED_GROUP.search(plain):
        raise ValueError("repeat characters, as in [0-9]+, and no groups: that can take too long")
    # Repetitions end anywhere in a word, one after the other, as does what is before the expression; each
    # choice has two ways.
    ends = len(_REPEATS.findall(plain)) + (not text.startswith(("^", r"\A")))
    if _ways(ends) * 2 ** len(_CHOICES.findall(plain)) > _ways(_MOST_REPEATS):
        raise ValueError(
            f"use at most {_MOST_REPEATS} of *, + and {{1,2}} after a ^, and fewer with ? and | or "
            "without ^: it can take too long"
        )
    return pattern


def _ways(ends: int) -> int:
    return MAX_TICKET**ends // factorial(ends)


def named(pattern: re.Pattern[str], ticket: str, reason: str) -> bool:
    """Whether what was entered as the ticket, or a word of the reason, is such a ticket."""
    words = (word.strip(".,;:!?()[]\"'") for word in reason.split())
    told = (ticket.strip(), *words)
    return any(len(each) <= MAX_TICKET and pattern.search(each) for each in told)
