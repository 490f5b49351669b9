"""What is due of mends: which to work on, and by which replica; which expire, and which were rechecked."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, Select, Update, func, or_, select, update

from bot.mending.mend import WORKING_STATES, MendState
from bot.store.account_checks import Preflight
from bot.store.database import Transaction
from bot.store.models.accounts import MendRow
from bot.store.models.requests import RequestRow
from bot.store.statement import statement

_WORKING = MendRow.state.in_([state.value for state in WORKING_STATES])


async def due_to_expire(tx: Transaction, now: datetime) -> list[int]:
    return list((await tx.execute(*_due_to_expire(now))).scalars())


@statement
def _due_to_expire(now: datetime) -> Select[int]:
    return select(MendRow.id).where(
        MendRow.state == MendState.WAITING.value, MendRow.expires_at <= now
    )


async def due(
    tx: Transaction,
    *,
    owner: str,
    now: datetime,
    only: Collection[int] | None,
    limit: int,
) -> list[int]:
    """Mends with a pass due that no other replica works on; `only`: among these, None for all."""
    rows = await tx.execute(*_due(owner, now, only or (), limit, among_all=only is None))
    return list(rows.scalars())


@statement
def _due(
    owner: str, now: datetime, only: Collection[int], limit: int, *, among_all: bool
) -> Select[int]:
    among = () if among_all else (MendRow.id.in_(only),)
    return (
        select(MendRow.id)
        .where(_WORKING, MendRow.due_at <= now, _free(owner, now), *among)
        .order_by(MendRow.due_at, MendRow.id)
        .limit(limit)
    )


def lapsed(now: datetime) -> ColumnElement[bool]:
    """No replica vouches for the mend."""
    return or_(MendRow.lease_until.is_(None), MendRow.lease_until <= now)


def _free(owner: str, now: datetime) -> ColumnElement[bool]:
    return or_(MendRow.owner == owner, lapsed(now))


async def next_due_at(tx: Transaction, now: datetime) -> datetime | None:
    return (await tx.execute(*_next_due_at(now))).scalar_one()


@statement
def _next_due_at(now: datetime) -> Select[datetime | None]:
    return select(func.min(MendRow.due_at)).where(_WORKING, MendRow.due_at > now)


async def without_access(tx: Transaction, now: datetime) -> list[int]:
    """Working mends for which no replica vouches, and nobody was asked yet to give access."""
    return list((await tx.execute(*_without_access(now))).scalars())


@statement
def _without_access(now: datetime) -> Select[int]:
    return select(MendRow.id).where(_WORKING, MendRow.access_wanted_since.is_(None), lapsed(now))


async def overdue(tx: Transaction, *, owner: str, now: datetime, before: datetime) -> list[int]:
    """Working mends that were approved, or whose undo was, before then, with a pass due, and that nobody
    works on."""
    return list((await tx.execute(*_overdue(owner, now, before))).scalars())


@statement
def _overdue(owner: str, now: datetime, before: datetime) -> Select[int]:
    since = func.coalesce(MendRow.undo_asked_at, MendRow.decided_at)
    return (
        select(MendRow.id)
        .where(_WORKING, since <= before, MendRow.due_at <= now, _free(owner, now))
        .order_by(MendRow.id)
    )


async def renew(
    tx: Transaction, mend_id: int, *, owner: str, now: datetime, until: datetime
) -> bool:
    """Take or renew the lease. Returns False if another replica holds it, or nothing is to be done."""
    return (await tx.execute(*_renew(mend_id, owner, now, until))).rowcount == 1


@statement
def _renew(mend_id: int, owner: str, now: datetime, until: datetime) -> Update:
    return (
        update(MendRow)
        .where(MendRow.id == mend_id, _WORKING, _free(owner, now))
        .values(owner=owner, lease_until=until)
    )


async def expire_leases(tx: Transaction) -> None:
    """Whoever held leases is gone, as on SQLite when the service starts."""
    await tx.execute(
        update(MendRow).where(MendRow.lease_until.is_not(None)).values(lease_until=None)
    )


async def rechecked(tx: Transaction) -> list[int]:
    """Mends whose requesters are to be told that their accounts were checked again."""
    return list((await tx.execute(*_rechecked())).scalars())


@statement
def _rechecked() -> Select[int]:
    return (
        select(MendRow.id)
        .join(RequestRow, RequestRow.id == MendRow.request_id)
        .where(MendRow.rechecking, RequestRow.preflight != Preflight.CHECKING.value)
    )
