"""The shapes that cards are built of, over `microsoft-teams-cards`.

Text carries everything. Elements beyond Adaptive Cards 1.5 (Badge, ProgressBar, CodeBlock) are extras,
each with a fallback, since many clients drop what they do not know without a word.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Literal

from microsoft_teams.cards.core import (
    Action,
    ActionSet,
    AdaptiveCard,
    Badge,
    CardElement,
    CodeBlock,
    Column,
    ColumnDefinition,
    ColumnSet,
    Container,
    ContainerStyle,
    Fact,
    FactSet,
    ProgressBar,
    RichTextBlock,
    Spacing,
    Table,
    TableCell,
    TableRow,
    TextBlock,
    TextRun,
)

from cards.escape import Markup

BadgeStyle = Literal["Informative", "Accent", "Good", "Attention", "Warning", "Subtle"]
_BADGES: Mapping[ContainerStyle, BadgeStyle] = MappingProxyType(
    {
        "default": "Informative",
        "emphasis": "Subtle",
        "accent": "Accent",
        "good": "Good",
        "attention": "Attention",
        "warning": "Warning",
    }
)
EMPTY = "–"  # where there is no value: clients refuse a text that is empty
# A sign beside each word, so that nothing is said by colour alone.
SIGNS: Mapping[ContainerStyle, str] = MappingProxyType(
    {
        "default": "•",
        "emphasis": "–",
        "accent": "→",
        "good": "✓",
        "attention": "✕",
        "warning": "!",
    }
)


def moment(when: datetime) -> Markup:
    """A point in time that each reader's client shows in its own time zone and language."""
    stamp = f"{when.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return Markup(f"{{{{DATE({stamp},SHORT)}}}} {{{{TIME({stamp})}}}}")


def text(sentence: str, *, subtle: bool = False, spacing: Spacing | None = None) -> TextBlock:
    """A sentence of the catalogue: Markdown, its arguments escaped."""
    return TextBlock(text=sentence, wrap=True, is_subtle=subtle or None, spacing=spacing)


def strong(sentence: str, *, spacing: Spacing | None = None) -> TextBlock:
    return TextBlock(text=sentence, wrap=True, weight="Bolder", spacing=spacing)


def title(sentence: str) -> TextBlock:
    """The card's own heading."""
    return TextBlock(text=sentence, wrap=True, size="Large", weight="Bolder", style="heading")


def heading(sentence: str) -> TextBlock:
    """The heading of a part of the card."""
    return TextBlock(
        text=sentence, wrap=True, size="Medium", weight="Bolder", style="heading", spacing="Large"
    )


def verbatim(*values: str, monospace: bool = True, subtle: bool = False) -> RichTextBlock:
    """Values as they are: text runs know no Markdown. Each has been through `escape.plain`."""
    return RichTextBlock(
        inlines=[
            TextRun(
                text=value or EMPTY,
                font_type="Monospace" if monospace else None,
                is_subtle=subtle or None,
            )
            for value in values
        ],
        spacing="Small",
    )


def copyable(snippet: str) -> CodeBlock:
    """Lines to copy as they stand."""
    lines = [verbatim(line) for line in snippet.splitlines()]
    return CodeBlock(
        code_snippet=snippet,
        language="PlainText",
        fallback=lines[0] if len(lines) == 1 else Container(items=list[CardElement](lines)),
    )


def badge(word: str, tone: ContainerStyle) -> Badge:
    return Badge(
        text=f"{SIGNS[tone]} {word}",
        style=_BADGES[tone],
        appearance="Tint",
        size="Large",
        fallback=TextBlock(text=f"{SIGNS[tone]} {word}", wrap=True, size="Small", weight="Bolder"),
    )


def bar(good: int, bad: int, running: int, total: int) -> ProgressBar:
    """How far things are, well or badly. The counts stand in words beside it."""
    parts: tuple[tuple[int, ContainerStyle], ...] = (
        (good, "good"),
        (bad, "attention"),
        (running, "accent"),
        (total - good - bad - running, "emphasis"),
    )
    return ProgressBar(
        value=good + bad,
        max=max(total, 1),
        color="Warning" if bad else "Good",
        fallback=ColumnSet(
            columns=[
                Column(
                    width=max(1, round(100 * count / total)),
                    style=style,
                    min_height="8px",
                    spacing="None",
                )
                for count, style in parts
                if count
            ],
        ),
    )


def note(sentences: Sequence[TextBlock], tone: ContainerStyle) -> Container:
    """Something to notice before all else."""
    return Container(style=tone, items=list[CardElement](sentences), rounded_corners=True)


def facts(pairs: Sequence[tuple[str, str]]) -> FactSet:
    """`(label, value)`; values are Markdown, escaped by now."""
    return FactSet(facts=[Fact(title=label, value=value) for label, value in pairs])


def table(
    headers: Sequence[str],
    rows: Sequence[Sequence[Sequence[CardElement]]],
    widths: Sequence[int | str],
) -> Table:
    """A table with a header row; every cell is a stack of elements."""
    head = TableRow(
        cells=[TableCell(items=[strong(header)]) for header in headers], style="emphasis"
    )
    body = [TableRow(cells=[TableCell(items=list(cell)) for cell in row]) for row in rows]
    return Table(
        columns=[ColumnDefinition(width=width) for width in widths],
        rows=[head, *body],
        first_row_as_headers=True,
        show_grid_lines=True,
        grid_style="default",
        vertical_cell_content_alignment="Top",
    )


def buttons(actions: Sequence[Action]) -> ActionSet:
    return ActionSet(actions=list(actions))


def dump(card: AdaptiveCard) -> dict[str, Any]:
    """Adaptive Card JSON, over the whole width of the chat."""
    made = _whole(card.model_dump(exclude_none=True, by_alias=True))
    # Spelled as Teams documents it; the library's own type has another case.
    return {**made, "msteams": {"width": "Full"}}


def _whole(value: Any) -> Any:
    """The library turns every number into a float; clients want whole ones where they are whole."""
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def size(card: Mapping[str, Any]) -> int:
    """Bytes of the card in its longest spelling, ASCII with spaces, as the SDK sends it."""
    return len(json.dumps(card))
