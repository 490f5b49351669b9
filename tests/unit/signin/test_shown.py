"""What a card showed, compared with what it would show now."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bot.signin.shown import MAX_CHARS, Aspect, changed, kept, token

_contents = st.dictionaries(st.sampled_from(Aspect), st.integers(), max_size=len(Aspect))


@given(_contents, _contents)
def test_what_changed_is_named_and_nothing_else(
    then: dict[Aspect, int], now: dict[Aspect, int]
) -> None:
    both = then.keys() & now.keys()
    differing = [each for each in Aspect if each in both and then[each] != now[each]]
    assert changed(token(then), token(now)) == differing
    assert len(token(now)) <= MAX_CHARS


@given(st.text())
def test_forged_token_is_compared_and_harmless(text: str) -> None:
    now = token(dict.fromkeys(Aspect, 0))
    assert set(changed(text, now)) <= set(Aspect)


@given(_contents, st.text())
def test_what_is_kept_says_the_same_and_nothing_forged(
    contents: dict[Aspect, int], text: str
) -> None:
    shown = token(contents)
    assert kept(shown) == shown
    assert kept(f"{shown}.{text.replace('-', '')}") == shown
