"""What was found in the file of a request: its issues, and the checks of its accounts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, func, select

from bot.phones.issue import Notice
from bot.preflight import findings, script
from bot.preflight.verdict import Result
from bot.signin.request import RequestState
from bot.signin.snapshot import (
    MAX_NAMED,
    AccountChecks,
    Page,
    RosterSummary,
)
from bot.store import (
    account_checks,
    phone_pages,
    windows,
)
from bot.store.account_checks import Preflight
from bot.store.database import Transaction
from bot.store.export_rows import issue_of
from bot.store.models.requests import IssueRow, PhoneRow
from bot.store.progress import MAX_EXAMPLES
from bot.store.statement import statement

_BEFORE_APPROVAL = (RequestState.DRAFT.value, RequestState.WAITING.value)


async def load(
    tx: Transaction, request: Row[Any], page: int, now: datetime | None
) -> RosterSummary:
    """`page`: of the issues. `now`: UTC, for times of provisioning; without, those are left out."""
    total = (await tx.execute(*_count_of_issues(request.id))).scalar_one()
    number = phone_pages.nearest(page, total)
    rows = await tx.execute(*_issues(request.id, (number - 1) * phone_pages.PAGE_SIZE))
    without_region = 0
    if request.state == RequestState.DRAFT.value:
        without_region = (await tx.execute(*_without_region(request.id))).scalar_one()
    shared_accounts: Sequence[str] = ()
    if request.state == RequestState.WAITING.value and request.accounts < request.ready_rows:
        shared_accounts = (await tx.execute(*_shared_accounts(request.id))).scalars().all()
    return RosterSummary(
        file_name=request.file_name,
        total=request.total_rows,
        ready=request.ready_rows,
        accounts=request.accounts,
        not_ready=request.total_rows - request.ready_rows,
        warnings=request.warnings,
        notes=request.notes,
        without_region=without_region,
        notices=list(map(_notice, request.notices)),
        issues=Page([issue_of(row) for row in rows], number, phone_pages.PAGE_SIZE, total),
        shared_accounts=shared_accounts,
        account_checks=await _account_checks(tx, request),
        windows=(
            await windows.count(tx, request.id, request.run_at or now)
            if now is not None and request.state in _BEFORE_APPROVAL
            else None
        ),
    )


@statement
def _count_of_issues(request_id: str) -> Select[int]:
    return select(func.count()).where(IssueRow.request_id == request_id)


@statement
def _issues(request_id: str, offset: int) -> Select[*tuple[Any, ...]]:
    return (
        select(IssueRow.__table__)
        .where(IssueRow.request_id == request_id)
        .order_by(IssueRow.rank, IssueRow.row, IssueRow.id)
        .limit(phone_pages.PAGE_SIZE)
        .offset(offset)
    )


@statement
def _without_region(request_id: str) -> Select[int]:
    return select(func.count()).where(
        PhoneRow.request_id == request_id, PhoneRow.ready, PhoneRow.region == ""
    )


@statement
def _shared_accounts(request_id: str) -> Select[str]:
    """The first accounts that are on several phones, up to three."""
    return (
        select(func.min(PhoneRow.username))
        .where(PhoneRow.request_id == request_id, PhoneRow.ready)
        .group_by(func.lower(PhoneRow.username))
        .having(func.count() > 1)
        .order_by(func.min(PhoneRow.number))
        .limit(MAX_EXAMPLES)
    )


async def _account_checks(tx: Transaction, request: Row[Any]) -> AccountChecks | None:
    state = Preflight(request.preflight)
    if state is Preflight.OFF:
        return None
    counts = await account_checks.counts(tx, request.id)
    guarded: Sequence[str] = ()
    included: Sequence[str] = ()
    if counts.get(Result.GUARDED):
        guarded = await account_checks.guarded(tx, request.id, included=False, limit=MAX_NAMED)
        included = await account_checks.guarded(tx, request.id, included=True, limit=MAX_NAMED)
    mendable: frozenset[str] = frozenset()
    tenant: Mapping[str, Mapping[str, str | int]] = {}
    if state is Preflight.CHECKED and request.state in _BEFORE_APPROVAL:
        mendable = await account_checks.mendable(tx, request.id)
        tenant = findings.tenant_problems(map(_notice, request.notices))
    return AccountChecks(
        complete=state is Preflight.CHECKED,
        total=await account_checks.total(tx, request.id),
        refused=counts.get(Result.REFUSED, 0),
        guarded=counts.get(Result.GUARDED, 0),
        failed=counts.get(Result.FAILED, 0),
        warnings=counts.get(Result.WARNING, 0),
        unknown=counts.get(Result.UNKNOWN, 0),
        passed=counts.get(Result.PASSED, 0),
        included=await account_checks.included(tx, request.id),
        guarded_accounts=guarded,
        included_accounts=included,
        checked_at=request.accounts_checked_at,
        scripted=bool(mendable) or not script.TENANT_CODES.isdisjoint(tenant),
        lacks_numbers=script.NO_NUMBER in mendable,
    )


def _notice(document: Mapping[str, Any]) -> Notice:
    return Notice(document["code"], document["arguments"])
