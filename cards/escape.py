"""Values from outside, made safe for a card: they show what they are and do nothing.

TextBlocks are Markdown (bold, italics, lists, links). In Teams' mobile renderer a backslash takes the
meaning from `* _ [ ]` only, and is shown before anything else; so nothing is escaped without need.
Source: github.com/microsoft/Teams-AdaptiveCards-Mobile, MarkDownBlockParser.cpp.
"""

from __future__ import annotations

import re
import unicodedata

_JOINERS = "\u200c\u200d"  # Persian and Indic spelling needs them, and so do emoji
_UNSEEN = frozenset({"Cc", "Cf", "Co", "Cs"})  # controls, bidi and zero-width marks, private use
_SYNTAX = re.compile(r"[\\*_~`\[\]<]")
_ENTITY = re.compile(r"&(?=#?\w+;)")
# What opens a list, a heading or a quotation, where a value is the first thing in a block.
_OPENING = re.compile(r"^(?:\d+(?=[.)](?:\s|$))|(?=[-+#>=|]))")
_MACRO = re.compile(r"\{(?=\{)")  # {{DATE(…)}} is evaluated in every text of a card


class Markup(str):
    """A text that a card made itself, such as a date: it is not escaped again."""

    __slots__ = ()


def plain(text: str, longest: int = 300) -> str:
    """`text` on one line of at most `longest` characters, an ellipsis the last if it was cut.

    Control, bidi and other invisible characters become U+FFFD, so that they are seen and harmless.
    """
    if isinstance(text, Markup):
        return text
    folded = " ".join(text.split())
    if not folded.isprintable():
        folded = "".join(map(_seen, folded))
    folded = _MACRO.sub("{ ", folded)
    return folded if len(folded) <= longest else folded[: longest - 1].rstrip() + "…"


def _seen(letter: str) -> str:
    unseen = unicodedata.category(letter) in _UNSEEN and letter not in _JOINERS
    return "\ufffd" if unseen else letter


def markdown(text: str, longest: int = 300) -> str:
    """`plain`, for a TextBlock: no Markdown, no mention and no HTML is left in it."""
    if isinstance(text, Markup):
        return text
    safe = _ENTITY.sub("&amp;", _SYNTAX.sub(r"\\\g<0>", plain(text, longest)))
    return _OPENING.sub(r"\g<0>\\", safe)
