"""How far a request is: its phones by status, region, and cause; its batches, and what they wait for."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, Select, case, func, select

from bot.phones.region import Region
from bot.signin.batch import (
    MAX_BATCHES_PER_REGION,
    SLOT_HOLDING_STATES,
    BatchState,
    plan,
)
from bot.signin.outcome import CAUSES, UNKNOWN
from bot.signin.request import Hold, RequestState
from bot.signin.snapshot import (
    CauseGroup,
    ReconciliationQuestion,
    RegionProgress,
    RegionWait,
    SlotHolder,
    StalledBatch,
    Tally,
)
from bot.store import (
    batches,
)
from bot.store.database import Transaction
from bot.store.models.batches import BatchRow
from bot.store.models.requests import PhoneRow, RequestRow
from bot.store.statement import statement

MAX_EXAMPLES = 3  #: accounts named per cause or batch
_MAX_CAUSES = 30  # more than anyone reads; the export has them all
_OWN_TEXT = ("unknown", "refused", "failed-check")  # causes grouped by the message
_own_text = case((PhoneRow.cause.in_(_OWN_TEXT), PhoneRow.message), else_="").label("text")


async def tallies(tx: Transaction, request_ids: Sequence[str]) -> dict[str, Tally]:
    """Tallies of ready phones, by request id."""
    by_request: dict[str, dict[str, int]] = defaultdict(dict)
    for request_id, status, count in await tx.execute(*_statuses(request_ids)):
        by_request[request_id][status] = count
    return {request_id: Tally(**statuses) for request_id, statuses in by_request.items()}


@statement
def _statuses(request_ids: Sequence[str]) -> Select[str, str, int]:
    return (
        select(PhoneRow.request_id, PhoneRow.status, func.count())
        .where(PhoneRow.request_id.in_(request_ids), PhoneRow.ready)
        .group_by(PhoneRow.request_id, PhoneRow.status)
    )


async def regions(tx: Transaction, request: Row[Any]) -> list[RegionProgress]:
    """The phones and batches of each region that the request has."""
    by_region: dict[str, dict[str, int]] = defaultdict(dict)
    for region, status, count in await tx.execute(*_phones_by_region(request.id)):
        by_region[region][status] = count
    by_state: dict[str, dict[BatchState, int]] = defaultdict(dict)
    for region, state, count in await tx.execute(*_batches_by_region(request.id)):
        by_state[region][BatchState(state)] = count
    if not by_state:
        # Before the approval there are no batches yet, but their number is known.
        by_state.update(await _planned(tx, request, by_region))
    return [
        RegionProgress(Region(region), Tally(**by_region[region]), by_state.get(region, {}))
        for region in sorted(by_region)
    ]


@statement
def _phones_by_region(request_id: str) -> Select[str, str, int]:
    return (
        select(PhoneRow.region, PhoneRow.status, func.count())
        .where(PhoneRow.request_id == request_id, PhoneRow.ready, PhoneRow.region != "")
        .group_by(PhoneRow.region, PhoneRow.status)
    )


@statement
def _batches_by_region(request_id: str) -> Select[str, str, int]:
    return (
        select(BatchRow.region, BatchRow.state, func.count())
        .where(BatchRow.request_id == request_id)
        .group_by(BatchRow.region, BatchRow.state)
    )


async def _planned(
    tx: Transaction, request: Row[Any], phones: Mapping[str, Mapping[str, int]]
) -> dict[str, dict[BatchState, int]]:
    """The batches that an approval would plan, by region."""
    if request.accounts == request.ready_rows:  # no account is on several phones: batches are full
        return {
            region: {BatchState.PLANNED: -(-sum(statuses.values()) // request.batch_size)}
            for region, statuses in phones.items()
        }
    rows = await tx.execute(
        select(PhoneRow.number, PhoneRow.region, PhoneRow.username)
        .where(PhoneRow.request_id == request.id, PhoneRow.ready, PhoneRow.region != "")
        .order_by(PhoneRow.number)
    )
    planned = plan(
        ((number, Region(region), account) for number, region, account in rows),
        size=request.batch_size,
    )
    counts = Counter(batch.region.value for batch in planned)
    return {region: {BatchState.PLANNED: count} for region, count in counts.items()}


async def causes(tx: Transaction, request_id: str) -> list[CauseGroup]:
    """Why phones are not signed in, by how many: at most 30 causes."""
    groups_by_size = (await tx.execute(*_by_cause(request_id))).all()
    groups: list[CauseGroup] = []
    for code, own_text, count, message in groups_by_size:
        kinds = await tx.execute(*_kinds(request_id, code, own_text))
        examples = await tx.execute(*_failed_accounts(request_id, code, own_text))
        groups.append(
            CauseGroup(
                cause=CAUSES.get(code, UNKNOWN),
                count=count,
                message=message,
                examples=examples.scalars().all(),
                vendors={kind: phones for kind, phones in kinds if kind},
            )
        )
    return groups


@statement
def _by_cause(request_id: str) -> Select[str, str, int, str]:
    return (
        select(PhoneRow.cause, _own_text, func.count(), func.min(PhoneRow.message))
        .where(PhoneRow.request_id == request_id, PhoneRow.cause != "")
        .group_by(PhoneRow.cause, _own_text)
        .order_by(func.count().desc(), PhoneRow.cause, _own_text)
        .limit(_MAX_CAUSES)
    )


@statement
def _kinds(request_id: str, cause: str, text: str) -> Select[str, int]:
    return (
        select(PhoneRow.kind, func.count())
        .where(PhoneRow.request_id == request_id, PhoneRow.cause == cause, _own_text == text)
        .group_by(PhoneRow.kind)
    )


@statement
def _failed_accounts(request_id: str, cause: str, text: str) -> Select[str]:
    return (
        select(PhoneRow.username)
        .where(PhoneRow.request_id == request_id, PhoneRow.cause == cause, _own_text == text)
        .order_by(PhoneRow.number)
        .limit(MAX_EXAMPLES)
    )


async def questions(tx: Transaction, request_id: str) -> list[ReconciliationQuestion]:
    """What an approver is asked about its batches."""
    rows = (await tx.execute(*_asking(request_id))).all()
    return [
        ReconciliationQuestion(
            batch_id=row.id,
            region=Region(row.region),
            phones=row.size,
            sent_at=row.sent_at,
            first_row=row.first_row,
            last_row=row.last_row,
            attempt=row.attempt,
            error=row.last_error,
            remote_batch_id=row.remote_batch_id,
            examples=(await tx.execute(*_accounts_of(row.id))).scalars().all(),
        )
        for row in rows
    ]


@statement
def _asking(request_id: str) -> Select[*tuple[Any, ...]]:
    return (
        select(BatchRow.__table__)
        .where(BatchRow.request_id == request_id, batches.asks_approver())
        .order_by(BatchRow.id)
    )


@statement
def _accounts_of(batch_id: int) -> Select[str]:
    return (
        select(PhoneRow.username)
        .where(PhoneRow.batch_id == batch_id)
        .order_by(PhoneRow.number)
        .limit(MAX_EXAMPLES)
    )


async def unsettled(tx: Transaction, request_id: str) -> Sequence[int]:
    """The ids of batches whose outcome is not known."""
    return (await tx.execute(*_unsettled(request_id))).scalars().all()


@statement
def _unsettled(request_id: str) -> Select[int]:
    unknown = BatchRow.state == BatchState.UNKNOWN.value
    return (
        select(BatchRow.id).where(BatchRow.request_id == request_id, unknown).order_by(BatchRow.id)
    )


async def stalled(tx: Transaction, request_id: str) -> list[StalledBatch]:
    """The submitted batches that make no progress."""
    return [
        StalledBatch(
            region=Region(row.region),
            remote_batch_id=row.remote_batch_id,
            phones_open=row.size - row.ended,
            since=row.progress_at,
        )
        for row in await tx.execute(*_stalled(request_id))
    ]


@statement
def _stalled(request_id: str) -> Select[*tuple[Any, ...]]:
    return (
        select(BatchRow.__table__)
        .where(
            BatchRow.request_id == request_id,
            BatchRow.state == BatchState.SUBMITTED.value,
            BatchRow.stalled,
        )
        .order_by(BatchRow.id)
    )


async def waits(tx: Transaction, request: Row[Any]) -> list[RegionWait]:
    """The regions in which the request waits, since others have all slots; and who those are."""
    if request.state != RequestState.RUNNING.value or request.hold == Hold.PAUSED.value:
        return []
    planned = (await tx.execute(*_regions_that_wait(request.id))).scalars().all()
    rows = await tx.execute(*_holders(request.tenant_id, planned))
    holders: dict[str, list[SlotHolder]] = defaultdict(list)
    slots: Counter[str] = Counter()
    for row in rows:
        slots[row.region] += row.slots
        signed_out = row.delegation_wanted_since is not None
        holder = SlotHolder(row.id, row.requester_id, signed_out=signed_out, asks=bool(row.asks))
        holders[row.region].append(holder)
    return [
        RegionWait(Region(region), of_region)
        for region, of_region in holders.items()
        if slots[region] >= MAX_BATCHES_PER_REGION
        and request.id not in {holder.request_id for holder in of_region}
    ]


@statement
def _regions_that_wait(request_id: str) -> Select[str]:
    return (
        select(BatchRow.region)
        .where(BatchRow.request_id == request_id, BatchRow.state == BatchState.PLANNED.value)
        .distinct()
    )


@statement
def _holders(tenant_id: str, regions: Sequence[str]) -> Select[*tuple[Any, ...]]:
    asks = func.max(case((batches.asks_approver(), 1), else_=0))
    return (
        select(
            BatchRow.region,
            RequestRow.id,
            RequestRow.requester_id,
            RequestRow.delegation_wanted_since,
            asks.label("asks"),
            func.count().label("slots"),
        )
        .join(RequestRow, RequestRow.id == BatchRow.request_id)
        .where(
            BatchRow.tenant_id == tenant_id,
            BatchRow.region.in_(regions),
            BatchRow.state.in_([state.value for state in SLOT_HOLDING_STATES]),
        )
        .group_by(
            BatchRow.region,
            RequestRow.id,
            RequestRow.requester_id,
            RequestRow.delegation_wanted_since,
        )
        .order_by(BatchRow.region, RequestRow.id)
    )
