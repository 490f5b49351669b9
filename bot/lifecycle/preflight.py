"""Checking the accounts of a draft: what begins it, what ends it, and what its verdicts change."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select, update

from bot.mending.plan import mendable, nameable, plan
from bot.phones.issue import Issue, Severity
from bot.preflight import findings
from bot.preflight.summary import summarize
from bot.preflight.verdict import LEFT_OUT, AccountReport, Result, Verdict
from bot.signin.request import RequestState
from bot.store import account_checks, audit, drafts, locks, mends, overlaps, requests
from bot.store.account_checks import Preflight
from bot.store.database import Transaction
from bot.store.models.accounts import AccountCheckRow
from bot.store.models.requests import IssueRow, PhoneRow, RequestRow
from bot.words import Words


class UnknownAccountError(Exception):
    """The requester named an account that is not among those that may be included by name."""


async def begin(tx: Transaction, request_id: str) -> None:
    """Have the accounts of a draft checked: a new one, or one that was made without.

    A draft without a ready row has none.
    """
    await locks.requests(tx, request_id)
    begun = await tx.execute(
        update(RequestRow)
        .where(
            RequestRow.id == request_id,
            RequestRow.state == RequestState.DRAFT.value,
            RequestRow.preflight == Preflight.OFF.value,
            RequestRow.ready_rows > 0,
        )
        .values(
            preflight=Preflight.CHECKING.value,
            version=RequestRow.version + 1,
            state_version=RequestRow.version + 1,
        )
    )
    if begun.rowcount == 1:
        await account_checks.begin(tx, request_id)


async def recheck(
    tx: Transaction, request_id: str, accounts: Collection[str], now: datetime
) -> bool:
    """checked -> checking: have some accounts of a draft checked again, and the tenant.

    `accounts`: case-folded. What the checks said is taken back; `complete` says it anew, also of the
    accounts that keep their verdicts. Facts read before `now` no longer count. Returns False when the
    request has moved on, or its accounts were never checked.
    """
    await locks.requests(tx, request_id)
    of_request = RequestRow.id == request_id
    row = (
        await tx.execute(
            select(RequestRow.notices).where(
                of_request,
                RequestRow.state == RequestState.DRAFT.value,
                RequestRow.preflight == Preflight.CHECKED.value,
            )
        )
    ).one_or_none()
    if row is None:
        return False
    await account_checks.reset(tx, request_id, accounts)
    warnings = await _take_issues_back(tx, request_id)
    await tx.execute(
        update(PhoneRow)
        .where(PhoneRow.request_id == request_id, PhoneRow.left_out)
        .values(ready=True, left_out=False)
    )
    await _count_ready(tx, request_id, guarded=0)
    kept = [each for each in row.notices if not each["code"].startswith(findings.NOTICE_PREFIXES)]
    await tx.execute(
        update(RequestRow)
        .where(of_request)
        .values(
            preflight=Preflight.CHECKING.value,
            facts_stale_at=now,
            notices=kept,
            mendable={},
            warnings=RequestRow.warnings - warnings,
            version=RequestRow.version + 1,
            state_version=RequestRow.version + 1,
        )
    )
    return True


async def _take_issues_back(tx: Transaction, request_id: str) -> int:
    """Delete what the checks found. Returns how many were warnings."""
    found = (IssueRow.request_id == request_id, IssueRow.code.startswith(findings.ISSUE_PREFIX))
    counted = await tx.execute(
        select(func.count()).where(*found, IssueRow.severity == Severity.WARNING.value)
    )
    await tx.execute(delete(IssueRow).where(*found))
    return counted.scalar_one()


async def record(
    tx: Transaction,
    request_id: str,
    reports: Sequence[AccountReport],
    *,
    owner: str,
    now: datetime,
    until: datetime,
) -> bool:
    """Store the verdicts on some accounts, and renew the lease.

    Returns False when another replica checks them now, or nobody needs to: nothing is stored.
    """
    await locks.requests(tx, request_id)
    if not await account_checks.renew(tx, request_id, owner=owner, now=now, until=until):
        return False
    await account_checks.record(tx, request_id, reports, now)
    await requests.touch(tx, request_id, state_version=RequestRow.version + 1)
    return True


async def complete(
    tx: Transaction,
    request_id: str,
    tenant: Sequence[Verdict],
    words: Words,
    *,
    owner: str,
    now: datetime,
) -> bool:
    """checking -> checked: rows whose accounts fail are left out, like rows with errors.

    `words`: without escaping. Returns False when the request has moved on, or another replica
    completes it.
    """
    await locks.requests(tx, request_id)
    changed = await tx.execute(
        update(RequestRow)
        .where(
            RequestRow.id == request_id,
            RequestRow.state == RequestState.DRAFT.value,
            RequestRow.preflight == Preflight.CHECKING.value,
            RequestRow.preflight_owner == owner,
        )
        .values(
            preflight=Preflight.CHECKED.value,
            preflight_owner="",
            preflight_until=None,
            accounts_checked_at=now,
            tenant_verdicts=[
                account_checks.document_of(each)
                for each in tenant
                if each.result is not Result.PASSED
            ],
            version=RequestRow.version + 1,
            state_version=RequestRow.version + 1,
        )
    )
    if changed.rowcount != 1:
        return False
    await account_checks.leave_unknown(tx, request_id, now)
    reports = await account_checks.reports(tx, request_id)
    warnings = await _give_issues(tx, request_id, reports)
    await tx.execute(
        update(RequestRow)
        .where(RequestRow.id == request_id)
        .values(warnings=RequestRow.warnings + warnings)
    )
    await leave_out(tx, request_id)
    await _keep_overlaps(tx, request_id, now)
    found = list(
        findings.notices(
            tenant,
            summarize(reports.values()).gaps,
            lambda check: words(f"preflight-check-{check.value}"),
        )
    )
    await drafts.add_notices(tx, request_id, found)
    found, off = await mends.found_of(tx, request_id)
    fits = mendable(plan(found, switch_off=off), len(nameable(found)))
    await mends.keep_mendable(tx, request_id, fits)
    counts = await account_checks.counts(tx, request_id)
    results = {result.value: count for result, count in counts.items()}
    await audit.record(tx, request_id, "accounts checked", now, None, **results)
    return True


async def _give_issues(
    tx: Transaction, request_id: str, reports: Mapping[str, AccountReport]
) -> int:
    """Give each ready row the issues of its account. Returns how many are warnings."""
    rows = await tx.execute(
        select(PhoneRow.number, PhoneRow.account)
        .where(PhoneRow.request_id == request_id, PhoneRow.ready)
        .order_by(PhoneRow.number)
    )
    issues: list[Issue] = []
    for number, account in rows:
        if report := reports.get(account):
            issues += findings.issues(report, number)
    await drafts.insert_issues(tx, request_id, issues)
    return sum(issue.severity is Severity.WARNING for issue in issues)


async def _keep_overlaps(tx: Transaction, request_id: str, now: datetime) -> None:
    """Show what the rows that are still ready have in common with other requests."""
    request = await requests.load(tx, request_id)
    if request is not None:
        found = await overlaps.find(
            tx, request_id, now, tenant_id=request.tenant_id, retry_of=request.retry_of
        )
        await overlaps.save(tx, request_id, found)


async def leave_out(tx: Transaction, request_id: str) -> None:
    """Rows of accounts that fail are not ready; none is included any more."""
    await tx.execute(
        update(AccountCheckRow)
        .where(AccountCheckRow.request_id == request_id, AccountCheckRow.included)
        .values(included=False)
    )
    failing = select(AccountCheckRow.account).where(
        AccountCheckRow.request_id == request_id,
        AccountCheckRow.result.in_([result.value for result in LEFT_OUT]),
    )
    await tx.execute(
        update(PhoneRow)
        .where(PhoneRow.request_id == request_id, PhoneRow.ready, PhoneRow.account.in_(failing))
        .values(ready=False, left_out=True)
    )
    await _count_ready(tx, request_id, guarded=0)


async def _count_ready(tx: Transaction, request_id: str, *, guarded: int) -> None:
    counted = (
        await tx.execute(
            select(func.count(), func.count(func.distinct(PhoneRow.account))).where(
                PhoneRow.request_id == request_id, PhoneRow.ready
            )
        )
    ).one()
    await tx.execute(
        update(RequestRow)
        .where(RequestRow.id == request_id)
        .values(ready_rows=counted[0], accounts=counted[1], guarded_accounts=guarded)
    )


@dataclass(frozen=True, slots=True)
class Included:
    """What a requester takes along although the checks left it out."""

    accounts: int = 0
    guarded: Sequence[str] = ()  #: accounts that look like people's, case-folded


async def include(
    tx: Transaction, request_id: str, *, failed: bool, named: Collection[str]
) -> Included:
    """Take accounts of a draft along that the checks left out, in place of those chosen before.

    `failed`: all that would fail. `named`: guarded accounts, each by its UPN in any case. Refused
    accounts are never included. Raises `UnknownAccountError` for a name that is not a guarded account
    of this request.
    """
    if await account_checks.included(tx, request_id):
        await leave_out(tx, request_id)
    of_request = AccountCheckRow.request_id == request_id
    is_guarded = AccountCheckRow.result == Result.GUARDED.value
    wanted = {name.casefold() for name in named}
    rows = await tx.execute(
        select(AccountCheckRow.account).where(
            of_request, is_guarded, AccountCheckRow.account.in_(wanted)
        )
    )
    if unknown := wanted - set(rows.scalars()):
        raise UnknownAccountError(min(unknown))
    chosen = is_guarded & AccountCheckRow.account.in_(wanted)
    if failed:
        chosen |= AccountCheckRow.result == Result.FAILED.value
    accounts = await tx.execute(
        update(AccountCheckRow).where(of_request, chosen).values(included=True)
    )
    if not accounts.rowcount:
        return Included()
    taken_along = select(AccountCheckRow.account).where(of_request, AccountCheckRow.included)
    await tx.execute(
        update(PhoneRow)
        .where(
            PhoneRow.request_id == request_id,
            PhoneRow.left_out,
            PhoneRow.account.in_(taken_along),
        )
        .values(ready=True, left_out=False)
    )
    await _count_ready(tx, request_id, guarded=len(wanted))
    return Included(accounts.rowcount, sorted(wanted))
