"""The tables of `bot.signin`, explored exhaustively; and tables with a mistake, each of which is caught.

`OFFHOOK_MODEL_MISHAPS` sets how many crashes, pauses and losses there are on each path of the largest
model; with 2 it takes minutes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import cache
from importlib import import_module
from itertools import pairwise
from typing import Any

import pytest

from bot.signin.batch import SLOT_HOLDING_STATES, TRANSITIONS, BatchState
from tests.model.model import Edge, Model, Rules, tables
from tests.model.search import Explored, explore

MISHAPS = int(os.environ.get("OFFHOOK_MODEL_MISHAPS", "1"))
ENVIRONMENT = ("gateway: ", "environment: ")
REAL = Rules(tables())
MODELS = {
    "two workers": Model(REAL, mishaps=MISHAPS, approver_errs=True),
    "two workers, an approver who is right": Model(REAL, mishaps=MISHAPS, batches=2, slots=1),
    "one worker at a time": Model(REAL, mishaps=MISHAPS, alone=True, approver_errs=True),
    "any number of mishaps to one batch": Model(REAL, batches=1, approver_errs=True),
    "any number of mishaps to two batches, one worker at a time": Model(
        REAL, batches=2, slots=1, alone=True, approver_errs=True
    ),
    "an older worker beside a newer one": Model(
        REAL, batches=1, older=frozenset({1}), approver_errs=True
    ),
    "an older worker beside a newer one, two batches": Model(
        REAL, mishaps=MISHAPS, batches=2, slots=1, older=frozenset({1}), approver_errs=True
    ),
}


@cache
def _explored(name: str) -> Explored:
    return explore(MODELS[name])


@pytest.mark.parametrize("name", MODELS)
def test_model_holds_every_invariant_in_every_state(
    name: str, record_property: Callable[[str, object], None]
) -> None:
    explored = _explored(name)
    record_property("model", f"{name}: {explored.states} states, {explored.edges} edges")
    assert explored.violation is None
    assert explored.trapped is None


def test_model_makes_every_transition_of_the_batch_table() -> None:
    names = {id(transition): name for name, transition in REAL.batch.items()}
    assert sorted(map(id, TRANSITIONS)) == sorted(names)
    in_table = {
        Edge(names[id(transition)], before, transition.after)
        for transition in TRANSITIONS
        for before in transition.before
    }
    assert _explored("two workers").transitions == in_table


def test_model_names_its_actions_after_functions() -> None:
    actions = set[str]().union(*(_explored(name).actions for name in MODELS))
    ours = {action for action in actions if not action.startswith(ENVIRONMENT)}
    assert [action for action in ours if not callable(_resolved(action))] == []
    functions = {action.rpartition(".")[2] for action in ours}
    # A request that is cancelled takes its planned batches along.
    assert {transition.name for transition in TRANSITIONS} - functions == {"cancel_planned"}
    assert callable(_resolved("bot.lifecycle.batches.cancel_planned"))


def _resolved(action: str) -> Any:
    """The function of that dotted name; None if there is none."""
    parts = action.split(".")
    found: Any = None
    for at, (name, _) in enumerate(pairwise([*parts, ""])):
        found = getattr(found, name, None) if at else import_module(name)
        if found is None and at:
            found = _module(".".join(parts[: at + 1]))
        if found is None:
            return None
    return found


def _module(name: str) -> Any:
    try:
        return import_module(name)
    except ModuleNotFoundError:
        return None


# Mistakes --------------------------------------------------------------------------------------


def _table(
    name: str, *, before: Collection[BatchState] | None = None, after: BatchState | None = None
) -> Rules:
    """The rules with one transition changed."""
    real = REAL.batch[name]
    changed = replace(
        real,
        before=real.before if before is None else frozenset(before),
        after=after or real.after,
    )
    return replace(REAL, batch={**REAL.batch, name: changed})


def _also_from(name: str, state: BatchState) -> Rules:
    return _table(name, before=REAL.batch[name].before | {state})


def _without_slot(state: BatchState) -> Rules:
    return replace(REAL, slot_holding=SLOT_HOLDING_STATES - {state})


MISTAKES: Mapping[str, tuple[Rules, str]] = {
    "a lapsed marked intent is planned again": (
        _table("MARK_UNKNOWN", after=BatchState.PLANNED),
        "never_twice",
    ),
    "a lapsed marked intent is released": (
        replace(REAL, release_checks_mark=False),
        "never_twice",
    ),
    "a lapsed marked intent is done": (
        _table("MARK_UNKNOWN", after=BatchState.DONE),
        "nothing_runs_unseen",
    ),
    "a lapsed marked intent stays one": (_table("MARK_UNKNOWN", before=()), "trapped"),
    "a lapsed unmarked intent stays one": (_table("RELEASE_UNSENT", before=()), "trapped"),
    "what was released can still be marked": (replace(REAL, mark_fenced=False), "never_twice"),
    "the mark comes after the send": (replace(REAL, marks=False), "never_twice"),
    "an intent is claimed again": (_also_from("CLAIM", BatchState.INTENT), "never_twice"),
    "an unknown batch is claimed again": (_also_from("CLAIM", BatchState.UNKNOWN), "never_twice"),
    "a batch is claimed before an approver answers": (
        _also_from("CLAIM", BatchState.NEEDS_PERSON),
        "never_twice",
    ),
    "a submitted batch is claimed again": (
        _also_from("CLAIM", BatchState.SUBMITTED),
        "never_twice",
    ),
    "a done batch is claimed again": (_also_from("CLAIM", BatchState.DONE), "never_twice"),
    "nothing is claimed": (_table("CLAIM", before=()), "trapped"),
    "summaries that cannot tell count as not run": (
        _table("ASK_APPROVER", after=BatchState.PLANNED),
        "never_twice",
    ),
    "summaries that cannot tell end nothing": (_table("ASK_APPROVER", before=()), "trapped"),
    "checking again sends again": (_table("CHECK_AGAIN", after=BatchState.PLANNED), "never_twice"),
    "what ran is sent again": (_table("CONFIRM_RAN", after=BatchState.PLANNED), "never_twice"),
    "what ran counts as over": (
        _table("CONFIRM_RAN", after=BatchState.DONE),
        "nothing_runs_unseen",
    ),
    "what did not run is never sent": (_table("CONFIRM_NOT_RUN", before=()), "trapped"),
    "an acknowledged batch counts as over": (
        _table("ACKNOWLEDGE", after=BatchState.DONE),
        "nothing_runs_unseen",
    ),
    "a completed batch is sent again": (
        _table("COMPLETE", after=BatchState.PLANNED),
        "never_twice",
    ),
    "a submitted batch never completes": (_table("COMPLETE", before=()), "trapped"),
    "cancel takes an intent along": (
        _also_from("CANCEL_PLANNED", BatchState.INTENT),
        "cancelled_did_not_run",
    ),
    "cancel takes an unknown batch along": (
        _also_from("CANCEL_PLANNED", BatchState.UNKNOWN),
        "cancelled_did_not_run",
    ),
    "cancel takes a submitted batch along": (
        _also_from("CANCEL_PLANNED", BatchState.SUBMITTED),
        "cancelled_did_not_run",
    ),
    "an intent holds no slot": (_without_slot(BatchState.INTENT), "slots_kept"),
    "an unknown batch holds no slot": (_without_slot(BatchState.UNKNOWN), "slots_kept"),
    "a submitted batch holds no slot": (_without_slot(BatchState.SUBMITTED), "slots_kept"),
    "late answers are recorded": (replace(REAL, fenced=False), "never_twice"),
    "a paused worker sends": (replace(REAL, checks_lease=False), "never_twice"),
    "what an older worker claimed counts as unsent": (
        replace(REAL, claim_tells_version=False),
        "never_twice",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_model_catches_mistake_in_the_rules(mistake: str) -> None:
    rules, expected = MISTAKES[mistake]
    # The one invariant that the mistake is about; the search ends at the first state that breaks it.
    only = () if expected == "trapped" else (expected,)
    model = Model(
        rules,
        mishaps=2,
        batches=1 if expected != "slots_kept" else 3,
        older=frozenset({1}) if not rules.claim_tells_version else frozenset(),
    )
    explored = explore(model, only)
    if expected == "trapped":
        assert explored.trapped is not None
    else:
        assert explored.violation is not None
        assert explored.violation.invariants == [expected]
