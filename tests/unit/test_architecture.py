"""The edge towards Bot Framework is thin: few lines in one package, and nobody else imports the SDK."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
EDGE = ROOT / "bot" / "teams"
SDK = frozenset({"botbuilder", "botframework"})
LINES = 600  # all of the edge, with blank lines and comments; see docs/decisions/0009


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def _users_of_the_sdk() -> set[Path]:
    return {
        path
        for package in ("bot", "cards", "manifest")
        for path in ROOT.joinpath(package).rglob("*.py")
        if any(name.split(".")[0] in SDK for name in _imports(path))
    }


def test_only_the_edge_imports_the_sdk() -> None:
    users = _users_of_the_sdk()
    assert users, "the test looks for the wrong names"
    assert all(path.is_relative_to(EDGE) for path in users), users


def test_the_edge_is_thin() -> None:
    lines = sum(len(path.read_text("utf-8").splitlines()) for path in EDGE.glob("*.py"))
    assert lines <= LINES
