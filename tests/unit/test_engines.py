"""Every engine hides parameters: database errors are logged, and rows name accounts and phones."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
HIDDEN = ast.dump(ast.keyword("hide_parameters", ast.Constant(value=True)))


def _engines() -> Iterator[tuple[Path, ast.Call]]:
    for path in (ROOT / "bot").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            name = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            if isinstance(node, ast.Call) and name.endswith(
                ("create_engine", "create_async_engine")
            ):
                yield path, node


def test_engine_hides_parameters_wherever_one_is_created() -> None:
    engines = list(_engines())
    assert engines
    shown = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for path, call in engines
        if HIDDEN not in {ast.dump(keyword) for keyword in call.keywords}
    ]
    assert shown == []
