"""Mermaid diagrams of what the code is held to: the import contract, the states and their transitions.

https://mermaid.js.org/syntax/flowchart.html, https://mermaid.js.org/syntax/stateDiagram.html
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Mapping
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

State = TypeVar("State", bound=StrEnum)


def contract(pyproject: Path) -> list[list[str]]:
    """The layers of the import contract, the highest first; those of one layer know nothing of each
    other. Raises StopIteration if there is no such contract."""
    linter = tomllib.loads(pyproject.read_text("utf-8"))["tool"]["importlinter"]
    layers: list[str] = next(c["layers"] for c in linter["contracts"] if c["type"] == "layers")
    return [re.split(r"\s*[|:]\s*", layer) for layer in layers]


def layers(pyproject: Path) -> str:
    """The contract as a flowchart: a layer may import what is below it."""
    lines: list[str] = []
    ids: list[str] = []
    for number, rooms in enumerate(contract(pyproject)):
        nodes = [f'{room.replace(".", "_")}["{room}"]' for room in rooms]
        if len(nodes) == 1:
            lines.append(nodes[0])
            ids.append(rooms[0].replace(".", "_"))
        else:
            lines += [f'subgraph layer{number}[" "]', "  direction TB"]
            lines += [*(f"  {node}" for node in nodes), "end"]
            ids.append(f"layer{number}")
    lines += [f"{upper} --> {lower}" for upper, lower in pairwise(ids)]
    return _fenced("flowchart TD", lines)


def rooms(pyproject: Path) -> str:
    """One Markdown row for each module of the contract: the first sentence of its docstring."""
    rows = [
        f"| `{room}` | {_purpose(pyproject.parent, room)} |"
        for layer in contract(pyproject)
        for room in layer
    ]
    return "\n".join(["| module | what it is for |", "|---|---|", *rows]) + "\n"


def _purpose(root: Path, module: str) -> str:
    path = root.joinpath(*module.split("."))
    source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    said = ast.get_docstring(ast.parse(source.read_text("utf-8"))) or ""
    paragraph = " ".join(said.partition("\n\n")[0].split())
    return re.split(r"(?<=[.!])\s+(?=[A-Z])", paragraph)[0].replace("|", "\\|")


def states(transitions: Mapping[State, frozenset[State]]) -> str:
    """A state diagram of every change that can happen. The first state is the one that all begin in."""
    first = next(iter(transitions))
    order = list(transitions)
    lines = [f"[*] --> {first.value}"]
    for state, following in transitions.items():
        lines += [
            f"{state.value} --> {after.value}" for after in sorted(following, key=order.index)
        ]
        if not following:
            lines.append(f"{state.value} --> [*]")
    return _fenced("stateDiagram-v2", lines)


def _fenced(kind: str, lines: list[str]) -> str:
    return "\n".join(["```mermaid", kind, *(f"  {line}" for line in lines), "```"]) + "\n"
