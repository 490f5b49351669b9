"""Checks on the policy file: whether it is one, and whether its groups are large enough."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from bot.directory import DirectoryUnavailableError
from bot.doctor import Finding, failed, ok, unknown, warning
from bot.doctor.clients import DirectoryProbe
from bot.doctor.safeguards import guests_among
from bot.lifecycle.policy import load
from bot.settings.model import Settings
from bot.signin.policy import quorum
from bot.signin.policy.model import EVERYONE, GuestRole, Policy, Stage
from bot.signin.policy.problem import PolicyError
from bot.signin.policy.settings import policy_settings


@dataclass(frozen=True, slots=True)
class SmallStage:
    """A stage that wants more people than there are."""

    rule: str  #: "" for the approvers where no rule's stages apply
    groups: tuple[str, ...]
    need: int
    people: int


async def small_stages(policy: Policy, directory: DirectoryProbe) -> list[SmallStage]:
    """Stages that can never be completed. Raises `DirectoryUnavailableError`."""
    stages = [(rule.name, stage) for rule in policy.rules for stage in rule.stages]
    small: list[SmallStage] = []
    for rule, stage in [("", Stage(policy.approvers, 1)), *stages]:
        people = await _people(stage, directory)
        if people is not None and len(people) < stage.need:
            small.append(SmallStage(rule, quorum.names(stage.of), stage.need, len(people)))
    return small


async def _people(stage: Stage, directory: DirectoryProbe) -> frozenset[str] | None:
    found: set[str] = set()
    for object_id in sorted({each for group in stage.of for each in group.ids}):
        if object_id == EVERYONE:
            return None
        members = await directory.members(object_id)
        found |= {object_id} if members is None else members
    return frozenset(found)


async def read(settings: Settings) -> Policy | PolicyError | None:
    """What the file is now, whatever a running Offhook has kept; None without a file."""
    if settings.policy is None:
        return None
    try:
        return await asyncio.to_thread(load, settings.policy, policy_settings(settings))
    except PolicyError as error:
        return error


async def policy(found: Policy | PolicyError, directory: DirectoryProbe) -> Finding:
    """Check that the file is a policy, that enough people are in the groups of its stages, and that those who
    are named as approvers are not denied as guests."""
    check = "policy"
    if isinstance(found, PolicyError):
        return failed(
            check, "found-policy-wrong", problem=str(found.problems[0]), setting="OFFHOOK_POLICY"
        )
    guests: Sequence[str] = ()
    try:
        small = await small_stages(found, directory)
        if GuestRole.APPROVE not in found.guests:
            named = sorted({each for group in found.staffed for each in group.ids} - {EVERYONE})
            guests = await guests_among(named, directory)
    except DirectoryUnavailableError as error:
        return unknown(check, "found-policy-no-directory", message=str(error))
    if small:
        first = small[0]
        return warning(
            check,
            "found-policy-small",
            rule=first.rule or "approvers",
            groups=", ".join(first.groups),
            need=first.need,
            people=first.people,
        )
    if guests:
        names = ", ".join(guests)
        return warning(check, "found-policy-guests", count=len(guests), names=names)
    return ok(check, "found-policy", rules=len(found.rules), hash=found.hash[:12])
