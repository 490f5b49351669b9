"""Requests that start at a set time, on both databases: once, in time, and only as they were approved."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, update

from bot.lifecycle import asking, batches, delegations, starts
from bot.lifecycle import requests as lifecycle
from bot.lifecycle.starts import ChangeWindow, always_open
from bot.phones.region import Region
from bot.runner.starts import Starts
from bot.signin.history import NO_FILTER
from bot.signin.outcome import CHANGED, NOT_RUN, PhoneStatus
from bot.signin.request import Hold, RequestState
from bot.signin.schedule import GRACE, NOTICE, Due, Opening, Start
from bot.signin.snapshot import MissedStart, RequestSnapshot
from bot.store import history, overlaps, slots, snapshots
from bot.store import starts as store
from bot.store.database import Database, Transaction
from bot.store.models.audit import EventRow
from bot.store.models.batches import BatchRow
from bot.store.models.chat import PostRow
from bot.store.models.requests import PhoneRow, RequestRow
from bot.store.purge import purge
from bot.store.requests import Request
from tests.support import jobs
from tests.support.waiting import PATIENCE

HOUR, SECOND, DAY = timedelta(hours=1), timedelta(seconds=1), timedelta(days=1)
ZONE = "Europe/Berlin"
AT = (jobs.utc_now() + 2 * DAY).replace(microsecond=0)  #: when requests of these tests start
DUE = [(AT, Due.START), (AT + GRACE, Due.START), (AT + GRACE + SECOND, Due.LATE)]
FREEZE = Opening(False, "Changes are frozen.", AT + 9 * HOUR)


async def frozen(_tx: Transaction, _request: Request, _at: datetime) -> Opening:
    return FREEZE


async def waiting(
    database: Database, phones: int = 3, *, ttl: timedelta = 7 * DAY, first: int = 0
) -> str:
    request_id = await jobs.draft(database, phones, first=first)
    request = await jobs.load(database, request_id)
    async with database.write() as tx:
        assert await asking.request_approval(
            tx,
            jobs.NOTIFY,
            request,
            region=None,
            reason="new lobby",
            ttl=ttl,
            actor=jobs.ADMIN,
            now=jobs.utc_now(),
            start=Start(AT, ZONE, "2026-12-01T18:00"),
        )
    return request_id


async def scheduled(database: Database, phones: int = 3) -> str:
    request_id = await waiting(database, phones)
    assert await jobs.approve(database, request_id)
    return request_id


async def start(
    database: Database,
    request_id: str,
    now: datetime = AT,
    *,
    allowed: bool | None = True,
    window: ChangeWindow = always_open,
) -> Due | None:
    request = await jobs.load(database, request_id)
    async with database.write() as tx:
        return await starts.start(tx, jobs.NOTIFY, request, now=now, allowed=allowed, window=window)


async def start_now(database: Database, request_id: str, now: datetime) -> bool:
    request = await jobs.load(database, request_id)
    async with database.write() as tx:
        return await starts.start_now(tx, jobs.NOTIFY, request, actor=jobs.APPROVER, now=now)


async def withdraw(database: Database, request_id: str) -> bool:
    request = await jobs.load(database, request_id)
    async with database.write() as tx:
        return await lifecycle.withdraw_scheduled(
            tx, jobs.NOTIFY, request, actor=jobs.ADMIN, now=jobs.utc_now()
        )


async def planned(database: Database, request_id: str) -> int:
    """Phones that are in a batch."""
    async with database.read() as tx:
        rows = await tx.execute(
            select(PhoneRow.number).where(
                PhoneRow.request_id == request_id, PhoneRow.batch_id.is_not(None)
            )
        )
        return len(rows.all())


async def snapshot_of(database: Database, request_id: str) -> RequestSnapshot:
    async with database.read() as tx:
        snapshot = await snapshots.load(tx, request_id, now=jobs.utc_now())
    assert snapshot is not None
    return snapshot


async def due(database: Database, now: datetime) -> Sequence[str]:
    async with database.read() as tx:
        return await store.due(tx, now)


async def test_approved_request_waits_for_its_time_with_nothing_to_claim(
    database: Database,
) -> None:
    request_id = await scheduled(database)

    request = await jobs.load(database, request_id)
    assert (request.state, request.hold) == (RequestState.RUNNING, Hold.SCHEDULED)
    assert (request.run_at, request.run_by) == (AT, AT + GRACE)
    assert await planned(database, request_id) == 0
    async with database.read() as tx:
        assert await slots.regions_with_work(tx, AT + HOUR) == []
    claimed = await batches.claim(
        database, jobs.TENANT, Region.EMEA, owner="w", now=AT, lease_until=AT + HOUR
    )
    assert claimed == []
    assert await due(database, AT - SECOND) == []
    assert await start(database, request_id, AT - SECOND) is None
    assert await due(database, AT) == [request_id]


@pytest.mark.parametrize(("ttl", "expires"), [(timedelta(days=1), None), (7 * DAY, AT)])
async def test_approval_is_possible_until_the_start_at_the_latest(
    database: Database, ttl: timedelta, expires: datetime | None
) -> None:
    before = jobs.utc_now()
    request_id = await waiting(database, ttl=ttl)
    expires_at = (await jobs.load(database, request_id)).expires_at
    assert expires_at is not None
    if expires is None:
        assert before + ttl <= expires_at <= jobs.utc_now() + ttl
    else:
        assert expires_at == expires


@pytest.mark.parametrize(("now", "expected"), DUE)
async def test_request_starts_unless_it_is_late(
    database: Database, now: datetime, expected: Due
) -> None:
    request_id = await scheduled(database)

    assert await start(database, request_id, now) is expected

    started = expected is Due.START
    request = await jobs.load(database, request_id)
    assert request.hold is (Hold.NONE if started else Hold.MISSED)
    assert await planned(database, request_id) == (3 if started else 0)
    assert (await jobs.events(database, request_id))[-1] == (
        "start due" if started else "start missed"
    )
    assert await start(database, request_id, now) is None
    assert await due(database, now) == []


async def test_of_many_replicas_one_starts_it(database: Database) -> None:
    request_id = await scheduled(database)

    found = await asyncio.gather(*(start(database, request_id) for _ in range(5)))

    assert sorted(found, key=str) == [None, None, None, None, Due.START]
    async with database.read() as tx:
        sizes = (await tx.execute(select(BatchRow.size))).scalars().all()
    assert list(sizes) == [3]
    assert (await jobs.events(database, request_id)).count("start due") == 1


async def test_start_that_dies_before_its_commit_is_made_by_another_replica(
    database: Database,
) -> None:
    request_id = await scheduled(database)
    request = await jobs.load(database, request_id)

    async def die() -> None:
        async with database.write() as tx:
            assert await starts.start(tx, jobs.NOTIFY, request, now=AT) is Due.START
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await die()

    assert await planned(database, request_id) == 0
    assert await start(database, request_id) is Due.START
    assert await planned(database, request_id) == 3


async def test_start_and_withdrawal_and_cancellation_race_for_one_winner(
    database: Database,
) -> None:
    request_id = await scheduled(database)

    started, withdrawn, cancelled = await asyncio.gather(
        start(database, request_id),
        withdraw(database, request_id),
        jobs.cancel(database, request_id),
    )

    assert not (started and withdrawn)
    assert not (withdrawn and cancelled)
    state = (await jobs.load(database, request_id)).state
    assert state is (RequestState.WITHDRAWN if withdrawn else RequestState.CANCELLED)


async def test_withdrawn_request_never_starts(database: Database) -> None:
    request_id = await scheduled(database)

    assert await withdraw(database, request_id)

    request = await jobs.load(database, request_id)
    assert (request.state, request.hold) == (RequestState.WITHDRAWN, Hold.NONE)
    assert await due(database, AT) == []
    assert await start(database, request_id) is None
    assert not await withdraw(database, request_id)


@pytest.mark.parametrize("missed", [False, True])
async def test_canceled_request_never_starts_and_ends_with_nothing_sent(
    database: Database, missed: bool
) -> None:
    request_id = await scheduled(database)
    if missed:
        assert await start(database, request_id, AT + 6 * HOUR) is Due.LATE

    assert await jobs.cancel(database, request_id)

    snapshot = await snapshot_of(database, request_id)
    assert snapshot.state is RequestState.CANCELLED
    assert {(each.status, each.cause) for each in snapshot.phones.items} == {
        (PhoneStatus.NOT_RUN, NOT_RUN)
    }
    assert await start(database, request_id) is None
    assert not await start_now(database, request_id, AT)


async def test_rights_that_cannot_be_told_are_waited_for_until_it_is_late(
    database: Database,
) -> None:
    request_id = await scheduled(database)

    assert await start(database, request_id, allowed=None) is None
    assert (await jobs.load(database, request_id)).hold is Hold.SCHEDULED
    assert await start(database, request_id, AT + GRACE, allowed=True) is Due.START

    other = await waiting(database, first=10)
    assert await jobs.approve(database, other)
    assert await start(database, other, AT + 2 * HOUR, allowed=None) is Due.LATE


@pytest.mark.parametrize(
    ("allowed", "window", "missed"),
    [
        (False, always_open, MissedStart(Due.DENIED)),
        (True, frozen, MissedStart(Due.CLOSED, FREEZE.why, FREEZE.opens_at)),
    ],
)
async def test_start_that_is_not_allowed_any_more_waits_for_an_approver(
    database: Database, allowed: bool, window: ChangeWindow, missed: MissedStart
) -> None:
    request_id = await scheduled(database)

    await start(database, request_id, allowed=allowed, window=window)

    assert (await snapshot_of(database, request_id)).missed == missed
    assert await start_now(database, request_id, AT + HOUR)
    assert not await start_now(database, request_id, AT + HOUR)
    assert await planned(database, request_id) == 3
    assert (await snapshot_of(database, request_id)).missed is None
    request = await jobs.load(database, request_id)
    assert request.run_by == AT + HOUR + GRACE
    assert (await jobs.events(database, request_id))[-2:] == ["start missed", "start allowed"]


async def test_rows_that_changed_since_the_approval_are_not_sent(database: Database) -> None:
    request_id = await scheduled(database)
    async with database.write() as tx:
        await tx.execute(
            update(PhoneRow)
            .where(PhoneRow.request_id == request_id, PhoneRow.number == 2)
            .values(username="ceo@contoso.com")
        )

    await start(database, request_id)

    snapshot = await snapshot_of(database, request_id)
    assert snapshot.state is RequestState.FINISHED
    assert {each.cause for each in snapshot.phones.items} == {CHANGED}


async def test_time_that_changed_since_the_approval_is_not_used(database: Database) -> None:
    """Whoever can write to the database cannot have approved sign-ins run at another time."""
    request_id = await scheduled(database)
    async with database.write() as tx:
        await tx.execute(update(RequestRow).values(run_at=AT - DAY))

    await start(database, request_id, AT - DAY)

    assert await planned(database, request_id) == 0
    assert (await jobs.load(database, request_id)).state is RequestState.FINISHED


async def test_approvers_are_asked_to_sign_in_once_shortly_before(database: Database) -> None:
    request_id = await scheduled(database)
    async with database.read() as tx:
        assert await store.due_to_ask(tx, AT - NOTICE - SECOND, AT - SECOND) == []
        assert await store.due_to_ask(tx, AT - NOTICE, AT) == [request_id]

    async def ask() -> bool:
        request = await jobs.load(database, request_id)
        async with database.write() as tx:
            return await starts.ask_to_sign_in(tx, jobs.NOTIFY, request, AT - NOTICE)

    assert sorted(await asyncio.gather(ask(), ask(), ask())) == [False, False, True]
    snapshot = await snapshot_of(database, request_id)
    assert snapshot.delegation_wanted_since == AT - NOTICE
    request = await jobs.load(database, request_id)
    async with database.write() as tx:
        assert await delegations.grant(tx, request, AT + HOUR, actor=jobs.APPROVER, now=AT - SECOND)
    snapshot = await snapshot_of(database, request_id)
    assert (snapshot.delegation_wanted_since, snapshot.scheduled) == (None, True)
    assert await planned(database, request_id) == 0
    assert await start(database, request_id) is Due.START


async def test_scheduled_request_counts_as_approved_for_others(database: Database) -> None:
    request_id = await scheduled(database)
    other = await jobs.draft(database, 2)

    async with database.read() as tx:
        (found,) = await overlaps.find(
            tx, other, jobs.utc_now(), tenant_id=jobs.TENANT, retry_of=""
        )
    assert (found.request_id, found.approved, found.accounts) == (request_id, True, 2)


async def test_scheduled_request_is_kept_and_listed_with_its_start(database: Database) -> None:
    request_id = await scheduled(database)
    async with database.write() as tx:
        assert await purge(tx, AT + 90 * DAY) == 0
    async with database.read() as tx:
        found = await history.find(tx, jobs.TENANT, NO_FILTER, requester_id=None)
    (line,) = found.lines
    assert (line.id, line.run_at, line.run_zone) == (request_id, AT, ZONE)
    assert not line.missed


async def test_loops_of_two_replicas_start_what_is_due_and_nothing_else(
    database: Database,
) -> None:
    first = await scheduled(database)
    later = await waiting(database, first=10)
    assert await jobs.approve(database, later)
    async with database.write() as tx:
        await tx.execute(
            update(RequestRow).where(RequestRow.id == later).values(run_at=AT + SECOND)
        )
    woken = asyncio.Event()

    async def allowed(_request: Request) -> bool:
        return True

    loops = [
        asyncio.create_task(
            Starts(
                database,
                jobs.NOTIFY,
                idle_seconds=0.01,
                clock=lambda: AT,
                changed=woken.set,
                allowed=allowed,
                as_approver=True,
            ).run()
        )
        for _ in range(2)
    ]
    try:
        async with asyncio.timeout(PATIENCE):
            await woken.wait()
            while (await snapshot_of(database, later)).delegation_wanted_since is None:
                await asyncio.sleep(0.01)
    finally:
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)

    assert (await jobs.load(database, first)).hold is Hold.NONE
    assert (await jobs.load(database, later)).hold is Hold.SCHEDULED
    async with database.read() as tx:
        actions = (await tx.execute(select(EventRow.action))).scalars().all()
        kinds = await tx.execute(select(PostRow.kind).where(PostRow.request_id == later))
        posted = list(kinds.scalars())
    assert actions.count("start due") == 1
    assert actions.count("delegation asked") == 1
    assert posted.count("progress") == 2  # for the requester at the approval, for approvers now


async def test_request_that_fails_does_not_keep_others_from_starting(database: Database) -> None:
    broken, fine = await scheduled(database), await waiting(database, first=10)
    assert await jobs.approve(database, fine)
    started = asyncio.Event()

    async def allowed(request: Request) -> bool:
        if request.id == broken:
            raise RuntimeError("a fault")
        return True

    loop = asyncio.create_task(
        Starts(
            database,
            jobs.NOTIFY,
            idle_seconds=0.01,
            clock=lambda: AT,
            changed=started.set,
            allowed=allowed,
        ).run()
    )
    try:
        async with asyncio.timeout(PATIENCE):
            await started.wait()
    finally:
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)

    assert (await jobs.load(database, fine)).hold is Hold.NONE
    assert (await jobs.load(database, broken)).hold is Hold.SCHEDULED
