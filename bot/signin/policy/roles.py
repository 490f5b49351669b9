"""The roles that a policy gives: requester, approver, auditor. Deny by default; an explicit deny wins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from bot.signin.policy import quorum
from bot.signin.policy.decision import UNSURE, Decision, DenialReason, Ruling
from bot.signin.policy.facts import Actor
from bot.signin.policy.model import ALWAYS, Deny, Group, Policy, Traits


def allowed(policy: Policy, rule: str = "") -> Decision:
    return Decision(Ruling.YES, rule=rule, policy=policy.hash)


def denied(
    policy: Policy, reason: DenialReason, who: Sequence[Group] = (), *, rule: str = ""
) -> Decision:
    answer = Ruling.CANNOT_TELL if reason in UNSURE else Ruling.NO
    return Decision(answer, reason, quorum.names(who), rule, policy.hash)


def role(
    policy: Policy,
    actor: Actor,
    people: Sequence[Group],
    denies: Sequence[tuple[Deny, Sequence[Group]]],
    reason: DenialReason,
    *,
    member: Actor | None = None,
) -> Decision:
    """Whether they are among `people` and nothing denies it; `reason` if not. `member`: they, as `people`
    see them; denies always look at what is their own."""
    unsure = False
    for deny, whom in denies:
        answer = actor.among(whom)
        if answer is Ruling.YES:
            return denied(policy, DenialReason.EXCLUDED, people, rule=deny.name)
        unsure |= answer is Ruling.CANNOT_TELL
    match (member or actor).among(people):
        case Ruling.NO:
            return denied(policy, reason, people)
        case Ruling.YES if not unsure:
            return allowed(policy)
        case _:
            return denied(policy, DenialReason.DIRECTORY_DOWN, people)


def requester(policy: Policy, actor: Actor, traits: Traits | None = None) -> Decision:
    """`traits`: of the request, if there is one already."""
    denies = [(deny, deny.requesters) for deny in applying(policy, traits)]
    return role(policy, actor, policy.requesters, denies, DenialReason.NOT_REQUESTER)


def approver(policy: Policy, actor: Actor, traits: Traits | None = None) -> Decision:
    """Somebody who may approve what has these traits, also in another's place; without, who may approve
    anything, or stands in for somebody who may."""
    decision = _approver(policy, actor, traits)
    if decision.reason is not DenialReason.NOT_APPROVER:
        return decision
    if traits is not None:
        not_lent = actor.not_lent
        return decision if not_lent is None else replace(decision, reason=not_lent)
    others = [_approver(policy, other, None) for other in actor.stands_in_for]
    answers = {other.answer: other for other in reversed(others)}
    return answers.get(Ruling.YES) or answers.get(Ruling.CANNOT_TELL) or decision


def own_approver(policy: Policy, actor: Actor, traits: Traits | None = None) -> Decision:
    """The same by their own role, in nobody's place."""
    return _approver(policy, replace(actor, lent=frozenset()), traits)


def _approver(policy: Policy, actor: Actor, traits: Traits | None) -> Decision:
    people = policy.staffed if traits is None else approvers_of(policy, traits)
    denies = [(deny, deny.approvers) for deny in applying(policy, traits)]
    # Nothing is lent by somebody whom a rule denies.
    return role(policy, actor, people, denies, DenialReason.NOT_APPROVER, member=actor.approving)


def applying(policy: Policy, traits: Traits | None) -> list[Deny]:
    return [
        deny
        for deny in policy.denies
        if deny.condition == ALWAYS or (traits is not None and deny.condition.applies(traits))
    ]


def approvers_of(policy: Policy, traits: Traits) -> tuple[Group, ...]:
    stages = policy.stages_for(traits)
    return tuple(dict.fromkeys(group for stage in stages for group in stage.of))


def role_of(policy: Policy, actor: Actor) -> Mapping[str, Ruling]:
    """What they may do in general: `request`, `approve`, `audit`."""
    return {
        "request": requester(policy, actor).answer,
        "approve": approver(policy, actor).answer,
        "audit": actor.among(policy.auditors),
    }
