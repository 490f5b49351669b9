"""Break-glass: an approval of one's own request, and its review by another approver."""

from __future__ import annotations

from datetime import datetime, tzinfo

from bot.identity.step_up import StepUp
from bot.lifecycle import requests as request_lifecycle
from bot.lifecycle.notifications import Notifications
from bot.signin.digest import UNKEYED, Digests
from bot.signin.policy import quorum
from bot.signin.policy.decision import Decision
from bot.signin.policy.evaluator import may_break_glass
from bot.signin.policy.facts import Actor
from bot.signin.policy.model import Policy
from bot.signin.reminders import REVIEW_EVERY, daytime
from bot.signin.request import Person
from bot.store import audit, locks, policy_facts, posts, requests, reviews
from bot.store.database import Transaction
from bot.store.models import RequestRow
from bot.store.requests import Request


async def use(
    tx: Transaction,
    notify: Notifications,
    request: Request,
    *,
    policy: Policy,
    reason: str,
    ticket: str,
    actor: Actor,
    now: datetime,
    delegation_until: datetime | None = None,
    step_up: StepUp | None = None,
    digests: Digests = UNKEYED,
    check_accounts: bool = False,
) -> bool | Decision:
    """waiting -> running, approved by its requester alone, whatever stages the policy has for it; its review
    is open from now on.

    `step_up`: what the requester's sign-in proved, if that was asked. Returns the decision if the policy
    denies it by now. Further arguments, results and errors are those of
    `requests.approve`: what else stops an approval stops this.
    """
    await locks.approvals(tx, request.tenant_id)
    await locks.requests(tx, request.id)
    current = await requests.load(tx, request.id)
    if current is None:
        return False
    decision = may_break_glass(
        policy, actor, await policy_facts.of_request(tx, policy, current), now=now
    )
    if not decision.allowed:
        return decision
    person, votes = actor.person, quorum.total(decision.missing)
    if not await request_lifecycle.approve(
        tx,
        notify,
        request,
        comment="",
        actor=person,
        now=now,
        delegation_until=delegation_until,
        digests=digests,
        check_accounts=check_accounts,
        trail=decision.trail | ({"step_up": step_up.detail} if step_up else {}),
        break_glass=True,
    ):
        return False
    await reviews.add(
        tx,
        request.id,
        reason=reason,
        ticket=ticket,
        votes=votes,
        actor=person,
        now=now,
        remind_at=now + REVIEW_EVERY,
    )
    await audit.record(
        tx,
        request.id,
        "break-glass used",
        now,
        person,
        reason=reason,
        ticket=ticket,
        digest=request.digest,
        wanted=votes,
        **decision.trail,
    )
    await notify.break_glass_used(tx, request, person, reason=reason, ticket=ticket, now=now)
    return True


async def review(
    tx: Transaction, request: Request, *, comment: str, actor: Person, now: datetime
) -> bool:
    """Close the review: another approver has seen it. The request's state stays.

    Returns False if it is closed already, or if `actor` used break-glass.
    """
    await locks.requests(tx, request.id)
    if not await reviews.close(tx, request.id, comment=comment, actor=actor, now=now):
        return False
    await requests.touch(tx, request.id, state_version=RequestRow.state_version + 1)
    await posts.revive(tx, request.id)
    await audit.record(tx, request.id, "break-glass reviewed", now, actor, comment=comment)
    return True


async def remind(
    tx: Transaction, notify: Notifications, request: Request, now: datetime, *, zone: tzinfo
) -> bool:
    """Remind the approvers that a review is open, once a day and not at night in their `zone`.

    Returns False if no reminder is due, for instance because another replica has just sent it.
    """
    morning = daytime(now, zone)
    if morning > now:
        await reviews.remind_again(tx, request.id, now, morning)
        return False
    if not await reviews.remind_again(tx, request.id, now, now + REVIEW_EVERY):
        return False
    await notify.review_open(tx, request, now)
    return True
