"""Rows of a new request: from a validated file, or from the phones that another request left over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, groupby, islice
from operator import itemgetter
from typing import Any

from sqlalchemy import Insert, Select, Update, insert, select, update

from bot.phones.issue import Issue, Notice, Severity, accounts_on_several
from bot.phones.roster import Roster
from bot.phones.validation import RosterRow
from bot.phones.vendor import kind_of
from bot.signin.batch import smaller_size
from bot.signin.outcome import CAUSES, RETRYABLE_PHONE_STATUSES, UNKNOWN, PhoneStatus, Retry
from bot.signin.passwords import PasswordReset, of_account
from bot.signin.request import NOTHING_RAN, Person, RequestState, new_id, phone_key
from bot.store import account_checks
from bot.store.database import Transaction
from bot.store.models.requests import IssueRow, PhoneRow, RequestRow
from bot.store.statement import statement

_PART = 200  # rows at a time, so that other tasks run in between
_ADD_REQUEST, _ADD_PHONES, _ADD_ISSUES = insert(RequestRow), insert(PhoneRow), insert(IssueRow)
#: Some of a draft's rows, each table's with its INSERT.
Part = list[tuple[Insert, list[dict[str, Any]]]]
_RANK = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.NOTE: 2}


@dataclass(frozen=True, slots=True)
class NewRequest:
    tenant_id: str
    requester: Person
    conversation_id: str  #: where the request is made
    file_name: str
    four_eyes: bool
    zone: str = ""  #: IANA name of the requester's time zone; "" if it is not known


def parts(
    request_id: str, new: NewRequest, roster: Roster, now: datetime, *, check_accounts: bool
) -> Iterator[Part]:
    """What a draft consists of, to be inserted in this order: its request, still without any count and so
    seen by nobody, and its rows. `complete` makes it a draft like others.

    `check_accounts`: with its accounts, noted as unchecked.
    """
    ready = ((_account(row), row.username) for row in roster.rows if row.ready and check_accounts)
    rows = chain(
        [(_ADD_REQUEST, _request(request_id, new, now))],
        ((_ADD_PHONES, _phone(request_id, row)) for row in roster.rows),
        ((_ADD_ISSUES, _issue(request_id, issue)) for issue in roster.issues),
        ((account_checks.ADD, row) for row in account_checks.unchecked_rows(request_id, ready)),
    )
    while part := list(islice(rows, _PART)):
        yield [
            (add, [row for _, row in same_table])
            for add, same_table in groupby(part, key=itemgetter(0))
        ]


async def complete(tx: Transaction, request_id: str, roster: Roster) -> None:
    """Count what `parts` inserted, once all of it is there. Raises LookupError if it was deleted by then."""
    severities = Counter(issue.severity for issue in roster.issues)
    accounts = {_account(row) for row in roster.rows if row.ready}
    completed = await tx.execute(
        update(RequestRow)
        .where(RequestRow.id == request_id, RequestRow.total_rows == 0)
        .values(
            total_rows=len(roster.rows),
            ready_rows=sum(row.ready for row in roster.rows),
            accounts=len(accounts),
            warnings=severities[Severity.WARNING],
            notes=severities[Severity.NOTE],
            notices=[_document(notice) for notice in roster.notices],
        )
    )
    if completed.rowcount != 1:
        raise LookupError(request_id)


async def insert_retry(
    tx: Transaction,
    new: NewRequest,
    failed_request_id: str,
    now: datetime,
    *,
    batch_size: int,
    found: Sequence[Notice] = (),
) -> tuple[str, int] | None:
    """Copy the phones of a request, run in batches of `batch_size`, that were not signed in.

    Notices say what is known: what the request before did to the passwords, and what came of looking up
    phones without a result (`found`). The retry keeps the batch size, or proposes a smaller one if that
    was a cause of failure.

    Rows keep their numbers and regions, so that people find them in the file they know.
    Returns the new request's id and its number of phones; None if there are no such phones.
    """
    rows = (await tx.execute(*_retryable(failed_request_id))).all()
    if not rows:
        return None
    usernames = [row.username for row in rows]
    attempts = await _attempts(tx, failed_request_id, usernames)
    signed_in = PhoneStatus.SIGNED_IN
    elsewhere = sum(any(status is signed_in for status, _ in each) for each in attempts.values())
    notices = list(accounts_on_several(usernames))
    if elsewhere:
        notices.append(Notice("signed-in-elsewhere", {"accounts": elsewhere}))
    notices += found
    resets = Counter(of_account(each).value for each in attempts.values())
    notices.append(Notice("passwords", {each.value: resets[each.value] for each in PasswordReset}))
    if _too_large(row.cause for row in rows):
        batch_size = smaller_size(batch_size)
        notices.append(Notice("smaller-batches", {"size": batch_size}))
    request_id = new_id()
    request = _request(request_id, new, now) | {
        "total_rows": len(rows),
        "ready_rows": len(rows),
        "accounts": len(attempts),
        "notices": [_document(notice) for notice in notices],
        "retry_of": failed_request_id,
        "batch_size": batch_size,
    }
    await tx.execute(_ADD_REQUEST, request)
    copied = (
        *("number", "username", "account", "hardware_id", "kind"),
        *("region", "region_given", "provisioned_at"),
    )
    phones = (
        {
            "request_id": request_id,
            "ready": True,
            "status": PhoneStatus.PENDING.value,
            **{name: getattr(row, name) for name in copied},
        }
        for row in rows
    )
    await _insert(tx, _ADD_PHONES, phones)
    return request_id, len(rows)


@statement
def _retryable(request_id: str) -> Select[*tuple[Any, ...]]:
    return select(PhoneRow.__table__).where(
        PhoneRow.request_id == request_id,
        PhoneRow.ready,
        PhoneRow.status.in_([status.value for status in RETRYABLE_PHONE_STATUSES]),
    )


def _too_large(causes: Iterable[str]) -> bool:
    """True if one of the causes of failure asks for smaller batches."""
    return any(CAUSES.get(cause, UNKNOWN).retry is Retry.SMALLER for cause in causes)


async def _attempts(
    tx: Transaction, request_id: str, usernames: Iterable[str]
) -> dict[str, set[tuple[PhoneStatus, str]]]:
    """What became of the phones of each of these accounts, as status and cause, in this request and in
    those that it retried; by the account, casefolded."""
    attempts: dict[str, set[tuple[PhoneStatus, str]]] = {
        username.casefold(): set() for username in usernames
    }
    while request_id:
        for username, status, cause in await tx.execute(*_outcomes(request_id)):
            if (outcomes := attempts.get(username.casefold())) is not None:
                outcomes.add((PhoneStatus(status), cause))
        request_id = (await tx.execute(*_retried(request_id))).scalar() or ""
    return attempts


@statement
def _outcomes(request_id: str) -> Select[str, str, str]:
    return select(PhoneRow.username, PhoneRow.status, PhoneRow.cause).where(
        PhoneRow.request_id == request_id, PhoneRow.ready
    )


@statement
def _retried(request_id: str) -> Select[str]:
    return select(RequestRow.retry_of).where(RequestRow.id == request_id)


def _request(request_id: str, new: NewRequest, now: datetime) -> dict[str, Any]:
    return {
        "id": request_id,
        "tenant_id": new.tenant_id,
        "state": RequestState.DRAFT.value,
        "requester_id": new.requester.object_id,
        "requester_name": new.requester.name,
        "conversation_id": new.conversation_id,
        "file_name": new.file_name,
        **dict.fromkeys(("total_rows", "ready_rows", "accounts", "warnings", "notes"), 0),
        "notices": [],
        "four_eyes": new.four_eyes,
        "run_zone": new.zone,
        "created_at": now,
    }


def _account(row: RosterRow) -> str:
    return phone_key(row.username, row.hardware_id)[0]


def _phone(request_id: str, row: RosterRow) -> dict[str, Any]:
    return {
        "request_id": request_id,
        "number": row.number,
        "username": row.username,
        "account": _account(row) if row.ready else "",
        "hardware_id": row.hardware_id,
        "region": row.region.value if row.region else "",
        "region_given": row.region is not None,
        "provisioned_at": row.provisioned,
        "ready": row.ready,
        "status": PhoneStatus.PENDING.value,
        "kind": kind_of(row.hardware_id).value if row.ready else "",
    }


def _issue(request_id: str, issue: Issue) -> dict[str, Any]:
    return {
        "request_id": request_id,
        "rank": _RANK[issue.severity],
        "row": issue.row,
        "column": issue.column.value,
        "value": issue.value,
        "code": issue.code,
        "severity": issue.severity.value,
        "arguments": dict(issue.arguments),
    }


async def insert_issues(tx: Transaction, request_id: str, issues: Iterable[Issue]) -> None:
    await _insert(tx, _ADD_ISSUES, (_issue(request_id, issue) for issue in issues))


async def _insert(tx: Transaction, add: Insert, rows: Iterable[dict[str, Any]]) -> None:
    rest = iter(rows)
    while part := list(islice(rest, _PART)):
        await tx.execute(add, part)


async def notices(tx: Transaction, request_id: str) -> Sequence[Notice]:
    stored = (await tx.execute(*_notices(request_id))).scalar_one()
    return [Notice(each["code"], each["arguments"]) for each in stored]


@statement
def _notices(request_id: str) -> Select[list[dict[str, Any]]]:
    return select(RequestRow.notices).where(RequestRow.id == request_id)


async def add_notices(tx: Transaction, request_id: str, notices: Iterable[Notice]) -> None:
    """Put notices before those that the request has."""
    added = [_document(notice) for notice in notices]
    if added:
        stored = (await tx.execute(*_notices(request_id))).scalar_one()
        await tx.execute(*_set_notices(request_id, [*added, *stored]))


@statement
def _set_notices(request_id: str, notices: list[dict[str, Any]]) -> Update:
    return update(RequestRow).where(RequestRow.id == request_id).values(notices=notices)


def _document(notice: Notice) -> dict[str, Any]:
    return {"code": notice.code, "arguments": dict(notice.arguments)}


async def retry_of(tx: Transaction, request_id: str) -> str | None:
    """The id of the request that took over the phones of this one which were not signed in.

    One that ran keeps them however it ended: what is still not signed in is retried from there.
    Returns None if there is none.
    """
    return (await tx.execute(*_retry_of(request_id))).scalar()


@statement
def _retry_of(request_id: str) -> Select[str]:
    return (
        select(RequestRow.id)
        .where(
            RequestRow.retry_of == request_id,
            RequestRow.state.not_in([state.value for state in NOTHING_RAN]),
        )
        .limit(1)
    )
