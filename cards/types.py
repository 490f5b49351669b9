"""Card kinds, panels, verbs, and the result of rendering."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bot.signin.listing import ALL, PhoneFilter
from bot.signin.shown import Aspect

# Teams' limit is 28 KB; the message around the card takes up some of it.
MAX_BYTES = 27_000


class CardKind(StrEnum):
    """A kind of card that follows a request. The values are stored."""

    VALIDATION = "validation"
    APPROVAL = "approval"
    PROGRESS = "progress"
    RESULTS = "results"
    RECONCILIATION = "question"
    MEND = "mend"  # for its requester
    MEND_APPROVAL = "mend-approval"  # for approvers
    REVIEW = "review"  # of break-glass, for approvers


class Panel(StrEnum):
    """The list that a card has open. The values are stored."""

    NONE = ""
    PHONES = "phones"
    FAILED = "failed"  # phones that are not signed in, with the cause
    ISSUES = "issues"


class Verb(StrEnum):
    """What a button invokes (`Action.Execute`). Buttons on posted cards carry the values."""

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
    MEND = "mend"
    MEND_REQUEST = "mend_request"
    MEND_WITHDRAW = "mend_withdraw"
    MEND_APPROVE = "mend_approve"
    MEND_REJECT = "mend_reject"
    MEND_SIGN_IN = "mend_sign_in"
    MEND_UNDO = "mend_undo"
    CONTINUE_WITHOUT = "continue_without"
    CHECK_ACCOUNTS = "check_accounts"
    START_NOW = "start_now"
    NUDGE = "nudge"
    BREAK_GLASS = "break_glass"
    REVIEW = "review"
    STAND_IN = "stand_in"  # about no request
    STAND_IN_STOP = "stand_in_stop"  # about no request


@dataclass(frozen=True, slots=True)
class Viewer:
    """What the one person who is shown a card may do. For presentation: every click is decided again."""

    sees: bool = True  #: the request, besides what is posted where they are
    decides: bool = False
    withdraws: bool = False
    releases: bool = False  #: lets it go on that was approved: starts it, signs in for it
    breaks_glass: bool = False


@dataclass(frozen=True, slots=True)
class View:
    """The part of a request that a card shows."""

    panel: Panel = Panel.NONE
    page: int = 1  #: of the open panel, from 1
    batch_id: int = 0  #: the batch that a reconciliation card asks about; 0 on other cards
    mend_id: int = 0  #: the mend that a mend's card is about; 0 on other cards
    for_approvers: bool = False  #: shown to approvers and auditors only
    #: posted where the request was made, while approvers decide on cards elsewhere
    for_requester: bool = False
    limited: bool = False  #: views of the policy hide requests from some who are shown it
    viewer: Viewer | None = None  #: None if it is posted, for everyone there
    phone_filter: PhoneFilter = ALL  #: of the panel with phones, on an approval card
    #: what a click found changed, so that it had no effect
    changed: Sequence[Aspect] = ()

    @property
    def names_all(self) -> bool:
        """Whether whoever is shown it may know of all requests."""
        return self.for_approvers and not self.limited


@dataclass(frozen=True, slots=True)
class RenderedCard:
    """A card, ready to send."""

    card: Mapping[str, Any]  #: Adaptive Card JSON
    summary: str  #: one line for notifications and screen readers, without Markdown
