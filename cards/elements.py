"""The building blocks of cards, on top of `microsoft-teams-cards`.

Text carries all the information. Elements beyond Adaptive Cards 1.5 (Badge, ProgressBar, CodeBlock) are
optional, each with a fallback, because many clients silently drop unknown elements.
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
_BADGE_STYLES: Mapping[ContainerStyle, BadgeStyle] = MappingProxyType(
    {
        "default": "Informative",
        "emphasis": "Subtle",
        "accent": "Accent",
        "good": "Good",
        "attention": "Attention",
        "warning": "Warning",
    }
)
EMPTY = "–"  # stands for a missing value: clients reject empty text
# Shown beside each label, so that no meaning depends on color alone
SYMBOLS: Mapping[ContainerStyle, str] = MappingProxyType(
    {
        "default": "•",
        "emphasis": "–",
        "accent": "→",
        "good": "✓",
        "attention": "✕",
        "warning": "!",
    }
)


def timestamp(when: datetime) -> Markup:
    """Returns date and time macros, which each client shows in its reader's time zone and language."""
    utc = f"{when.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return Markup(f"{{{{DATE({utc},SHORT)}}}} {{{{TIME({utc})}}}}")


def text(sentence: str, *, subtle: bool = False, spacing: Spacing | None = None) -> TextBlock:
    """A catalogue sentence: Markdown with escaped arguments."""
    return TextBlock(text=sentence, wrap=True, is_subtle=subtle or None, spacing=spacing)


def bold(sentence: str, *, spacing: Spacing | None = None) -> TextBlock:
    return TextBlock(text=sentence, wrap=True, weight="Bolder", spacing=spacing)


def title(sentence: str) -> TextBlock:
    """The heading of the card."""
    return TextBlock(text=sentence, wrap=True, size="Large", weight="Bolder", style="heading")


def heading(sentence: str) -> TextBlock:
    """The heading of a section."""
    return TextBlock(
        text=sentence, wrap=True, size="Medium", weight="Bolder", style="heading", spacing="Large"
    )


def text_runs(*values: str, monospace: bool = True, subtle: bool = False) -> RichTextBlock:
    """Values shown literally: text runs have no Markdown. Callers pass each through `single_line`."""
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


def code_block(snippet: str) -> CodeBlock:
    """Lines to copy."""
    lines = [text_runs(line) for line in snippet.splitlines()]
    return CodeBlock(
        code_snippet=snippet,
        language="PlainText",
        fallback=lines[0] if len(lines) == 1 else Container(items=list[CardElement](lines)),
    )


def badge(label: str, style: ContainerStyle) -> Badge:
    return Badge(
        text=f"{SYMBOLS[style]} {label}",
        style=_BADGE_STYLES[style],
        appearance="Tint",
        size="Large",
        fallback=TextBlock(
            text=f"{SYMBOLS[style]} {label}", wrap=True, size="Small", weight="Bolder"
        ),
    )


def progress_bar(good: int, bad: int, in_progress: int, total: int) -> ProgressBar:
    """A bar of phone counts: succeeded, failed, in progress, and the rest of `total`.

    Decorative: the card also gives the counts as text.
    """
    segments: tuple[tuple[int, ContainerStyle], ...] = (
        (good, "good"),
        (bad, "attention"),
        (in_progress, "accent"),
        (total - good - bad - in_progress, "emphasis"),
    )
    return ProgressBar(
        value=good + bad,
        max=max(total, 1),
        color="Warning" if bad else "Good",
        fallback=ColumnSet(
            columns=[
                Column(
                    width=max(1, 100 * count // total),
                    style=style,
                    min_height="8px",
                    spacing="None",
                )
                for count, style in segments
                if count
            ],
        ),
    )


def callout(sentences: Sequence[TextBlock], style: ContainerStyle) -> Container:
    """Sentences in a colored box."""
    return Container(style=style, items=list[CardElement](sentences), rounded_corners=True)


def facts(pairs: Sequence[tuple[str, str]]) -> FactSet:
    """`pairs` are labels and values. Values are escaped Markdown."""
    return FactSet(facts=[Fact(title=label, value=value) for label, value in pairs])


def table(
    headers: Sequence[str],
    rows: Sequence[Sequence[Sequence[CardElement]]],
    widths: Sequence[int | str],
) -> Table:
    """A table with a header row. A cell is a sequence of elements; a width is a weight or pixels."""
    header_row = TableRow(
        cells=[TableCell(items=[bold(header)]) for header in headers], style="emphasis"
    )
    body = [TableRow(cells=[TableCell(items=list(cell)) for cell in row]) for row in rows]
    return Table(
        columns=[ColumnDefinition(width=width) for width in widths],
        rows=[header_row, *body],
        first_row_as_headers=True,
        show_grid_lines=True,
        grid_style="default",
        vertical_cell_content_alignment="Top",
    )


def action_row(actions: Sequence[Action]) -> ActionSet:
    return ActionSet(actions=list(actions))


def to_json(card: AdaptiveCard) -> dict[str, Any]:
    """Returns Adaptive Card JSON, set to the full width of the chat."""
    content = _integral(card.model_dump(exclude_none=True, by_alias=True))
    # Spelled as Teams documents it; the library's own type uses another case.
    return {**content, "msteams": {"width": "Full"}}


def _integral(value: Any) -> Any:
    """Turns whole floats back into integers: the library makes every number a float."""
    if isinstance(value, dict):
        return {key: _integral(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_integral(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def size_bytes(card: Mapping[str, Any]) -> int:
    """Returns the size in the longest encoding, ASCII with spaces, which is how the SDK sends cards."""
    return len(json.dumps(card))
