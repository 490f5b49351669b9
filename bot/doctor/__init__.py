"""The doctor: says of each thing that the service needs whether it is there. It only looks.

Findings are values; the sentences are in `doctor.ftl`, where whatever is not well has a `.fix`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from bot.identity.tokens import Tokens


class FindingState(StrEnum):
    OK = "ok"
    FAILED = "failed"
    UNKNOWN = "unknown"  # it cannot be told from here, or not with this identity


@dataclass(frozen=True, slots=True)
class Finding:
    """`step` is stable and named by `check-<step>`; `message` with `arguments` says what was found, and
    its attribute `fix` what to do unless the state is OK."""

    step: str
    state: FindingState
    message: str
    arguments: Mapping[str, str | int] = field(default_factory=dict[str, str | int])


# Examines with the rights of whoever signed in, where sign-ins run with those; else they are not looked at.
Examine = Callable[[Tokens | None], Awaitable[Sequence[Finding]]]


def ok(step: str, message: str, /, **arguments: str | int) -> Finding:
    return Finding(step, FindingState.OK, message, arguments)


def failed(step: str, message: str, /, **arguments: str | int) -> Finding:
    return Finding(step, FindingState.FAILED, message, arguments)


def unknown(step: str, message: str, /, **arguments: str | int) -> Finding:
    return Finding(step, FindingState.UNKNOWN, message, arguments)
