"""Renders Adaptive Cards in a terminal, or as plain lines, for the demo."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from bot.simulator.client import elements

Json = Mapping[str, Any]

_MOMENT = re.compile(r"\{\{DATE\((?P<date>[^,)]+)(?:,\s*\w+)?\)\}\}(?:\s*\{\{TIME\([^)]*\)\}\})?")
_STYLES = {"Good": "green", "Attention": "red", "Warning": "yellow", "Accent": "cyan"}
_ESCAPED = re.compile(r"\\(?=[^\w\s])")
_BOLD = re.compile(r"(?<!\\)\*\*(.+?)(?<!\\)\*\*")
_PANEL_WIDTH = 100


def card(content: Json, who: str) -> RenderableType:
    """An Adaptive Card in a box. Inputs and buttons are shown by their labels."""
    parts = list(_items(content.get("body")))
    if actions := _actions(content.get("actions")):
        parts.append(actions)
    return Panel(Group(*parts), title=who, title_align="left", box=box.ROUNDED, width=_PANEL_WIDTH)


def lines(content: Json) -> Iterator[str]:
    """An Adaptive Card as plain lines; a row of a table is one line, its cells separated by tabs."""
    yield from _lines(content.get("body"))
    if titles := _titles(content.get("actions")):
        yield titles


def headline(content: Json) -> str:
    """A card's first progress and first large text, on one line."""
    bars = [each for each in elements(content.get("body")) if each["type"] == "ProgressBar"]
    titles = [
        plain_text(str(each.get("text", "")))
        for each in elements(content.get("body"))
        if each["type"] == "TextBlock" and each.get("size") == "Large"
    ]
    return "  ".join([*map(_percentage, bars[:1]), *titles[:1]])


def message(text: str, who: str) -> RenderableType:
    return Panel(Text(text), title=who, title_align="left", box=box.ROUNDED, width=_PANEL_WIDTH)


def plain_text(text: str) -> str:
    """The text of a TextBlock as a client shows it: dates in the local time zone, without Markdown."""

    def to_local(match: re.Match[str]) -> str:
        stamp = datetime.fromisoformat(match["date"].strip())
        return f"{stamp.astimezone():%Y-%m-%d %H:%M}"

    return _ESCAPED.sub("", _BOLD.sub(r"\1", _MOMENT.sub(to_local, text))).replace("&amp;", "&")


def _items(nodes: Any) -> Iterator[RenderableType]:
    for node in _list(nodes):
        if node.get("isVisible") is False:
            continue
        rendered = _element(node)
        if rendered is not None:
            yield rendered


def _lines(nodes: Any) -> Iterator[str]:
    for node in _list(nodes):
        if node.get("isVisible") is not False:
            yield from filter(None, _plain(node))


def _plain(node: Json) -> Iterator[str]:
    match str(node.get("type")):
        case "ProgressBar":
            yield _percentage(node)
        case "FactSet":
            for fact in _list(node.get("facts")):
                title, value = (plain_text(str(fact.get(name, ""))) for name in ("title", "value"))
                yield f"{title}: {value}"
        case "Table":
            for row in _list(node.get("rows")):
                cells = (" ".join(_lines(cell.get("items"))) for cell in _list(row.get("cells")))
                yield "\t".join(cells)
        case "ColumnSet":
            for column in _list(node.get("columns")):
                yield from _lines(column.get("items"))
        case "ActionSet":
            yield _titles(node.get("actions"))
        case _ if "items" in node:
            yield from _lines(node["items"])
        case _:
            text = _element(node)
            yield text.plain if isinstance(text, Text) else ""


def _element(node: Json) -> RenderableType | None:
    kind = str(node.get("type"))
    if kind == "TextBlock":
        weight = "bold" if node.get("weight") == "Bolder" else "dim" if node.get("isSubtle") else ""
        style = " ".join(filter(None, (weight, _STYLES.get(str(node.get("color")), ""))))
        return Text(plain_text(str(node.get("text", ""))), style=style)
    if kind == "RichTextBlock":
        return Text("".join(_run(run) for run in node.get("inlines") or []))
    if kind in ("Badge", "CodeBlock"):
        return Text(str(node.get("text") or node.get("codeSnippet") or ""))
    if kind == "ProgressBar":
        return _bar(float(node.get("value") or 0), float(node.get("max") or 100))
    if kind == "FactSet":
        return _facts(node)
    if kind == "Table":
        return _table(node)
    if kind == "ColumnSet":
        return _columns(node)
    if kind == "ActionSet":
        return _actions(node.get("actions"))
    if kind.startswith("Input."):
        return _input(node)
    if "items" in node:
        return Group(*_items(node["items"]))
    return None


def _run(run: Any) -> str:
    return run if isinstance(run, str) else str(cast(Json, run).get("text", ""))


def _bar(value: float, maximum: float) -> Text:
    filled = round(40 * value / maximum) if maximum else 0
    return Text("█" * filled + "░" * (40 - filled), style="cyan")


def _percentage(node: Json) -> str:
    value, maximum = float(node.get("value") or 0), float(node.get("max") or 100)
    return f"{value / maximum:.0%}" if maximum else ""


def _facts(node: Json) -> Table:
    table = Table.grid(padding=(0, 2))
    for fact in _list(node.get("facts")):
        table.add_row(
            Text(plain_text(str(fact.get("title", ""))), style="bold"),
            Text(plain_text(str(fact.get("value", "")))),
        )
    return table


def _table(node: Json) -> RenderableType:
    rows = [
        [Group(*_items(cell.get("items"))) for cell in _list(row.get("cells"))]
        for row in _list(node.get("rows"))
    ]
    if not rows:
        return Text("")
    has_header = bool(node.get("firstRowAsHeaders", node.get("firstRowAsHeader", True)))
    table = Table(box=box.SIMPLE_HEAD, show_header=has_header)
    for cell in rows[0]:
        table.add_column(cell if has_header else "")
    for row in rows[1:] if has_header else rows:
        table.add_row(*row)
    return table


def _columns(node: Json) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_row(*(Group(*_items(column.get("items"))) for column in _list(node.get("columns"))))
    return grid


def _input(node: Json) -> Text:
    label = plain_text(str(node.get("label") or node.get("title") or node.get("id")))
    if node["type"] == "Input.Toggle":
        return Text(f"[ ] {plain_text(str(node.get('title', '')))}", style="italic")
    choices = ", ".join(
        plain_text(str(choice.get("title"))) for choice in _list(node.get("choices"))
    )
    return Text(f"{label}: {choices or '______________'}", style="italic")


def _actions(nodes: Any) -> RenderableType | None:
    titles = _titles(nodes)
    return Padding(Text(titles, style="bold cyan"), (1, 0, 0, 0)) if titles else None


def _titles(nodes: Any) -> str:
    titles = [plain_text(str(node.get("title"))) for node in _list(nodes) if node.get("title")]
    return "   ".join(f"[ {title} ]" for title in titles)


def _list(nodes: Any) -> Sequence[Json]:
    if not isinstance(nodes, list):
        return ()
    return [cast(Json, node) for node in cast(list[Any], nodes) if isinstance(node, dict)]
