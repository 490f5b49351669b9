"""Which accounts may be signed in at all: `OFFHOOK_ACCOUNTS`.

Entries are object IDs of groups or administrative units, or UPN patterns in which `*` stands for any
text, such as `lobby.*@contoso.com`. An empty scope allows every account that the guard lets pass.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PATTERN = re.compile(r"[^\s@,]+@[^\s@,]+")


class ScopeError(ValueError):
    """An entry is neither an object ID nor a UPN pattern. The message is a sentence."""


@dataclass(frozen=True)
class AccountScope:
    """The allowed accounts."""

    ids: frozenset[str] = frozenset()  #: groups and administrative units, in lower case
    patterns: frozenset[str] = frozenset()  #: of UPNs, case-folded

    @property
    def everything(self) -> bool:
        return not self.ids and not self.patterns

    def matches(self, principal: str) -> bool:
        """True if a pattern matches the UPN, in any case."""
        return any(each.fullmatch(principal.casefold()) for each in self._expressions)

    @cached_property
    def _expressions(self) -> list[re.Pattern[str]]:
        return [_expression(pattern) for pattern in self.patterns]


def _expression(pattern: str) -> re.Pattern[str]:
    """What stands between two stars is found as early as it can be, once and for all: files choose the
    accounts, and going back for other ways to match one takes ages with many stars."""
    first, *others = map(re.escape, pattern.split("*"))
    if not others:
        return re.compile(first)
    *between, last = others
    return re.compile(first + "".join(f"(?>.*?{each})" for each in between) + f".*{last}")


def parse_scope(entries: Iterable[str]) -> AccountScope:
    """The scope of the setting's entries. Raises `ScopeError`."""
    ids: set[str] = set()
    patterns: set[str] = set()
    for entry in (each.strip() for each in entries):
        if _GUID.fullmatch(entry.lower()):
            ids.add(entry.lower())
        elif _PATTERN.fullmatch(entry):
            patterns.add(entry.casefold())
        else:
            raise ScopeError(
                f"{entry!r} is neither an object ID nor a UPN pattern such as lobby.*@contoso.com"
            )
    return AccountScope(frozenset(ids), frozenset(patterns))
