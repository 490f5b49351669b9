"""Checks on the policy file: whether it is one, and whether its groups are large enough."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from bot.directory import DirectoryUnavailableError
from bot.doctor import Finding, failed, ok, unknown, warning
from bot.doctor.clients import DirectoryProbe
from bot.lifecycle.policy import load
from bot.settings.model import Settings
from bot.signin.policy import quorum
from bot.signin.policy.model import EVERYONE, Policy, Stage
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


async def policy(path: Path, settings: Settings, directory: DirectoryProbe) -> Finding:
    """Check that the file is a policy, and that enough people are in the groups of its stages."""
    check = "policy"
    try:
        read = await asyncio.to_thread(load, path, policy_settings(settings))
    except PolicyError as error:
        return failed(
            check, "found-policy-wrong", problem=str(error.problems[0]), setting="OFFHOOK_POLICY"
        )
    try:
        small = await small_stages(read, directory)
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
    return ok(check, "found-policy", rules=len(read.rules), hash=read.hash[:12])
