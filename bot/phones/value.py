"""Cell values: trimming, display, and flaws."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

MAX_DISPLAY = 80  # characters shown of a value

# Zero-width characters and direction marks, which come along when text is copied from web pages and
# Windows dialogs.
INVISIBLE = "\u00ad\u061c\u180e\u200b\u200c\u200d\u200e\u200f\u2060\ufeff" + "".join(
    map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A)))
)
_SPACES = " \t\n\v\f\r\u00a0\u1680\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
_EDGES = _SPACES + INVISIBLE


@dataclass(frozen=True, slots=True)
class Flaw:
    """Why a value cannot be used: the message `issue-<code>` and its arguments."""

    code: str
    arguments: Mapping[str, str | int] = field(default_factory=dict[str, str | int])


def trim(text: str) -> str:
    """`text` without surrounding spaces and invisible characters."""
    return text.strip(_EDGES)


def shorten(text: str, limit: int = MAX_DISPLAY) -> str:
    """`text` truncated to at most `limit` characters, including an ellipsis."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def visible(character: str) -> str:
    """`character` if printable, otherwise its code point, such as U+202E."""
    return character if character.isprintable() else f"U+{ord(character):04X}"
