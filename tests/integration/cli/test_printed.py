"""What commands print, on terminals of several widths and when piped."""

from __future__ import annotations

import io
import json
import logging
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.console import Console

from bot.cli import demo, main
from bot.signin.request import RequestState
from bot.simulator import terminal
from bot.words import Words
from cards.render import render
from cards.types import CardKind, View
from tests.support import snapshots

WIDTHS = (40, 80, 200)
TENANT = "11111111-2222-3333-4444-555555555555"
APP = "22222222-2222-4333-8444-555555555555"
EXAMPLE = Path(__file__).parents[3] / "examples" / "lobby-phones.csv"
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
DRAWN = re.compile("[\u2500-\u259f]")  # boxes and blocks

Print = Callable[..., str]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Print]:
    """Runs the command line on a terminal of a width, or piped without one; returns its stdout."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("OFFHOOK_DATA_DIR", str(tmp_path))
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str, width: int | None) -> str:
        stdout = io.StringIO() if width is None else Terminal()
        if width is not None:
            monkeypatch.setenv("COLUMNS", str(width))
        monkeypatch.setattr(sys, "argv", ["offhook", *arguments])
        monkeypatch.setattr(sys, "stdout", stdout)
        with pytest.raises(SystemExit):
            main()
        return stdout.getvalue()

    yield run
    root.handlers[:], root.level = handlers, level


def _assert_plain(text: str) -> None:
    assert "\x1b" not in text
    assert not DRAWN.search(text)
    assert not [line for line in text.splitlines() if line != line.rstrip(" ")]


def _words(text: str) -> set[str]:
    return set(ESCAPES.sub("", text).split())


def _urls(printed: Print) -> list[dict[str, str]]:
    return json.loads(printed("urls", "EMEA", "--tenant", TENANT, "--json", width=None))


@pytest.mark.parametrize("width", WIDTHS)
def test_urls_are_whole_beside_their_labels_on_a_terminal(printed: Print, width: int) -> None:
    text = printed("urls", "EMEA", "--tenant", TENANT, width=width)
    for row in _urls(printed):
        assert {row["region"], row["url"]} <= _words(text)
        assert set(Words()(f"device-{row['kind']}").split()) <= _words(text)


def test_urls_are_a_record_per_line_when_piped(printed: Print) -> None:
    text = printed("urls", "EMEA", "--tenant", TENANT, width=None)
    _assert_plain(text)
    rows = [line.split("\t") for line in text.splitlines()]
    assert rows[0] == ["Region", "Make", "URL"]
    documented = [row for row in rows[1:] if not row[1].endswith("(also in use)")]
    assert documented == [
        [row["region"], Words()(f"device-{row['kind']}"), row["url"]] for row in _urls(printed)
    ]


def test_urls_include_the_other_form_that_is_in_use(printed: Print) -> None:
    text = printed("urls", "EMEA", "--tenant", TENANT, width=None)
    (row,) = [line.split("\t") for line in text.splitlines() if "(also in use)" in line]
    assert row[1] == "Cisco ATAs (also in use)"
    assert row[2].endswith("/$mac.cfg")


def _issues(printed: Print) -> list[dict[str, str]]:
    return json.loads(printed("validate", str(EXAMPLE), "--json", width=None))["issues"]


@pytest.mark.parametrize("width", WIDTHS)
def test_validate_keeps_labels_and_sentences_on_a_terminal(printed: Print, width: int) -> None:
    text = printed("validate", str(EXAMPLE), width=width)
    assert max(map(len, ESCAPES.sub("", text).splitlines())) <= width
    words = _words(text)
    for issue in _issues(printed):
        assert {str(issue["row"]), issue["column"]} <= words
        assert {each for each in issue["message"].split() if len(each) < 20} <= words
        assert {each for each in issue["fix"].split() if len(each) < 20} <= words


def test_validate_is_a_record_per_line_when_piped(printed: Print) -> None:
    text = printed("validate", str(EXAMPLE), width=None)
    _assert_plain(text)
    rows = [line.split("\t") for line in text.splitlines() if "\t" in line]
    assert rows[0] == ["Row", "Column", "Value", "Severity", "Issue and fix"]
    assert [(row[0], row[1], row[4]) for row in rows[1:]] == [
        (str(issue["row"]), issue["column"], f"{issue['message']} {issue['fix']}")
        for issue in _issues(printed)
    ]


@pytest.mark.parametrize("name", ["missing.csv", f"{'long ' * 60}.csv"])
def test_validate_prints_whole_sentences_when_file_is_unreadable(printed: Print, name: str) -> None:
    text = printed("validate", name, width=None)
    _assert_plain(text)
    assert len(text.splitlines()) == 2


@pytest.mark.parametrize("width", WIDTHS)
def test_doctor_keeps_labels_on_a_terminal(printed: Print, width: int) -> None:
    text = printed("doctor", width=width)
    assert max(map(len, ESCAPES.sub("", text).splitlines())) <= width
    for check in ("Token for the Teams ConfigAPI", "Permission to use bulk sign-in"):
        assert check in text
    assert {"Passed", "Unknown"} <= _words(text)


def test_doctor_is_a_record_per_line_when_piped(printed: Print) -> None:
    text = printed("doctor", width=None)
    _assert_plain(text)
    rows = [line.split("\t") for line in text.splitlines() if "\t" in line]
    findings = json.loads(printed("doctor", "--json", width=None))["findings"]
    assert rows[0] == ["Result", "Check", "Finding and fix"]
    assert [row[2] for row in rows[1:]] == [
        each["message"] + (f" → {each['fix']}" if each["fix"] else "") for each in findings
    ]


@pytest.mark.parametrize("width", [*WIDTHS, None])
def test_diagnostics_prints_one_whole_line(
    printed: Print, tmp_path: Path, width: int | None
) -> None:
    file = tmp_path / f"{'a-folder-with-a-long-name-' * 3}.zip"
    text = printed("diagnostics", "--output", str(file), width=width)
    assert len(text.splitlines()) == 1
    assert str(file) in ESCAPES.sub("", text)
    if width is None:
        _assert_plain(text)


@pytest.mark.parametrize("width", [*WIDTHS, None])
def test_purge_prints_one_line(printed: Print, width: int | None) -> None:
    assert printed("purge", "--older-than", "1d", width=width) == "Deleted 0 requests.\n"


@pytest.mark.parametrize("width", [*WIDTHS, None])
def test_manifest_build_prints_whole_lines(
    printed: Print, tmp_path: Path, width: int | None
) -> None:
    file = tmp_path / f"{'a-folder-with-a-long-name-' * 3}.zip"
    arguments = ("manifest", "build", "--app-id", APP, "--tenant", TENANT, "--output", str(file))
    text = printed(*arguments, width=width)
    assert str(file) in text
    assert TENANT in text
    assert APP in text
    if width is None:
        _assert_plain(text)


SUMMARY = b"Status,Cause\r\n" + b"".join(
    [b"signed_in,\r\n" * 12, b"failed,The phone's public IP address is not trusted.\r\n" * 2]
)


@pytest.mark.parametrize("width", WIDTHS)
def test_demo_summary_keeps_labels_on_a_terminal(width: int) -> None:
    file = io.StringIO()
    demo.print_summary(Console(file=file, width=width, force_terminal=True), SUMMARY)
    assert max(map(len, ESCAPES.sub("", file.getvalue()).splitlines())) <= width
    assert {"signed_in", "failed", "12", "2", "trusted."} <= _words(file.getvalue())


def test_demo_summary_is_a_record_per_line_when_piped() -> None:
    file = io.StringIO()
    demo.print_summary(Console(file=file, width=40), SUMMARY)
    _assert_plain(file.getvalue())
    assert file.getvalue().splitlines() == [
        "The exported CSV",
        "Status\tPhones\tCause",
        "signed_in\t12\t",
        "failed\t2\tThe phone's public IP address is not trusted.",
    ]


@pytest.mark.parametrize("kind", CardKind)
def test_demo_shows_cards_as_plain_lines_when_piped(kind: CardKind) -> None:
    snapshot = snapshots.with_every_problem(snapshots.snapshot(RequestState.RUNNING))
    question = snapshot.questions[0].batch_id if snapshot.questions else 0
    view = View(batch_id=question)
    card = render(kind, snapshot, view, Words(), tenant_id=TENANT).card
    lines = list(terminal.lines(card))
    assert lines
    for line in lines:
        _assert_plain(line.replace("\t", "|"))
        assert "\n" not in line
