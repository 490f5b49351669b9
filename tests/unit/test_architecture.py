"""The dependency on Bot Framework is thin: one module of limited size imports the SDK."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[2]
EDGE = ROOT / "bot" / "teams" / "auth.py"
SDK = frozenset({"botbuilder", "botframework"})
MAX_LINES = 150  # with blank lines and comments; see docs/decisions/0009


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def _sdk_importers() -> set[Path]:
    return {
        path
        for package in ("bot", "cards", "manifest")
        for path in ROOT.joinpath(package).rglob("*.py")
        if any(name.split(".")[0] in SDK for name in _imports(path))
    }


def test_sdk_is_imported_only_by_teams_auth() -> None:
    assert _sdk_importers() == {EDGE}


def test_teams_auth_stays_within_line_limit() -> None:
    assert len(EDGE.read_text("utf-8").splitlines()) <= MAX_LINES


def _normalized(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


def test_tests_import_only_what_make_test_installs() -> None:
    """`make check` installs more, which would hide what is missing."""
    installed = {
        re.split(r"[=\[; ]", line)[0]
        for lock in ("dev", "run")
        for line in (ROOT / "infra" / "lock" / f"{lock}.txt").read_text("utf-8").splitlines()
        if re.match(r"\w", line)
    }
    of_module = packages_distributions()
    imported = {
        name.split(".")[0]
        for path in (ROOT / "tests").rglob("*.py")
        if "infra" not in path.parts
        for name in _imports(path)
    }
    ours = {"bot", "cards", "manifest", "scripts", "bench", "tests", *sys.stdlib_module_names}
    assert {
        name
        for name in imported - ours
        if installed.isdisjoint(map(_normalized, of_module.get(name, [name])))
    } == set()
