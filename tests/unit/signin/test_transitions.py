"""The tables of transitions against the functions that make them: same names, states and places."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

from bot.lifecycle import asking as asking_functions
from bot.lifecycle import batches as batch_functions
from bot.lifecycle import drafts as draft_functions
from bot.lifecycle import ending as ending_functions
from bot.lifecycle import mend_changes as mend_change_functions
from bot.lifecycle import mending as mending_functions
from bot.lifecycle import mends as mend_functions
from bot.lifecycle import phones as phone_functions
from bot.lifecycle import polling as polling_functions
from bot.lifecycle import reconciliation as reconciliation_functions
from bot.lifecycle import requests as request_functions
from bot.lifecycle import submission as submission_functions
from bot.mending import change, mend
from bot.mending.change import ChangeState
from bot.mending.mend import MendState
from bot.signin import batch, outcome, request
from bot.signin.batch import BatchState
from bot.signin.outcome import PhoneStatus
from bot.signin.request import RequestState
from bot.signin.transition import Transition, terminal

BOT = Path(__file__).parents[3] / "bot"

AnyTransition = Transition[Any]


class Ruled(NamedTuple):
    """A table of transitions, and where the functions that make them are."""

    transitions: tuple[AnyTransition, ...]
    states: type[StrEnum]
    functions: tuple[ModuleType, ...]
    creators: frozenset[str]  #: functions that insert rows: no state before


TABLES = (
    Ruled(
        request.TRANSITIONS,
        RequestState,
        (draft_functions, asking_functions, request_functions, ending_functions),
        frozenset({"draft", "draft_retry"}),
    ),
    Ruled(
        batch.TRANSITIONS,
        BatchState,
        (batch_functions, submission_functions, polling_functions, reconciliation_functions),
        frozenset({"plan"}),
    ),
    Ruled(outcome.TRANSITIONS, PhoneStatus, (phone_functions,), frozenset()),
    Ruled(
        mend.TRANSITIONS, MendState, (mend_functions, mending_functions), frozenset({"draft_mend"})
    ),
    Ruled(change.TRANSITIONS, ChangeState, (mend_change_functions,), frozenset()),
)
_ARROW = re.compile(
    r"(?P<before>\w+(?:, \w+)*(?: or \w+)?)? ?-> (?P<after>\w+(?: or \w+)*)(?=[.,:])"
)


def public_functions(modules: tuple[ModuleType, ...]) -> dict[str, Any]:
    """The public async functions that the modules define."""
    return {
        name: function
        for module in modules
        for name, function in inspect.getmembers(module, inspect.iscoroutinefunction)
        if not name.startswith("_") and function.__module__ == module.__name__
    }


def states_in(names: str | None) -> set[str]:
    return set(re.split(r", | or ", names)) if names else set()


def arrow_of(docstring: str | None) -> tuple[set[str], set[str]] | None:
    """States before and after, as the docstring's first line names them; None without an arrow."""
    found = _ARROW.match((docstring or "").partition("\n")[0])
    return found and (states_in(found["before"]), states_in(found["after"]))


def transitions_named(ruled: Ruled, name: str) -> list[AnyTransition]:
    return [each for each in ruled.transitions if each.name == name]


@pytest.mark.parametrize(
    ("docstring", "arrow"),
    [
        ("draft -> waiting. From here on", ({"draft"}, {"waiting"})),
        ("draft or waiting -> withdrawn.", ({"draft", "waiting"}, {"withdrawn"})),
        ("a, b or c -> done: nothing ran.", ({"a", "b", "c"}, {"done"})),
        ("running -> finished or cancelled, once", ({"running"}, {"finished", "cancelled"})),
        ("-> draft, from a file.", (set[str](), {"draft"})),
        ("Remind the approvers.\n\na -> b.", None),
        ("", None),
        (None, None),
    ],
)
def test_arrow_names_states_of_first_line(
    docstring: str | None, arrow: tuple[set[str], set[str]] | None
) -> None:
    assert arrow_of(docstring) == arrow


@pytest.mark.parametrize("ruled", TABLES)
def test_transition_is_public_function_whose_docstring_names_its_states(ruled: Ruled) -> None:
    functions = public_functions(ruled.functions)
    for name in {each.name for each in ruled.transitions}:
        assert name in functions, f"{name} is no function of {ruled.functions}"
        named = transitions_named(ruled, name)
        before = {state.value for each in named for state in each.before}
        after = {each.after.value for each in named}
        assert arrow_of(functions[name].__doc__) == (before, after), name


@pytest.mark.parametrize("ruled", TABLES)
def test_function_with_arrow_is_in_table_or_inserts_rows(ruled: Ruled) -> None:
    arrows = {
        name: arrow_of(function.__doc__)
        for name, function in public_functions(ruled.functions).items()
    }
    inserting = {name for name, arrow in arrows.items() if arrow and not arrow[0]}
    assert inserting == ruled.creators
    changing = {name for name, arrow in arrows.items() if arrow and arrow[0]}
    assert changing == {each.name for each in ruled.transitions}


