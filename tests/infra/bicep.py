"""Reads Bicep files as far as the tests need: declarations and where they are used."""

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
# The only decorator that neither checkov nor its parser knows; without it, both read the same resource.
KEEP_EXISTING = "@onlyIfNotExists()\n"
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
    """A parameter, variable, resource, module, or output."""

    #: A value of `_KINDS`.
    kind: str
    name: str
    #: Its syntax tree.
    node: Node
    #: Names, without `@`.
    decorators: frozenset[str]

    @property
    def target(self) -> str:
        """A resource's type and API version, or a module's path."""
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
        """Returns the properties of the declared object, or of the object at `path` in it."""
        nodes = properties(_object(self.node))
        for name in path:
            nodes = properties(nodes[name])
        return nodes

    def value(self, *path: str) -> str:
        """Returns the text of the property at `path`, without quotes."""
        *parents, last = path
        return _text(self.properties(*parents)[last]).strip("'")


def _object(node: Node) -> Node:
    for child in node.children:
        if child.type == "object":
            return child
        if child.type in ("if_statement", "for_statement"):
            return _object(child)
    raise AssertionError(f"contains no object: {_text(node)[:80]}")


def properties(node: Node) -> dict[str, Node]:
    if node.type != "object":
        raise AssertionError(f"not an object: {_text(node)[:80]}")
    pairs = [child for child in node.named_children if child.type == "object_property"]
    return {_text(pair.named_children[0]).strip("'"): pair.named_children[-1] for pair in pairs}


def _walk(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from _walk(child)


class Bicep:
    """One Bicep file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.text = path.read_text("utf-8")
        self.root = (
            Parser(Language(tree_sitter_bicep.language())).parse(self.text.encode()).root_node
        )

    @cached_property
    def declarations(self) -> list[Declaration]:
        declarations: list[Declaration] = []
        decorators: frozenset[str] = frozenset()
        for node in self.root.named_children:
            if node.type == "decorators":
                decorators = frozenset(re.findall(r"@(\w+)", _text(node)))
            elif node.type in _KINDS:
                name = next(_text(child) for child in node.children if child.type == "identifier")
                declarations.append(Declaration(_KINDS[node.type], name, node, decorators))
                decorators = frozenset()
        return declarations

    def of(self, kind: str) -> dict[str, Declaration]:
        """Returns the declarations of a kind, by name."""
        return {each.name: each for each in self.declarations if each.kind == kind}

    @cached_property
    def uses(self) -> set[str]:
        """Names used as a value: neither keys of objects nor names being declared."""
        names: set[str] = set()
        for node in _walk(self.root):
            if node.type != "identifier" or node.parent is None:
                continue
            first = node.parent.named_children[0] == node
            if not (first and node.parent.type in (*_KINDS, "object_property")):
                names.add(_text(node))
        return names

    @cached_property
    def outputs_read(self) -> set[tuple[str, str]]:
        """(module, output) of each `module.outputs.output`."""
        return set(re.findall(r"\b(\w+)\.outputs\.(\w+)", self.text))


def every() -> list[Bicep]:
    return [Bicep(path) for path in FILES]
