"""The rows of exports: every phone and every issue of a request, read in chunks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Row, and_, select

from bot.phones.issue import Column, Issue, Severity
from bot.signin.snapshot import (
    PhoneSnapshot,
)
from bot.store import (
    phone_pages,
)
from bot.store.database import Transaction
from bot.store.models.accounts import AccountCheckRow
from bot.store.models.requests import IssueRow, PhoneRow


async def all_phones(
    tx: Transaction, request_id: str, *, chunk: int = 1000
) -> AsyncIterator[tuple[PhoneSnapshot, bool, Sequence[Issue]]]:
    """Every row of the file, whether it was ready, and its issues; read in chunks."""
    after = -1
    while True:
        rows = (
            await tx.execute(
                phone_pages.columns()
                .add_columns(AccountCheckRow.result.label("account_check"))
                .outerjoin(
                    AccountCheckRow,
                    and_(
                        AccountCheckRow.request_id == PhoneRow.request_id,
                        AccountCheckRow.account == PhoneRow.account,
                    ),
                )
                .where(PhoneRow.request_id == request_id, PhoneRow.number > after)
                .order_by(PhoneRow.number)
                .limit(chunk)
            )
        ).all()
        if not rows:
            return
        issues = await _issues_between(tx, request_id, rows[0].number, rows[-1].number)
        for row in rows:
            phone = replace(phone_pages.snapshot_of(row), account_check=row.account_check or "")
            yield phone, row.ready, issues.get(row.number, ())
        after = rows[-1].number


async def _issues_between(
    tx: Transaction, request_id: str, first: int, last: int
) -> Mapping[int, Sequence[Issue]]:
    rows = await tx.execute(
        select(IssueRow.__table__)
        .where(IssueRow.request_id == request_id, IssueRow.row >= first, IssueRow.row <= last)
        .order_by(IssueRow.rank, IssueRow.id)
    )
    by_row: dict[int, list[Issue]] = defaultdict(list)
    for row in rows:
        by_row[row.row].append(issue_of(row))
    return by_row


async def all_issues(
    tx: Transaction, request_id: str, *, chunk: int = 1000
) -> AsyncIterator[Issue]:
    """Every issue in row order; read in chunks."""
    after = (-1, -1)
    while True:
        rows = (
            await tx.execute(
                select(IssueRow.__table__)
                .where(
                    IssueRow.request_id == request_id,
                    (IssueRow.row > after[0])
                    | ((IssueRow.row == after[0]) & (IssueRow.id > after[1])),
                )
                .order_by(IssueRow.row, IssueRow.id)
                .limit(chunk)
            )
        ).all()
        if not rows:
            return
        for row in rows:
            yield issue_of(row)
        after = (rows[-1].row, rows[-1].id)


def issue_of(row: Row[Any]) -> Issue:
    return Issue(
        row=row.row,
        column=Column(row.column),
        value=row.value,
        code=row.code,
        severity=Severity(row.severity),
        arguments=row.arguments,
    )
