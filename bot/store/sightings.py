"""Looks into the sign-in log as rows: which batches are looked for, when next, and by which replica."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    Update,
    bindparam,
    case,
    func,
    insert,
    literal,
    or_,
    select,
    type_coerce,
    update,
)
from sqlalchemy.sql.dml import ReturningInsert

from bot.identity import aadsts
from bot.signin.batch import BatchState
from bot.signin.outcome import PhoneStatus
from bot.signin.sighting import Sighting, Sightings, SightingState
from bot.store.database import Transaction
from bot.store.models.batches import BatchRow, SightingRow
from bot.store.models.requests import PhoneRow
from bot.store.statement import statement

#: Batches of one tenant that are looked for together.
_MAX_TOGETHER = 200
#: Phones that are, or may be, signed in. Not IN, which cannot be executed for many.
_SOUGHT = or_(
    PhoneRow.status == PhoneStatus.SIGNED_IN.value,
    PhoneRow.status == PhoneStatus.UNCONFIRMED.value,
)
#: Columns that `sighting_of` reads.
PHONE_COLUMNS = (
    PhoneRow.seen_at,
    PhoneRow.sign_in_failed_at,
    PhoneRow.sign_in_error,
    SightingRow.batch_id.label("sought"),
    SightingRow.due_at.label("sought_again_at"),
    SightingRow.gap,
)


@dataclass(frozen=True, slots=True)
class Look:
    """A look at the log for one batch."""

    batch_id: int
    request_id: str
    tenant_id: str
    since: datetime  #: UTC; earlier sign-ins are not the batch's
    looks: int  #: before this one; the fencing token


def _to_begin(after: datetime) -> tuple[ColumnElement[bool], ...]:
    """Batches that the SIP Gateway ended after that time, and that nobody looks for yet."""
    sought = select(PhoneRow.batch_id).where(PhoneRow.batch_id == BatchRow.id, _SOUGHT)
    begun = select(SightingRow.batch_id).where(SightingRow.batch_id == BatchRow.id)
    return (
        BatchRow.state == BatchState.DONE.value,
        BatchRow.done_at > after,
        BatchRow.remote_batch_id != "",
        BatchRow.sent_at.is_not(None),
        sought.exists(),
        ~begun.exists(),
    )


async def requests_to_begin(tx: Transaction, after: datetime) -> Sequence[str]:
    """Ids of the requests of which batches that ended after that time are not looked for yet."""
    return (await tx.execute(*_requests_to_begin(after))).scalars().all()


@statement
def _requests_to_begin(after: datetime) -> Select[str]:
    return (
        select(BatchRow.request_id)
        .where(*_to_begin(after))
        .distinct()
        .order_by(BatchRow.request_id)
    )


async def begin(tx: Transaction, request_id: str, *, after: datetime, due_at: datetime) -> int:
    """Look for the request's batches that ended after that time. Returns how many.

    The caller holds the request's lock.
    """
    return len((await tx.execute(*_begin(request_id, after, due_at))).all())


@statement
def _begin(request_id: str, after: datetime, due_at: datetime) -> ReturningInsert[int]:
    ended = select(
        BatchRow.id,
        BatchRow.request_id,
        BatchRow.tenant_id,
        BatchRow.sent_at,
        literal(0),
        type_coerce(due_at, SightingRow.due_at.type),
        literal(""),
        literal(""),
    ).where(BatchRow.request_id == request_id, *_to_begin(after))
    columns = ["batch_id", "request_id", "tenant_id", "since", "looks", "due_at", "owner", "gap"]
    return insert(SightingRow).from_select(columns, ended).returning(SightingRow.batch_id)


def _free(now: datetime) -> ColumnElement[bool]:
    return or_(SightingRow.lease_until.is_(None), SightingRow.lease_until <= now)


async def any_due(tx: Transaction, now: datetime) -> bool:
    """Whether a batch is to be looked for that no replica looks for just now."""
    return (await tx.execute(*_any_due(now))).one_or_none() is not None


@statement
def _any_due(now: datetime) -> Select[int]:
    return select(SightingRow.batch_id).where(SightingRow.due_at <= now, _free(now)).limit(1)


async def claim(
    tx: Transaction, *, owner: str, now: datetime, lease_until: datetime
) -> Sequence[Look]:
    """Take what is due, of one tenant, so that one list of sign-ins serves all of it."""
    looks = [Look(*row) for row in await tx.execute(*_due_of_a_tenant(now))]
    await tx.execute(*_lease([look.batch_id for look in looks], owner, lease_until))
    return looks


@statement
def _due_of_a_tenant(now: datetime) -> Select[*tuple[Any, ...]]:
    due = (SightingRow.due_at <= now, _free(now))
    first = select(SightingRow.tenant_id).where(*due).order_by(SightingRow.due_at).limit(1)
    return (
        select(
            SightingRow.batch_id,
            SightingRow.request_id,
            SightingRow.tenant_id,
            SightingRow.since,
            SightingRow.looks,
        )
        .where(*due, SightingRow.tenant_id == first.scalar_subquery())
        .order_by(SightingRow.due_at, SightingRow.batch_id)
        .limit(_MAX_TOGETHER)
        .with_for_update(skip_locked=True)
    )


@statement
def _lease(batch_ids: Sequence[int], owner: str, lease_until: datetime) -> Update:
    return (
        update(SightingRow)
        .where(SightingRow.batch_id.in_(batch_ids))
        .values(owner=owner, lease_until=lease_until)
    )


async def holds(tx: Transaction, look: Look, owner: str) -> bool:
    """Whether `owner` still has this look, which no other replica can take over before the end of the
    transaction."""
    row = await tx.execute(*_held(look.batch_id, owner, look.looks))
    return row.one_or_none() is not None


@statement
def _held(batch_id: int, owner: str, looks: int) -> Select[int]:
    return (
        select(SightingRow.batch_id)
        .where(
            SightingRow.batch_id == batch_id,
            SightingRow.owner == owner,
            SightingRow.looks == looks,
        )
        .with_for_update()
    )


async def settle(tx: Transaction, look: Look, *, due_at: datetime | None, gap: str) -> None:
    """The look is over; the next is at `due_at`. The caller `holds` it."""
    await tx.execute(*_settle(look.batch_id, look.looks + 1, due_at, gap))


@statement
def _settle(batch_id: int, looks: int, due_at: datetime | None, gap: str) -> Update:
    return (
        update(SightingRow)
        .where(SightingRow.batch_id == batch_id)
        .values(looks=looks, due_at=due_at, owner="", lease_until=None, gap=gap)
    )


async def unseen(tx: Transaction, batch_ids: Collection[int]) -> Sequence[str]:
    """The accounts, case-folded, of the batches' phones that have not been seen."""
    return (await tx.execute(*_unseen(batch_ids))).scalars().all()


