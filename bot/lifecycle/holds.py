"""Holding an approved request while its accounts are checked once more, or until its time comes: nothing
of it is sent.

It has no batches until it starts, so there is nothing to claim, whichever replica or version looks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import ColumnElement, Select, and_, select, update

from bot.lifecycle import batches, phones
from bot.lifecycle.ending import end_if_over
from bot.lifecycle.notifications import Notifications
from bot.phones.issue import Notice
from bot.preflight import findings
from bot.preflight.changes import carried, changes, may_change, new_failures
from bot.preflight.summary import summarize
from bot.preflight.verdict import AccountReport, Verdict
from bot.signin.digest import UNKEYED, Digests, equal
from bot.signin.outcome import CHANGED, CHANGED_MESSAGE, FAILED_CHECK
from bot.signin.request import Hold, Person, RequestState
from bot.signin.schedule import GRACE, OPEN, Due, Opening
from bot.store import account_checks, audit, locks, rechecks, requests
from bot.store.account_checks import Preflight
from bot.store.database import Transaction
from bot.store.models.requests import PhoneRow, RequestRow
from bot.store.requests import Request
from bot.store.statement import statement
from bot.store.verdicts import document_of, verdict_of
from bot.words import Words

log = structlog.get_logger()

#: For how long what was found about accounts and tenant is good enough to send.
FRESH = timedelta(minutes=30)
_AUDITED = 20  # accounts named in one event; all of them are counted
_CHUNK = 2000  # accounts per statement
#: Nobody holds the lease of the checks, and every card shows the change.
_RELEASED: Mapping[str, Any] = {
    "preflight_owner": "",
    "preflight_until": None,
    "state_version": RequestRow.version + 1,
}


def unplanned(request_id: str) -> ColumnElement[bool]:
    """The phones that are in no batch, since their request was held."""
    return and_(
        PhoneRow.request_id == request_id, PhoneRow.ready.is_(True), PhoneRow.batch_id.is_(None)
    )


async def begin(tx: Transaction, request: Request, now: datetime) -> bool:
    """Have the accounts of an approved request checked again where that is due.

    Due is what is older than `FRESH`, what is not known and may be by now, and what was never checked.
    Returns False if nothing is: then nothing holds the request. The caller holds its lock.
    """
    if request.accounts_unchecked:
        await account_checks.begin(tx, request.id)
    accounts = await rechecks.begin(tx, request.id, now - FRESH)
    row = (await tx.execute(*_checked(request.id))).one()
    fresh = row.accounts_checked_at is not None and row.accounts_checked_at > now - FRESH
    if fresh and not accounts and not may_change(map(verdict_of, row.tenant_verdicts)):
        return False
    await requests.touch(
        tx,
        request.id,
        hold=Hold.CHECKING.value,
        preflight=Preflight.CHECKED.value,
        **_RELEASED,
    )
    return True


@statement
def _checked(request_id: str) -> Select[datetime | None, list[Any]]:
    return select(RequestRow.accounts_checked_at, RequestRow.tenant_verdicts).where(
        RequestRow.id == request_id
    )


async def leave(
    tx: Transaction, request_id: str, hold: Hold, *conditions: ColumnElement[bool]
) -> bool:
    """Take a running request out of a hold, so that one caller decides what follows."""
    left = await tx.execute(
        update(RequestRow)
        .where(
            RequestRow.id == request_id,
            RequestRow.state == RequestState.RUNNING.value,
            RequestRow.hold == hold.value,
            RequestRow.cancel_asked_at.is_(None),
            *conditions,
        )
        .values(hold=Hold.NONE.value)
    )
    return left.rowcount == 1


async def complete(
    tx: Transaction,
    notify: Notifications,
    request_id: str,
    tenant: Sequence[Verdict],
    words: Words,
    *,
    owner: str,
    now: datetime,
    digests: Digests = UNKEYED,
) -> Hold | None:
    """checking -> held if there are failures that the approver did not see; else the request starts, or
    is missed if it is late by now.

    `words`: without escaping. Returns the hold afterwards; None when the request has moved on, or
    another replica completes it.
    """
    await locks.requests(tx, request_id)
    request = await requests.load(tx, request_id)
    if request is None or not await leave(
        tx, request_id, Hold.CHECKING, RequestRow.preflight_owner == owner
    ):
        return None
    await account_checks.leave_unknown(tx, request_id, now)
    rechecked = await rechecks.load(tx, request_id)
    stopping = [each.account for each in rechecked if each.failures]
    approved, stops = await _tenant_verdicts(tx, request_id)
    tenant = carried(stops, tenant)
    of_tenant = new_failures(approved, tenant, accepted=True)
    await rechecks.mark_stopping(tx, request_id, stopping)
    changed = changes(rechecked)
    gaps = summarize(AccountReport("", each) for each in (*(r.now for r in rechecked), tenant)).gaps
    found = findings.notices(of_tenant, gaps, lambda check: words(f"preflight-check-{check.value}"))
    notices = [*found, *([Notice("rechecked", asdict(changed))] if changed.any else ())]
    hold = Hold.HELD if stopping or of_tenant else Hold.NONE
    # The check took too long, since no replica was there: an approver is asked after all.
    late = hold is Hold.NONE and request.run_by is not None and now > request.run_by
    await requests.touch(
        tx,
        request_id,
        **_RELEASED,
        hold=hold.value,
        hold_version=RequestRow.version + 1 if hold is Hold.HELD else RequestRow.hold_version,
        accounts_checked_at=now,
        tenant_stops=[document_of(each) for each in of_tenant],
        recheck_notices=[{"code": n.code, "arguments": dict(n.arguments)} for n in notices],
    )
    await audit.record(
        tx,
        request_id,
        "accounts checked again",
        now,
        None,
        accounts=len(rechecked),
        failing=len(stopping),
        examples=stopping[:_AUDITED],
        tenant=[each.code for each in of_tenant],
    )
    if late:
        await miss(tx, notify, request, Due.LATE, now)
        return Hold.MISSED
    if hold is Hold.HELD:
        await notify.held(tx, request, len(stopping), now)
    else:
        await release(tx, notify, request, now, digests)
    return hold


async def miss(
    tx: Transaction,
    notify: Notifications,
    request: Request,
    due: Due,
    now: datetime,
    *,
    opening: Opening = OPEN,
) -> None:
    """-> missed. The caller has taken the request out of its hold."""
    closed = due is Due.CLOSED
    await requests.touch(
        tx,
        request.id,
        hold=Hold.MISSED.value,
        missed=due.value,
        missed_why=opening.why if closed else "",
        opens_at=opening.opens_at if closed else None,
        delegation_wanted_since=None,  # whoever starts it signs in then
        state_version=RequestRow.version + 1,
    )
    await audit.record(tx, request.id, "start missed", now, outcome=due.value)
    await notify.missed(tx, request, now)


async def _tenant_verdicts(tx: Transaction, request_id: str) -> tuple[list[Verdict], list[Verdict]]:
    """The tenant's verdicts that its approver saw, and those that hold it already."""
    approved, stops = (
        [verdict_of(each) for each in documents]
        for documents in (await tx.execute(*_verdicts(request_id))).one()
    )
    return approved, stops


