"""The kinds of card, what can be turned to on one, and what its buttons say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class CardKind(StrEnum):
    VALIDATION = "validation"
    APPROVAL = "approval"
    PROGRESS = "progress"
    RESULTS = "results"
    RECONCILIATION = "question"


class Panel(StrEnum):
    NONE = ""
    PHONES = "phones"
    FAILED = "failed"  # phones that are not signed in, and why
    ISSUES = "issues"


class Verb(StrEnum):
    """What a button asks for (`Action.Execute`)."""

    REQUEST_APPROVAL = "request_approval"
    WITHDRAW = "withdraw"
    APPROVE = "approve"
    REJECT = "reject"
    CANCEL = "cancel"
    RETRY_FAILED = "retry_failed"
    PAGE = "page"
    EXPORT = "export"
    REFRESH = "refresh"
    RECONCILE = "reconcile"
    SIGN_IN = "sign_in"


@dataclass(frozen=True, slots=True)
class View:
    """What a card has been turned to. `page` counts from 1; `batch` is for QUESTION only."""

    panel: Panel = Panel.NONE
    page: int = 1
    batch: int = 0


@dataclass(frozen=True, slots=True)
class Rendered:
    """`card` is Adaptive Card JSON; `summary` the line that notifications and screen readers get."""

    card: Mapping[str, Any]
    summary: str
