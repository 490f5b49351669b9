"""What cards show of a mend, and of what could be mended, read in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, func, select

from bot.mending.change import ChangeKind, ChangeState
from bot.mending.mend import MAX_NAMED, MendState
from bot.mending.plan import Mendable, nameable
from bot.mending.snapshot import Line, MendOffer, MendSnapshot
from bot.signin.request import Person
from bot.signin.snapshot import Page
from bot.store import mends
from bot.store.database import Transaction
from bot.store.models.accounts import MendChangeRow, MendRow
from bot.store.models.requests import RequestRow
from bot.store.statement import statement

PAGE_SIZE = 10  #: changes per page


async def load(tx: Transaction, request_id: str, mend_id: int, page: int) -> MendSnapshot | None:
    """What a card of the mend shows; None if the request has no such mend."""
    row = (await tx.execute(*_one_of(request_id, mend_id))).one_or_none()
    if row is None:
        return None
    names = await _nameable(tx, request_id) if row.state == MendState.DRAFT.value else ()
    return MendSnapshot(
        id=row.id,
        state=MendState(row.state),
        requester=Person(row.requester_id, row.requester_name),
        four_eyes=row.four_eyes,
        reason=row.reason,
        digest=row.digest,
        accounts=await mends.accounts(tx, mend_id),
        counts=await mends.counts(tx, mend_id),
        lines=await _lines(tx, mend_id, page),
        asked_at=row.asked_at,
        expires_at=row.expires_at,
        decided_by=_person(row.decided_by_id, row.decided_by_name),
        decided_at=row.decided_at,
        comment=row.comment,
        undo_by=_person(row.undo_by_id, row.undo_by_name),
        undo_asked_at=row.undo_asked_at,
        refused=row.refused,
        access_wanted_since=row.access_wanted_since,
        rechecking=row.rechecking,
        guard_unknown=names[:MAX_NAMED] or await mends.named(tx, mend_id),
        nameable=len(names),
    )


@statement
def _one_of(request_id: str, mend_id: int) -> Select[*tuple[Any, ...]]:
    return select(MendRow.__table__).where(MendRow.id == mend_id, MendRow.request_id == request_id)


async def _lines(tx: Transaction, mend_id: int, page: int) -> Page[Line]:
    """A page of the changes: those with an error first."""
    total = (await tx.execute(*_total(mend_id))).scalar_one()
    number = min(max(page, 1), max(1, -(-total // PAGE_SIZE)))
    rows = await tx.execute(*_page(mend_id, (number - 1) * PAGE_SIZE))
    found = [
        Line(
            ChangeKind(row.kind),
            row.username,
            row.replaces,
            row.before,
            row.after,
            ChangeState(row.state),
            row.error,
            row.detail,
        )
        for row in rows
    ]
    return Page(found, number, PAGE_SIZE, total)


@statement
def _total(mend_id: int) -> Select[int]:
    return select(func.count()).where(MendChangeRow.mend_id == mend_id)


@statement
def _page(mend_id: int, offset: int) -> Select[*tuple[Any, ...]]:
    return (
        select(MendChangeRow.__table__)
        .where(MendChangeRow.mend_id == mend_id)
        .order_by(MendChangeRow.error == "", MendChangeRow.number)
        .limit(PAGE_SIZE)
        .offset(offset)
    )


async def _nameable(tx: Transaction, request_id: str) -> Sequence[str]:
    rows = await tx.execute(*_mendable(request_id))
    if not Mendable(**rows.scalar_one()).nameable:
        return ()
    reports, _ = await mends.found_of(tx, request_id)
    return nameable(reports)


def _person(object_id: str, name: str) -> Person | None:
    return Person(object_id, name) if object_id else None


async def offer(tx: Transaction, request_id: str) -> MendOffer | None:
    """What a draft's card says about mending; None if nothing can be mended."""
    found = (await tx.execute(*_mendable(request_id))).scalar_one_or_none()
    under_way = await mends.open_of_request(tx, request_id)
    if not found and under_way is None:
        return None
    return MendOffer(Mendable(**(found or {})), None if under_way is None else under_way.state)


@statement
def _mendable(request_id: str) -> Select[dict[str, Any]]:
    return select(RequestRow.mendable).where(RequestRow.id == request_id)
