"""Reads Bicep files as far as the tests ask: who declares what, and who uses it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import tree_sitter_bicep
from tree_sitter import Language, Node, Parser

PROJECT = Path(__file__).parents[2]
INFRA = PROJECT / "infra"
FILES = sorted([*INFRA.glob("*.bicep"), *INFRA.glob("modules/*.bicep")])
_KINDS = {
    "parameter_declaration": "param",
    "variable_declaration": "var",
    "resource_declaration": "resource",
    "module_declaration": "module",
    "output_declaration": "output",
}


def _text(node: Node) -> str:
    return (node.text or b"").decode()


@dataclass(frozen=True, slots=True)
class Declaration:
    kind: str
    name: str
    node: Node
    decorators: frozenset[str]

    @property
    def target(self) -> str:
        """Of a resource its type and version, of a module its path."""
        return next(_text(child) for child in self.node.children if child.type == "string").strip(
            "'"
        )

    @property
    def resource_type(self) -> str:
        return self.target.partition("@")[0]

    @property
    def api_version(self) -> str:
        return self.target.partition("@")[2]

    @property
    def existing(self) -> bool:
        return any(child.type == "existing" for child in self.node.children)

    @property
    def has_default(self) -> bool:
        return any(child.type == "=" for child in self.node.children)

    def properties(self, *path: str) -> dict[str, Node]:
        """The properties of the object that it is declared as, or of one in it."""
        found = properties(_object(self.node))
        for step in path:
            found = properties(found[step])
        return found

    def value(self, *path: str) -> str:
        """The text of one property, without quotes."""
        *before, last = path
        return _text(self.properties(*before)[last]).strip("'")


def _object(node: Node) -> Node:
    for child in node.children:
        if child.type == "object":
            return child
        if child.type in ("if_statement", "for_statement"):
            return _object(child)
    raise AssertionError(f"no object in {_text(node)[:80]}")


def properties(node: Node) -> dict[str, Node]:
    if node.type != "object":
        raise AssertionError(f"no object: {_text(node)[:80]}")
    pairs = [child for child in node.named_children if child.type == "object_property"]
    return {_text(pair.named_children[0]).strip("'"): pair.named_children[-1] for pair in pairs}


def _walk(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from _walk(child)


class Bicep:
    """One file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.text = path.read_text("utf-8")
        self.root = (
            Parser(Language(tree_sitter_bicep.language())).parse(self.text.encode()).root_node
        )

    @cached_property
    def declarations(self) -> list[Declaration]:
        found: list[Declaration] = []
        decorators: frozenset[str] = frozenset()
        for node in self.root.named_children:
            if node.type == "decorators":
                decorators = frozenset(re.findall(r"@(\w+)", _text(node)))
            elif node.type in _KINDS:
                name = next(_text(child) for child in node.children if child.type == "identifier")
                found.append(Declaration(_KINDS[node.type], name, node, decorators))
                decorators = frozenset()
        return found

    def of(self, kind: str) -> dict[str, Declaration]:
        return {one.name: one for one in self.declarations if one.kind == kind}

    @cached_property
    def uses(self) -> set[str]:
        """Names that stand for a value somewhere: not keys of objects, not names being declared."""
        used: set[str] = set()
        for node in _walk(self.root):
            if node.type != "identifier" or node.parent is None:
                continue
            first = node.parent.named_children[0] == node
            if not (first and node.parent.type in (*_KINDS, "object_property")):
                used.add(_text(node))
        return used

    @cached_property
    def outputs_read(self) -> set[tuple[str, str]]:
        """(module, output) for each `module.outputs.output`."""
        return set(re.findall(r"\b(\w+)\.outputs\.(\w+)", self.text))


def every() -> list[Bicep]:
    return [Bicep(path) for path in FILES]
