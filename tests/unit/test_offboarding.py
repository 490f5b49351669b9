"""The SIP Gateway drops phones that do not connect: 30 days signed in, 14 days signed out.

Microsoft, "Plan for SIP Gateway". Such a phone needs a factory reset before it is provisioned again.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.words import Words
from cards import static
from tests.support import reading

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("cause", ["device-not-found", "device-offline", "deadline-expired"])
def test_fix_names_the_factory_reset_when_a_phone_may_have_been_dropped(cause: str) -> None:
    fix = Words().part(f"cause-{cause}", "fix")
    assert "14 days" in fix
    assert "to factory settings" in fix


def test_help_says_when_a_phone_is_dropped() -> None:
    text = reading.text(static.help(Words()).card)
    assert "30 days while signed in, or 14 days while signed out" in text
    assert "factory reset" in text


def test_prerequisites_list_both_limits() -> None:
    page = (ROOT / "docs/prerequisites.md").read_text("utf-8")
    assert "| 14 days without connection, signed out |" in page
    assert "| 30 days without connection, signed in |" in page
