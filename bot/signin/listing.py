"""Which phones of a request a list shows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bot.phones.region import Region

UNUSUAL = "unusual"
#: Longest prefix of an account that is searched for, in characters.
MAX_PREFIX = 64


class Mark(StrEnum):
    """Why a phone is unusual; `mark-<value>` says it."""

    GUARDED = "guarded"  # its account looks like a person's
    FAILED = "failed"  # its account failed its checks
    WINDOW = "window"  # outside the time that the SIP Gateway gives it
    OVERLAP = "overlap"  # another request has it, or its account, too
    ADDED = "added"  # not in the request that this one is compared with


@dataclass(frozen=True, slots=True)
class PhoneFilter:
    which: str = ""  #: "" for all, `UNUSUAL`, or a region
    prefix: str = ""  #: of the account, case-folded; "" for any

    def __str__(self) -> str:
        """For the audit."""
        return f"{self.which or 'all'} {self.prefix}".strip()


ALL = PhoneFilter()


def parse(which: str, prefix: str) -> PhoneFilter:
    """What a client sent, as a filter; anything unknown filters nothing."""
    known = which if which == UNUSUAL or which in set(Region) else ""
    return PhoneFilter(known, prefix.strip().casefold()[:MAX_PREFIX])
