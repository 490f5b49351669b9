"""Votes against stages: each person counts once, wherever they are wanted most, and so does an approver
with their stand-ins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bot.signin.policy.decision import Ruling, Wanted
from bot.signin.policy.facts import Actor, RequestFacts
from bot.signin.policy.model import Group, Policy, Stage
from bot.signin.request import Person


def missing(stages: Sequence[Stage], votes: Sequence[Actor]) -> tuple[Wanted, ...]:
    """What the stages (by level) still want; empty once the votes complete them."""
    return tuple(
        Wanted(names(stage.of), stage.need - filled)
        for stage, filled in zip(stages, _filled(stages, _distinct(votes)), strict=True)
        if filled < stage.need
    )


def unmeetable(
    policy: Policy,
    request: RequestFacts,
    stages: Sequence[Stage],
    people: Sequence[frozenset[str] | None],
) -> tuple[Wanted, ...]:
    """The stages that cannot all be completed, since too few people did not make the request.

    `people`: the object IDs of each stage; None: everyone, or it cannot be told. Whom the policy denies is
    counted all the same.
    """
    known = [(stage, ids) for stage, ids in zip(stages, people, strict=True) if ids is not None]
    every = sorted(frozenset[str]().union(*(ids for _, ids in known)))
    able = [Actor(Person(each, ""), request.tenant_id, frozenset({each})) for each in every]
    if policy.four_eyes:
        able = [each for each in able if not request.made_by(each.person)]
    by_id = [replace(stage, of=(Group("", ids),)) for stage, ids in known]
    return tuple(
        Wanted(names(stage.of), stage.need)
        for (stage, _), filled in zip(known, _filled(by_id, able), strict=True)
        if filled < stage.need
    )


def _distinct(votes: Sequence[Actor]) -> list[Actor]:
    """Of an approver and their stand-ins the first."""
    found: list[Actor] = []
    for vote in votes:
        if all(vote.voices.isdisjoint(other.voices) for other in found):
            found.append(vote)
    return found


def total(wanted: Sequence[Wanted]) -> int:
    return sum(each.votes for each in wanted)


def names(groups: Sequence[Group]) -> tuple[str, ...]:
    """What to call people: the names that the policy gives their groups."""
    return tuple(group.name for group in groups if group.name.lower() not in group.ids)


def _filled(stages: Sequence[Stage], votes: Sequence[Actor]) -> list[int]:
    """How many votes each stage gets, when each vote counts for one stage only, and for none that waits
    for lower levels; given out so that as few as possible are missing."""
    slots: list[list[int]] = [[] for _ in stages]
    for level in sorted({stage.level for stage in stages}):
        reached = [number for number, stage in enumerate(stages) if stage.level <= level]
        for voter in range(len(votes)):
            if all(len(slots[number]) >= stages[number].need for number in reached):
                break
            if all(voter not in slot for slot in slots):
                _place(voter, stages, votes, reached, slots, set())
        if any(len(slots[number]) < stages[number].need for number in reached):
            break
    return [len(slot) for slot in slots]


def _place(
    voter: int,
    stages: Sequence[Stage],
    votes: Sequence[Actor],
    reached: Sequence[int],
    slots: list[list[int]],
    tried: set[int],
) -> bool:
    """Give a vote to a stage, moving others to further stages of theirs if need be."""
    for number in reached:
        if number in tried or votes[voter].approving.among(stages[number].of) is Ruling.NO:
            continue
        tried.add(number)
        slot = slots[number]
        if len(slot) < stages[number].need:
            slot.append(voter)
            return True
        for at, other in enumerate(slot):
            if _place(other, stages, votes, reached, slots, tried):
                slot[at] = voter
                return True
    return False
