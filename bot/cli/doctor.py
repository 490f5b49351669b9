"""`python -m bot doctor`: the doctor at a terminal, and for scripts.

Exit codes: 0 nothing failed, 1 a check failed, 2 the checks could not run.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType

from rich.console import Console
from rich.text import Text

from bot import logs
from bot.cli.common import load_settings, usage_errors
from bot.cli.output import Column, print_line, print_table
from bot.doctor import Finding, FindingState, report
from bot.reading import examining
from bot.settings.model import Settings
from bot.words import Words
from bot.words.terminal import single_line

NOTHING_FAILED = 0
CHECK_FAILED = 1

_MARKS: Mapping[FindingState, tuple[str, str]] = MappingProxyType(
    {
        FindingState.OK: ("✓", "green"),
        FindingState.FAILED: ("✗", "red"),
        FindingState.WARNING: ("!", "yellow"),
        FindingState.UNKNOWN: ("?", "yellow"),
    }
)


def run(*, as_json: bool, console: Console) -> int:
    """Prints the findings and returns the exit code.

    Raises UsageError when the checks cannot run. A misspelled setting is a finding, not an error.
    """
    settings = load_settings(strict=False)
    logs.configure(level="error")
    with usage_errors():
        findings = asyncio.run(run_checks(settings))
    words = Words(escape=single_line)
    if as_json:
        # Bypasses the console's layout: scripts need the lines unwrapped.
        document = report.as_json(findings, words, datetime.now(UTC))
        console.file.write(json.dumps(document, indent=2) + "\n")
    else:
        print_report(findings, words, console)
    failed = any(finding.state is FindingState.FAILED for finding in findings)
    return CHECK_FAILED if failed else NOTHING_FAILED


async def run_checks(settings: Settings) -> Sequence[Finding]:
    """Every check, without an approver's delegation. Raises as `bot.reading.examining`."""
    async with examining(settings) as examine:
        return await examine(None)


def print_report(findings: Sequence[Finding], words: Words, console: Console) -> None:
    """Prints the findings as a table, with fixes and a verdict."""
    columns = (
        Column(words("checks-column-state")),
        Column(words("checks-column-check")),
        Column(words("checks-column-found"), wraps=True),
    )
    rows: list[tuple[str | Text, ...]] = []
    for each in findings:
        mark, style = _MARKS[each.state]
        text = Text(words(each.message, **each.arguments))
        if fix := report.fix_of(each, words):
            text.append(f"\n→ {fix}", style="bold")
        state = f"{mark} {words(f'checks-state-{each.state.value}')}"
        rows.append((Text(state, style=style), words(f"check-{each.check}"), text))
    print_table(console, columns, rows)
    counts = report.count_by_state(findings)
    verdict = words(
        "checks-headline",
        failed=counts[FindingState.FAILED],
        unknown=counts[FindingState.UNKNOWN],
        warnings=counts[FindingState.WARNING],
        total=len(findings),
    )
    print_line(console, verdict, "bold")
    print_line(console, words("checks-read-only"), "dim")
