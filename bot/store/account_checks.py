"""Account checks as rows: which accounts of a request have been checked, and the verdicts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, delete, func, insert, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute

from bot.preflight import findings, script
from bot.preflight.facts import Unknown, UnknownReason
from bot.preflight.verdict import LEFT_OUT, AccountReport, Check, Result, Verdict, unknown
from bot.signin.request import RequestState
from bot.store.database import Transaction
from bot.store.models import AccountCheckRow, IssueRow, PhoneRow, RequestRow

_CHUNK = 2000  # rows per statement, so that other tasks run in between


class Preflight(StrEnum):
    """How far the accounts of a request have been checked. The values are stored."""

    OFF = "off"  # not at all: only the file was checked
    CHECKING = "checking"
    CHECKED = "checked"


@dataclass(frozen=True, slots=True)
class Draft:
    """A request whose accounts are to be checked."""

    request_id: str
    tenant_id: str
    facts_stale_at: datetime | None = None  #: facts read before do not count; None if all do


async def begin(tx: Transaction, request_id: str) -> int:
    """Note the accounts of the ready rows as unchecked. Returns how many they are."""
    await tx.execute(delete(AccountCheckRow).where(AccountCheckRow.request_id == request_id))
    rows = await tx.execute(
        select(PhoneRow.account, PhoneRow.username)
        .where(PhoneRow.request_id == request_id, PhoneRow.ready)
        .order_by(PhoneRow.number)
    )
    accounts: dict[str, str] = {}
    for account, username in rows:
        accounts.setdefault(account, username)
    unchecked = [
        {"request_id": request_id, "account": account, "number": number, "username": username}
        for number, (account, username) in enumerate(accounts.items())
    ]
    for start in range(0, len(unchecked), _CHUNK):
        await tx.execute(insert(AccountCheckRow), unchecked[start : start + _CHUNK])
    return len(unchecked)


async def next_to_check(
    tx: Transaction, *, owner: str, now: datetime, under_way: Collection[str]
) -> Draft | None:
    """The oldest draft with unchecked accounts, besides those `under_way`, that no other replica holds.

    Returns None if there is none.
    """
    row = (
        await tx.execute(
            select(RequestRow.id, RequestRow.tenant_id, RequestRow.facts_stale_at)
            .where(*_open_to(owner, now), RequestRow.id.not_in(under_way))
            .order_by(RequestRow.created_at, RequestRow.id)
            .limit(1)
        )
    ).one_or_none()
    return Draft(row.id, row.tenant_id, row.facts_stale_at) if row else None


def _open_to(owner: str, now: datetime) -> tuple[ColumnElement[bool], ...]:
    """Drafts that are being checked, by `owner` or by nobody."""
    return (
        RequestRow.preflight == Preflight.CHECKING.value,
        RequestRow.state == RequestState.DRAFT.value,
        or_(
            RequestRow.preflight_owner == owner,
            RequestRow.preflight_until.is_(None),
            RequestRow.preflight_until <= now,
        ),
    )


async def renew(
    tx: Transaction, request_id: str, *, owner: str, now: datetime, until: datetime
) -> bool:
    """Take or renew the lease. Returns False if another replica holds it, or nothing is to be checked."""
    renewed = await tx.execute(
        update(RequestRow)
        .where(RequestRow.id == request_id, *_open_to(owner, now))
        .values(preflight_owner=owner, preflight_until=until)
    )
    return renewed.rowcount == 1


async def unchecked(tx: Transaction, request_id: str, limit: int) -> list[str]:
    """The first accounts without verdicts, as the file names them."""
    rows = await tx.execute(
        select(AccountCheckRow.username)
        .where(AccountCheckRow.request_id == request_id, AccountCheckRow.result == "")
        .order_by(AccountCheckRow.number)
        .limit(limit)
    )
    return list(rows.scalars())


async def record(
    tx: Transaction, request_id: str, reports: Iterable[AccountReport], now: datetime
) -> None:
    """Store verdicts. Those of an account that already has some stay."""
    found = [
        {
            "of_account": report.username.casefold(),
            "result": report.result.value,
            "verdicts": [_document(v) for v in report.verdicts if v.result is not Result.PASSED],
            "checked_at": now,
        }
        for report in reports
    ]
    statement = update(AccountCheckRow).where(
        AccountCheckRow.request_id == request_id,
        AccountCheckRow.account == bindparam("of_account"),
        AccountCheckRow.result == "",
    )
    if found:
        await tx.execute(statement, found, execution_options={"synchronize_session": False})


async def reset(tx: Transaction, request_id: str, accounts: Collection[str]) -> None:
    """Forget the verdicts on these accounts, case-folded."""
    chosen = [{"of_account": account} for account in accounts]
    statement = (
        update(AccountCheckRow)
        .where(
            AccountCheckRow.request_id == request_id,
            AccountCheckRow.account == bindparam("of_account"),
        )
        .values(result="", verdicts=[], checked_at=None)
    )
    if chosen:
        await tx.execute(statement, chosen, execution_options={"synchronize_session": False})


async def leave_unknown(tx: Transaction, request_id: str, now: datetime) -> None:
    """Accounts without a verdict are not known: none passes without an answer."""
    why = unknown(Check.EXISTS, Unknown(UnknownReason.NOT_READ))
    await tx.execute(
        update(AccountCheckRow)
        .where(AccountCheckRow.request_id == request_id, AccountCheckRow.result == "")
        .values(result=Result.UNKNOWN.value, verdicts=[_document(why)], checked_at=now)
    )


async def reports(tx: Transaction, request_id: str) -> Mapping[str, AccountReport]:
    """By account, case-folded, what is not simply passed; in the file's order."""
    rows = await tx.execute(
        select(AccountCheckRow.account, AccountCheckRow.username, AccountCheckRow.verdicts)
        .where(
            AccountCheckRow.request_id == request_id,
            AccountCheckRow.result.not_in(["", Result.PASSED.value]),
        )
        .order_by(AccountCheckRow.number)
    )
    return {
        row.account: AccountReport(row.username, [_verdict(each) for each in row.verdicts])
        for row in rows
    }


