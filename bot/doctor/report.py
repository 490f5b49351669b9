"""Findings for people at a terminal, and for scripts."""

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

FORMAT = 1  # goes up when a script that reads the JSON would have to change
_MARKS: Mapping[FindingState, tuple[str, str]] = MappingProxyType(
    {
        FindingState.OK: ("✓", "green"),
        FindingState.FAILED: ("✗", "red"),
        FindingState.UNKNOWN: ("?", "yellow"),
    }
)


def counted(findings: Sequence[Finding]) -> dict[str, int]:
    """How many findings there are of each state."""
    return {state.value: sum(each.state is state for each in findings) for state in FindingState}


def as_json(findings: Sequence[Finding], words: Words, now: datetime) -> dict[str, Any]:
    """`format`, `version`, `checked_at`, `counts` by state, and `findings`: each has `step`, `state`
    (`ok`, `failed`, `unknown`), `code`, `message`, and `fix`, "" if the state is `ok`.

    Steps, states and codes are stable; the sentences may change.
    """
    return {
        "format": FORMAT,
        "version": __version__,
        "checked_at": now.astimezone(UTC).isoformat(timespec="seconds"),
        "counts": counted(findings),
        "findings": [
            {
                "step": each.step,
                "state": each.state.value,
                "code": each.message,
                "message": words(each.message, **each.arguments),
                "fix": _fix(each, words),
            }
            for each in findings
        ],
    }


def show(findings: Sequence[Finding], words: Words, console: Console) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("")
    table.add_column(words("checks-column-check"), overflow="fold")
    table.add_column(words("checks-column-found"), overflow="fold")
    for each in findings:
        mark, style = _MARKS[each.state]
        told = Text(words(each.message, **each.arguments))
        if fix := _fix(each, words):
            told.append(f"\n→ {fix}", style="bold")
        table.add_row(Text(mark, style=style), Text(words(f"check-{each.step}")), told)
    console.print(table)
    counts = counted(findings)
    verdict = words(
        "checks-verdict",
        failed=counts[FindingState.FAILED],
        unknown=counts[FindingState.UNKNOWN],
        total=len(findings),
    )
    console.print(Text(verdict, style="bold"))
    console.print(Text(words("checks-only-looked"), style="dim"))


def _fix(finding: Finding, words: Words) -> str:
    if finding.state is FindingState.OK:
        return ""
    return words.part(finding.message, "fix", **finding.arguments)
