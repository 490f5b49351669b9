"""The roles that a policy gives: requester, approver, auditor. Deny by default; an explicit deny wins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bot.signin.policy import quorum
from bot.signin.policy.decision import UNSURE, Decision, DenialReason, Ruling
from bot.signin.policy.facts import Actor
from bot.signin.policy.model import ALWAYS, Deny, Group, GuestRole, Policy, Traits, View


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
    as_guest: GuestRole,
    *,
    member: Actor | None = None,
) -> Decision:
    """Whether they are among `people` and nothing denies it; `reason` if not. `as_guest`: what guests have to
    be allowed. `member`: they, as `people` see them; denies always look at what is their own."""
    unsure = False
    for deny, whom in denies:
        answer = actor.among(whom)
        if answer is Ruling.YES:
            return denied(policy, DenialReason.EXCLUDED, people, rule=deny.name)
        unsure |= answer is Ruling.CANNOT_TELL
    answer = (member or actor).among(people)
    if answer is Ruling.NO:
        return denied(policy, reason, people)
    guest = _as_guest(policy, actor, as_guest, people)
    if guest is not None and guest.answer is Ruling.NO:
        return guest
    if unsure or answer is Ruling.CANNOT_TELL:
        return denied(policy, DenialReason.DIRECTORY_DOWN, people)
    return guest or allowed(policy)


def _as_guest(
    policy: Policy, actor: Actor, as_guest: GuestRole, who: Sequence[Group]
) -> Decision | None:
    """What speaks against them as a guest, or against telling whether they are one."""
    if as_guest in policy.guests or actor.guest is Ruling.NO:
        return None
    certain = actor.guest is Ruling.YES
    return denied(policy, DenialReason.GUEST if certain else DenialReason.GUEST_UNKNOWN, who)


def requester(policy: Policy, actor: Actor, traits: Traits | None = None) -> Decision:
    """`traits`: of the request, if there is one already."""
    denies = [(deny, deny.requesters) for deny in applying(policy, traits)]
    return role(
        policy, actor, policy.requesters, denies, DenialReason.NOT_REQUESTER, GuestRole.REQUEST
    )


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
    if not (Ruling.YES in answers or Ruling.CANNOT_TELL in answers):
        return decision
    guest = _as_guest(policy, actor, GuestRole.APPROVE, policy.staffed)
    return guest or answers.get(Ruling.YES) or answers[Ruling.CANNOT_TELL]


def in_whose_place(policy: Policy, actor: Actor) -> Sequence[Actor]:
    """Those for whom they stand in and who may approve something."""
    return [each for each in actor.stands_in_for if _approver(policy, each, None).allowed]


def own_approver(policy: Policy, actor: Actor, traits: Traits | None = None) -> Decision:
    """The same by their own role, in nobody's place."""
    return _approver(policy, replace(actor, lent=frozenset()), traits)


def _approver(policy: Policy, actor: Actor, traits: Traits | None) -> Decision:
    people = policy.staffed if traits is None else approvers_of(policy, traits)
    denies = [(deny, deny.approvers) for deny in applying(policy, traits)]
    # Nothing is lent by somebody whom a rule denies.
    decision = role(
        policy,
        actor,
        people,
        denies,
        DenialReason.NOT_APPROVER,
        GuestRole.APPROVE,
        member=actor.approving,
    )
    if traits is None or decision.answer is Ruling.NO:
        return decision
    limited = limits(policy, actor)
    if any(view.condition.applies(traits) for view in limited.views):
        return decision
    if limited.unsure:
        return denied(policy, DenialReason.DIRECTORY_DOWN, people)
    names = ", ".join(view.name for view in limited.views)
    return out_of_view(policy, traits, names) if limited.views else decision


@dataclass(frozen=True, slots=True)
class Limits:
    """What views say of a person."""

    views: tuple[View, ...]  #: that limit them; a request has to meet one. Empty: none does
    unsure: bool  #: there may be more of them

    @property
    def known(self) -> bool:
        """Whether it is known what they see in any case."""
        return bool(self.views) or not self.unsure


def limits(policy: Policy, actor: Actor) -> Limits:
    """By their own ID and groups, not by what is lent to them."""
    answers = [(view, actor.among(view.people)) for view in policy.views]
    return Limits(
        tuple(view for view, answer in answers if answer is Ruling.YES),
        any(answer is Ruling.CANNOT_TELL for _, answer in answers),
    )


def out_of_view(policy: Policy, traits: Traits, views: str) -> Decision:
    """They do not see such a request; `views`: the names of what limits them."""
    who = approvers_of(policy, traits)
    return denied(policy, DenialReason.OUT_OF_VIEW, who, rule=views)


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
