"""Stand-ins: people to whom an approver hands over their role for a time.

The chat command is `delegate`. In code a delegation is something else: the access of an approver that a
request runs with.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from bot.signin.policy import quorum
from bot.signin.policy.decision import DenialReason, Ruling
from bot.signin.policy.facts import Actor, RequestFacts
from bot.signin.policy.model import Policy
from bot.signin.policy.roles import own_approver
from bot.signin.request import Person

LONGEST = timedelta(days=30)
_ORDER = (Ruling.YES, Ruling.CANNOT_TELL, Ruling.NO)


class Unsuitable(StrEnum):
    """Why somebody cannot stand in, or not until then; `stand-in-<value>` is its sentence."""

    YOURSELF = "yourself"
    NOT_A_MEMBER = "not-a-member"  # a group, another tenant's user, or nobody at all
    GUEST = "guest"
    PAST = "past"
    TOO_LONG = "too-long"


class Candidate(Protocol):
    """A user in the directory of the tenant."""

    @property
    def object_id(self) -> str: ...

    @property
    def guest(self) -> bool | None: ...


def unsuitable(
    actor: Actor, candidate: Candidate | None, until: datetime, now: datetime
) -> Unsuitable | None:
    """Why `candidate` cannot stand in for `actor` until then; None if they can.

    `candidate`: None if the directory has no such user.
    """
    if candidate is None:
        return Unsuitable.NOT_A_MEMBER
    if candidate.object_id.lower() == actor.person.object_id:
        return Unsuitable.YOURSELF
    if candidate.guest:
        return Unsuitable.GUEST
    if until <= now:
        return Unsuitable.PAST
    return Unsuitable.TOO_LONG if until > now + LONGEST else None


def about(policy: Policy, actor: Actor, request: RequestFacts) -> Actor:
    """The actor with their role in one request, or in one mend.

    Their own role comes first, then that of an escalation, which adds them to the approvers of every stage
    and passes none, then that of an approver for whom they stand in, who may approve it: of several the one
    whose vote is wanted most. A stand-in never acts as an approver of their own request, nor for its
    requester.
    """
    if request.tenant_id != actor.tenant_id:
        return actor
    own = own_approver(policy, actor, request.traits)
    if own.reason is not DenialReason.NOT_APPROVER:
        return actor
    stages = policy.stages_for(request.traits)
    escalations = policy.escalations_for(request.traits, request.escalated)
    if actor.among(group for each in escalations for group in each.to) is Ruling.YES:
        joined = frozenset(each for stage in stages for group in stage.of for each in group.ids)
        return replace(actor, lent=joined)
    if not actor.stands_in_for:
        return actor
    if request.made_by(actor.person):
        return replace(actor, not_lent=DenialReason.OWN_REQUEST)
    others = [each for each in actor.stands_in_for if not request.made_by(each.person)]
    if not others:
        return replace(actor, not_lent=DenialReason.STANDS_IN_FOR_REQUESTER)
    votes = [vote for vote in request.votes if vote.person.object_id != actor.person.object_id]

    def rank(other: Actor) -> tuple[int, int]:
        answer = own_approver(policy, other, request.traits).answer
        still = quorum.total(quorum.missing(stages, [*votes, other]))
        return _ORDER.index(answer), still

    chosen = min(others, key=rank)
    person = replace(actor.person, stands_in_for=chosen.person)
    match own_approver(policy, chosen, request.traits).answer:
        case Ruling.YES:
            return replace(actor, person=person, lent=chosen.ids)
        case Ruling.CANNOT_TELL:
            return replace(actor, person=person, unsure=True)
        case Ruling.NO:  # they may do what every approver may
            return replace(actor, person=person)


def as_voter(policy: Policy, actor: Actor, request: RequestFacts, voter: Person) -> Actor:
    """The actor with their role in one request, who voted as `voter`: for the same approver or for nobody.

    A vote does not move to another approver, and stays that approver's even if its giver needs nobody's
    place any more: otherwise two people could vote for the same one.
    """
    approver = voter.stands_in_for
    given_for = "" if approver is None else approver.object_id
    same = tuple(each for each in actor.stands_in_for if each.person.object_id == given_for)
    now = about(policy, replace(actor, stands_in_for=same), request)
    return replace(now, voted_for=approver)
