"""Reading what a client sent with a click: hostile until checked, so nothing here raises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: Ids of rows are 64-bit integers.
LARGEST_ID = 2**63 - 1
#: Characters of a reason or a comment.
MAX_TEXT = 300
_YES = frozenset({"true", "1", "yes", "on"})


def cleaned(text: str, longest: int) -> str:
    """`text` on one line, without characters a database cannot store, cut to `longest` characters."""
    return "".join(" " if ord(letter) < 32 else letter for letter in text).strip()[:longest]


@dataclass(frozen=True, slots=True)
class Inputs:
    data: Mapping[str, Any]  #: the action's data, merged with the card's inputs

    def text(self, name: str, longest: int) -> str:
        """The text of an input without surrounding white space; "" if there is none."""
        value = self.data.get(name)
        return cleaned(value, longest) if isinstance(value, str) else ""

    def number(self, name: str, default: int, *, largest: int = 1_000_000) -> int:
        """A whole number from 1 to `largest`; `default` if the input is none."""
        value = self.data.get(name)
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
            value = int(value)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= largest:
            return value
        return default

    def choices(self, name: str, most: int) -> list[str]:
        """The values chosen in a multi-select input, at most `most`; clients join them by commas."""
        return [each.strip() for each in self.text(name, 120 * most).split(",") if each.strip()][
            :most
        ]

    def given(self, name: str) -> bool:
        """True if the input was sent and is not empty."""
        value = self.data.get(name)
        return value is not None and (not isinstance(value, str) or value.strip() != "")

    def ticked(self, name: str) -> bool:
        value = self.data.get(name)
        return value is True or (isinstance(value, str) and value.strip().lower() in _YES)

    def unticked(self, name: str) -> bool:
        """True if the box was sent and was not ticked."""
        return name in self.data and not self.ticked(name)
