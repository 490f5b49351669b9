"""Escapes untrusted text for consoles, so that it cannot control the reader's terminal."""

from __future__ import annotations

import unicodedata

# Control and format characters control terminals or reverse text; surrogates cannot be printed.
_STEERING = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def escape_terminal(text: str) -> str:
    """`text` with every control and format character escaped, as in \\u001b."""
    return "".join(
        character
        if unicodedata.category(character) not in _STEERING
        else f"\\u{ord(character):04x}"
        for character in text
    )


def single_line(text: str) -> str:
    """`text` on one line, with unprintable characters replaced by spaces."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())