@statement
def _verdicts(request_id: str) -> Select[list[Any], list[Any]]:
    return select(RequestRow.tenant_verdicts, RequestRow.tenant_stops).where(
        RequestRow.id == request_id
    )


async def release(
    tx: Transaction,
    notify: Notifications,
    request: Request,
    now: datetime,
    digests: Digests,
    *,
    left_out: int = 0,
) -> None:
    """Plan the batches of a request that nothing holds any more, if its rows are still those that were
    approved. `left_out`: phones that are not sent."""
    rows = await requests.phones(tx, request.id)
    if equal(
        digests.request(rows, batch_size=request.batch_size, run_at=request.run_at), request.digest
    ):
        await batches.plan(tx, request, digests)
        await notify.started(tx, request, request.approver, request.ready_rows - left_out, now)
    else:
        log.error("request.digest_mismatched", request=request.id, differs="rows")
        await phones.leave_out(tx, unplanned(request.id), cause=CHANGED, message=CHANGED_MESSAGE)
    await end_if_over(tx, notify, request.id, now)


async def continue_without(
    tx: Transaction,
    notify: Notifications,
    request: Request,
    words: Words,
    *,
    actor: Person,
    now: datetime,
    digests: Digests = UNKEYED,
) -> bool:
    """held -> started without the phones of the accounts that stop it: an approver said so.

    `words`: without escaping. Returns False when the request has moved on, or is held for other accounts
    than `request` was read with.
    """
    await locks.requests(tx, request.id)
    if not await leave(tx, request.id, Hold.HELD, RequestRow.hold_version == request.hold_version):
        return False
    reasons = {each.account: each.failures for each in await rechecks.stopping(tx, request.id)}
    accounts, left_out = await rechecks.stopped_phones(tx, request.id)
    by_message: dict[str, list[str]] = defaultdict(list)
    for account, failures in reasons.items():
        by_message[_sentence(words, failures[0])].append(account)
    for message, named in by_message.items():
        for start in range(0, len(named), _CHUNK):
            which = unplanned(request.id) & PhoneRow.account.in_(named[start : start + _CHUNK])
            await phones.leave_out(tx, which, cause=FAILED_CHECK, message=message)
    await requests.touch(tx, request.id, **_RELEASED)
    await audit.record(
        tx,
        request.id,
        "continued without",
        now,
        actor,
        accounts=accounts,
        phones=left_out,
        examples=[
            {"account": account, "codes": [each.code for each in failures]}
            for account, failures in list(reasons.items())[:_AUDITED]
        ],
    )
    await release(tx, notify, request, now, digests, left_out=left_out)
    return True


def _sentence(words: Words, verdict: Verdict) -> str:
    return words(f"{findings.MESSAGE_PREFIX}{verdict.code}", **verdict.arguments)


async def check_again(tx: Transaction, request: Request, *, actor: Person, now: datetime) -> bool:
    """held -> checking: an approver wants the accounts checked once more.

    Returns False when the request has moved on.
    """
    await locks.requests(tx, request.id)
    if not await leave(tx, request.id, Hold.HELD, RequestRow.hold_version == request.hold_version):
        return False
    await rechecks.begin(tx, request.id, now - FRESH)
    run_by = now + GRACE if request.run_by is not None else None
    await requests.touch(tx, request.id, hold=Hold.CHECKING.value, run_by=run_by, **_RELEASED)
    await audit.record(tx, request.id, "accounts to be checked", now, actor)
    return True
