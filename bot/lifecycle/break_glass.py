"""Break-glass: an approval of one's own request, and its review by another approver."""

from __future__ import annotations

from datetime import datetime, tzinfo

from bot.lifecycle import requests as request_lifecycle
from bot.lifecycle.notifications import Notifications
from bot.signin.break_glass import REVIEW_EVERY
from bot.signin.digest import UNKEYED, Digests
from bot.signin.reminders import daytime
from bot.signin.request import Person
from bot.store import audit, locks, posts, requests, reviews
from bot.store.database import Transaction
from bot.store.models import RequestRow
from bot.store.requests import Request


async def use(
    tx: Transaction,
    notify: Notifications,
    request: Request,
    *,
    reason: str,
    ticket: str,
    actor: Person,
    now: datetime,
    delegation_until: datetime | None = None,
    digests: Digests = UNKEYED,
    check_accounts: bool = False,
) -> bool:
    """waiting -> running, approved by its requester; its review is open from now on.

    Arguments, results and errors are those of `requests.approve`: whatever stops an approval stops this.
    """
    if not await request_lifecycle.approve(
        tx,
        notify,
        request,
        comment="",
        actor=actor,
        now=now,
        delegation_until=delegation_until,
        digests=digests,
        check_accounts=check_accounts,
        break_glass=True,
    ):
        return False
    await reviews.add(
        tx,
        request.id,
        reason=reason,
        ticket=ticket,
        actor=actor,
        now=now,
        remind_at=now + REVIEW_EVERY,
    )
    await audit.record(
        tx,
        request.id,
        "break-glass used",
        now,
        actor,
        reason=reason,
        ticket=ticket,
        digest=request.digest,
    )
    await notify.break_glass_used(tx, request, actor, reason=reason, ticket=ticket, now=now)
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
