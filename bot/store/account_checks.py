"""Account checks as rows: which accounts of a request have been checked, and the verdicts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    Update,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from bot.preflight import findings, script
from bot.preflight.changes import carried
from bot.preflight.facts import Unknown, UnknownReason
from bot.preflight.verdict import LEFT_OUT, AccountReport, Check, Result, Verdict, unknown
from bot.signin.request import Hold, RequestState
from bot.store import rechecks
from bot.store.database import Transaction
from bot.store.models.accounts import AccountCheckRow
from bot.store.models.requests import IssueRow, PhoneRow, RequestRow
from bot.store.statement import statement
from bot.store.verdicts import document_of, verdict_of

_CHUNK = 2000  # rows per statement, so that other tasks run in between
_MENDABLE = {findings.ISSUE_PREFIX + code: code for code in script.ACCOUNT_CODES}


#: An account of a request, not checked yet.
ADD = insert(AccountCheckRow)


class Preflight(StrEnum):
    """How far the accounts of a request have been checked. The values are stored."""

    OFF = "off"  # not at all: only the file was checked
    CHECKING = "checking"
    CHECKED = "checked"


@dataclass(frozen=True, slots=True)
class Job:
    """A request whose accounts are to be checked."""

    request_id: str
    tenant_id: str
    #: as its approver, since it was approved; else before approval can be requested
    again: bool = False
    facts_stale_at: datetime | None = None  #: facts read before do not count; None if all do


async def begin(tx: Transaction, request_id: str) -> int:
    """Note the accounts of the ready rows as unchecked. Returns how many they are."""
    await tx.execute(delete(AccountCheckRow).where(AccountCheckRow.request_id == request_id))
    rows = await tx.execute(
        select(PhoneRow.account, PhoneRow.username)
        .where(PhoneRow.request_id == request_id, PhoneRow.ready)
        .order_by(PhoneRow.number)
    )
    unchecked = list(unchecked_rows(request_id, ((row.account, row.username) for row in rows)))
    for start in range(0, len(unchecked), _CHUNK):
        await tx.execute(ADD, unchecked[start : start + _CHUNK])
    return len(unchecked)


def unchecked_rows(
    request_id: str, accounts: Iterable[tuple[str, str]]
) -> Iterator[dict[str, Any]]:
    """Rows to `ADD` for accounts, case-folded and as the file has them, each of them once."""
    known = set[str]()
    for account, username in accounts:
        if account not in known:
            yield {
                "request_id": request_id,
                "account": account,
                "number": len(known),
                "username": username,
            }
            known.add(account)


async def next_to_check(
    tx: Transaction,
    *,
    owner: str,
    now: datetime,
    under_way: Collection[str],
    delegated: Collection[str] = (),
) -> Job | None:
    """The oldest request with unchecked accounts, besides those `under_way`, that no other replica holds.

    `delegated`: requests with an approver's delegation here. What another replica has a delegation for
    is left to that one. Returns None if there is none.
    """
    rows = await tx.execute(*_next_to_check(owner, now, under_way, delegated))
    row = rows.one_or_none()
    if row is None:
        return None
    return Job(row.id, row.tenant_id, row.hold == Hold.CHECKING.value, row.facts_stale_at)


@statement
def _next_to_check(
    owner: str, now: datetime, under_way: Collection[str], delegated: Collection[str]
) -> Select[str, str, str, datetime | None]:
    elsewhere = and_(
        RequestRow.hold == Hold.CHECKING.value,
        RequestRow.delegation_until > now,
        RequestRow.id.not_in(delegated),
    )
    return (
        select(RequestRow.id, RequestRow.tenant_id, RequestRow.hold, RequestRow.facts_stale_at)
        .where(
            *_open_to(owner, now),
            RequestRow.id.not_in(under_way),
            or_(RequestRow.delegation_until.is_(None), ~elsewhere),
        )
        .order_by(RequestRow.created_at, RequestRow.id)
        .limit(1)
    )


def _open_to(owner: str, now: datetime) -> tuple[ColumnElement[bool], ...]:
    """Requests whose accounts are being checked, by `owner` or by nobody."""
    return (
        or_(
            and_(
                RequestRow.preflight == Preflight.CHECKING.value,
                RequestRow.state == RequestState.DRAFT.value,
            ),
            and_(
                RequestRow.hold == Hold.CHECKING.value,
                RequestRow.state == RequestState.RUNNING.value,
            ),
        ),
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
    return (await tx.execute(*_renew(request_id, owner, now, until))).rowcount == 1


@statement
def _renew(request_id: str, owner: str, now: datetime, until: datetime) -> Update:
    return (
        update(RequestRow)
        .where(RequestRow.id == request_id, *_open_to(owner, now))
        .values(preflight_owner=owner, preflight_until=until)
    )


async def unchecked(tx: Transaction, request_id: str, limit: int) -> list[str]:
    """The first accounts without verdicts, as the file names them."""
    return list((await tx.execute(*_unchecked(request_id, limit))).scalars())


@statement
def _unchecked(request_id: str, limit: int) -> Select[str]:
    return (
        select(AccountCheckRow.username)
        .where(AccountCheckRow.request_id == request_id, AccountCheckRow.result == "")
        .order_by(AccountCheckRow.number)
        .limit(limit)
    )


_STORE_VERDICTS = update(AccountCheckRow).where(
    AccountCheckRow.request_id == bindparam("of_request"),
    AccountCheckRow.account == bindparam("of_account"),
    AccountCheckRow.result == "",
)


async def record(
    tx: Transaction, request_id: str, reports: Iterable[AccountReport], now: datetime
) -> None:
    """Store verdicts. Those of an account that already has some stay."""
    stopped = await rechecks.still_stopping(tx, request_id)
    found = [
        _checked(
            request_id,
            report.username,
            carried(stopped.get(report.username.casefold(), ()), report.verdicts),
            now,
        )
        for report in reports
    ]
    if found:
        await tx.execute(_STORE_VERDICTS, found, execution_options={"synchronize_session": False})


def _checked(
    request_id: str, username: str, verdicts: Sequence[Verdict], now: datetime
) -> dict[str, Any]:
    return {
        "of_request": request_id,
        "of_account": username.casefold(),
        "result": AccountReport(username, verdicts).result.value,
        "verdicts": [document_of(each) for each in verdicts if each.result is not Result.PASSED],
        "checked_at": now,
    }


async def reset(tx: Transaction, request_id: str, accounts: Collection[str]) -> None:
    """Forget the verdicts on these accounts, case-folded."""
    chosen = [{"of_account": account} for account in accounts]
    forget = (
        update(AccountCheckRow)
        .where(
            AccountCheckRow.request_id == request_id,
            AccountCheckRow.account == bindparam("of_account"),
        )
        .values(result="", verdicts=[], checked_at=None)
    )
    if chosen:
        await tx.execute(forget, chosen, execution_options={"synchronize_session": False})


async def leave_unknown(tx: Transaction, request_id: str, now: datetime) -> None:
    """Accounts without a verdict are not known: none passes without an answer."""
    why = unknown(Check.EXISTS, Unknown(UnknownReason.NOT_READ))
    stopping = await rechecks.still_stopping(tx, request_id)
    await record(tx, request_id, [AccountReport(account, [why]) for account in stopping], now)
    await tx.execute(
        update(AccountCheckRow)
        .where(AccountCheckRow.request_id == request_id, AccountCheckRow.result == "")
        .values(result=Result.UNKNOWN.value, verdicts=[document_of(why)], checked_at=now)
    )


async def reports(tx: Transaction, request_id: str) -> Mapping[str, AccountReport]:
    """By account, case-folded, what is not simply passed; in the file's order."""
    rows = await tx.execute(*_not_passed(request_id))
    return {
        row.account: AccountReport(row.username, [verdict_of(each) for each in row.verdicts])
        for row in rows
    }


