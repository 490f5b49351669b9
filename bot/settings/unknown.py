"""Variables that look like settings but are not: a misspelled setting would otherwise be ignored."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable

from dotenv import dotenv_values

from bot.settings.model import Settings

_PREFIX = "OFFHOOK_"
#: Read by the tests.
_TEST_PREFIXES = (
    "OFFHOOK_TEST_",
    "OFFHOOK_CHAOS_",
    "OFFHOOK_STATEFUL_",
    "OFFHOOK_INTERLEAVINGS",
)


def variable_names() -> frozenset[str]:
    """Returns the OFFHOOK_* names, in upper case, in the environment and in `.env`."""
    in_file = dotenv_values(str(Settings.model_config.get("env_file")), interpolate=False)
    return frozenset(
        name.upper() for name in (*os.environ, *in_file) if name.upper().startswith(_PREFIX)
    )


def unknown_settings(names: Iterable[str]) -> dict[str, str]:
    """Returns the names that no setting has, each with the most similar setting, "" if there is none."""
    known = {f"{_PREFIX}{field}".upper() for field in Settings.model_fields}
    unknown = sorted(set(names) - known)
    return {name: _nearest(name, known) for name in unknown if not name.startswith(_TEST_PREFIXES)}


def _nearest(name: str, known: Iterable[str]) -> str:
    # Compared without the prefix, which would make any two names similar.
    settings = {each.removeprefix(_PREFIX): each for each in known}
    matches = difflib.get_close_matches(name.removeprefix(_PREFIX), sorted(settings), n=1)
    return settings[matches[0]] if matches else ""
