"""A transition: one allowed change of state, as data. The tables of them rule what the store does."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

State = TypeVar("State", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Transition(Generic[State]):
    """`bot.store.transitions` makes no other change of state than those in the tables."""

    name: str  #: of the function in `bot.lifecycle` that makes it
    before: frozenset[State]  #: it changes nothing in any other state
    after: State


def terminal(states: Iterable[State], transitions: Iterable[Transition[State]]) -> frozenset[State]:
    """The states that no transition leaves."""
    left = {state for transition in transitions for state in transition.before}
    return frozenset(states) - left
