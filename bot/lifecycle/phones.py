"""Transitions of phones: always of a batch's phones together, within a transition of their batch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, bindparam, func, select

from bot.signin import outcome
from bot.signin.outcome import (
    TERMINAL_PHONE_STATUSES,
    Cause,
    PhoneResult,
    PhoneStatus,
    explain,
)
from bot.signin.request import phone_key
from bot.store import transitions
from bot.store.batches import Batch
from bot.store.database import Transaction
from bot.store.models.requests import PhoneRow
from bot.store.statement import statement
from bot.store.transitions import Rows


def _of(request_id: str, batch_id: int) -> tuple[ColumnElement[bool], ...]:
    return (PhoneRow.request_id == request_id, PhoneRow.batch_id == batch_id)


def _rows(batch: Batch) -> Rows:
    return Rows(_of, (batch.request_id, batch.id))


async def send(tx: Transaction, batch: Batch) -> None:
    """pending -> in_progress."""
    await transitions.apply(tx, PhoneRow, outcome.SEND, rows=_rows(batch))


async def take_back(tx: Transaction, batch: Batch) -> None:
    """in_progress -> pending: it is proved, or an approver said, that the batch did not run."""
    await transitions.apply(tx, PhoneRow, outcome.TAKE_BACK, rows=_rows(batch))


async def fail_all(tx: Transaction, batch: Batch, message: str) -> None:
    """in_progress -> failed: the batch was rejected as a whole."""
    cause = explain(message).cause
    code = outcome.REFUSED.code if cause is outcome.UNKNOWN else cause.code
    await transitions.apply(
        tx,
        PhoneRow,
        outcome.FAIL_ALL,
        rows=_rows(batch),
        message=message,
        cause=code,
    )


async def leave_out(
    tx: Transaction,
    which: ColumnElement[bool],
    *,
    cause: Cause = outcome.NOT_RUN,
    message: str = "",
) -> None:
    """pending -> not_run: these phones are not sent.

    The request was cancelled before, or what is said by `cause` and `message`.
    """
    await transitions.apply(
        tx, PhoneRow, outcome.LEAVE_OUT, which, cause=cause.code, message=message
    )


async def leave_unconfirmed(tx: Transaction, batch: Batch) -> None:
    """in_progress -> unconfirmed: the batch ended without a result for these phones."""
    await transitions.apply(
        tx,
        PhoneRow,
        outcome.LEAVE_UNCONFIRMED,
        rows=_rows(batch),
        cause=outcome.NO_RESULT.code,
    )


async def counts(tx: Transaction, batch: Batch) -> dict[str, int]:
    """How many of the batch's phones are in each status, by its value."""
    rows = await tx.execute(*_counts(batch.request_id, batch.id))
    return {row.status: row.phones for row in rows}


@statement
def _counts(request_id: str, batch_id: int) -> Select[str, int]:
    return (
        select(PhoneRow.status, func.count().label("phones"))
        .where(*_of(request_id, batch_id))
        .group_by(PhoneRow.status)
    )


@dataclass(frozen=True, slots=True)
class Found:
    """What a look-up found. All are numbers of phones."""

    phones: int  #: that had no result
    signed_in: int
    failed: int


async def look_up(
    tx: Transaction, batch: Batch, results: Mapping[tuple[str, str], PhoneResult]
) -> Found:
    """unconfirmed -> signed_in or failed, if the SIP Gateway has a result after all.

    `results` are by `phone_key`.
    """
    rows = (await tx.execute(*_unconfirmed(batch.request_id, batch.id))).all()
    signed_in, failed = _ended(
        ((row.number, row.username, row.hardware_id) for row in rows), results
    )
    this_row = (PhoneRow.request_id == batch.request_id, PhoneRow.number == bindparam("row"))
    if signed_in:
        await transitions.apply(
            tx, PhoneRow, outcome.LOOK_UP_SIGNED_IN, *this_row, each=signed_in, cause=""
        )
    if failed:
        await transitions.apply(
            tx,
            PhoneRow,
            outcome.LOOK_UP_FAILED,
            *this_row,
            each=failed,
            message=bindparam("text"),
            cause=bindparam("code"),
        )
    return Found(len(rows), len(signed_in), len(failed))


@statement
def _unconfirmed(request_id: str, batch_id: int) -> Select[int, str, str]:
    return select(PhoneRow.number, PhoneRow.username, PhoneRow.hardware_id).where(
        *_of(request_id, batch_id), PhoneRow.status == PhoneStatus.UNCONFIRMED.value
    )


def _ended(
    phones: Iterable[tuple[int, str, str]], results: Mapping[tuple[str, str], PhoneResult]
) -> tuple[list[Mapping[str, object]], list[Mapping[str, object]]]:
    """Bind parameters of the phones, given as (row, account, hardware ID), that have a result: those
    signed in, and those that failed."""
    signed_in: list[Mapping[str, object]] = []
    failed: list[Mapping[str, object]] = []
    for number, username, hardware_id in phones:
        result = results.get(phone_key(username, hardware_id))
        if result is None or result.status not in TERMINAL_PHONE_STATUSES:
            continue
        if result.status is PhoneStatus.SIGNED_IN:
            signed_in.append({"row": number})
        else:
            code = explain(result.message).cause.code
            failed.append({"row": number, "text": result.message, "code": code})
    return signed_in, failed


async def report(
    tx: Transaction, batch: Batch, results: Mapping[tuple[str, str], PhoneResult]
) -> tuple[int, int]:
    """in_progress -> signed_in or failed, as the SIP Gateway reports; a result once stored stays.

    `results` are by `phone_key`. Returns how many of the batch's phones ended now, and how many have
    ended in all.
    """
    rows = (await tx.execute(*_with_status(batch.request_id, batch.id))).all()
    ended = sum(PhoneStatus(row.status) in TERMINAL_PHONE_STATUSES for row in rows)
    in_progress = (row for row in rows if row.status == PhoneStatus.IN_PROGRESS.value)
    signed_in, failed = _ended(
        ((row.number, row.username, row.hardware_id) for row in in_progress), results
    )
    this_row = (PhoneRow.request_id == batch.request_id, PhoneRow.number == bindparam("row"))
    if signed_in:
        await transitions.apply(tx, PhoneRow, outcome.REPORT_SIGNED_IN, *this_row, each=signed_in)
    if failed:
        await transitions.apply(
            tx,
            PhoneRow,
            outcome.REPORT_FAILED,
            *this_row,
            each=failed,
            message=bindparam("text"),
            cause=bindparam("code"),
        )
    return len(signed_in) + len(failed), ended + len(signed_in) + len(failed)


@statement
def _with_status(request_id: str, batch_id: int) -> Select[int, str, str, str]:
    return select(PhoneRow.number, PhoneRow.username, PhoneRow.hardware_id, PhoneRow.status).where(
        *_of(request_id, batch_id)
    )
