"""A value as it stands in a cell: what surrounds it, how much of it is shown, why it cannot be used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

SHOWN = 80  # characters of a value that anybody is shown

# Zero-width characters and direction marks: copied along from web pages and Windows dialogs, never seen.
INVISIBLE = "\u00ad\u061c\u180e\u200b\u200c\u200d\u200e\u200f\u2060\ufeff" + "".join(
    map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A)))
)
_SPACES = " \t\n\v\f\r\u00a0\u1680\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
_EDGES = _SPACES + INVISIBLE


@dataclass(frozen=True, slots=True)
class Flaw:
    """Why a value cannot be used: `issue-<code>` in the catalogue, and what its sentence needs."""

    code: str
    arguments: Mapping[str, str | int] = field(default_factory=dict[str, str | int])


def trim(text: str) -> str:
    """`text` without spaces and invisible characters around it."""
    return text.strip(_EDGES)


def shorten(text: str, limit: int = SHOWN) -> str:
    """`text`, cut to at most `limit` characters with an ellipsis as the last of them."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def visible(character: str) -> str:
    """`character` itself if it can be seen, else its code point, as in U+202E."""
    return character if character.isprintable() else f"U+{ord(character):04X}"