@pytest.mark.parametrize("ruled", TABLES)
def test_table_lists_each_change_once(ruled: Ruled) -> None:
    changes = [
        (each.name, before, each.after) for each in ruled.transitions for before in each.before
    ]
    assert len(changes) == len(set(changes))
    assert all(each.before for each in ruled.transitions)


def test_terminal_states_are_those_that_no_transition_leaves() -> None:
    one = Transition("one", frozenset({RequestState.DRAFT}), RequestState.WAITING)
    other = Transition("other", frozenset({RequestState.WAITING}), RequestState.WAITING)
    states = (RequestState.DRAFT, RequestState.WAITING, RequestState.EXPIRED)
    assert terminal(states, [one, other]) == {RequestState.EXPIRED}
    assert terminal(states, []) == set(states)


# -- who uses the transitions --------------------------------------------------------------------------


class Use(NamedTuple):
    """Code that names a transition, or applies one."""

    module: str
    function: str  #: the outermost one around it; "" at module level
    transition: AnyTransition | None  #: None: a use of `bot.store.transitions`


@dataclass(slots=True)
class Names:
    """What the names that a module imports stand for, as far as transitions go."""

    modules: dict[str, str] = field(default_factory=dict[str, str])  #: name -> module with a table
    constants: dict[str, AnyTransition] = field(default_factory=dict[str, AnyTransition])
    appliers: set[str] = field(default_factory=set[str])  #: `bot.store.transitions` or its `apply`

    def add(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            here, path = alias.asname or alias.name, f"{node.module}.{alias.name}"
            if node.module in ("bot.signin", "bot.mending"):
                self.modules[here] = path
            elif path in ("bot.store.transitions", "bot.store.transitions.apply"):
                self.appliers.add(here)
            elif (node.module or "").startswith(("bot.signin.", "bot.mending.")):
                value = getattr(import_module(str(node.module)), alias.name, None)
                if isinstance(value, Transition):
                    self.constants[here] = value

    def uses(self, node: ast.AST) -> Iterator[AnyTransition | None]:
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            owner = self.modules.get(node.value.id)
            value = getattr(import_module(owner), node.attr, None) if owner else None
            if isinstance(value, Transition):
                yield value
        elif isinstance(node, ast.Name):
            if node.id in self.constants:
                yield self.constants[node.id]
            if node.id in self.appliers:
                yield None


def uses_of(module: str, source: str) -> Iterator[Use]:
    """Every use of a transition, and of what applies transitions, in a module's source."""
    tree = ast.parse(source)
    names = Names()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names.add(node)
        elif isinstance(node, ast.Import):
            unfollowed = [each.name for each in node.names if each.name.startswith("bot.")]
            assert not unfollowed, f"{module}: write `from … import …` for {unfollowed}"
    for statement in tree.body:
        defines = isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        function = statement.name if defines else ""
        for node in ast.walk(statement):
            for use in names.uses(node):
                yield Use(module, function, use)


def uses_in_bot() -> list[Use]:
    return [
        use
        for path in sorted(BOT.rglob("*.py"))
        for use in uses_of(
            ".".join(("bot", *path.relative_to(BOT).with_suffix("").parts)),
            path.read_text("utf-8"),
        )
    ]


def test_transitions_are_made_only_by_function_of_their_name() -> None:
    used = [use for use in uses_in_bot() if use.transition is not None]
    for ruled in TABLES:
        places = {module.__name__ for module in ruled.functions}
        for transition in ruled.transitions:
            users = {(use.module, use.function) for use in used if use.transition == transition}
            assert len(users) == 1, f"{transition} is used by {users}"
            ((module, function),) = users
            assert (module in places, function) == (True, transition.name)
    listed = {each for ruled in TABLES for each in ruled.transitions}
    assert {use.transition for use in used} == listed


def test_transitions_are_applied_only_in_lifecycle() -> None:
    applying = {use.module for use in uses_in_bot() if use.transition is None}
    assert applying == {
        "bot.lifecycle.batches",
        "bot.lifecycle.ending",
        "bot.lifecycle.mend_changes",
        "bot.lifecycle.mends",
        "bot.lifecycle.phones",
        "bot.lifecycle.polling",
        "bot.lifecycle.reconciliation",
        "bot.lifecycle.requests",
    }


def test_uses_are_found_however_they_are_imported() -> None:
    source = """
from bot.signin import batch as states
from bot.signin.outcome import SEND as first
from bot.store import transitions
from bot.store.transitions import apply as change

def one():
    def inner():
        transitions.apply(states.CLAIM)

class Two:
    def method(self):
        change(first)

three = states.COMPLETE
four = states.MAX_PHONES_PER_BATCH
"""
    assert set(uses_of("m", source)) == {
        Use("m", "one", batch.CLAIM),
        Use("m", "one", None),
        Use("m", "Two", outcome.SEND),
        Use("m", "Two", None),
        Use("m", "", batch.COMPLETE),
    }
