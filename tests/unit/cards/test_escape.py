"""Values from outside: a reader sees them as they are, and they do nothing."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from cards.escape import Markup, markdown, plain

NASTY = (
    "[pay](https://evil.example)", "![x](y)", "<at>Megan</at>", "<img src=x onerror=alert(1)>",
    "**", "__", "~~", "`", "# ", "- ", "+ ", "1. ", "1) ", "> ", "---", "| a | b |", "&lt;", "&#60;",
    "{{DATE(2026-01-01T00:00:00Z)}}", "\u202e", "\u2066", "\u200b", "\ufeff", "\x00", "\x1b[31m", "\r\n",
    "\\", "https://evil.example", "\ud800", "😀", "é", "ع", "=cmd|' /C calc'!A0",
)  # fmt: skip
HOSTILE = st.lists(st.sampled_from(NASTY) | st.text(max_size=8), max_size=8).map("".join)
READER = MarkdownIt("commonmark", {"html": True}).enable(["strikethrough", "table"])


def shown(text: str) -> str | None:
    """What a reader of Markdown sees, or None if it is anything but one paragraph of plain text."""
    blocks = READER.parse(text)
    if not blocks:
        return ""
    if [block.type for block in blocks] != ["paragraph_open", "inline", "paragraph_close"]:
        return None
    runs = blocks[1].children or []
    if any(run.type != "text" for run in runs):
        return None
    return "".join(run.content for run in runs)


@given(HOSTILE)
def test_markdown_shows_exactly_the_value(value: str) -> None:
    assert shown(markdown(value)) == plain(value)


@given(HOSTILE, HOSTILE)
def test_a_value_stays_a_value_inside_a_sentence(one: str, other: str) -> None:
    sentence = f"From {markdown(one)} to {markdown(other)}."
    assert shown(sentence) == f"From {plain(one)} to {plain(other)}."


@given(HOSTILE)
def test_what_is_shown_can_be_seen_and_is_one_line(value: str) -> None:
    text = plain(value)
    assert text == " ".join(text.split())
    unseen = {letter for letter in text if unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Co")}
    assert unseen <= {"\u200c", "\u200d"}
    assert "{{" not in text
    text.encode()


@given(st.text(max_size=60), st.integers(1, 40))
def test_a_long_value_is_cut_and_says_so(value: str, longest: int) -> None:
    whole, cut = plain(value, 10_000), plain(value, longest)
    assert len(cut) <= longest
    assert cut == whole or (cut.endswith("…") and whole.startswith(cut[:-1]))


@pytest.mark.parametrize(
    "value",
    ["lobby_1@contoso.com", "o'neil+x@contoso.com", "80-5E-C0-12-34-56:001", "245-phones (2).csv"],
)
def test_honest_values_stay_as_they_are(value: str) -> None:
    assert plain(value) == value
    assert markdown(value).replace("\\_", "_") == value


def test_what_a_card_made_itself_is_left_alone() -> None:
    date = Markup("{{DATE(2026-11-23T12:00:00Z,SHORT)}}")
    assert markdown(date) is date
    assert plain(date) is date
