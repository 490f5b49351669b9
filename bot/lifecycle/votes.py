"""Votes: approvals that wait for further ones. The last one is `approve` in `bot.lifecycle.approvals`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

from bot.lifecycle.notifications import Notifications
from bot.signin.policy.decision import Decision, Ruling
from bot.signin.policy.evaluator import may_decide
from bot.signin.policy.facts import Actor, RequestFacts
from bot.signin.policy.model import Policy
from bot.signin.policy.vote import Void
from bot.signin.request import Person
from bot.store import audit, policy_facts, requests, votes
from bot.store.database import Transaction
from bot.store.models.requests import RequestRow
from bot.store.requests import Request


async def recheck(
    tx: Transaction,
    policy: Policy,
    request: Request,
    facts: RequestFacts,
    voters: Mapping[str, Actor],
    now: datetime,
) -> tuple[Actor, ...]:
    """The votes that still count, now that it is known again who the voters are.

    `voters`: by object ID; who voted since they were looked up counts as they did then. A voter who may
    not approve any more falls out; one of whom that cannot be told stays, marked as unsure. The caller
    holds the request's lock.
    """
    staying: list[Actor] = []
    left: list[str] = []
    for vote in await votes.counting(tx, request):
        voter = voters.get(vote.voter.object_id) or policy_facts.as_actor(request, vote)
        match may_decide(policy, voter, facts, now=now).answer:
            case Ruling.NO:
                left.append(vote.voter.object_id)
            case Ruling.CANNOT_TELL:
                ids = voter.ids | vote.ids
                staying.append(replace(voter, person=vote.voter, ids=ids, unsure=True))
            case Ruling.YES:
                staying.append(replace(voter, unsure=False))
    if left:
        await _void(tx, request.id, Void.LEFT, now, left)
    return tuple(staying)


async def add(
    tx: Transaction,
    notify: Notifications,
    request: Request,
    decision: Decision,
    *,
    comment: str,
    shown: str,
    actor: Actor,
    now: datetime,
    trail: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Record an approval that others have to follow; `decision` says whose. The caller holds the request's
    lock, and has asked the policy. `shown`: what their card showed. `trail`: more for the audit."""
    ids = actor.approving.ids
    await votes.add(tx, request, actor.person, ids, comment=comment, shown=shown, now=now)
    await _touch(tx, request.id)
    wanted = sum(each.votes for each in decision.missing)
    await audit.record(
        tx,
        request.id,
        "voted",
        now,
        actor.person,
        comment=comment,
        digest=request.digest,
        wanted=wanted,
        **decision.trail,
        **trail,
    )
    await notify.voted(tx, request, actor.person, decision.missing, now)


async def void_changed(
    tx: Transaction, notify: Notifications, request: Request, now: datetime
) -> None:
    """The request is not what was approved: no vote counts any more, and approvers are told."""
    people = await _void(tx, request.id, Void.CHANGED, now)
    if people:
        await notify.votes_void(tx, request, people, now)


async def _void(
    tx: Transaction,
    request_id: str,
    why: Void,
    now: datetime,
    voter_ids: Collection[str] | None = None,
) -> list[Person]:
    chosen = None if voter_ids is None else list(voter_ids)
    people = await votes.void(tx, request_id, why, chosen)
    for person in people:
        await audit.record(
            tx,
            request_id,
            "vote void",
            now,
            voter=person.object_id,
            name=person.name,
            what=why.value,
        )
    if people:
        await _touch(tx, request_id)
    return people


async def _touch(tx: Transaction, request_id: str) -> None:
    await requests.touch(tx, request_id, state_version=RequestRow.version + 1)
