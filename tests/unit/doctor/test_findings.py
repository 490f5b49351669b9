"""Every finding renders on a card, in a terminal and in JSON, whatever its values."""

from __future__ import annotations

import ast
import io
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from bot.cli.doctor import print_report
from bot.doctor import Finding, FindingState
from bot.doctor.report import as_json
from bot.words import Words
from bot.words.terminal import single_line
from cards.checks import checks
from cards.elements import size_bytes
from cards.types import MAX_BYTES
from tests.support import reading

ROOT = Path(__file__).parents[3]
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
HOSTILE = "**x** [a](https://evil.example) <at>all</at> \x1b[31m\u202e" + "long " * 300
# Arguments for every message.
ARGUMENTS: dict[str, str | int] = {
    **dict.fromkeys(("set", "lacking", "count", "batches", "addresses", "conversations"), 2),
    **dict.fromkeys(("entries", "rules", "need", "people", "policies"), 2),
    "seconds": 20,
    **dict.fromkeys(("hours", "minutes", "link"), 2),
    "check": "graph-roles",
    "tier": "reading",
    **dict.fromkeys(
        (
            *("cloud", "names", "missing", "message", "correlation", "revision", "backend", "host"),
            *("value", "permission", "settings", "setting", "version", "module", "gateway"),
            *("problem", "hash", "rule", "groups", "context", "exists"),
        ),
        HOSTILE,
    ),
}


def constants(node: ast.AST) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and str(part.value).startswith("found-"):
            yield str(part.value)


def all_messages() -> Iterator[tuple[str, str]]:
    """(constructor, message ID) of every finding in the code."""
    for source in sorted((ROOT / "bot" / "doctor").glob("*.py")):
        for node in ast.walk(ast.parse(source.read_text("utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            maker = ast.unparse(node.func)
            if maker in ("ok", "failed", "unknown") and len(node.args) > 1:
                for message in constants(node.args[1]):
                    yield maker, message
            if maker == "MappingProxyType":
                for message in constants(node):
                    yield "failed", message


MESSAGES = sorted(set(all_messages()))


def findings(number: int = 20) -> list[Finding]:
    states = {"ok": FindingState.OK, "failed": FindingState.FAILED, "unknown": FindingState.UNKNOWN}
    found = [Finding("database", states[maker], message, ARGUMENTS) for maker, message in MESSAGES]
    bad = [each for each in found if each.state is FindingState.FAILED][: number // 2]
    return [*bad, *(each for each in found if each.state is FindingState.UNKNOWN)][:number]


@pytest.mark.parametrize(("maker", "message"), MESSAGES)
def test_every_finding_has_a_message_and_every_problem_a_fix(maker: str, message: str) -> None:
    words = Words()
    assert words(message, **ARGUMENTS)
    if maker != "ok":
        assert words.part(message, "fix", **ARGUMENTS)


def test_every_check_has_a_title() -> None:
    names = set(
        re.findall(
            r'check = "([\w-]+)"',
            "".join(each.read_text("utf-8") for each in (ROOT / "bot" / "doctor").glob("*.py")),
        )
    )
    assert len(names) > 5
    assert all(Words().has(f"check-{name}") for name in names)


def test_checks_card_is_valid_when_values_are_long_and_hostile() -> None:
    rendered = checks(Words(), findings())
    reading.assert_valid(rendered.card)
    assert size_bytes(rendered.card) < MAX_BYTES
    text = reading.text(rendered.card)
    assert "](https://evil" not in text.replace("\\](https://evil", "")
    assert "<at>" not in text.replace("\\<at>", "")
    assert "\u202e" not in text
    assert rendered.card["body"][0]["style"] == "attention"
    assert 0 < text.index("✕ Failed") < text.index("? Unknown")


def test_checks_card_is_good_when_all_checks_pass() -> None:
    rendered = checks(Words(), [Finding("roles", FindingState.OK, "found-roles")])
    assert rendered.summary == "The only check passed."
    reading.assert_valid(rendered.card)
    assert rendered.card["body"][0]["style"] == "good"


def test_json_report_has_documented_keys() -> None:
    words = Words(escape=single_line)
    found = [
        Finding("roles", FindingState.OK, "found-roles"),
        Finding("configapi", FindingState.FAILED, "found-slow", {"seconds": 20}),
        Finding("teams", FindingState.UNKNOWN, "found-teams-silent"),
    ]
    document = json.loads(json.dumps(as_json(found, words, NOW)))
    assert set(document) == {"format", "version", "checked_at", "counts", "findings"}
    assert document["format"] == 1
    assert document["checked_at"] == "2026-11-22T12:00:00+00:00"
    assert document["counts"] == {"ok": 1, "failed": 1, "warning": 0, "unknown": 1}
    assert document["findings"][1] == {
        "step": "configapi",
        "state": "failed",
        "code": "found-slow",
        "message": "No answer within 20 seconds.",
        "fix": "Check this host's network and proxy. Then try again.",
    }
    assert document["findings"][0]["fix"] == ""


def test_terminal_report_escapes_control_characters() -> None:
    output = io.StringIO()
    console = Console(file=output, width=100, force_terminal=False)
    print_report(findings(100), Words(escape=single_line), console)
    report = output.getvalue()
    assert "\x1b" not in report
    assert "\u202e" not in report
    assert "✗" in report
    assert "?" in report
    assert "→" in report
