"""Escaping: untrusted values are shown as they are and have no effect."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from cards.escape import Markup, markdown, single_line

ATTACKS = (
    "[pay](https://evil.example)", "![x](y)", "<at>Megan</at>", "<img src=x onerror=alert(1)>",
    "**", "__", "~~", "`", "# ", "- ", "+ ", "1. ", "1) ", "> ", "---", "| a | b |", "&lt;", "&#60;",
    "{{DATE(2026-01-01T00:00:00Z)}}", "\u202e", "\u2066", "\u200b", "\ufeff", "\x00", "\x1b[31m", "\r\n",
    "\\", "https://evil.example", "\ud800", "😀", "é", "ع", "=cmd|' /C calc'!A0",
)  # fmt: skip
HOSTILE = st.lists(st.sampled_from(ATTACKS) | st.text(max_size=8), max_size=8).map("".join)
RENDERER = MarkdownIt("commonmark", {"html": True}).enable(["strikethrough", "table"])


def rendered_text(text: str) -> str | None:
    """Returns what a Markdown renderer shows, or None for anything but one paragraph of unformatted text."""
    blocks = RENDERER.parse(text)
    if not blocks:
        return ""
    if [block.type for block in blocks] != ["paragraph_open", "inline", "paragraph_close"]:
        return None
    runs = blocks[1].children or []
    if any(run.type != "text" for run in runs):
        return None
    return "".join(run.content for run in runs)


@given(HOSTILE)
def test_markdown_renders_as_exactly_the_value(value: str) -> None:
    assert rendered_text(markdown(value)) == single_line(value)


@given(HOSTILE, HOSTILE)
def test_markdown_stays_inert_inside_a_sentence(one: str, other: str) -> None:
    sentence = f"From {markdown(one)} to {markdown(other)}."
    assert rendered_text(sentence) == f"From {single_line(one)} to {single_line(other)}."


@given(HOSTILE)
def test_single_line_has_only_visible_characters(value: str) -> None:
    line = single_line(value)
    assert line == " ".join(line.split())
    invisible = {
        character
        for character in line
        if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co")
    }
    assert invisible <= {"\u200c", "\u200d"}
    assert "{{" not in line
    line.encode()


@given(st.text(max_size=60), st.integers(1, 40))
def test_single_line_ends_with_an_ellipsis_when_truncated(value: str, max_length: int) -> None:
    full, truncated = single_line(value, 10_000), single_line(value, max_length)
    assert len(truncated) <= max_length
    assert truncated == full or (truncated.endswith("…") and full.startswith(truncated[:-1]))


@pytest.mark.parametrize(
    "value",
    ["lobby_1@contoso.com", "o'neil+x@contoso.com", "80-5E-C0-12-34-56:001", "245-phones (2).csv"],
)
def test_escaping_leaves_ordinary_values_unchanged(value: str) -> None:
    assert single_line(value) == value
    assert markdown(value).replace("\\_", "_") == value


def test_escaping_leaves_markup_unchanged() -> None:
    date = Markup("{{DATE(2026-11-23T12:00:00Z,SHORT)}}")
    assert markdown(date) is date
    assert single_line(date) is date
