"""Checking the accounts of a draft: what begins it, what ends it, and what its verdicts change."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, Update, delete, func, or_, select, update

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
from bot.store.statement import statement
from bot.store.verdicts import document_of
from bot.words import Words


class UnknownAccountError(Exception):
    """The requester named an account that is not among those that may be included by name."""


async def begin(tx: Transaction, request_id: str, *, noted: bool = False) -> None:
    """Have the accounts of a draft checked: a new one, or one that was made without.

    A draft without a ready row has none. `noted`: they are noted as unchecked already.
    """
    await locks.requests(tx, request_id)
    if (await tx.execute(*_begin(request_id))).rowcount == 1 and not noted:
        await account_checks.begin(tx, request_id)


@statement
def _begin(request_id: str) -> Update:
    return (
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
    verdicts = [document_of(each) for each in tenant if each.result is not Result.PASSED]
    if (await tx.execute(*_complete(request_id, owner, now, verdicts))).rowcount != 1:
        return False
    await account_checks.leave_unknown(tx, request_id, now)
    reports = await account_checks.reports(tx, request_id)
    warnings = await _give_issues(tx, request_id, reports)
    await tx.execute(*_add_warnings(request_id, warnings))
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


@statement
def _complete(
    request_id: str, owner: str, now: datetime, verdicts: Sequence[Mapping[str, Any]]
) -> Update:
    return (
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
            tenant_verdicts=verdicts,
            version=RequestRow.version + 1,
            state_version=RequestRow.version + 1,
        )
    )


@statement
def _add_warnings(request_id: str, warnings: int) -> Update:
    return (
        update(RequestRow)
        .where(RequestRow.id == request_id)
        .values(warnings=RequestRow.warnings + warnings)
    )


async def _give_issues(
    tx: Transaction, request_id: str, reports: Mapping[str, AccountReport]
) -> int:
    """Give each ready row the issues of its account. Returns how many are warnings."""
    issues: list[Issue] = []
    for number, account in await tx.execute(*_ready(request_id)):
        if report := reports.get(account):
            issues += findings.issues(report, number)
    await drafts.insert_issues(tx, request_id, issues)
    return sum(issue.severity is Severity.WARNING for issue in issues)


@statement
def _ready(request_id: str) -> Select[int, str]:
    return (
        select(PhoneRow.number, PhoneRow.account)
        .where(PhoneRow.request_id == request_id, PhoneRow.ready)
        .order_by(PhoneRow.number)
    )


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
    await tx.execute(*_include_none(request_id))
    await tx.execute(*_leave_out(request_id))
    await _count_ready(tx, request_id, guarded=0)


@statement
def _include_none(request_id: str) -> Update:
    return (
        update(AccountCheckRow)
        .where(AccountCheckRow.request_id == request_id, AccountCheckRow.included)
        .values(included=False)
    )


@statement
def _leave_out(request_id: str) -> Update:
    failing = select(AccountCheckRow.account).where(
        AccountCheckRow.request_id == request_id,
        AccountCheckRow.result.in_([result.value for result in LEFT_OUT]),
    )
    return (
        update(PhoneRow)
        .where(PhoneRow.request_id == request_id, PhoneRow.ready, PhoneRow.account.in_(failing))
        .values(ready=False, left_out=True)
    )


async def _count_ready(tx: Transaction, request_id: str, *, guarded: int) -> None:
    phones, accounts = (await tx.execute(*_counts(request_id))).one()
    await tx.execute(*_keep_counts(request_id, phones, accounts, guarded))


@statement
def _counts(request_id: str) -> Select[int, int]:
    return select(func.count(), func.count(func.distinct(PhoneRow.account))).where(
        PhoneRow.request_id == request_id, PhoneRow.ready
    )


@statement
def _keep_counts(request_id: str, phones: int, accounts: int, guarded: int) -> Update:
    return (
        update(RequestRow)
        .where(RequestRow.id == request_id)
        .values(ready_rows=phones, accounts=accounts, guarded_accounts=guarded)
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
    wanted = {name.casefold() for name in named}
    rows = await tx.execute(*_guarded(request_id, wanted))
    if unknown := wanted - set(rows.scalars()):
        raise UnknownAccountError(min(unknown))
    accounts = await tx.execute(*_include(request_id, wanted, failed=failed))
    if not accounts.rowcount:
        return Included()
    await tx.execute(*_take_along(request_id))
    await _count_ready(tx, request_id, guarded=len(wanted))
    return Included(accounts.rowcount, sorted(wanted))


_is_guarded = AccountCheckRow.result == Result.GUARDED.value


@statement
def _guarded(request_id: str, named: Collection[str]) -> Select[str]:
    return select(AccountCheckRow.account).where(
        AccountCheckRow.request_id == request_id, _is_guarded, AccountCheckRow.account.in_(named)
    )


@statement
def _include(request_id: str, named: Collection[str], *, failed: bool) -> Update:
    chosen = _is_guarded & AccountCheckRow.account.in_(named)
    if failed:
        chosen = or_(chosen, AccountCheckRow.result == Result.FAILED.value)
    return (
        update(AccountCheckRow)
        .where(AccountCheckRow.request_id == request_id, chosen)
        .values(included=True)
    )


@statement
def _take_along(request_id: str) -> Update:
    included = select(AccountCheckRow.account).where(
        AccountCheckRow.request_id == request_id, AccountCheckRow.included
    )
    return (
        update(PhoneRow)
        .where(
            PhoneRow.request_id == request_id,
            PhoneRow.left_out,
            PhoneRow.account.in_(included),
        )
        .values(ready=True, left_out=False)
    )
