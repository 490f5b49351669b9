"""Text for consoles: nothing that another person wrote may steer the reader's terminal."""

from __future__ import annotations

import unicodedata

# Control and format characters steer terminals and turn text around; surrogates cannot be printed.
_STEERING = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def escape_terminal(text: str) -> str:
    """`text` with everything that could steer a terminal written out, as in \\u001b."""
    return "".join(
        character
        if unicodedata.category(character) not in _STEERING
        else f"\\u{ord(character):04x}"
        for character in text
    )


def single_line(text: str) -> str:
    """`text` on one line, each unprintable character replaced by a space."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())
