"""Variables that look like settings and are none: a setting that is misspelled would not be noticed."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable

from dotenv import dotenv_values

from bot.settings.model import Settings

_PREFIX = "OFFHOOK_"
# Read by the tests, or part of the contract and not in use yet.
_OTHERS = ("OFFHOOK_TEST_", "OFFHOOK_CHAOS_")
_RESERVED = frozenset({"OFFHOOK_PREFLIGHT"})


def given() -> frozenset[str]:
    """The names, in capitals, of the variables in the environment and in `.env` that begin as ours do."""
    in_file = dotenv_values(str(Settings.model_config.get("env_file")), interpolate=False)
    return frozenset(
        name.upper() for name in (*os.environ, *in_file) if name.upper().startswith(_PREFIX)
    )


def strangers(names: Iterable[str]) -> dict[str, str]:
    """Those of `names` that no setting reads, each with the setting that is nearest to it, or ""."""
    known = {f"{_PREFIX}{field}".upper() for field in Settings.model_fields}
    unread = sorted(set(names) - known - _RESERVED)
    return {name: _nearest(name, known) for name in unread if not name.startswith(_OTHERS)}


def _nearest(name: str, known: Iterable[str]) -> str:
    # Without the prefix, which would make any two names alike.
    bare = {each.removeprefix(_PREFIX): each for each in known}
    found = difflib.get_close_matches(name.removeprefix(_PREFIX), sorted(bare), n=1)
    return bare[found[0]] if found else ""
