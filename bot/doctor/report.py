"""Formats findings for a terminal and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bot import __version__
from bot.doctor import Finding, FindingState
from bot.words import Words

FORMAT = 1  # incremented on changes that break scripts reading the JSON
_MARKS: Mapping[FindingState, tuple[str, str]] = MappingProxyType(
    {
        FindingState.OK: ("✓", "green"),
        FindingState.FAILED: ("✗", "red"),
        FindingState.UNKNOWN: ("?", "yellow"),
    }
)


def count_by_state(findings: Sequence[Finding]) -> dict[str, int]:
    """The number of findings in each state."""
    return {state.value: sum(each.state is state for each in findings) for state in FindingState}


def as_json(findings: Sequence[Finding], words: Words, now: datetime) -> dict[str, Any]:
    """The findings as a JSON document.

    Keys: `format`, `version`, `checked_at` (UTC), `counts` by state, and `findings`. Each finding has
    `step` (the check's name), `state` (`ok`, `failed` or `unknown`), `code`, `message`, and `fix` (""
    when `ok`). Checks, states and codes are stable; message texts may change.
    """
    return {
        "format": FORMAT,
        "version": __version__,
        "checked_at": now.astimezone(UTC).isoformat(timespec="seconds"),
        "counts": count_by_state(findings),
        "findings": [
            {
                "step": each.check,
                "state": each.state.value,
                "code": each.message,
                "message": words(each.message, **each.arguments),
                "fix": _fix(each, words),
            }
            for each in findings
        ],
    }


def print_report(findings: Sequence[Finding], words: Words, console: Console) -> None:
    """Print the findings as a table, with fixes and a verdict."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("")
    table.add_column(words("checks-column-check"), overflow="fold")
    table.add_column(words("checks-column-found"), overflow="fold")
    for each in findings:
        mark, style = _MARKS[each.state]
        text = Text(words(each.message, **each.arguments))
        if fix := _fix(each, words):
            text.append(f"\n→ {fix}", style="bold")
        table.add_row(Text(mark, style=style), Text(words(f"check-{each.check}")), text)
    console.print(table)
    counts = count_by_state(findings)
    verdict = words(
        "checks-headline",
        failed=counts[FindingState.FAILED],
        unknown=counts[FindingState.UNKNOWN],
        total=len(findings),
    )
    console.print(Text(verdict, style="bold"))
    console.print(Text(words("checks-read-only"), style="dim"))


def _fix(finding: Finding, words: Words) -> str:
    if finding.state is FindingState.OK:
        return ""
    return words.part(finding.message, "fix", **finding.arguments)
