"""Warnings of the doctor on the card of `checks`."""

from __future__ import annotations

import pytest

from bot.doctor import Finding, FindingState
from bot.words import Words
from cards.checks import checks
from tests.support import reading

WARNING = Finding(
    "four-eyes", FindingState.WARNING, "found-two-eyes", {"setting": "OFFHOOK_FOUR_EYES"}
)
OK = Finding("roles", FindingState.OK, "found-roles")
FAILED = Finding("configapi", FindingState.FAILED, "found-slow", {"seconds": 20})
UNKNOWN = Finding("teams", FindingState.UNKNOWN, "found-teams-silent")


@pytest.mark.parametrize(
    ("findings", "headline"),
    [
        ([OK, WARNING], "Nothing failed. 1 of 2 checks has a warning."),
        ([WARNING, WARNING], "Nothing failed. 2 of 2 checks have a warning."),
        (
            [WARNING, UNKNOWN],
            "Nothing failed. 1 of 2 checks is inconclusive, and 1 has a warning.",
        ),
        ([OK, UNKNOWN], "Nothing failed. 1 of 2 checks is inconclusive."),
        ([FAILED, WARNING], "1 of 2 checks failed."),
    ],
)
def test_checks_card_counts_warnings(findings: list[Finding], headline: str) -> None:
    assert checks(Words(), findings).summary == headline


def test_checks_card_shows_warning_with_its_fix_before_unknown_checks() -> None:
    rendered = checks(Words(), [OK, UNKNOWN, WARNING])
    reading.assert_valid(rendered.card)
    text = reading.text(rendered.card)
    assert text.index("! Warning") < text.index("→ Remove ") < text.index("? Unknown")
