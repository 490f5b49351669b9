"""An approver's click: a vote, or the last one, which starts the request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum, auto
from typing import Any

from bot.identity.step_up import StepUp
from bot.lifecycle import requests as lifecycle
from bot.lifecycle import votes
from bot.lifecycle.notifications import Notifications
from bot.signin.digest import UNKEYED, Digests
from bot.signin.policy.decision import Decision
from bot.signin.policy.evaluator import may_approve
from bot.signin.policy.facts import Actor
from bot.signin.policy.model import Policy
from bot.signin.request import RequestState
from bot.store import locks, policy_facts, requests
from bot.store import votes as stored_votes
from bot.store.database import Transaction
from bot.store.requests import Request


class Outcome(Enum):
    APPROVED = auto()
    VOTED = auto()  # further votes are wanted
    NEEDS_ACCESS = auto()  # it would be the last vote, which needs what is needed to start
    MOVED_ON = auto()  # the request has moved on, or is held up; its card says why


@dataclass(frozen=True, slots=True)
class Ballot:
    """Who approves what, as they were shown it."""

    actor: Actor
    comment: str
    policy: Policy
    #: who voted before, looked up again just now, by object ID
    voters: Mapping[str, Actor]
    may_start: bool  #: whether it may be the last vote: what is needed to start is there
    delegation_until: datetime | None = None  #: as in `lifecycle.approve`
    digests: Digests = UNKEYED
    check_accounts: bool = False
    step_up: StepUp | None = None  #: what the approver's sign-in proved, if that was asked
    shown: str = ""  #: what their card showed (`bot.signin.shown`); "" if it did not say

    @property
    def trail(self) -> Mapping[str, Any]:
        """For the audit."""
        return trail_of(self.step_up, self.shown)


def trail_of(step_up: StepUp | None, shown: str) -> Mapping[str, Any]:
    """How somebody came to decide, for the audit: without what is not known."""
    proved = {"step_up": step_up.detail} if step_up else {}
    return {**proved, **({"shown": shown} if shown else {})}


async def approve(
    tx: Transaction, notify: Notifications, request: Request, ballot: Ballot, now: datetime
) -> Outcome | Decision:
    """waiting -> waiting with one more vote or, with the last one, what `lifecycle.approve` does.

    Returns the decision if the policy denies it, now that nobody else can vote. Raises
    `DigestMismatchError`.
    """
    await locks.approvals(tx, request.tenant_id)
    await locks.requests(tx, request.id)
    current = await requests.load(tx, request.id)
    if (
        current is None
        or current.state is not RequestState.WAITING
        or current.digest != request.digest
        or current.overlaps_version != request.overlaps_version
    ):
        return Outcome.MOVED_ON
    facts = await policy_facts.of_request(tx, ballot.policy, current)
    standing = await votes.recheck(tx, ballot.policy, current, facts, ballot.voters, now)
    facts = replace(facts, votes=standing)
    decision = may_approve(ballot.policy, ballot.actor, facts, now=now, comment=ballot.comment)
    if not decision.allowed:
        return decision
    if decision.missing:
        if current.reason_wanted_since is not None:
            return Outcome.MOVED_ON  # the reason will change what is voted on
        await votes.add(
            tx,
            notify,
            current,
            decision,
            comment=ballot.comment,
            shown=ballot.shown,
            actor=ballot.actor,
            now=now,
            trail=ballot.trail,
        )
        return Outcome.VOTED
    if not ballot.may_start:
        return Outcome.NEEDS_ACCESS
    person, ids = ballot.actor.person, ballot.actor.approving.ids
    approved = await lifecycle.approve(
        tx,
        notify,
        current,
        comment=ballot.comment,
        actor=person,
        now=now,
        delegation_until=ballot.delegation_until,
        digests=ballot.digests,
        check_accounts=ballot.check_accounts,
        trail={**decision.trail, **ballot.trail},
        current=current,
    )
    if not approved:
        return Outcome.MOVED_ON
    await stored_votes.add(
        tx, current, person, ids, comment=ballot.comment, shown=ballot.shown, now=now
    )
    return Outcome.APPROVED
