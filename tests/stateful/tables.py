"""What the tables hold, as far as it is checked."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select

from bot.signin.batch import BatchState
from bot.signin.outcome import PhoneStatus
from bot.signin.request import RequestState
from bot.store.database import Transaction
from bot.store.models.batches import BatchRow
from bot.store.models.requests import PhoneRow, RequestRow


class RequestImage(NamedTuple):
    state: RequestState
    version: int
    state_version: int
    ready_rows: int


class BatchImage(NamedTuple):
    request_id: str
    region: str
    state: BatchState
    attempt: int
    unsent_attempt: int | None
    owner: str
    lease_until: datetime | None
    remote_batch_id: str


class PhoneImage(NamedTuple):
    batch_id: int | None
    status: PhoneStatus
    ready: bool
    username: str
    hardware_id: str


@dataclass(frozen=True, slots=True)
class Image:
    """The rows whose changes are checked."""

    requests: Mapping[str, RequestImage] = field(default_factory=dict[str, RequestImage])
    batches: Mapping[int, BatchImage] = field(default_factory=dict[int, BatchImage])
    phones: Mapping[tuple[str, int], PhoneImage] = field(
        default_factory=dict[tuple[str, int], PhoneImage]
    )

    def phones_of(self, batch_id: int) -> list[PhoneImage]:
        return [phone for phone in self.phones.values() if phone.batch_id == batch_id]

    def batches_of(self, request_id: str) -> list[BatchImage]:
        return [each for each in self.batches.values() if each.request_id == request_id]


async def image(tx: Transaction, before: Image, changed: Collection[str]) -> Image:
    """The image after a transaction that changed these tables. Always in the same order."""
    after = before
    if RequestRow.__tablename__ in changed:
        after = replace(after, requests=await _requests(tx))
    if BatchRow.__tablename__ in changed:
        after = replace(after, batches=await _batches(tx))
    if PhoneRow.__tablename__ in changed:
        after = replace(after, phones=await _phones(tx))
    return after


async def _requests(tx: Transaction) -> Mapping[str, RequestImage]:
    rows = await tx.execute(
        select(
            RequestRow.id,
            RequestRow.state,
            RequestRow.version,
            RequestRow.state_version,
            RequestRow.ready_rows,
        ).order_by(RequestRow.id)
    )
    return {
        row.id: RequestImage(
            RequestState(row.state), row.version, row.state_version, row.ready_rows
        )
        for row in rows
    }


async def _batches(tx: Transaction) -> Mapping[int, BatchImage]:
    rows = await tx.execute(
        select(
            BatchRow.id,
            BatchRow.request_id,
            BatchRow.region,
            BatchRow.state,
            BatchRow.attempt,
            BatchRow.unsent_attempt,
            BatchRow.owner,
            BatchRow.lease_until,
            BatchRow.remote_batch_id,
        ).order_by(BatchRow.id)
    )
    return {
        row.id: BatchImage(
            row.request_id,
            row.region,
            BatchState(row.state),
            row.attempt,
            row.unsent_attempt,
            row.owner,
            row.lease_until,
            row.remote_batch_id,
        )
        for row in rows
    }


async def _phones(tx: Transaction) -> Mapping[tuple[str, int], PhoneImage]:
    rows = await tx.execute(
        select(
            PhoneRow.request_id,
            PhoneRow.number,
            PhoneRow.batch_id,
            PhoneRow.status,
            PhoneRow.ready,
            PhoneRow.username,
            PhoneRow.hardware_id,
        ).order_by(PhoneRow.request_id, PhoneRow.number)
    )
    return {
        (row.request_id, row.number): PhoneImage(
            row.batch_id, PhoneStatus(row.status), row.ready, row.username, row.hardware_id
        )
        for row in rows
    }
