"""Stand-ins: people to whom an approver hands over their role for a time.

The chat command is `delegate`. In code a delegation is something else: the access of an approver that a
request runs with.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from bot.signin.policy import ALLOWED, Actor, Decision, DenialReason, Denied, RequestFacts

LONGEST = timedelta(days=30)


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
    def guest(self) -> bool: ...


def may_hand_over(actor: Actor) -> Decision:
    """Hand over the role of an approver: only those who have it themselves, so there is no chain."""
    if actor.may_approve and not actor.stands_in_for:
        return ALLOWED
    return Denied(DenialReason.NO_STAND_IN)


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


def about(actor: Actor, request: RequestFacts) -> Actor:
    """The actor's role in one request.

    Their own role comes first, then that of an escalation, then that of an approver for whom they stand in.
    A stand-in never acts as an approver of their own request, nor for its requester.
    """
    if request.tenant_id != actor.tenant_id or (actor.may_approve and not actor.stands_in_for):
        return actor
    if actor.escalation and request.escalated:
        return replace(actor, may_approve=True, stands_in_for=())
    if not actor.stands_in_for:
        return actor
    if actor.person.object_id == request.requester_id:
        return replace(actor, may_approve=False, not_approver=DenialReason.OWN_REQUEST)
    for approver in actor.stands_in_for:
        if approver.object_id != request.requester_id:
            return replace(actor, person=replace(actor.person, stands_in_for=approver))
    return replace(actor, may_approve=False, not_approver=DenialReason.STANDS_IN_FOR_REQUESTER)
