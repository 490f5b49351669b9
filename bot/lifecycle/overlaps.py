"""What a request has in common with others: kept, shown, and explained by its requester."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from bot.lifecycle import votes
from bot.lifecycle.notifications import Notifications
from bot.signin.overlap import Overlap, Verdict, judge
from bot.signin.request import Person
from bot.store import audit, locks, overlaps, requests, shown
from bot.store.database import Transaction
from bot.store.models.requests import RequestRow
from bot.store.requests import Request

_AUDITED_OVERLAPS = 20  # other requests named in one event; all of them are counted


class OverlapUnexplainedError(Exception):
    """Other requests have the same phones or accounts, and the requester gave no reason."""


async def find(tx: Transaction, request: Request, now: datetime) -> list[Overlap]:
    return await overlaps.find(
        tx, request.id, now, tenant_id=request.tenant_id, retry_of=request.retry_of
    )


def counted(found: Sequence[Overlap]) -> dict[str, Any]:
    """The audit's account of overlaps. Empty if there are none."""
    if not found:
        return {}
    lines = [
        {"request": each.request_id, "accounts": each.accounts, "phones": each.phones}
        for each in found[:_AUDITED_OVERLAPS]
    ]
    return {"overlaps": len(found), "overlapping": lines}


async def want_reason(
    tx: Transaction,
    notify: Notifications,
    request: Request,
    found: Sequence[Overlap],
    now: datetime,
    actor: Person,
    **typed: object,
) -> None:
    """Show what is found, and hold the request up until its requester explains it. The card keeps the
    request's reason, ticket and batch size, and the start that was `typed` on a draft's."""
    await votes.void_changed(tx, notify, request, now)
    await overlaps.save(tx, request.id, found)
    await requests.touch(
        tx,
        request.id,
        reason_wanted_since=now,
        overlaps_version=RequestRow.version + 1,
        state_version=RequestRow.version + 1,
        reason=request.reason,
        ticket=request.ticket,
        batch_size=request.batch_size,
        **typed,
    )
    await audit.record(tx, request.id, "overlap found", now, actor, **counted(found))


async def hold_up(
    tx: Transaction,
    notify: Notifications,
    request: Request,
    found: Sequence[Overlap],
    *,
    actor: Person,
    now: datetime,
) -> bool:
    """Whether an approved request that the requester has not explained holds up the approval.

    One that waits holds up nobody: its own approval will find this one.
    """
    approved = [each for each in found if each.approved]
    verdict = judge(approved, await overlaps.shown(tx, request.id), request.reason)
    wanted = request.reason_wanted_since is not None
    if verdict is Verdict.CLEAR or (verdict is Verdict.EXPLAINED and not wanted):
        return False
    if not wanted or verdict is Verdict.NEW:
        await want_reason(tx, notify, request, found, now, actor)
        await notify.reason_wanted(tx, request, now)
    return True


async def explain_overlap(
    tx: Transaction,
    notify: Notifications,
    request: Request,
    *,
    reason: str,
    actor: Person,
    now: datetime,
) -> bool:
    """Give the reason that a waiting request's overlap wants; its state stays, and approvers get its card.

    Returns False when the request has moved on, needs no reason, or has an overlap that its card did not
    show; then it does now. Raises `OverlapUnexplainedError` if `reason` is blank.
    """
    if not reason.strip():
        raise OverlapUnexplainedError(request.id)
    await locks.requests(tx, request.id)
    current = await requests.waiting(tx, request.id, now)
    if current is None or current.reason_wanted_since is None:
        return False
    found = await find(tx, request, now)
    if judge(found, await overlaps.shown(tx, request.id), reason) is Verdict.NEW:
        await want_reason(tx, notify, request, found, now, actor)
        return False
    await overlaps.save(tx, request.id, found)
    await votes.void_changed(tx, notify, request, now)
    await requests.touch(
        tx,
        request.id,
        reason=reason,
        reason_wanted_since=None,
        overlaps_version=RequestRow.version + 1,
        state_version=RequestRow.version + 1,
    )
    await audit.record(
        tx,
        request.id,
        "overlap explained",
        now,
        actor,
        reason=reason,
        shown=await shown.load(tx, replace(current, reason=reason), now),
        **counted(found),
    )
    await notify.approval_requested(tx, request, now)
    return True
