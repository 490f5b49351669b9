"""Which batches are sent next: SQL and the rule in plain Python agree about random tables."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, insert, update

from bot.phones.region import Region
from bot.signin.batch import SLOT_HOLDING_STATES, BatchState
from bot.signin.request import Hold, RequestState
from bot.store import slots
from bot.store.database import Database
from bot.store.models.batches import BatchRow
from bot.store.models.requests import RequestRow
from tests.support import jobs

OTHER_TENANT = "00000000-2222-4333-8444-555555555555"
TABLES = 40
NOW = datetime.fromisoformat("2026-03-02T10:00:00+00:00")
MOMENTS = [NOW + timedelta(minutes=minutes) for minutes in (-20, -10, 0, 10)]
DOUBTFUL = {BatchState.UNKNOWN, BatchState.NEEDS_PERSON}


@dataclass(frozen=True)
class Asked:
    id: str
    tenant_id: str
    state: RequestState
    hold: Hold
    decided_at: datetime


@dataclass(frozen=True)
class Row:
    id: int
    request_id: str
    tenant_id: str
    region: Region
    state: BatchState
    not_before: datetime | None
    sent_at: datetime | None
    last_error: str
    size: int = 1
    first_row: int = 2
    last_row: int = 2


def requests(chance: random.Random, ids: Mapping[str, str]) -> list[Asked]:
    return [
        Asked(
            request_id,
            tenant_id,
            chance.choice([RequestState.RUNNING] * 8 + [RequestState.FINISHED]),
            chance.choice([Hold.NONE] * 8 + [Hold.PAUSED]),
            chance.choice(MOMENTS),
        )
        for request_id, tenant_id in ids.items()
    ]


def batches(chance: random.Random, asked: Collection[Asked]) -> Iterator[Row]:
    states = [BatchState.PLANNED] * 40 + [BatchState.DONE] * 30 + [*BatchState]
    for number in range(1, chance.randrange(2, 60)):
        request = chance.choice([*asked])
        state = chance.choice(states)
        planned = state is BatchState.PLANNED
        put_back = planned and chance.random() < 0.01
        yield Row(
            number,
            request.id,
            request.tenant_id,
            chance.choice([Region.EMEA, Region.EMEA, Region.NOAM]),
            state,
            not_before=chance.choice(MOMENTS) if planned and chance.random() < 0.2 else None,
            sent_at=None if planned and chance.random() < 0.8 else chance.choice(MOMENTS),
            last_error="throttled" if put_back else "",
        )


def next_to_send(
    rows: list[Row], asked: Mapping[str, Asked], only: Collection[str] | None
) -> list[int]:
    """The rule, for the batches of one tenant and region."""
    held = [row for row in rows if row.state in SLOT_HOLDING_STATES]
    free = 3 - len(held)
    later = [row for row in rows if row.state is BatchState.PLANNED and row.not_before]
    put_back = any(row.not_before > NOW for row in later if row.not_before and row.last_error)
    if free <= 0 or sum(row.state in DOUBTFUL for row in rows) >= 2 or put_back:
        return []
    ranked: list[tuple[int, datetime, datetime, int]] = []
    for request in asked.values():
        of_request = [row for row in rows if row.request_id == request.id]
        if request.state is not RequestState.RUNNING or request.hold is Hold.PAUSED:
            continue
        if only is not None and request.id not in only:
            continue
        sent = [row.sent_at for row in of_request if row.sent_at]
        sendable = [
            row
            for row in sorted(of_request, key=lambda row: row.id)
            if row.state is BatchState.PLANNED and (not row.not_before or row.not_before <= NOW)
        ]
        taken = sum(row.state in SLOT_HOLDING_STATES for row in of_request)
        ranked += [
            (taken + place, max(sent, default=request.decided_at), request.decided_at, row.id)
            for place, row in enumerate(sendable, 1)
        ]
    return [rank[-1] for rank in sorted(ranked)[:free]]


async def test_next_batches_are_those_of_the_rule(database: Database) -> None:
    chance = random.Random(8)
    ids: dict[str, str] = {}
    for number in range(4):
        tenant_id = OTHER_TENANT if number == 0 else jobs.TENANT
        ids[await jobs.draft(database, 1, first=number, tenant_id=tenant_id)] = tenant_id
    found = 0
    for _ in range(TABLES):
        asked = {each.id: each for each in requests(chance, ids)}
        rows = [*batches(chance, asked.values())]
        only = chance.choice([None, None, [], chance.sample([*ids], 2)])
        async with database.write() as tx:
            await tx.execute(delete(BatchRow))
            await tx.execute(insert(BatchRow), [asdict(row) for row in rows])
            for request in asked.values():
                values = {key: value for key, value in asdict(request).items() if key != "id"}
                await tx.execute(
                    update(RequestRow).where(RequestRow.id == request.id).values(**values)
                )
        async with database.read() as tx:
            work = await slots.regions_with_work(tx, NOW, only=only)
            for tenant_id in (jobs.TENANT, OTHER_TENANT):
                for region in Region:
                    chosen = await slots.next_to_send(tx, tenant_id, region, NOW, only=only)
                    of_region = [
                        row for row in rows if (row.tenant_id, row.region) == (tenant_id, region)
                    ]
                    expected = next_to_send(of_region, asked, only)
                    assert [*chosen] == expected
                    assert not expected or (tenant_id, region) in work
                    found += len(expected)
    assert found > TABLES, "tables in which nothing can be sent would prove little"
