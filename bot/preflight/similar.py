"""Did you mean: the existing account whose name is nearest to one that does not exist."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

_CUTOFF = 0.85  # of `difflib`'s ratio: one or two characters of a usual UPN


def nearest(username: str, candidates: Sequence[str]) -> str | None:
    """The candidate that is spelled nearest to `username`, in any case; None if none is near."""
    by_key = {each.casefold(): each for each in candidates}
    found = get_close_matches(username.casefold(), by_key, n=1, cutoff=_CUTOFF)
    return by_key[found[0]] if found else None
