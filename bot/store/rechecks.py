"""Rechecks as rows: the second check of accounts, after the approval; and which of them stop the request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, case, func, or_, select, update

from bot.preflight.changes import Recheck, may_change
from bot.preflight.verdict import Result, Verdict
from bot.signin.outcome import PhoneStatus
from bot.store.database import Transaction
from bot.store.models.accounts import AccountCheckRow
from bot.store.models.requests import PhoneRow
from bot.store.statement import statement
from bot.store.verdicts import verdict_of

_CHUNK = 2000  # rows per statement, so that other tasks run in between


def _is_planned(request_id: str) -> ColumnElement[bool]:
    """Accounts of phones that are still to be sent."""
    return AccountCheckRow.account.in_(
        select(PhoneRow.account).where(
            PhoneRow.request_id == request_id,
            PhoneRow.ready,
            PhoneRow.status == PhoneStatus.PENDING.value,
        )
    )


async def begin(tx: Transaction, request_id: str, checked_before: datetime) -> int:
    """Note as unchecked again what was checked before that time, is not known, or stops the request.

    What the approver saw is kept for comparison, and what stops it until that is known to be gone.
    Returns how many accounts are to be checked.
    """
    rows = await tx.execute(
        select(AccountCheckRow.account, AccountCheckRow.checked_at, AccountCheckRow.stops)
        .add_columns(AccountCheckRow.verdicts)
        .where(
            AccountCheckRow.request_id == request_id,
            _is_planned(request_id),
            or_(
                AccountCheckRow.result != Result.PASSED.value,
                AccountCheckRow.checked_at <= checked_before,
            ),
        )
    )
    accounts = [
        row.account
        for row in rows
        if row.stops
        or row.checked_at is None
        or row.checked_at <= checked_before
        or may_change(map(verdict_of, row.verdicts))
    ]
    first = AccountCheckRow.approved_result == ""
    for start in range(0, len(accounts), _CHUNK):
        await tx.execute(
            update(AccountCheckRow)
            .where(
                AccountCheckRow.request_id == request_id,
                AccountCheckRow.account.in_(accounts[start : start + _CHUNK]),
            )
            .values(
                approved_result=case(
                    (first & (AccountCheckRow.result == ""), Result.UNKNOWN.value),
                    (first, AccountCheckRow.result),
                    else_=AccountCheckRow.approved_result,
                ),
                approved_verdicts=case(
                    (first, AccountCheckRow.verdicts), else_=AccountCheckRow.approved_verdicts
                ),
                result="",
                checked_at=None,
            )
        )
    return len(accounts)


async def load(tx: Transaction, request_id: str) -> list[Recheck]:
    """The accounts that were checked again, in the file's order."""
    return [_recheck(row) for row in await tx.execute(*_load(request_id))]


@statement
def _load(request_id: str) -> Select[*tuple[Any, ...]]:
    return (
        select(AccountCheckRow.__table__)
        .where(AccountCheckRow.request_id == request_id, AccountCheckRow.approved_result != "")
        .order_by(AccountCheckRow.number)
    )


async def stopping(tx: Transaction, request_id: str, limit: int | None = None) -> list[Recheck]:
    """The first accounts that stop the request; None: all."""
    rows = await tx.execute(*_stopping(request_id, limit, every=limit is None))
    return [_recheck(row) for row in rows]


@statement
def _stopping(request_id: str, limit: int | None, *, every: bool) -> Select[*tuple[Any, ...]]:
    return (
        select(AccountCheckRow.__table__)
        .where(
            AccountCheckRow.request_id == request_id,
            AccountCheckRow.stops,
            AccountCheckRow.approved_result != "",
        )
        .order_by(AccountCheckRow.number)
        .limit(None if every else limit)
    )


def _recheck(row: Row[Any]) -> Recheck:
    return Recheck(
        row.account,
        row.username,
        [verdict_of(each) for each in row.approved_verdicts],
        [verdict_of(each) for each in row.verdicts],
        included=row.included,
    )


async def mark_stopping(tx: Transaction, request_id: str, accounts: Sequence[str]) -> None:
    """Note the accounts, case-folded, that stop the request, and that no others do."""
    await tx.execute(
        update(AccountCheckRow)
        .where(AccountCheckRow.request_id == request_id, AccountCheckRow.stops)
        .values(stops=False)
    )
    for start in range(0, len(accounts), _CHUNK):
        await tx.execute(
            update(AccountCheckRow)
            .where(
                AccountCheckRow.request_id == request_id,
                AccountCheckRow.account.in_(accounts[start : start + _CHUNK]),
            )
            .values(stops=True)
        )


async def checked_again(tx: Transaction, request_id: str) -> tuple[int, int]:
    """How many accounts have been checked again, and how many are to be."""
    row = (await tx.execute(*_checked_again(request_id))).one()
    return row[0], row[1]


@statement
def _checked_again(request_id: str) -> Select[int, int]:
    return select(func.count().filter(AccountCheckRow.result != ""), func.count()).where(
        AccountCheckRow.request_id == request_id, AccountCheckRow.approved_result != ""
    )


async def stopped_phones(tx: Transaction, request_id: str) -> tuple[int, int]:
    """How many accounts stop the request, and how many phones they are on."""
    row = (await tx.execute(*_stopped_phones(request_id))).one()
    return row[0], row[1]


@statement
def _stopped_phones(request_id: str) -> Select[int, int]:
    return (
        select(func.count(func.distinct(PhoneRow.account)), func.count())
        .select_from(PhoneRow)
        .join(
            AccountCheckRow,
            (AccountCheckRow.request_id == PhoneRow.request_id)
            & (AccountCheckRow.account == PhoneRow.account),
        )
        .where(PhoneRow.request_id == request_id, PhoneRow.ready, AccountCheckRow.stops)
    )


async def still_stopping(tx: Transaction, request_id: str) -> Mapping[str, Sequence[Verdict]]:
    """Of the accounts that stop the request and are to be checked again, the verdicts so far."""
    rows = await tx.execute(*_still_stopping(request_id))
    return {row.account: [verdict_of(each) for each in row.verdicts] for row in rows}


@statement
def _still_stopping(request_id: str) -> Select[str, list[Any]]:
    return select(AccountCheckRow.account, AccountCheckRow.verdicts).where(
        AccountCheckRow.request_id == request_id,
        AccountCheckRow.stops,
        AccountCheckRow.result == "",
    )
