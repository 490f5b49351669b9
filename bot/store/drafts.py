"""Drafts: a request as it begins, from a checked file or from what another request left over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select

from bot.phones.roster import Roster, RosterRow
from bot.phones.vendor import kind_of
from bot.signin.outcome import RETRYABLE_PHONE_STATUSES, PhoneStatus
from bot.signin.request import NOTHING_RAN, Person, RequestState, new_id
from bot.store import requests
from bot.store.database import Transaction
from bot.store.models import IssueRow, PhoneRow, RequestRow

_CHUNK = 2000  # rows per INSERT call: other work gets its turn in between
_RANK = {"error": 0, "warning": 1, "note": 2}


async def draft(
    tx: Transaction,
    roster: Roster,
    *,
    tenant_id: str,
    requester: Person,
    conversation_id: str,
    file_name: str,
    four_eyes: bool,
    now: datetime,
) -> str:
    """Keep a checked file as a draft; returns the new request's id."""
    request_id = new_id()
    ready = [row for row in roster.rows if row.ready]
    severities = [issue.severity.value for issue in roster.issues]
    await tx.execute(
        insert(RequestRow).values(
            id=request_id,
            tenant_id=tenant_id,
            state=RequestState.DRAFT.value,
            requester_id=requester.object_id,
            requester_name=requester.name,
            conversation_id=conversation_id,
            file_name=file_name,
            total_rows=len(roster.rows),
            ready_rows=len(ready),
            accounts=len({row.username.casefold() for row in ready}),
            warnings=severities.count("warning"),
            notes=severities.count("note"),
            notices=[{"code": n.code, "arguments": dict(n.arguments)} for n in roster.notices],
            four_eyes=four_eyes,
            created_at=now,
        )
    )
    await _insert(tx, PhoneRow, [_phone(request_id, row) for row in roster.rows])
    await _insert(
        tx,
        IssueRow,
        [
            {
                "request_id": request_id,
                "rank": _RANK[issue.severity.value],
                "row": issue.row,
                "column": issue.column.value,
                "value": issue.value,
                "code": issue.code,
                "severity": issue.severity.value,
                "arguments": dict(issue.arguments),
            }
            for issue in roster.issues
        ],
    )
    await requests.record(
        tx, request_id, "drafted", now, requester, file=file_name, rows=len(roster.rows)
    )
    return request_id


def _phone(request_id: str, row: RosterRow) -> dict[str, Any]:
    return {
        "request_id": request_id,
        "number": row.number,
        "username": row.username,
        "hardware_id": row.hardware_id,
        "region": row.region.value if row.region else "",
        "region_given": row.region is not None,
        "ready": row.ready,
        "status": PhoneStatus.PENDING.value,
        "kind": kind_of(row.hardware_id).value if row.ready else "",
    }


async def _insert(tx: Transaction, table: type[Any], rows: Sequence[Mapping[str, Any]]) -> None:
    for at in range(0, len(rows), _CHUNK):
        await tx.execute(insert(table), list(rows[at : at + _CHUNK]))


async def retry(
    tx: Transaction,
    request: requests.Request,
    *,
    requester: Person,
    conversation_id: str,
    four_eyes: bool,
    now: datetime,
) -> str | None:
    """A new draft of the phones that were not signed in; None if there are none.

    Rows keep their numbers and regions, so that people find them in the file they know.
    """
    rows = (
        await tx.execute(
            select(PhoneRow.__table__).where(
                PhoneRow.request_id == request.id,
                PhoneRow.ready,
                PhoneRow.status.in_([status.value for status in RETRYABLE_PHONE_STATUSES]),
            )
        )
    ).all()
    if not rows:
        return None
    request_id = new_id()
    await tx.execute(
        insert(RequestRow).values(
            id=request_id,
            tenant_id=request.tenant_id,
            state=RequestState.DRAFT.value,
            requester_id=requester.object_id,
            requester_name=requester.name,
            conversation_id=conversation_id,
            file_name=request.file_name,
            total_rows=len(rows),
            ready_rows=len(rows),
            accounts=len({row.username.casefold() for row in rows}),
            warnings=0,
            notes=0,
            notices=[],
            four_eyes=four_eyes,
            created_at=now,
            retry_of=request.id,
        )
    )
    await _insert(
        tx,
        PhoneRow,
        [
            {
                "request_id": request_id,
                "number": row.number,
                "username": row.username,
                "hardware_id": row.hardware_id,
                "region": row.region,
                "region_given": row.region_given,
                "ready": True,
                "status": PhoneStatus.PENDING.value,
                "kind": row.kind,
            }
            for row in rows
        ],
    )
    await requests.record(
        tx, request_id, "drafted", now, requester, retry_of=request.id, rows=len(rows)
    )
    return request_id


async def taken_over(tx: Transaction, request_id: str) -> str | None:
    """The request that has taken over the phones of this one which were not signed in.

    One that ran has them, however it ended: what is still not signed in is retried from there.
    """
    found = await tx.execute(
        select(RequestRow.id)
        .where(
            RequestRow.retry_of == request_id,
            RequestRow.state.not_in([state.value for state in NOTHING_RAN]),
        )
        .limit(1)
    )
    return found.scalar()
