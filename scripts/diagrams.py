"""Mermaid diagrams of the import contract and of the state machines, drawn from the code.

https://mermaid.js.org/syntax/flowchart.html, https://mermaid.js.org/syntax/stateDiagram.html
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from bot.signin.transition import State, Transition, terminal


def contract(pyproject: Path) -> list[list[str]]:
    """Returns the layers of the import contract, top down; modules of a layer do not import each other.

    Raises StopIteration when there is no such contract.
    """
    linter = tomllib.loads(pyproject.read_text("utf-8"))["tool"]["importlinter"]
    layers: list[str] = next(c["layers"] for c in linter["contracts"] if c["type"] == "layers")
    return [re.split(r"\s*[|:]\s*", layer) for layer in layers]


def layers(pyproject: Path) -> str:
    """The import contract as a flowchart: a layer may import the layers below it."""
    lines: list[str] = []
    ids: list[str] = []
    for number, modules in enumerate(contract(pyproject)):
        nodes = [f'{module.replace(".", "_")}["{module}"]' for module in modules]
        if len(nodes) == 1:
            lines.append(nodes[0])
            ids.append(modules[0].replace(".", "_"))
        else:
            lines += [f'subgraph layer{number}[" "]', "  direction TB"]
            lines += [*(f"  {node}" for node in nodes), "end"]
            ids.append(f"layer{number}")
    lines += [f"{upper} --> {lower}" for upper, lower in pairwise(ids)]
    return _fenced("flowchart TD", lines)


def modules(pyproject: Path) -> str:
    """A Markdown table with a row per module of the contract: the first sentence of its docstring."""
    rows = [
        f"| `{module}` | {_purpose(pyproject.parent, module)} |"
        for layer in contract(pyproject)
        for module in layer
    ]
    return "\n".join(["| module | what it is for |", "|---|---|", *rows]) + "\n"


def _purpose(root: Path, module: str) -> str:
    path = root.joinpath(*module.split("."))
    source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    docstring = ast.get_docstring(ast.parse(source.read_text("utf-8"))) or ""
    paragraph = " ".join(docstring.partition("\n\n")[0].split())
    return re.split(r"(?<=[.!])\s+(?=[A-Z])", paragraph)[0].replace("|", "\\|")


def states(initial: State, transitions: Sequence[Transition[State]]) -> str:
    """A state diagram of every possible transition, each labeled with the function that makes it."""
    order = list(type(initial))
    lines = [f"[*] --> {initial.value}"]
    by_end = sorted(transitions, key=lambda transition: order.index(transition.after))
    lines += [
        f"{state.value} --> {transition.after.value}: {transition.name}"
        for state in order
        for transition in by_end
        if state in transition.before
    ]
    ends = terminal(order, transitions)
    lines += [f"{state.value} --> [*]" for state in order if state in ends]
    return _fenced("stateDiagram-v2", lines)


def _fenced(kind: str, lines: list[str]) -> str:
    return "\n".join(["```mermaid", kind, *(f"  {line}" for line in lines), "```"]) + "\n"
