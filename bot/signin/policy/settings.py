"""What settings say that a policy file may say, too: who may use break-glass, and an escalation.

Either place will do, and both if they say the same. What they contradict each other in is an error, since
nobody could tell from one of them who may approve password resets.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from bot.settings.model import Settings
from bot.signin.policy.model import Escalation, Group, Policy, group
from bot.signin.policy.problem import Key, PolicyError, Problem, line_of


@dataclass(frozen=True, slots=True)
class PolicySettings:
    """What settings say about the policy, whether or not there is a file."""

    break_glass: tuple[Group, ...] = ()
    escalation: Escalation | None = None
    approval_ttl: timedelta | None = None  #: until a waiting request expires; None: not known
    anyone_approves: bool = False  #: whether `*` may be among those who approve, as in `local` only


def policy_settings(settings: Settings) -> PolicySettings:
    after = timedelta(seconds=settings.escalates_after)
    to = tuple(map(group, settings.escalation))
    return PolicySettings(
        tuple(map(group, settings.break_glass)),
        Escalation("", to, after) if to else None,
        timedelta(seconds=settings.approval_ttl),
        settings.local,
    )


def completed(policy: Policy, settings: PolicySettings) -> Policy:
    """The policy of a file with what settings say and the file does not. Raises `PolicyError` if they
    contradict each other."""
    problems = [
        _contradiction(policy, ("break_glass",), "OFFHOOK_BREAK_GLASS")
        for ids in [_ids(settings.break_glass)]
        if ids and policy.break_glass and _ids(policy.break_glass) != ids
    ]
    own = settings.escalation
    if own and policy.escalations and any(_what(each) != _what(own) for each in policy.escalations):
        problems.append(_contradiction(policy, ("escalation", 0), "OFFHOOK_ESCALATION"))
    if problems:
        raise PolicyError(problems)
    return replace(
        policy,
        break_glass=policy.break_glass or settings.break_glass,
        escalations=policy.escalations or ((own,) if own else ()),
    )


def _ids(groups: tuple[Group, ...]) -> frozenset[str]:
    return frozenset(each for one in groups for each in one.ids)


def _what(escalation: Escalation) -> tuple[object, ...]:
    return _ids(escalation.to), escalation.after, escalation.condition


def _contradiction(policy: Policy, key: Key, variable: str) -> Problem:
    sentence = f"{variable} is set, too, and says something else; keep one of them"
    return Problem(line_of(policy.source, key), str(key[0]), sentence)
