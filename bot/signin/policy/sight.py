"""Which requests somebody sees: their own, and those of others that their role and the policy's views let
them see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot.signin.policy.decision import Decision, DenialReason, Ruling
from bot.signin.policy.facts import Actor, RequestFacts
from bot.signin.policy.model import Policy, Traits, View
from bot.signin.policy.roles import (
    allowed,
    approver,
    denied,
    in_whose_place,
    limits,
    out_of_view,
    own_approver,
)

#: Of each part, a request has to meet one view; without parts, it may be any request.
Way = tuple[tuple[View, ...], ...]


@dataclass(frozen=True, slots=True)
class Sight:
    """What somebody sees of others' requests."""

    decision: Decision  #: whether they see any
    ways: Sequence[Way] = ()  #: in which they certainly see requests; each is enough

    @property
    def everything(self) -> bool:
        return any(not way for way in self.ways)

    def covers(self, traits: Traits) -> bool:
        return any(
            all(any(view.condition.applies(traits) for view in part) for part in way)
            for way in self.ways
        )


def sight(policy: Policy, actor: Actor) -> Sight:
    """What they see by their own role, and in the places of others. Views limit a person in every role: a
    stand-in sees what both they and the approver see."""
    decision = _sees_any(policy, actor)
    if not decision.allowed:
        return Sight(decision)
    own = limits(policy, actor)
    joined = bool(actor.lent) and actor.person.stands_in_for is None  # by an escalation
    auditor = actor.among(policy.auditors) is Ruling.YES
    whose = [own] if joined or auditor or own_approver(policy, actor).allowed else []
    whose += [limits(policy, other) for other in in_whose_place(policy, actor)]
    ways = [
        tuple(part for part in dict.fromkeys((own.views, each.views)) if part)
        for each in whose
        if own.known and each.known
    ]
    found = Sight(replace(decision, rule=_names(ways)), ways)
    if found.everything or not (own.unsure or any(each.unsure for each in whose)):
        return found
    return replace(found, decision=denied(policy, DenialReason.DIRECTORY_DOWN))


def _names(ways: Sequence[Way]) -> str:
    return ", ".join(dict.fromkeys(view.name for way in ways for part in way for view in part))


def _sees_any(policy: Policy, actor: Actor) -> Decision:
    if actor.among(policy.auditors) is Ruling.YES:
        return allowed(policy)
    decision = approver(policy, actor)
    if decision.allowed or actor.among(policy.auditors) is Ruling.NO:
        return decision
    return denied(policy, DenialReason.DIRECTORY_DOWN)


def may_see_all(policy: Policy, actor: Actor) -> Decision:
    """See others' requests, and the audit in chat: approvers and auditors, as far as views let them. Others
    see their own."""
    return sight(policy, actor).decision


def in_sight(policy: Policy, actor: Actor, request: RequestFacts) -> Decision:
    """Whether somebody else's request is one that they see; says why not."""
    seen = sight(policy, actor)
    if seen.covers(request.traits):
        return replace(seen.decision, answer=Ruling.YES, reason=None)
    return (
        out_of_view(policy, request.traits, seen.decision.rule)
        if seen.decision.allowed
        else seen.decision
    )


def may_see(policy: Policy, actor: Actor, request: RequestFacts) -> Decision:
    """See a request and page through it: its requester, approvers and auditors.

    For anybody else it does not exist; any other answer would reveal that it does.
    """
    if request.tenant_id != actor.tenant_id:
        return denied(policy, DenialReason.NO_SUCH_REQUEST)
    if actor.person.object_id == request.requester_id:
        return allowed(policy)
    decision = in_sight(policy, actor, request)
    if decision.answer is Ruling.NO:
        return denied(policy, DenialReason.NO_SUCH_REQUEST, rule=decision.rule)
    return decision


def may_export(policy: Policy, actor: Actor, request: RequestFacts) -> Decision:
    """Export a request's phones and results: whoever may see it."""
    return may_see(policy, actor, request)
