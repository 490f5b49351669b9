"""Stand-ins as rows: who stands in for which approver. `bot.lifecycle.stand_ins` changes them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, delete, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from bot.signin.request import Person
from bot.store.database import Transaction
from bot.store.models.approvals import StandInRow
from bot.store.statement import statement


@dataclass(frozen=True, slots=True)
class StandIn:
    tenant_id: str
    approver: Person
    person: Person  #: who stands in
    until: datetime  #: UTC


def _stand_in(row: Row[Any]) -> StandIn:
    return StandIn(
        row.tenant_id,
        Person(row.approver_id, row.approver_name),
        Person(row.stand_in_id, row.stand_in_name),
        row.until,
    )


async def approvers_of(
    tx: Transaction, tenant_id: str, stand_in_id: str, now: datetime
) -> list[Person]:
    """For whom somebody stands in. Whether these still are approvers is for the caller to check."""
    rows = await tx.execute(*_approvers_of(tenant_id, stand_in_id, now))
    return [_stand_in(row).approver for row in rows]


@statement
def _approvers_of(tenant_id: str, stand_in_id: str, now: datetime) -> Select[*tuple[Any, ...]]:
    return (
        select(StandInRow.__table__)
        .where(
            StandInRow.tenant_id == tenant_id,
            StandInRow.stand_in_id == stand_in_id,
            StandInRow.until > now,
        )
        .order_by(StandInRow.approver_id)
    )


async def concerning(
    tx: Transaction, tenant_id: str, object_id: str, now: datetime
) -> list[StandIn]:
    """Those in which somebody is the approver or stands in."""
    return list(map(_stand_in, await tx.execute(*_concerning(tenant_id, object_id, now))))


@statement
def _concerning(tenant_id: str, object_id: str, now: datetime) -> Select[*tuple[Any, ...]]:
    return (
        select(StandInRow.__table__)
        .where(
            StandInRow.tenant_id == tenant_id,
            or_(StandInRow.approver_id == object_id, StandInRow.stand_in_id == object_id),
            StandInRow.until > now,
        )
        .order_by(StandInRow.until, StandInRow.approver_id)
    )


async def ended(tx: Transaction, now: datetime) -> list[StandIn]:
    """Those whose time is over."""
    return list(map(_stand_in, await tx.execute(*_ended(now))))


@statement
def _ended(now: datetime) -> Select[*tuple[Any, ...]]:
    return select(StandInRow.__table__).where(StandInRow.until <= now).order_by(StandInRow.until)


async def load(tx: Transaction, tenant_id: str, approver_id: str) -> StandIn | None:
    """Who stands in for an approver; None if nobody does."""
    row = (await tx.execute(*_of_approver(tenant_id, approver_id))).one_or_none()
    return None if row is None else _stand_in(row)


@statement
def _of_approver(tenant_id: str, approver_id: str) -> Select[*tuple[Any, ...]]:
    return select(StandInRow.__table__).where(
        StandInRow.tenant_id == tenant_id, StandInRow.approver_id == approver_id
    )


async def save(tx: Transaction, stand_in: StandIn) -> None:
    """From now on, in place of whoever stood in for the approver before."""
    columns = {
        "approver_name": stand_in.approver.name,
        "stand_in_id": stand_in.person.object_id,
        "stand_in_name": stand_in.person.name,
        "until": stand_in.until,
    }
    insert_into = sqlite.insert if tx.dialect.name == "sqlite" else postgresql.insert
    await tx.execute(
        insert_into(StandInRow)
        .values(tenant_id=stand_in.tenant_id, approver_id=stand_in.approver.object_id, **columns)
        .on_conflict_do_update(
            index_elements=[StandInRow.tenant_id, StandInRow.approver_id], set_=columns
        )
    )


async def remove(tx: Transaction, stand_in: StandIn) -> bool:
    """Returns False if it has been removed, or replaced, before."""
    removed = await tx.execute(
        delete(StandInRow).where(
            StandInRow.tenant_id == stand_in.tenant_id,
            StandInRow.approver_id == stand_in.approver.object_id,
            StandInRow.stand_in_id == stand_in.person.object_id,
            StandInRow.until == stand_in.until,
        )
    )
    return removed.rowcount == 1
