"""Escaping for cards: untrusted values are shown as they are and have no effect.

TextBlocks are Markdown (bold, italics, lists, links). Teams' mobile renderer honors a backslash only
before `* _ [ ]` and shows it before anything else, so nothing is escaped unnecessarily.
Source: github.com/microsoft/Teams-AdaptiveCards-Mobile, MarkDownBlockParser.cpp.
"""

from __future__ import annotations

import re
import unicodedata

_JOINERS = "\u200c\u200d"  # required by Persian and Indic spelling, and by emoji
# Unicode categories: controls, format (bidi and zero-width) characters, private use, surrogates
_INVISIBLE = frozenset({"Cc", "Cf", "Co", "Cs"})
_SYNTAX = re.compile(r"[\\*_~`\[\]<]")
_ENTITY = re.compile(r"&(?=#?\w+;)")
# What starts a list, a heading or a quotation when the value comes first in its block
_BLOCK_START = re.compile(r"^(?:\d+(?=[.)](?:\s|$))|(?=[-+#>=|]))")
_MACRO = re.compile(r"\{(?=\{)")  # clients evaluate {{DATE(…)}} in every text of a card


class Markup(str):
    """Text that is safe already, such as a date macro. It is not escaped again."""

    __slots__ = ()


def single_line(text: str, max_length: int = 300) -> str:
    """Returns `text` on one line of at most `max_length` characters, with an ellipsis if truncated.

    Control, bidi and other invisible characters become U+FFFD, which is visible and harmless.
    """
    if isinstance(text, Markup):
        return text
    line = " ".join(text.split())
    if not line.isprintable():
        line = "".join(map(_visible, line))
    line = _MACRO.sub("{ ", line)
    return line if len(line) <= max_length else line[: max_length - 1].rstrip() + "…"


def _visible(character: str) -> str:
    invisible = unicodedata.category(character) in _INVISIBLE and character not in _JOINERS
    return "\ufffd" if invisible else character


def markdown(text: str, max_length: int = 300) -> str:
    """Like `single_line`, for a TextBlock: Markdown, mentions and HTML are escaped."""
    if isinstance(text, Markup):
        return text
    escaped = _ENTITY.sub("&amp;", _SYNTAX.sub(r"\\\g<0>", single_line(text, max_length)))
    return _BLOCK_START.sub(r"\g<0>\\", escaped)