@statement
def _not_passed(request_id: str) -> Select[str, str, list[Any]]:
    return (
        select(AccountCheckRow.account, AccountCheckRow.username, AccountCheckRow.verdicts)
        .where(
            AccountCheckRow.request_id == request_id,
            AccountCheckRow.result.not_in(["", Result.PASSED.value]),
        )
        .order_by(AccountCheckRow.number)
    )


async def total(tx: Transaction, request_id: str) -> int:
    """How many accounts there are, checked or not."""
    return (await tx.execute(*_total(request_id))).scalar_one()


@statement
def _total(request_id: str) -> Select[int]:
    return select(func.count()).where(AccountCheckRow.request_id == request_id)


async def included(tx: Transaction, request_id: str) -> int:
    """How many accounts are taken along in spite of their verdicts."""
    return (await tx.execute(*_included(request_id))).scalar_one()


@statement
def _included(request_id: str) -> Select[int]:
    return select(func.count()).where(
        AccountCheckRow.request_id == request_id, AccountCheckRow.included
    )


async def left_out(tx: Transaction, request_id: str, accounts: Collection[str]) -> int:
    """How many of these accounts, case-folded, the checks leave out."""
    rows = await tx.execute(*_left_out(request_id))
    return len(set(rows.scalars()) & set(accounts))


@statement
def _left_out(request_id: str) -> Select[str]:
    return select(AccountCheckRow.account).where(
        AccountCheckRow.request_id == request_id,
        AccountCheckRow.result.in_([result.value for result in LEFT_OUT]),
    )


async def guarded(tx: Transaction, request_id: str, *, included: bool, limit: int) -> Sequence[str]:
    """The first guarded accounts that are included, or are not; as the file names them."""
    rows = await tx.execute(*_guarded(request_id, limit, included=included))
    return rows.scalars().all()


@statement
def _guarded(request_id: str, limit: int, *, included: bool) -> Select[str]:
    return (
        select(AccountCheckRow.username)
        .where(
            AccountCheckRow.request_id == request_id,
            AccountCheckRow.result == Result.GUARDED.value,
            AccountCheckRow.included if included else ~AccountCheckRow.included,
        )
        .order_by(AccountCheckRow.number)
        .limit(limit)
    )


async def mendable(tx: Transaction, request_id: str) -> frozenset[str]:
    """Codes of the accounts' problems that cmdlets mend; accounts that the guard keeps out not counted."""
    rows = await tx.execute(*_mendable(request_id))
    return frozenset(_MENDABLE[code] for code in rows.scalars())


@statement
def _mendable(request_id: str) -> Select[str]:
    return (
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
            IssueRow.code.in_(_MENDABLE),
            AccountCheckRow.result.in_([result.value for result in script.MENDED_RESULTS]),
        )
        .distinct()
    )


async def counts(tx: Transaction, request_id: str) -> Mapping[Result, int]:
    """Checked accounts by result."""
    return {Result(result): accounts for result, accounts in await tx.execute(*_counts(request_id))}


@statement
def _counts(request_id: str) -> Select[str, int]:
    return (
        select(AccountCheckRow.result, func.count())
        .where(AccountCheckRow.request_id == request_id, AccountCheckRow.result != "")
        .group_by(AccountCheckRow.result)
    )
