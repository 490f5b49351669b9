"""Breadth-first search over all states of the model."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from operator import attrgetter

from tests.model.model import Batch, Edge, Model, State, is_terminal, violated


@dataclass(frozen=True, slots=True)
class Violation:
    """What does not hold, and the shortest way there."""

    invariants: Sequence[str]
    actions: Sequence[str]
    state: State


@dataclass(eq=False)
class Explored:
    states: int = 0
    edges: int = 0
    actions: set[str] = field(default_factory=set[str])
    transitions: set[Edge] = field(default_factory=set[Edge])
    violation: Violation | None = None  #: the first found; the search ends there
    trapped: Violation | None = None  #: a state from which no end can be reached


#: A person can always end a request that does not go on: that is no way out for the others.
_GIVE_UP = "bot.lifecycle.requests.cancel"
_NUMBER = attrgetter("number")


def _rank(state: State) -> tuple[object, ...]:
    return state.alive, *(batch.number for batch in state.batches)


class _Canonical:
    """States that differ only in names are one: batches are sorted, workers exchanged if alike."""

    def __init__(self, *, workers_alike: bool) -> None:
        self._workers_alike = workers_alike
        self._swapped: dict[Batch, Batch] = {}

    def __call__(self, state: State) -> State:
        plain = state._replace(batches=tuple(sorted(state.batches, key=_NUMBER)))
        if not self._workers_alike:
            return plain
        mirrored = State(
            state.request,
            state.cancelling,
            (state.alive[1], state.alive[0]),
            state.mishaps,
            tuple(sorted(map(self._swap, state.batches), key=_NUMBER)),
        )
        return min(plain, mirrored, key=_rank)

    def _swap(self, batch: Batch) -> Batch:
        if batch not in self._swapped:
            self._swapped[batch] = batch.swapped()
        return self._swapped[batch]


def explore(model: Model, only: Collection[str] = ()) -> Explored:
    """Visit every state, then make sure that an end can be reached from each.

    `only`: names of the invariants to check, () for all.
    """
    explored = Explored()
    canonical = _Canonical(workers_alike=not model.older)
    first = canonical(model.initial())
    numbers: dict[State, int] = {first: 0}
    states = [first]
    came_from: list[tuple[int, str]] = [(0, "")]
    sources, targets = array("l"), array("l")
    at = 0
    while at < len(states):
        for action, reached, edges in model.steps(states[at]):
            explored.edges += 1
            explored.actions.add(action)
            explored.transitions.update(edges)
            state = canonical(reached)
            number = numbers.get(state)
            if number is None:
                number = numbers[state] = len(states)
                states.append(state)
                came_from.append((at, action))
                if invariants := violated(state, only):
                    explored.states = len(states)
                    explored.violation = Violation(invariants, _way(came_from, number), state)
                    return explored
            if action != _GIVE_UP:
                sources.append(at)
                targets.append(number)
        at += 1
    explored.states = len(states)
    explored.trapped = _trapped(states, came_from, sources, targets)
    return explored


def _way(came_from: Sequence[tuple[int, str]], number: int) -> list[str]:
    actions: list[str] = []
    while number:
        number, action = came_from[number]
        actions.append(action)
    return actions[::-1]


def _trapped(
    states: Sequence[State],
    came_from: Sequence[tuple[int, str]],
    sources: array[int],
    targets: array[int],
) -> Violation | None:
    before: defaultdict[int, list[int]] = defaultdict(list)
    for source, target in zip(sources, targets, strict=True):
        before[target].append(source)
    ending = [number for number, state in enumerate(states) if is_terminal(state)]
    reaches_end = set(ending)
    while ending:
        for number in before[ending.pop()]:
            if number not in reaches_end:
                reaches_end.add(number)
                ending.append(number)
    for number, state in enumerate(states):
        if number not in reaches_end:
            return Violation(["an end can be reached"], _way(came_from, number), state)
    return None
