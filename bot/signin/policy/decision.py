"""Decisions are values; commands turn them into sentences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bot.words import Words


class Ruling(StrEnum):
    YES = "yes"
    NO = "no"
    CANNOT_TELL = "cannot-tell"  # the directory did not answer: never the same as no


class DenialReason(StrEnum):
    """Why somebody may not do something, or not now; `denied-<value>` is its sentence."""

    ALREADY_CANCELLING = "already-cancelling"
    ALREADY_DECIDED = "already-decided"
    ALREADY_VOTED = "already-voted"
    COMMENT_MISSING = "comment-missing"
    DIRECTORY_DOWN = "directory-down"
    EXCLUDED = "excluded"
    EXPIRED = "expired"
    GUEST = "guest"
    GUEST_UNKNOWN = "guest-unknown"
    LIMIT = "limit"
    NO_BREAK_GLASS = "no-break-glass"
    NO_CANCEL = "no-cancel"
    NO_CHECKS = "no-checks"
    NO_SUCH_REQUEST = "no-such-request"
    NOT_A_DRAFT = "not-a-draft"
    NO_REVIEW = "no-review"
    NO_STAND_IN = "no-stand-in"
    NOT_APPROVER = "not-approver"
    NOT_ENDED = "not-ended"
    NOT_REQUESTER = "not-requester"
    NOT_RUNNING = "not-running"
    NOT_WANTED = "not-wanted"
    NOT_YOURS = "not-yours"
    NUDGED = "nudged"
    OUT_OF_VIEW = "out-of-view"
    OWN_REQUEST = "own-request"
    OWN_REVIEW = "own-review"
    REASON_MISSING = "reason-missing"
    REVIEWED = "reviewed"
    STANDS_IN_FOR_REQUESTER = "stands-in-for-requester"
    TICKET_MISSING = "ticket-missing"
    TOO_LATE_TO_WITHDRAW = "too-late-to-withdraw"
    VOTERS_UNKNOWN = "voters-unknown"
    WINDOW_CLOSED = "window-closed"
    WINDOW_NEVER = "window-never"


#: Reasons of the answer `cannot-tell`.
UNSURE = frozenset(
    {DenialReason.DIRECTORY_DOWN, DenialReason.GUEST_UNKNOWN, DenialReason.VOTERS_UNKNOWN}
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Votes that a stage still wants."""

    names: tuple[str, ...]  #: of the groups whose members can give them; empty: the approvers
    votes: int


@dataclass(frozen=True, slots=True)
class Decision:
    answer: Ruling
    reason: DenialReason | None = None  #: None with the answer yes
    #: names of the groups whose members can, as far as the policy names them; empty: say it by role
    who_can: tuple[str, ...] = ()
    rule: str = ""  #: name of the rule that decided; "" if none did
    policy: str = ""  #: its hash
    #: of an approval: what is still missing once it is counted; empty: it is the last. Of break-glass:
    #: what it passes over
    missing: tuple[Wanted, ...] = ()
    opens_at: datetime | None = None  #: UTC; when a window that is closed opens
    arguments: Mapping[str, str | int] | None = None  #: more, for the sentence

    @property
    def allowed(self) -> bool:
        return self.answer is Ruling.YES

    def sentence(self, words: Words) -> str:
        """Why not, and who can. Only for what is not allowed."""
        opens = self.opens_at
        return words(
            f"denied-{self.reason}",
            who=", ".join(self.who_can),
            named=len(self.who_can),
            rule=self.rule,
            opens="" if opens is None else f"{opens:%A, %d %B %Y, %H:%M} UTC",
            **(self.arguments or {}),
        )

    @property
    def trail(self) -> dict[str, str]:
        """Which rule of which policy decided, for the audit."""
        named = {"rule": self.rule} if self.rule else {}
        return {"policy": self.policy, **named}
