"""Cards on a terminal: what people would see in chat, as text. For the demo."""

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
_SHOWN_PANEL_WIDTH = 100


def card(content: Json, who: str) -> RenderableType:
    """An Adaptive Card in a box; its inputs and buttons are named, since a terminal has none."""
    parts = list(_items(content.get("body")))
    if actions := _actions(content.get("actions")):
        parts.append(actions)
    return Panel(
        Group(*parts), title=who, title_align="left", box=box.ROUNDED, width=_SHOWN_PANEL_WIDTH
    )


def headline(content: Json) -> RenderableType:
    """The first bar of a card and the largest text before it, on one line."""
    found: dict[str, RenderableType] = {}
    for element in elements(content.get("body")):
        if element["type"] == "TextBlock" and element.get("size") == "Large":
            found.setdefault("text", Text(plain(str(element.get("text", "")))))
        if element["type"] == "ProgressBar":
            found.setdefault("bar", _element(element) or Text(""))
    grid = Table.grid(padding=(0, 2))
    grid.add_row(found.get("bar", ""), found.get("text", ""))
    return grid


def message(text: str, who: str) -> RenderableType:
    return Panel(
        Text(text), title=who, title_align="left", box=box.ROUNDED, width=_SHOWN_PANEL_WIDTH
    )


def plain(text: str) -> str:
    """The text of a TextBlock as a client shows it: dates in this time zone, no Markdown."""

    def local(found: re.Match[str]) -> str:
        stamp = datetime.fromisoformat(found["date"].strip())
        return f"{stamp.astimezone():%Y-%m-%d %H:%M}"

    return _ESCAPED.sub("", _BOLD.sub(r"\1", _MOMENT.sub(local, text))).replace("&amp;", "&")


def _items(nodes: Any) -> Iterator[RenderableType]:
    for node in _list(nodes):
        if node.get("isVisible") is False:
            continue
        rendered = _element(node)
        if rendered is not None:
            yield rendered


def _element(node: Json) -> RenderableType | None:
    kind = str(node.get("type"))
    if kind == "TextBlock":
        weight = "bold" if node.get("weight") == "Bolder" else "dim" if node.get("isSubtle") else ""
        style = " ".join(filter(None, (weight, _STYLES.get(str(node.get("color")), ""))))
        return Text(plain(str(node.get("text", ""))), style=style)
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


def _bar(value: float, most: float) -> Text:
    filled = round(40 * value / most) if most else 0
    return Text("█" * filled + "░" * (40 - filled), style="cyan")


def _facts(node: Json) -> Table:
    table = Table.grid(padding=(0, 2))
    for fact in _list(node.get("facts")):
        table.add_row(
            Text(plain(str(fact.get("title", ""))), style="bold"),
            Text(plain(str(fact.get("value", "")))),
        )
    return table


def _table(node: Json) -> RenderableType:
    rows = [
        [Group(*_items(cell.get("items"))) for cell in _list(row.get("cells"))]
        for row in _list(node.get("rows"))
    ]
    if not rows:
        return Text("")
    headed = bool(node.get("firstRowAsHeaders", node.get("firstRowAsHeader", True)))
    table = Table(box=box.SIMPLE_HEAD, show_header=headed)
    for cell in rows[0]:
        table.add_column(cell if headed else "")
    for row in rows[1:] if headed else rows:
        table.add_row(*row)
    return table


def _columns(node: Json) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_row(*(Group(*_items(column.get("items"))) for column in _list(node.get("columns"))))
    return grid


def _input(node: Json) -> Text:
    label = plain(str(node.get("label") or node.get("title") or node.get("id")))
    if node["type"] == "Input.Toggle":
        return Text(f"[ ] {plain(str(node.get('title', '')))}", style="italic")
    choices = ", ".join(plain(str(choice.get("title"))) for choice in _list(node.get("choices")))
    return Text(f"{label}: {choices or '______________'}", style="italic")


def _actions(nodes: Any) -> RenderableType | None:
    titles = [plain(str(node.get("title"))) for node in _list(nodes) if node.get("title")]
    if not titles:
        return None
    return Padding(
        Text("   ".join(f"[ {title} ]" for title in titles), style="bold cyan"), (1, 0, 0, 0)
    )


def _list(nodes: Any) -> Sequence[Json]:
    if not isinstance(nodes, list):
        return ()
    return [cast(Json, node) for node in cast(list[Any], nodes) if isinstance(node, dict)]
