"""A window that closes while a request runs, on both databases: nothing more is sent until it opens."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select

from bot.lifecycle import batches, delegations, pauses, polling, submission
from bot.lifecycle.starts import ChangeWindow, windows_of
from bot.phones.region import Region
from bot.signin.batch import BatchState
from bot.signin.policy.model import Condition, Freeze, Policy, Rule, Window
from bot.signin.request import Hold, RequestState
from bot.signin.schedule import NOTICE
from bot.store import batches as store
from bot.store import delegation_leases, reviews, slots
from bot.store.batches import Batch
from bot.store.database import Database, Transaction
from bot.store.models.audit import EventRow
from bot.words import Words
from tests.support import jobs, rows

HOUR = timedelta(hours=1)
OPEN = jobs.utc_now().replace(minute=0, second=0, microsecond=0)  #: in the window
CLOSED = OPEN + HOUR  #: when it is over
AGAIN = OPEN + timedelta(days=1)  #: when it opens again
WINDOW = Window(
    frozenset(range(7)),
    time(OPEN.hour),
    time(CLOSED.hour),
    ZoneInfo("UTC"),
)
#: Requests with as many accounts are under the window.
LARGE = Condition(min_accounts=400)
POLICY = Policy((), (), rules=(Rule("nights", LARGE, windows=(WINDOW,)),))


@dataclass
class Replica:
    """What decides about windows in one process."""

    database: Database
    policy: Policy = POLICY

    @property
    def window(self) -> ChangeWindow:
        return windows_of(lambda: self.policy, Words())

    async def claim(self, now: datetime) -> list[Batch]:
        async def closed(tx: Transaction, request_ids: Collection[str]) -> Collection[str]:
            return await pauses.pause_closed(tx, jobs.NOTIFY, request_ids, self.window, now)

        return await batches.claim(
            self.database,
            jobs.TENANT,
            Region.EMEA,
            owner="a",
            now=now,
            lease_until=now + HOUR,
            closed=closed,
        )

    async def resume(self, request_id: str, now: datetime) -> bool:
        request = await jobs.load(self.database, request_id)
        async with self.database.write() as tx:
            return await pauses.resume(tx, request, now, window=self.window)


async def end(database: Database, batch: Batch) -> None:
    async with database.write() as tx:
        assert await submission.reject(tx, jobs.NOTIFY, batch, "no", jobs.utc_now())


async def actions(database: Database, request_id: str) -> list[str]:
    async with database.read() as tx:
        found = await tx.execute(
            select(EventRow.action)
            .where(EventRow.request_id == request_id, EventRow.action.in_(["paused", "resumed"]))
            .order_by(EventRow.id)
        )
        return list(found.scalars())


async def state(database: Database, request_id: str) -> tuple[RequestState, Hold]:
    request = await jobs.load(database, request_id)
    return request.state, request.hold


async def paused(database: Database, replica: Replica) -> tuple[str, list[Batch]]:
    """A request whose window has closed, and its batches that are under way."""
    request_id = await jobs.approved(database, 500)
    under_way = await replica.claim(OPEN)
    assert len(under_way) == 3
    await end(database, under_way.pop())
    assert await replica.claim(CLOSED) == []
    return request_id, under_way


async def test_closed_window_stops_the_next_batch_and_others_take_its_slots(
    database: Database,
) -> None:
    replica = Replica(database)
    request_id, under_way = await paused(database, replica)
    assert await state(database, request_id) == (RequestState.RUNNING, Hold.PAUSED)
    assert (await jobs.load(database, request_id)).opens_at == AGAIN
    posts = [post["content"].get("text", "") for post in (await rows.dump(database))["posts"]]
    assert sum("waits: your organization's change windows" in text for text in posts) == 1
    async with database.read() as tx:  # nobody asks in vain
        assert await slots.regions_with_work(tx, CLOSED) == []

    other = await jobs.approved(database, 1, first=900)  # under no window
    assert [each.request_id for each in await replica.claim(CLOSED)] == [other]
    for batch in under_way:  # they run to their end
        await end(database, batch)
    assert await replica.claim(CLOSED) == []
    assert await state(database, request_id) == (RequestState.RUNNING, Hold.PAUSED)
    assert not await replica.resume(request_id, AGAIN - HOUR)
    assert await replica.resume(request_id, AGAIN)
    assert [each.request_id for each in await replica.claim(AGAIN)] == [request_id] * 2
    assert await actions(database, request_id) == ["paused", "resumed"]


async def test_two_replicas_pause_and_resume_once_and_send_nothing_twice(
    database: Database,
) -> None:
    replica = Replica(database)
    request_id = await jobs.approved(database, 500)
    other = Replica(Database(database.url))
    try:
        both = await asyncio.gather(replica.claim(CLOSED), other.claim(CLOSED))
        assert both == [[], []]
        assert await actions(database, request_id) == ["paused"]
        resumed = await asyncio.gather(
            *(each.resume(request_id, AGAIN) for each in (replica, other))
        )
        assert sorted(resumed) == [False, True]
        claimed = await asyncio.gather(replica.claim(AGAIN), other.claim(AGAIN))
        assert sorted(map(len, claimed)) == [0, 3]
        assert await actions(database, request_id) == ["paused", "resumed"]
    finally:
        await other.database.close()


async def test_freeze_of_a_new_policy_pauses_and_its_end_moves_with_the_policy(
    database: Database,
) -> None:
    replica = Replica(database, Policy((), ()))
    request_id = await jobs.approved(database, 5)
    for days, opens_at in ((1, AGAIN), (2, AGAIN + timedelta(days=1)), (2000, None)):
        replica.policy = Policy((), (), freezes=(Freeze("f", OPEN, OPEN + timedelta(days)),))
        assert await replica.claim(OPEN) == []
        assert not await replica.resume(request_id, OPEN)
        assert (await jobs.load(database, request_id)).opens_at == opens_at
    replica.policy = Policy((), ())
    assert await replica.resume(request_id, OPEN)
    assert len(await replica.claim(OPEN)) == 1


async def test_paused_request_can_be_cancelled_but_not_withdrawn(database: Database) -> None:
    replica = Replica(database)
    request_id, under_way = await paused(database, replica)
    assert not (await jobs.load(database, request_id)).facts.before_start
    assert await jobs.cancel(database, request_id)
    assert not await replica.resume(request_id, AGAIN)
    for batch in under_way:
        await end(database, batch)
    assert await state(database, request_id) == (RequestState.CANCELLED, Hold.NONE)


async def test_paused_request_ends_with_its_last_batch(database: Database) -> None:
    """The batch that was to be sent again had run after all."""
    replica = Replica(database, Policy((), (), freezes=(Freeze("f", CLOSED, AGAIN),)))
    request_id = await jobs.approved(database, 1)
    (batch,) = await replica.claim(OPEN)
    async with database.write() as tx:
        assert await submission.requeue(
            tx, jobs.NOTIFY, batch, not_before=OPEN, error="no", now=OPEN
        )
    assert await replica.claim(CLOSED) == []
    async with database.write() as tx:
        later = CLOSED + HOUR
        assert await submission.acknowledge(
            tx, batch, "b-1", owner="a", lease_until=later, due_at=later, now=CLOSED
        )
    async with database.read() as tx:
        (sent,) = await store.select_where(tx)
    assert sent.state is BatchState.SUBMITTED
    async with database.write() as tx:
        assert await polling.complete(tx, jobs.NOTIFY, sent, owner="a", now=later)
    assert await state(database, request_id) == (RequestState.FINISHED, Hold.NONE)


async def test_break_glass_passes_over_windows_but_not_over_freezes(database: Database) -> None:
    replica = Replica(database)
    request_id = await jobs.approved(database, 500)
    async with database.write() as tx:
        await reviews.add(
            tx,
            request_id,
            reason="fire",
            ticket="INC1",
            votes=1,
            actor=jobs.ADMIN,
            now=OPEN,
            remind_at=AGAIN,
        )
    assert len(await replica.claim(CLOSED)) == 3
    replica.policy = Policy((), (), freezes=(Freeze("f", CLOSED, AGAIN),))
    await end(database, (await batches_of(database))[0])
    assert await replica.claim(CLOSED) == []
    assert await actions(database, request_id) == ["paused"]


async def batches_of(database: Database) -> list[Batch]:
    async with database.read() as tx:
        return await store.select_where(tx)


async def test_delegation_is_kept_for_what_is_under_way_and_asked_for_shortly_before(
    database: Database,
) -> None:
    replica = Replica(database)
    request_id, under_way = await paused(database, replica)

    async def needs(now: datetime) -> list[str]:
        async with database.write() as tx:
            return await delegation_leases.heartbeat(tx, [request_id], now, now)

    async def asked(now: datetime) -> list[str]:
        async with database.write() as tx:
            return await delegations.ask(tx, jobs.NOTIFY, now, {BatchState.PLANNED})

    assert await needs(CLOSED) == [request_id]
    for batch in under_way:
        await end(database, batch)
    assert await needs(CLOSED) == []
    assert await asked(CLOSED + HOUR) == []
    assert await asked(AGAIN - NOTICE) == [request_id]
    assert await needs(AGAIN - NOTICE) == [request_id]
