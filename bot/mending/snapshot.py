"""What cards show of a mend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.mending.change import GRANTS, ChangeKind, ChangeState
from bot.mending.mend import MendState
from bot.mending.plan import Mendable
from bot.signin.request import Person
from bot.signin.snapshot import Page


@dataclass(frozen=True, slots=True)
class Line:
    """A change of an account or of the tenant."""

    kind: ChangeKind
    username: str  #: "" for the tenant
    replaces: str  #: the effective policy when the accounts were checked
    before: (
        str | None
    )  #: assigned to the account itself before; None if nothing was, or not known yet
    after: str
    state: ChangeState
    error: str  #: code of the message `mend-error-<code>`; "" if there is none
    detail: str  #: Teams' own words, or a value


@dataclass(frozen=True, slots=True)
class MendSnapshot:
    """Times are UTC. Persons are None until they acted."""

    id: int
    state: MendState
    requester: Person
    four_eyes: bool
    reason: str
    digest: str
    accounts: int
    counts: Mapping[tuple[ChangeKind, ChangeState], int]
    lines: Page[Line]
    asked_at: datetime | None = None
    expires_at: datetime | None = None
    decided_by: Person | None = None
    decided_at: datetime | None = None
    comment: str = ""
    undo_by: Person | None = None
    undo_asked_at: datetime | None = None
    refused: str = ""  #: why Teams denies access, in its own words
    access_wanted_since: datetime | None = None
    rechecking: bool = False
    #: the first accounts of which the guard's checks do not know: of a draft, those that can be named;
    #: later, those that were
    guard_unknown: Sequence[str] = ()
    nameable: int = 0  #: how many can be named, of a draft

    def of_kind(self, *kinds: ChangeKind) -> int:
        return sum(count for (kind, _), count in self.counts.items() if kind in kinds)

    def in_state(self, *states: ChangeState, kinds: tuple[ChangeKind, ...] = GRANTS) -> int:
        """How many grants are in one of these states."""
        return sum(
            count
            for (kind, state), count in self.counts.items()
            if state in states and kind in kinds
        )

    @property
    def switched_on(self) -> bool:
        """Whether the mend itself switched bulk sign-in on."""
        undoable = (ChangeState.SHOWN, ChangeState.UNSHOWN)
        return bool(self.in_state(*undoable, kinds=(ChangeKind.BULK_SIGN_IN,)))


@dataclass(frozen=True, slots=True)
class MendOffer:
    """What the card of a draft says about mending."""

    found: Mendable
    under_way: MendState | None = None  #: of the request's mend that is not settled
