"""The catalogue and the code agree: what is asked for is there, and what is there is asked for."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from bot.words import UnknownMessageError, Words

ROOT = Path(__file__).parents[2]
CATALOGUE = ROOT / "bot" / "words" / "en"
SOURCES = sorted([*(ROOT / "bot").rglob("*.py"), *(ROOT / "cards").rglob("*.py")])
# What takes the id of a sentence as its first argument.
ASKING = frozenset({"words", "say", "part", "Verdict", "_words"})
# Rooms whose sentences are all asked for by the code here, so that none is left over.
COMPLETE = ("cards.ftl", "doctor.ftl", "outcome.ftl")


def identifiers(file: Path) -> list[str]:
    return re.findall(r"^([a-zA-Z][\w-]*) =", file.read_text(encoding="utf-8"), re.MULTILINE)


def strings(node: ast.AST) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value


@cache
def asked() -> tuple[frozenset[str], frozenset[str]]:
    """Ids that are asked for as they stand, and beginnings of ids that are put together."""
    whole: set[str] = set()
    beginnings: set[str] = set()
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            called = ast.unparse(node.func).rpartition(".")[2]
            if called not in ASKING:
                continue
            first = node.args[0]
            choices = [first.body, first.orelse] if isinstance(first, ast.IfExp) else [first]
            for choice in choices:
                if isinstance(choice, ast.Constant) and isinstance(choice.value, str):
                    whole.add(choice.value)
                elif isinstance(choice, ast.JoinedStr) and choice.values:
                    beginnings |= set(list(strings(choice.values[0]))[:1])
    return frozenset(whole), frozenset(beginnings)


def test_everything_that_is_asked_for_is_there() -> None:
    words = Words()
    whole, beginnings = asked()
    known = {each for file in CATALOGUE.glob("*.ftl") for each in identifiers(file)}
    assert len(whole) > 100
    assert {each for each in whole if not words.has(each)} == set()
    assert {b for b in beginnings if not any(each.startswith(b) for each in known)} == set()


@pytest.mark.parametrize("name", COMPLETE)
def test_everything_that_is_there_is_asked_for(name: str) -> None:
    whole, beginnings = asked()
    constants = {each for source in SOURCES for each in strings(ast.parse(source.read_text()))}
    left_over = {
        each
        for each in identifiers(CATALOGUE / name)
        if each not in whole | constants and not each.startswith(tuple(beginnings))
    }
    assert left_over == set()


def test_no_sentence_is_there_twice() -> None:
    counts = Counter(each for file in CATALOGUE.glob("*.ftl") for each in identifiers(file))
    assert [each for each, count in counts.items() if count > 1] == []


@pytest.mark.parametrize("name", COMPLETE)
def test_sentences_are_plain(name: str) -> None:
    """No Markdown of their own, since cards show them as it; and the tone of the house."""
    text = (CATALOGUE / name).read_text(encoding="utf-8")
    values = re.sub(
        r"\{[^{}]*(?:->|\})|^#.*$|^[\w-]+ =|^\s*\*?\[\w+\]", "", text, flags=re.MULTILINE
    )
    assert re.findall(r"[*_`\[\]<>!—]|\bplease\b", values, re.IGNORECASE) == []


def test_a_sentence_that_is_not_there_is_a_fault() -> None:
    with pytest.raises(UnknownMessageError):
        Words()("no-such-sentence")


def test_a_sentence_that_lacks_an_argument_is_a_fault() -> None:
    with pytest.raises(UnknownMessageError):
        Words()("origin", request="K7QF2M9X")
