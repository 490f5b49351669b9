"""Retries that wait until the phones without a result have been looked up once more."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, Update, delete, func, insert, select, update

from bot.signin.batch import BatchState
from bot.signin.outcome import PhoneStatus
from bot.signin.request import Person
from bot.store.batches import Batch
from bot.store.database import Transaction
from bot.store.drafts import NewRequest
from bot.store.models.batches import AskedRetryRow, BatchRow
from bot.store.models.requests import PhoneRow, RequestRow
from bot.store.statement import statement


@dataclass(frozen=True, slots=True)
class AskedRetry:
    request_id: str  #: of the request whose phones are retried
    new: NewRequest  #: what its draft is made from
    until: datetime  #: UTC; it is drafted then, whatever was found
    waiting: bool  #: some batch has not been looked up yet
    phones: int  #: to be looked up
    looked_up: int  #: phones of batches that could be read
    signed_in: int  #: found so
    failed: int  #: found so


def _to_look_up(request_id: object) -> tuple[ColumnElement[bool], ...]:
    return (
        BatchRow.request_id == request_id,
        BatchRow.state == BatchState.DONE.value,
        BatchRow.due_at.is_not(None),
    )


async def ask(
    tx: Transaction, new: NewRequest, request_id: str, *, until: datetime, now: datetime
) -> int:
    """Let the worker look up the request's phones without a result, wherever the SIP Gateway has their
    batch. Returns how many; 0 if there is nothing to wait for."""
    counted = await tx.execute(
        select(PhoneRow.batch_id, func.count())
        .join(BatchRow, BatchRow.id == PhoneRow.batch_id)
        .where(
            PhoneRow.request_id == request_id,
            PhoneRow.status == PhoneStatus.UNCONFIRMED.value,
            BatchRow.state == BatchState.DONE.value,
            BatchRow.remote_batch_id != "",
        )
        .group_by(PhoneRow.batch_id)
    )
    phones = {row.batch_id: row[1] for row in counted}
    if not phones:
        return 0
    await tx.execute(
        update(BatchRow)
        .where(BatchRow.id.in_(phones))
        .values(due_at=now, owner="", lease_until=None)
    )
    await tx.execute(
        insert(AskedRetryRow).values(
            request_id=request_id,
            requester_id=new.requester.object_id,
            requester_name=new.requester.name,
            conversation_id=new.conversation_id,
            four_eyes=new.four_eyes,
            until=until,
            phones=sum(phones.values()),
        )
    )
    return sum(phones.values())


async def phones_of(tx: Transaction, request_id: str) -> int:
    """How many phones an asked retry of this request waits for; 0 if there is none."""
    return (await tx.execute(*_phones_of(request_id))).scalar() or 0


@statement
def _phones_of(request_id: str) -> Select[int]:
    return select(AskedRetryRow.phones).where(AskedRetryRow.request_id == request_id)


async def all_of_them(tx: Transaction) -> list[AskedRetry]:
    rows = await tx.execute(*_all())
    return [
        AskedRetry(
            row.request_id,
            NewRequest(
                row.tenant_id,
                Person(row.requester_id, row.requester_name),
                row.conversation_id,
                row.file_name,
                row.four_eyes,
            ),
            row.until,
            bool(row.waiting),
            row.phones,
            row.looked_up,
            row.signed_in,
            row.failed,
        )
        for row in rows
    ]


@statement
def _all() -> Select[*tuple[Any, ...]]:
    to_look_up = select(BatchRow.id).where(*_to_look_up(AskedRetryRow.request_id))
    return select(
        AskedRetryRow.__table__,
        RequestRow.tenant_id,
        RequestRow.file_name,
        to_look_up.exists().label("waiting"),
    ).join(RequestRow, RequestRow.id == AskedRetryRow.request_id)


async def count(
    tx: Transaction, batch: Batch, *, looked_up: int, signed_in: int, failed: int
) -> None:
    """A batch has been looked up; `signed_in` and `failed` of its phones turned out to have a result."""
    await tx.execute(*_count(batch.request_id, looked_up, signed_in, failed))


@statement
def _count(request_id: str, looked_up: int, signed_in: int, failed: int) -> Update:
    return (
        update(AskedRetryRow)
        .where(AskedRetryRow.request_id == request_id)
        .values(
            looked_up=AskedRetryRow.looked_up + looked_up,
            signed_in=AskedRetryRow.signed_in + signed_in,
            failed=AskedRetryRow.failed + failed,
        )
    )


async def close(tx: Transaction, request_id: str) -> bool:
    """The retry waits no more. Returns False if another replica was first."""
    closed = await tx.execute(delete(AskedRetryRow).where(AskedRetryRow.request_id == request_id))
    await tx.execute(
        update(BatchRow)
        .where(*_to_look_up(request_id))
        .values(due_at=None, owner="", lease_until=None)
    )
    return closed.rowcount == 1
