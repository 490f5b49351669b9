"""What is stored about a person: to be handed over, and to be erased.

A person is given by identifiers: object ID, user principal name, name. Whatever contains one of them as
whole words, in any case, is about the person. All tables are searched, whole: this is done rarely.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import RowMapping, Table, delete, select, tuple_, update

from bot.mending.mend import OPEN_MEND_STATES
from bot.signin.request import TERMINAL_REQUEST_STATES, RequestState
from bot.store import audit, locks
from bot.store.chain import ERASED
from bot.store.database import Transaction
from bot.store.models import Base
from bot.store.models.accounts import MendChangeRow, MendRow
from bot.store.models.approvals import ReviewRow
from bot.store.models.audit import AuditProgressRow, EventRow, LinkRow
from bot.store.models.batches import BatchRow
from bot.store.models.requests import RequestRow

#: An identifier is at least as long: shorter ones are in everything.
SHORTEST = 3
_AT_ONCE = 1000
_ACTOR = ("actor_id", "actor_name")
#: Tables that cannot name anybody.
_NAMELESS = frozenset({LinkRow.__tablename__, AuditProgressRow.__tablename__})


class StillOpenError(Exception):
    """Requests that have not ended, whose mend has not, or whose use of break-glass nobody has reviewed,
    are about the person."""

    def __init__(self, request_ids: Sequence[str]) -> None:
        super().__init__(", ".join(request_ids))
        self.request_ids = request_ids


@dataclass(frozen=True, slots=True)
class Erased:
    events: int  #: of the audit, in which values were erased
    rows: int  #: of other tables, deleted or emptied


async def find(
    tx: Transaction, identifiers: Sequence[str]
) -> AsyncGenerator[tuple[Table, RowMapping]]:
    """Every row about the person, with its table."""
    wanted = _pattern(identifiers)
    for table in Base.metadata.sorted_tables:
        if table.name in _NAMELESS:
            continue
        async for row in _rows(tx, table):
            if any(_contains(value, wanted) for value in row.values()):
                yield table, row


async def _rows(tx: Transaction, table: Table) -> AsyncGenerator[RowMapping]:
    key = tuple(table.primary_key.columns)
    page = select(table).order_by(*key).limit(_AT_ONCE)
    rows = (await tx.execute(page)).mappings().all()
    while rows:
        for row in rows:
            yield row
        last = tuple_(*(rows[-1][column] for column in key), types=[c.type for c in key])
        rows = (await tx.execute(page.where(tuple_(*key) > last))).mappings().all()


async def erase(tx: Transaction, identifiers: Sequence[str]) -> Erased:
    """Erases the person everywhere but in the audit's chain, which cannot name anybody, and records that.
    Requests, batches, mends, and events stay, without the person; other rows are deleted, with them the
    changes of mends to the person's account, which cannot be undone any more.

    Raises `StillOpenError` before anything is changed.
    """
    wanted = _pattern(identifiers)
    found = [(table, dict(row)) async for table, row in find(tx, identifiers)]
    of_requests = {
        row.get("request_id") or (row["id"] if table.name == RequestRow.__tablename__ else "")
        for table, row in found
    } - {""}
    of_mends = {row["mend_id"] for table, row in found if table.name == MendChangeRow.__tablename__}
    of_requests |= await _requests_of(tx, sorted(of_mends))
    await _refuse_open(tx, sorted(of_requests))
    events = [row for table, row in found if table.name == EventRow.__tablename__]
    others = [(table, row) for table, row in found if table.name != EventRow.__tablename__]
    if found:
        # Recorded first: SQLite lets nothing be changed but what the newest event tells of.
        event_ids = sorted(row["id"] for row in events)
        await audit.record(tx, None, ERASED, datetime.now(UTC), events=event_ids, rows=len(others))
    for row in events:
        await tx.execute(
            update(EventRow).where(EventRow.id == row["id"]).values(**_without(row, wanted))
        )
    for table, row in others:
        await _forget(tx, table, row, wanted)
    return Erased(len(events), len(others))


async def _requests_of(tx: Transaction, mend_ids: Sequence[int]) -> set[str]:
    request_ids: set[str] = set()
    for start in range(0, len(mend_ids), _AT_ONCE):
        chunk = mend_ids[start : start + _AT_ONCE]
        rows = await tx.execute(select(MendRow.request_id).where(MendRow.id.in_(chunk)))
        request_ids.update(rows.scalars())
    return request_ids


async def _refuse_open(tx: Transaction, request_ids: Sequence[str]) -> None:
    ended = [state.value for state in TERMINAL_REQUEST_STATES]
    mending = select(MendRow.request_id).where(
        MendRow.state.in_([state.value for state in OPEN_MEND_STATES])
    )
    unreviewed = select(ReviewRow.request_id).where(ReviewRow.reviewed_at.is_(None))
    still_open: list[str] = []
    for start in range(0, len(request_ids), _AT_ONCE):
        chunk = request_ids[start : start + _AT_ONCE]
        await locks.requests(tx, *chunk)
        rows = await tx.execute(
            select(RequestRow.id).where(
                RequestRow.id.in_(chunk),
                RequestRow.state.not_in([*ended, RequestState.DRAFT.value])
                | RequestRow.id.in_(mending)
                | RequestRow.id.in_(unreviewed),
            )
        )
        still_open.extend(rows.scalars())
    if still_open:
        raise StillOpenError(sorted(still_open))


def _without(row: Mapping[str, Any], wanted: re.Pattern[str]) -> Mapping[str, Any]:
    """The columns of an event without the person. Name and object ID go together."""
    actor = any(_contains(row[name], wanted) for name in _ACTOR)
    gone = {name for name, value in row["detail"].items() if _contains(value, wanted)}
    kept = {name: value for name, value in row["detail"].items() if name not in gone}
    gone |= set(_ACTOR) if actor else set()
    return {
        **(dict.fromkeys(_ACTOR, "") if actor else {}),
        "detail": kept,
        "salts": {name: salt for name, salt in row["salts"].items() if name not in gone},
    }


def _names(row: Mapping[str, Any], role: str, wanted: re.Pattern[str]) -> bool:
    """Whether the person had this role in a request, a mend, or a review. What is kept of a person goes
    together."""
    kept = (f"{role}_{of}" for of in ("id", "name", "upn", "account"))
    return any(_contains(row[name], wanted) for name in kept if name in row)


async def _forget_people(
    tx: Transaction,
    requested: type[RequestRow | MendRow],
    row: Mapping[str, Any],
    wanted: re.Pattern[str],
) -> None:
    """Empty what requests and mends have in common."""
    requester, decider = (_names(row, role, wanted) for role in ("requester", "decided_by"))
    await tx.execute(
        update(requested)
        .where(requested.id == row["id"])
        .values(
            requester_id="" if requester else row["requester_id"],
            requester_name="" if requester else row["requester_name"],
            decided_by_id="" if decider else row["decided_by_id"],
            decided_by_name="" if decider else row["decided_by_name"],
            conversation_id=_text_without(row["conversation_id"], wanted),
            reason=_text_without(row["reason"], wanted),
            comment=_text_without(row["comment"], wanted),
            refused=_text_without(row["refused"], wanted),
        )
    )


async def _forget(
    tx: Transaction, table: Table, row: Mapping[str, Any], wanted: re.Pattern[str]
) -> None:
    if table.name == RequestRow.__tablename__:
        await _forget_people(tx, RequestRow, row, wanted)
        requester, canceller = (_names(row, role, wanted) for role in ("requester", "cancelled_by"))
        await tx.execute(
            update(RequestRow)
            .where(RequestRow.id == row["id"])
            .values(
                cancelled_by_id="" if canceller else row["cancelled_by_id"],
                cancelled_by_name="" if canceller else row["cancelled_by_name"],
                file_name=_text_without(row["file_name"], wanted),
                notices=_list_without(row["notices"], wanted),
                recheck_notices=_list_without(row["recheck_notices"], wanted),
                tenant_stops=_list_without(row["tenant_stops"], wanted),
                tenant_verdicts=_list_without(row["tenant_verdicts"], wanted),
                ticket=_text_without(row["ticket"], wanted),
                requester_upn="" if requester else row["requester_upn"],
                requester_account="" if requester else row["requester_account"],
                evidence={} if _contains(row["evidence"], wanted) else row["evidence"],
            )
        )
    elif table.name == MendRow.__tablename__:
        await _forget_people(tx, MendRow, row, wanted)
        undoer = _names(row, "undo_by", wanted)
        await tx.execute(
            update(MendRow)
            .where(MendRow.id == row["id"])
            .values(
                undo_by_id="" if undoer else row["undo_by_id"],
                undo_by_name="" if undoer else row["undo_by_name"],
            )
        )
    elif table.name == ReviewRow.__tablename__:
        user, reviewer = (_names(row, role, wanted) for role in ("used_by", "reviewed_by"))
        await tx.execute(
            update(ReviewRow)
            .where(ReviewRow.request_id == row["request_id"])
            .values(
                used_by_id="" if user else row["used_by_id"],
                used_by_name="" if user else row["used_by_name"],
                reviewed_by_id="" if reviewer else row["reviewed_by_id"],
                reviewed_by_name="" if reviewer else row["reviewed_by_name"],
                reason=_text_without(row["reason"], wanted),
                ticket=_text_without(row["ticket"], wanted),
                comment=_text_without(row["comment"], wanted),
            )
        )
    elif table.name == MendChangeRow.__tablename__ and _only_in_detail(row, wanted):
        await tx.execute(
            update(MendChangeRow)
            .where(MendChangeRow.mend_id == row["mend_id"], MendChangeRow.number == row["number"])
            .values(detail="")
        )
    elif table.name == BatchRow.__tablename__:
        await tx.execute(
            update(BatchRow)
            .where(BatchRow.id == row["id"])
            .values(last_error=_text_without(row["last_error"], wanted))
        )
    else:
        keys = (column == row[column.name] for column in table.primary_key.columns)
        await tx.execute(delete(table).where(*keys))


def _only_in_detail(change: Mapping[str, Any], wanted: re.Pattern[str]) -> bool:
    """Whether it is a change to somebody else, and only Teams' answer to it names the person."""
    return not any(_contains(value, wanted) for name, value in change.items() if name != "detail")


def _text_without(text: str, wanted: re.Pattern[str]) -> str:
    return "" if _contains(text, wanted) else text


def _list_without(items: list[Any], wanted: re.Pattern[str]) -> list[Any]:
    return [] if _contains(items, wanted) else items


def _pattern(identifiers: Sequence[str]) -> re.Pattern[str]:
    any_of = "|".join(re.escape(identifier.casefold()) for identifier in identifiers)
    return re.compile(rf"(?<!\w)(?:{any_of})(?!\w)")


def _contains(value: object, wanted: re.Pattern[str]) -> bool:
    match value:
        case str():
            return wanted.search(value.casefold()) is not None
        case dict():
            return any(_contains(each, wanted) for each in value.values())
        case list():
            return any(_contains(each, wanted) for each in value)
        case _:
            return False
