"""The code and the message catalogue agree: every message used exists, and every message is used."""

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
# Callables that take a message id as their first argument
FORMATTERS = frozenset({"words", "_words", "message", "single_line_message", "part", "Headline"})
# Files without unused messages, because all their ids are in `SOURCES`
COMPLETE = (
    *("cards.ftl", "commands.ftl", "doctor.ftl", "identity.ftl", "mend.ftl", "outcome.ftl"),
    *("policy.ftl", "preflight.ftl", "runner.ftl", "schedule.ftl", "sightings.ftl", "urgency.ftl"),
)


def identifiers(file: Path) -> list[str]:
    return re.findall(r"^([a-zA-Z][\w-]*) =", file.read_text(encoding="utf-8"), re.MULTILINE)


def strings(node: ast.AST) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value


@cache
def all_strings() -> frozenset[str]:
    return frozenset(
        each
        for source in SOURCES
        for each in strings(ast.parse(source.read_text(encoding="utf-8")))
    )


@cache
def used_ids() -> tuple[frozenset[str], frozenset[str]]:
    """Returns the ids that appear literally, and the prefixes of those built from f-strings."""
    literals: set[str] = set()
    prefixes: set[str] = set()
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = ast.unparse(node.func).rpartition(".")[2]
            if name not in FORMATTERS:
                continue
            first = node.args[0]
            choices = [first.body, first.orelse] if isinstance(first, ast.IfExp) else [first]
            for choice in choices:
                if isinstance(choice, ast.Constant) and isinstance(choice.value, str):
                    literals.add(choice.value)
                elif isinstance(choice, ast.JoinedStr) and choice.values:
                    prefixes |= set(list(strings(choice.values[0]))[:1])
    return frozenset(literals), frozenset(prefixes)


def test_catalogue_has_every_message_used_in_code() -> None:
    words = Words()
    literals, prefixes = used_ids()
    known = {each for file in CATALOGUE.glob("*.ftl") for each in identifiers(file)}
    assert len(literals) > 100
    assert {each for each in literals if not words.has(each)} == set()
    assert {
        prefix for prefix in prefixes if not any(each.startswith(prefix) for each in known)
    } == set()


@pytest.mark.parametrize("name", COMPLETE)
def test_catalogue_has_no_unused_message(name: str) -> None:
    literals, prefixes = used_ids()
    constants = all_strings()
    unused = {
        each
        for each in identifiers(CATALOGUE / name)
        if each not in literals | constants and not each.startswith(tuple(prefixes))
    }
    assert unused == set()


def test_catalogue_ids_are_unique() -> None:
    counts = Counter(each for file in CATALOGUE.glob("*.ftl") for each in identifiers(file))
    assert [each for each, count in counts.items() if count > 1] == []


@pytest.mark.parametrize("name", ["cards.ftl", "doctor.ftl", "outcome.ftl", "sightings.ftl"])
def test_sentences_contain_no_markdown_or_please(name: str) -> None:
    """Cards interpret sentences as Markdown. Also checks house style: no `!`, em dash or "please"."""
    text = (CATALOGUE / name).read_text(encoding="utf-8")
    values = re.sub(
        r"\{[^{}]*(?:->|\})|^#.*$|^[\w-]+ =|^\s*\*?\[\w+\]", "", text, flags=re.MULTILINE
    )
    assert re.findall(r"[*_`\[\]<>!—]|\bplease\b", values, re.IGNORECASE) == []


def test_words_raises_for_unknown_message() -> None:
    with pytest.raises(UnknownMessageError):
        Words()("no-such-sentence")


def test_words_raises_for_missing_argument() -> None:
    with pytest.raises(UnknownMessageError):
        Words()("origin", request="K7QF2M9X")
