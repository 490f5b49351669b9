"""Reads Adaptive Cards in tests: elements, verbs and text, and the rules that every card follows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, cast

Element = Mapping[str, Any]

# Adaptive Cards 1.5
ELEMENTS = frozenset(
    {
        "AdaptiveCard", "TextBlock", "RichTextBlock", "TextRun", "Container", "ColumnSet", "Column",
        "FactSet", "ActionSet", "Table", "TableRow", "TableCell", "Input.Text", "Input.Toggle",
        "Input.ChoiceSet", "Input.Number", "Input.Date", "Input.Time", "Action.Execute",
        "Action.ShowCard", "Action.OpenUrl", "Action.ToggleVisibility",
        "Data.Query",  # where a choice set searches: clients that do not know it show no choices
    }
)  # fmt: skip
# Beyond 1.5, so a fallback is required
EXTENSIONS = frozenset({"Badge", "ProgressBar", "CodeBlock"})
MAX_BYTES = 28_000  # Teams' limit
_TEXT_KEYS = ("text", "title", "label", "codeSnippet", "placeholder", "errorMessage")


def elements(node: object) -> Iterator[Element]:
    """Yields every element and action at any depth, including fallbacks."""
    if isinstance(node, Mapping):
        mapping = cast(Element, node)
        if "type" in mapping:
            yield mapping
        for value in mapping.values():
            yield from elements(value)
    elif isinstance(node, list):
        for item in cast(list[object], node):
            yield from elements(item)


def of_type(card: Element, *types: str) -> list[Element]:
    return [element for element in elements(card) if element["type"] in types]


def verbs(card: Element) -> list[str]:
    """The verbs of a card's buttons, in order."""
    return [action["verb"] for action in of_type(card, "Action.Execute")]


def text(card: Element) -> str:
    """All text of a card, including fallbacks, one per line."""
    lines: list[str] = []
    for element in elements(card):
        lines += [element[key] for key in _TEXT_KEYS if key in element]
        lines += [f"{fact['title']} {fact['value']}" for fact in element.get("facts", ())]
    return "\n".join(lines)


def assert_valid(card: Element) -> None:
    """Asserts the rules that every card follows, whatever its content."""
    assert card["type"] == "AdaptiveCard"
    assert card["version"] == "1.5"
    assert card["msteams"] == {"width": "Full"}
    assert card["fallbackText"]
    assert any(block.get("style") == "heading" for block in of_type(card, "TextBlock"))
    for element in elements(card):
        kind = element["type"]
        assert kind in ELEMENTS | EXTENSIONS, kind
        if kind in EXTENSIONS:
            assert element["fallback"]["type"] in ELEMENTS
        if kind.startswith("Input."):
            _check_input(element)
        if kind == "Action.Execute":
            assert element["verb"]
            assert element["title"]
            assert set(element["data"]) >= {"request", "version"}
            assert element["associatedInputs"] in ("auto", "none")
        if kind in ("TextBlock", "TextRun"):
            assert element["text"]
        assert all(fact["title"] and fact["value"] for fact in element.get("facts", ()))
        if kind == "TextBlock":
            assert element.get("wrap") or len(element["text"]) < 12
        if kind == "Table":
            assert element["firstRowAsHeaders"]
            assert all(len(row["cells"]) == len(element["columns"]) for row in element["rows"])
    ids = [element["id"] for element in elements(card) if element["type"].startswith("Input.")]
    assert len(ids) == len(set(ids))
    assert size_bytes(card) < MAX_BYTES


def _check_input(element: Element) -> None:
    assert element["id"]
    assert element["label"]
    if element.get("isRequired"):
        assert element["errorMessage"]


def size_bytes(card: Element) -> int:
    """The size of a card as JSON, in the longest encoding that any sender uses."""
    encodings = (
        json.dumps(card),
        json.dumps(card, separators=(",", ":")),
        json.dumps(card, ensure_ascii=False),
    )
    return max(len(encoding.encode()) for encoding in encodings)