async def total(tx: Transaction, request_id: str) -> int:
    """How many accounts there are, checked or not."""
    return await _count(tx, AccountCheckRow.request_id == request_id)


async def included(tx: Transaction, request_id: str) -> int:
    """How many accounts are taken along in spite of their verdicts."""
    return await _count(tx, AccountCheckRow.request_id == request_id, AccountCheckRow.included)


async def left_out(tx: Transaction, request_id: str, accounts: Collection[str]) -> int:
    """How many of these accounts, case-folded, the checks leave out."""
    rows = await tx.execute(
        select(AccountCheckRow.account).where(
            AccountCheckRow.request_id == request_id,
            AccountCheckRow.result.in_([result.value for result in LEFT_OUT]),
        )
    )
    return len(set(rows.scalars()) & set(accounts))


async def _count(
    tx: Transaction, *conditions: ColumnElement[bool] | InstrumentedAttribute[bool]
) -> int:
    return (await tx.execute(select(func.count()).where(*conditions))).scalar_one()


async def guarded(tx: Transaction, request_id: str, *, included: bool, limit: int) -> Sequence[str]:
    """The first guarded accounts that are included, or are not; as the file names them."""
    rows = await tx.execute(
        select(AccountCheckRow.username)
        .where(
            AccountCheckRow.request_id == request_id,
            AccountCheckRow.result == Result.GUARDED.value,
            AccountCheckRow.included if included else ~AccountCheckRow.included,
        )
        .order_by(AccountCheckRow.number)
        .limit(limit)
    )
    return rows.scalars().all()


async def mendable(tx: Transaction, request_id: str) -> frozenset[str]:
    """Codes of the accounts' problems that cmdlets mend; accounts that the guard keeps out not counted."""
    codes = {findings.ISSUE_PREFIX + code: code for code in script.ACCOUNT_CODES}
    rows = await tx.execute(
        select(IssueRow.code)
        .join(
            PhoneRow,
            and_(PhoneRow.request_id == IssueRow.request_id, PhoneRow.number == IssueRow.row),
        )
        .join(
            AccountCheckRow,
            and_(
                AccountCheckRow.request_id == PhoneRow.request_id,
                AccountCheckRow.account == PhoneRow.account,
            ),
        )
        .where(
            IssueRow.request_id == request_id,
            IssueRow.code.in_(codes),
            AccountCheckRow.result.in_([result.value for result in script.MENDED_RESULTS]),
        )
        .distinct()
    )
    return frozenset(codes[code] for code in rows.scalars())


async def counts(tx: Transaction, request_id: str) -> Mapping[Result, int]:
    """Checked accounts by result."""
    rows = await tx.execute(
        select(AccountCheckRow.result, func.count())
        .where(AccountCheckRow.request_id == request_id, AccountCheckRow.result != "")
        .group_by(AccountCheckRow.result)
    )
    return {Result(result): count for result, count in rows}


def _document(verdict: Verdict) -> dict[str, Any]:
    document: dict[str, Any] = {"check": verdict.check.value, "result": verdict.result.value}
    if verdict.code:
        document |= {"code": verdict.code, "arguments": dict(verdict.arguments)}
    if verdict.unknown:
        document |= {"reason": verdict.unknown.reason.value, "detail": verdict.unknown.detail}
    return document


def _verdict(document: Mapping[str, Any]) -> Verdict:
    why = document.get("reason")
    return Verdict(
        Check(document["check"]),
        Result(document["result"]),
        document.get("code", ""),
        document.get("arguments", {}),
        Unknown(UnknownReason(why), document.get("detail", "")) if why else None,
    )