@statement
def _unseen(batch_ids: Collection[int]) -> Select[str]:
    return (
        select(PhoneRow.account)
        .where(PhoneRow.batch_id.in_(batch_ids), _SOUGHT, PhoneRow.seen_at.is_(None))
        .distinct()
        .order_by(PhoneRow.account)
    )


_OF_ACCOUNT = (
    PhoneRow.request_id == bindparam("of_request"),
    PhoneRow.batch_id == bindparam("of_batch"),
    PhoneRow.account == bindparam("of_account"),
    PhoneRow.seen_at.is_(None),
    _SOUGHT,
)
_SEEN = (
    update(PhoneRow)
    .where(*_OF_ACCOUNT)
    .values(seen_at=bindparam("at"), sign_in_failed_at=None, sign_in_error=0)
)
_FAILED = (
    update(PhoneRow)
    .where(*_OF_ACCOUNT)
    .values(sign_in_failed_at=bindparam("at"), sign_in_error=bindparam("error"))
)


def _phone(look: Look, account: str) -> dict[str, Any]:
    return {"of_request": look.request_id, "of_batch": look.batch_id, "of_account": account}


async def record_seen(tx: Transaction, look: Look, seen: Mapping[str, datetime]) -> None:
    """The accounts' first successful sign-ins; one that was recorded before stays."""
    rows = [{**_phone(look, account), "at": at} for account, at in seen.items()]
    if rows:
        await tx.execute(_SEEN, rows, execution_options={"synchronize_session": False})


async def record_failures(
    tx: Transaction, look: Look, failures: Mapping[str, tuple[datetime, int]]
) -> None:
    """The newest failed sign-ins, with their error codes, of accounts that have not been seen."""
    rows = [
        {**_phone(look, account), "at": at, "error": error}
        for account, (at, error) in failures.items()
    ]
    if rows:
        await tx.execute(_FAILED, rows, execution_options={"synchronize_session": False})


def sighting_of(row: Row[Any]) -> Sighting | None:
    """What is known of a phone, read with `PHONE_COLUMNS`. Returns None if it is not looked for."""
    if row.sought is None or PhoneStatus(row.status) not in (
        PhoneStatus.SIGNED_IN,
        PhoneStatus.UNCONFIRMED,
    ):
        return None
    if row.seen_at is not None:
        return Sighting(SightingState.SEEN, row.seen_at)
    if row.sign_in_failed_at is not None:
        return _failing(row.sign_in_failed_at, row.sign_in_error)
    if row.sought_again_at is not None:
        return Sighting(SightingState.PENDING)
    return Sighting(SightingState.CANNOT_BE_SEEN if row.gap else SightingState.NOT_SEEN)


def _failing(at: datetime | None, error: int) -> Sighting:
    return Sighting(SightingState.FAILING, at, error, aadsts.of_code(error).value)


async def of_request(tx: Transaction, request_id: str) -> Sightings | None:
    """What the log shows of a request's phones. Returns None if none is looked for."""
    phones, seen, failing, pending, gap = (await tx.execute(*_seen_of(request_id))).one()
    if not phones:
        return None
    newest = None
    if failing:
        found = (await tx.execute(*_newest_failure(request_id))).one()
        newest = _failing(found[0], found[1])
    return Sightings(phones, seen, failing, pending=bool(pending), gap=gap, newest_failure=newest)


@statement
def _seen_of(request_id: str) -> Select[*tuple[Any, ...]]:
    return (
        select(
            func.count(),
            func.count(PhoneRow.seen_at),
            func.count(PhoneRow.sign_in_failed_at),
            func.max(case((SightingRow.due_at.is_not(None), 1), else_=0)),
            func.max(SightingRow.gap),
        )
        .join(SightingRow, SightingRow.batch_id == PhoneRow.batch_id)
        .where(PhoneRow.request_id == request_id, _SOUGHT)
    )


@statement
def _newest_failure(request_id: str) -> Select[datetime | None, int]:
    return (
        select(PhoneRow.sign_in_failed_at, PhoneRow.sign_in_error)
        .where(PhoneRow.request_id == request_id, _SOUGHT, PhoneRow.sign_in_failed_at.is_not(None))
        .order_by(PhoneRow.sign_in_failed_at.desc(), PhoneRow.number)
        .limit(1)
    )
