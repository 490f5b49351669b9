"""What a decision needs to know about whoever acts, and about the request."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.signin.policy.decision import DenialReason, Ruling
from bot.signin.policy.model import EVERYONE, Group, Traits
from bot.signin.request import Person, RequestState

_NO_TRAITS = Traits()


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: identity from the activity, never from card data."""

    person: Person
    tenant_id: str
    #: of those that the policy names, in lower case: their own ID and the groups that they are in
    ids: frozenset[str] = frozenset()
    unsure: bool = False  #: the directory did not answer, so they may be in more groups
    #: the approvers for whom they stand in
    stands_in_for: tuple[Actor, ...] = ()
    #: in the request at hand, as an approver only: the `ids` of the approver for whom they stand in, or of
    #: those whom an escalation has joined; see `bot.signin.stand_in.about`
    lent: frozenset[str] = frozenset()
    #: why nothing is lent to a stand-in in the request at hand
    not_lent: DenialReason | None = None
    guest: Ruling = Ruling.NO  #: of the tenant; looked up only if the policy asks about guests
    #: of a voter: the approver for whom the vote was given, whatever their role is by now
    voted_for: Person | None = None

    @property
    def approving(self) -> Actor:
        """They, as the stages of an approval see them."""
        return replace(self, ids=self.ids | self.lent, lent=frozenset()) if self.lent else self

    @property
    def voices(self) -> frozenset[str]:
        """Object IDs of those who have their say when this one approves, and who do not have it twice."""
        people = (self.person, self.person.stands_in_for, self.voted_for)
        return frozenset(each.object_id for each in people if each is not None)

    def among(self, groups: Iterable[Group]) -> Ruling:
        """Whether they are among these people."""
        ids = frozenset[str]().union(*(group.ids for group in groups))
        if EVERYONE in ids or self.person.object_id in ids or not self.ids.isdisjoint(ids):
            return Ruling.YES
        return Ruling.CANNOT_TELL if self.unsure and ids else Ruling.NO


@dataclass(frozen=True, slots=True)
class RequestFacts:
    """A request, as the policy looks at it."""

    tenant_id: str
    state: RequestState
    requester_id: str  #: object id
    expires_at: datetime | None = None  #: UTC; None while draft
    cancelling: bool = False  #: cancellation was requested
    reason_wanted: bool = False  #: an overlap has to be explained before it can be approved
    reason: str = ""  #: the requester's
    ticket: str = ""  #: the requester's, beside the reason
    #: object IDs of further people who made it: who uploaded the file that it is a retry of
    makers: frozenset[str] = frozenset()
    traits: Traits = _NO_TRAITS
    votes: tuple[Actor, ...] = ()  #: of those who approved it, as it is now
    run_at: datetime | None = None  #: UTC; when it is to start, None for at the approval
    before_start: bool = False  #: approved, and waits for its time, or missed it
    #: how long it had waited when it was escalated last; None: it was not
    escalated: timedelta | None = None
    nudged_at: datetime | None = None  #: UTC; when its requester reminded the approvers last
    used_by: str = ""  #: object ID of who used break-glass for it; "" if nobody did
    reviewed: bool = False  #: another approver has seen that

    def made_by(self, person: Person) -> bool:
        """Compares people, never groups."""
        return person.object_id == self.requester_id or person.object_id in self.makers
