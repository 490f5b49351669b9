"""Text from remote services, made safe to keep and to show."""

from __future__ import annotations

MAX_TEXT = 500  # characters kept of any text


def clean(text: str) -> str:
    """`text` on one line, without control and bidirectional characters, at most `MAX_TEXT` long."""
    if len(text) <= MAX_TEXT and text.isprintable() and text == " ".join(text.split()):
        return text  # as most are
    printable = "".join(letter if letter.isprintable() else " " for letter in text[: 4 * MAX_TEXT])
    folded = " ".join(printable.split())
    return folded if len(folded) <= MAX_TEXT else folded[: MAX_TEXT - 1] + "…"
