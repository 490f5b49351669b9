"""Findings as JSON, and what every view of them needs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from bot import __version__
from bot.doctor import Finding, FindingState
from bot.words import Words

FORMAT = 1  # incremented on changes that break scripts reading the JSON


def count_by_state(findings: Sequence[Finding]) -> dict[str, int]:
    """The number of findings in each state."""
    return {state.value: sum(each.state is state for each in findings) for state in FindingState}


def as_json(findings: Sequence[Finding], words: Words, now: datetime) -> dict[str, Any]:
    """The findings as a JSON document.

    Keys: `format`, `version`, `checked_at` (UTC), `counts` by state, and `findings`. Each finding has
    `step` (the check's name), `state` (`ok`, `failed`, `warning`, or `unknown`), `code`, `message`, and `fix`
    ("" when `ok`). Checks, states and codes are stable; message texts may change.
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
                "fix": fix_of(each, words),
            }
            for each in findings
        ],
    }


def fix_of(finding: Finding, words: Words) -> str:
    """What to do about a finding; "" if there is nothing to do."""
    if finding.state is FindingState.OK:
        return ""
    return words.part(finding.message, "fix", **finding.arguments)
