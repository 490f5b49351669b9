"""The doctor checks everything Offhook depends on. Read-only.

Findings are values; their messages are in `doctor.ftl`, where every problem has a `.fix`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from bot.identity.tokens import Tokens


class FindingState(StrEnum):
    """Whether a check passed."""

    OK = "ok"
    FAILED = "failed"
    #: Works, but less safely or less surely than it could.
    WARNING = "warning"
    #: Cannot be determined from this host, or with this identity.
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check."""

    #: Stable name of the check; its title is the message `check-<check>`.
    check: str
    state: FindingState
    #: Message ID. Unless the state is OK, its attribute `fix` says what to do.
    message: str
    arguments: Mapping[str, str | int] = field(default_factory=dict[str, str | int])


#: Runs all checks. With None, checks that need an approver's delegation are reported as unknown.
RunChecks = Callable[[Tokens | None], Awaitable[Sequence[Finding]]]


def ok(check: str, message: str, /, **arguments: str | int) -> Finding:
    return Finding(check, FindingState.OK, message, arguments)


def failed(check: str, message: str, /, **arguments: str | int) -> Finding:
    return Finding(check, FindingState.FAILED, message, arguments)


def warning(check: str, message: str, /, **arguments: str | int) -> Finding:
    return Finding(check, FindingState.WARNING, message, arguments)


def unknown(check: str, message: str, /, **arguments: str | int) -> Finding:
    return Finding(check, FindingState.UNKNOWN, message, arguments)
