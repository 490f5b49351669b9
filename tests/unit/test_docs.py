"""The pages match the program: commands run, options and settings exist, every alert has a runbook."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from bot.cli import app
from bot.settings.model import Settings
from bot.signin.request import RequestState
from bot.store.models import Base
from tests.support.waiting import PATIENCE

ROOT = Path(__file__).parents[2]
CONTRACT = Path(__file__).with_name("contract.json")
PAGES = (ROOT / "README.md", *sorted(ROOT.joinpath("docs").glob("*.md")))
# Marks a block of commands that a test runs; readers do not see the comment.
_RUN = re.compile(r"<!-- runs, exit code (\d) -->\n```sh\n(.*?)```", re.DOTALL)
_FENCED = re.compile(r"^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)
_PROGRAM = "python -m bot "


def _text(page: Path) -> str:
    return page.read_text("utf-8")


def _lines(block: str) -> Iterator[str]:
    for line in block.replace("\\\n", " ").splitlines():
        if line.startswith(_PROGRAM):
            yield line


def _commands_to_run() -> Iterator[tuple[str, int]]:
    for page in PAGES:
        for code, block in _RUN.findall(_text(page)):
            for line in _lines(block):
                yield line, int(code)


@pytest.mark.parametrize(("line", "code"), sorted(set(_commands_to_run())))
def test_commands_on_pages_return_documented_exit_code(
    line: str, code: int, tmp_path: Path
) -> None:
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("OFFHOOK_")
    }
    process = subprocess.run(
        [sys.executable, *shlex.split(line, comments=True)[1:]],
        cwd=tmp_path,
        env={**environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert process.returncode == code, process.stdout + process.stderr


def _commands() -> Iterator[tuple[Path, str]]:
    for page in PAGES:
        for block in _FENCED.findall(_text(page)):
            for line in _lines(block):
                yield page, line


@pytest.mark.parametrize(
    ("page", "line"),
    list(_commands()),
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_commands_and_options_on_pages_exist(page: Path, line: str) -> None:
    del page
    words = shlex.split(line, comments=True)[3:]
    command = get_command(app)
    while isinstance(command, TyperGroup):
        name = words.pop(0)
        assert name in command.commands, name
        command = command.commands[name]
    known = {option for parameter in command.params for option in parameter.opts}
    for word in words:
        if word.startswith("-"):
            assert word.partition("=")[0] in known, word


def test_settings_named_on_pages_exist() -> None:
    known = {f"OFFHOOK_{name.upper()}" for name in Settings.model_fields} | {"OFFHOOK_TEST_BROWSER"}
    for page in PAGES:
        for name in set(re.findall(r"OFFHOOK_[A-Z_]+[A-Z]", _text(page))):
            assert name in known, f"{page.name}: {name}"


def test_operations_covers_every_alert_and_names_only_logged_events() -> None:
    operations = _text(ROOT / "docs" / "operations.md")
    names = set(_alert_names())
    assert len(names) > 10
    for name in names:
        assert f"### `{name}`" in operations, name
    logged = _logged_events()
    subjects = "|".join(sorted({event.partition(".")[0] for event in logged}))
    named = set(re.findall(rf"`((?:{subjects})\.[a-z_]+)`", operations))
    assert named - set(logged) == set()
    assert {event for event, levels in logged.items() if levels & _PROBLEMS} - named == set()


_PROBLEMS = {"warning", "error", "exception"}


def _logged_events() -> dict[str, set[str]]:
    """The events that the service logs, with their levels."""
    source = "\n".join(path.read_text("utf-8") for path in ROOT.joinpath("bot").rglob("*.py"))
    events: defaultdict[str, set[str]] = defaultdict(set)
    for level, event in re.findall(r'\blog\.(\w+)\)?\(\s*"([a-z]+\.[a-z_]+)"', source):
        events[event].add(level)
    for service in re.findall(r'\bOutages\("([^"]+)"', source):
        events[f"{service}.unavailable"].add("warning")
        events[f"{service}.recovered"].add("info")
    for loop in re.findall(r'\bLoop\("([^"]+)"', source):
        events[f"{loop}.round_failed"].add("exception")
    return events


def _alert_names() -> Iterator[str]:
    """Yields the names of the alert rules, without the prefix of the deployment."""
    modules = ROOT / "infra" / "modules"
    kind = r"'Microsoft\.Insights/metricAlerts@[^']*'"
    metrics = (modules / "alerts.bicep").read_text("utf-8")
    yield from re.findall(kind + r" = \{\s*name: '\$\{name\}-([^']+)'", metrics)
    logs = (modules / "log-alerts.bicep").read_text("utf-8")
    yield from re.findall(r"^    name: '([a-z-]+)'$", logs, re.MULTILINE)


def test_files_named_on_pages_exist() -> None:
    for page in (*PAGES, *ROOT.joinpath("docs", "decisions").glob("*.md")):
        for name in set(re.findall(r"`((?:tests|infra|bot|cards|docs)/[\w./-]+)`", _text(page))):
            exists = (ROOT / name).exists() or (ROOT / f"{name}.py").exists()
            assert exists, f"{page.name}: {name}"


def test_security_page_lists_every_table() -> None:
    security = _text(ROOT / "docs" / "security.md")
    for table in Base.metadata.tables:
        assert f"| `{table}` |" in security, table


def test_auditors_page_lists_exactly_the_actions_of_the_audit() -> None:
    recorded = set(json.loads(_text(CONTRACT))["audit_actions"])
    recorded |= {RequestState.FINISHED.value, RequestState.CANCELLED.value}
    page = _text(ROOT / "docs" / "auditors.md")
    section = page.partition("## What is recorded")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)) == recorded
