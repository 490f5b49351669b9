"""Many writers of every kind, on several replicas and tenants at once: no deadlock, nothing lost."""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, event, select, text

from bot.lifecycle import batches as lifecycle
from bot.lifecycle import delegations as delegation_requests
from bot.lifecycle import drafts, polling, reconciliation, submission, urgency
from bot.lifecycle import requests as request_lifecycle
from bot.lifecycle.drafts import RetryExistsError
from bot.phones.region import Region
from bot.signin.batch import (
    MAX_BATCHES_PER_REGION,
    SLOT_HOLDING_STATES,
    TERMINAL_BATCH_STATES,
    BatchState,
)
from bot.signin.outcome import PhoneResult, PhoneStatus
from bot.signin.request import TERMINAL_REQUEST_STATES, RequestState, phone_key
from bot.store import (
    batches,
    conversations,
    delegation_leases,
    leases,
    locks,
    posts,
    publisher_leases,
    received_activities,
    requests,
)
from bot.store.batches import Batch
from bot.store.conversations import ConversationKind, ConversationReference
from bot.store.database import Database, Transaction
from bot.store.leases import LeaseLostError
from bot.store.models.batches import BatchRow
from bot.store.models.chat import PostRow
from bot.store.models.requests import RequestRow
from bot.store.purge import purge, sweep
from bot.store.requests import Request
from tests.support import jobs, rows
from tests.support.replicas import replicas

REPLICAS, WRITERS, ROUNDS = 4, 6, 30  # rounds of each writer
TENANTS = tuple(f"{number:08d}-2222-4333-8444-555555555555" for number in range(3))
REGIONS = (Region.EMEA, Region.NOAM)
HOUR = timedelta(hours=1)
_DEADLOCKS = text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")


@dataclass
class LockOrder:
    """Watches a replica's statements: a state changes only under its request's lock, taken before."""

    violations: list[str] = field(default_factory=list[str])

    def watch(self, database: Database) -> None:
        engine = database._engine.sync_engine  # pyright: ignore[reportPrivateUsage]
        event.listen(engine, "begin", self._begun)
        event.listen(engine, "before_cursor_execute", self._executed)

    @staticmethod
    def _begun(connection: Connection) -> None:
        connection.info["locked"] = False

    def _executed(self, connection: Connection, _: Any, statement: str, *__: Any) -> None:
        line = " ".join(statement.split())
        if line.startswith(("UPDATE requests", "INSERT INTO requests")) or (
            line.startswith("SELECT requests.id") and "FOR NO KEY UPDATE" in line
        ):
            connection.info["locked"] = True
        changes = line.startswith(("UPDATE batches", "UPDATE phones", "INSERT INTO batches"))
        columns = re.findall(r"(\w+)=%", line.partition(" WHERE ")[0])
        lease_only = columns == ["owner", "lease_until"]
        if changes and not lease_only and not connection.info["locked"]:
            self.violations.append(line)


class Writers:
    """What replicas do, each with whatever it finds: most of it overlaps with that of others."""

    def __init__(self, database: Database, owner: str, seed: str) -> None:
        self.database = database
        self.owner = owner
        self.random = random.Random(seed)
        self.kinds: list[Callable[[], Awaitable[object]]] = [
            self.draft, self.decide, self.decide, self.cancel, self.retry,
            self.claim, self.claim, self.claim, self.acknowledge, self.acknowledge,
            self.report, self.complete, self.complete, self.requeue, self.reject,
            self.doubt, self.answer, self.reschedule, self.stall,
            self.heartbeat, self.ask, self.grant,
            self.converse, self.remove, self.deliver, self.turn, self.clean,
        ]  # fmt: skip

    async def run(self, done: Counter[str]) -> None:
        for _ in range(ROUNDS):
            kind = self.random.choice(self.kinds)
            await kind()
            done[kind.__name__] += 1

    async def _request(self, *states: RequestState) -> Request | None:
        async with self.database.read() as tx:
            found = select(RequestRow.id).where(RequestRow.state.in_([s.value for s in states]))
            ids = list((await tx.execute(found.order_by(RequestRow.id))).scalars())
            return await requests.load(tx, self.random.choice(ids)) if ids else None

    async def _batch(self, *states: BatchState) -> Batch | None:
        async with self.database.read() as tx:
            found = await batches.select_where(
                tx, BatchRow.state.in_([state.value for state in states])
            )
        return self.random.choice(found) if found else None

    async def _write(self, write: Callable[[Transaction, datetime], Awaitable[object]]) -> object:
        async with self.database.write() as tx:
            return await write(tx, jobs.utc_now())

    async def draft(self) -> None:
        tenant_id = self.random.choice(TENANTS)
        await jobs.request_approval(
            self.database, await jobs.draft(self.database, 220, *REGIONS, tenant_id=tenant_id)
        )

    async def decide(self) -> None:
        request = await self._request(RequestState.WAITING)
        if request is None:
            return
        decision = self.random.choice(
            ("approve", "approve", "approve", "reject", "expire", "remind")
        )

        async def decide(tx: Transaction, now: datetime) -> object:
            if decision == "expire":
                return await request_lifecycle.expire(tx, jobs.NOTIFY, request, now + 2 * HOUR)
            if decision == "remind":
                late, zone = now + 0.6 * HOUR, jobs.zone_where(12)
                return await urgency.remind(tx, jobs.NOTIFY, request, late, zone=zone)
            change = getattr(request_lifecycle, decision)
            return await change(tx, jobs.NOTIFY, request, comment="", actor=jobs.APPROVER, now=now)

        await self._write(decide)

    async def cancel(self) -> None:
        request = await self._request(RequestState.RUNNING)
        if request is not None and self.random.random() < 0.4:
            await self._write(
                lambda tx, now: request_lifecycle.cancel(
                    tx, jobs.NOTIFY, request, actor=jobs.ADMIN, now=now
                )
            )

    async def retry(self) -> None:
        failed = await self._request(RequestState.FINISHED, RequestState.CANCELLED)
        if failed is None:
            return
        with contextlib.suppress(RetryExistsError):
            await self._write(
                lambda tx, now: drafts.draft_retry(
                    tx, jobs.NOTIFY, jobs.new_request(failed.tenant_id), failed, now
                )
            )

    async def claim(self) -> None:
        now = jobs.utc_now()
        await lifecycle.claim(
            self.database,
            self.random.choice(TENANTS),
            self.random.choice(REGIONS),
            owner=self.owner,
            now=now,
            lease_until=now,  # so that another replica may take what this one claims
        )

    async def acknowledge(self) -> None:
        batch = await self._batch(BatchState.INTENT, BatchState.UNKNOWN)
        if batch is None:
            return
        remote = f"remote-{batch.id}-{self.random.randrange(2)}"

        async def acknowledged(tx: Transaction, now: datetime) -> None:
            await locks.requests(tx, batch.request_id)
            stored = await batches.load(tx, batch.id)
            # A batch that was put back holds no slot: its answer, if it comes, fills a fourth.
            if stored is not None and stored.state is not BatchState.PLANNED:
                await submission.acknowledge(
                    tx, batch, remote, owner=self.owner, lease_until=now, due_at=now, now=now
                )

        await self._write(acknowledged)

    async def _acquired(self, *states: BatchState) -> Batch | None:
        batch = await self._batch(*states)
        if batch is None:
            return None
        now = jobs.utc_now()
        async with self.database.write() as tx:
            if not await leases.acquire(tx, batch, owner=self.owner, now=now, lease_until=now):
                return None
        return replace(batch, owner=self.owner)

    async def report(self) -> None:
        batch = await self._acquired(BatchState.SUBMITTED)
        if batch is None:
            return
        async with self.database.read() as tx:
            phones = await batches.phones(tx, batch)
        statuses = (PhoneStatus.SIGNED_IN, PhoneStatus.FAILED, PhoneStatus.IN_PROGRESS)
        results = {
            phone_key(phone.username, phone.hardware_id): PhoneResult(self.random.choice(statuses))
            for phone in phones
        }
        with contextlib.suppress(LeaseLostError):
            await self._write(
                lambda tx, now: polling.report(tx, batch, results, owner=self.owner, now=now)
            )

    async def complete(self) -> None:
        batch = await self._acquired(BatchState.SUBMITTED)
        if batch is not None:
            await self._write(
                lambda tx, now: polling.complete(tx, jobs.NOTIFY, batch, owner=self.owner, now=now)
            )

    async def requeue(self) -> None:
        batch = await self._batch(BatchState.INTENT, BatchState.UNKNOWN)
        if batch is not None:
            await self._write(
                lambda tx, now: submission.requeue(
                    tx, jobs.NOTIFY, batch, not_before=now, error="429", now=now
                )
            )

    async def reject(self) -> None:
        batch = await self._batch(BatchState.INTENT, BatchState.NEEDS_PERSON)
        if batch is not None:
            await self._write(
                lambda tx, now: submission.reject(tx, jobs.NOTIFY, batch, "refused", now)
            )

    async def doubt(self) -> None:
        batch = await self._batch(BatchState.INTENT)
        if batch is not None:
            await self._write(
                lambda tx, now: submission.mark_unknown(
                    tx, batch, due_at=now, error="timeout", now=now
                )
            )
        unknown = await self._acquired(BatchState.UNKNOWN)
        if unknown is not None:
            await self._write(
                lambda tx, now: reconciliation.ask_approver(
                    tx, jobs.NOTIFY, unknown, owner=self.owner, error="", now=now
                )
            )

    async def answer(self) -> None:
        batch = await self._batch(BatchState.NEEDS_PERSON)
        if batch is None:
            return
        answer = self.random.randrange(3)

        async def answered(tx: Transaction, now: datetime) -> object:
            if answer == 0:
                return await reconciliation.check_again(tx, batch, actor=jobs.APPROVER, now=now)
            if answer == 1:
                return await reconciliation.confirm_not_run(
                    tx, jobs.NOTIFY, batch, actor=jobs.APPROVER, now=now
                )
            remote = f"remote-{batch.id}-2"
            return await reconciliation.confirm_ran(tx, batch, remote, actor=jobs.APPROVER, now=now)

        await self._write(answered)

    async def reschedule(self) -> None:
        batch = await self._acquired(BatchState.SUBMITTED, BatchState.UNKNOWN)
        if batch is not None:
            await self._write(
                lambda tx, now: leases.reschedule(
                    tx, batch, owner=self.owner, due_at=now, lease_until=now
                )
            )

    async def stall(self) -> None:
        """As after a failed read: the request, the batch, and the request again."""
        batch = await self._acquired(BatchState.SUBMITTED)
        if batch is None:
            return

        async def stalled(tx: Transaction, now: datetime) -> None:
            await requests.mark_unreachable(tx, batch.request_id, now)
            await leases.reschedule(
                tx, batch, owner=self.owner, due_at=now, lease_until=now, failing_since=now
            )
            await polling.mark_stalled(tx, jobs.NOTIFY, batch, owner=self.owner, now=now)

        await self._write(stalled)

    async def _running(self) -> list[str]:
        async with self.database.read() as tx:
            running = RequestRow.state == RequestState.RUNNING.value
            ids = list((await tx.execute(select(RequestRow.id).where(running))).scalars())
        return self.random.sample(ids, len(ids))

    async def heartbeat(self) -> None:
        held = await self._running()
        await self._write(lambda tx, now: delegation_leases.heartbeat(tx, held, now, now))
        await self._write(lambda tx, _: delegation_leases.end(tx, held[::2]))

    async def ask(self) -> None:
        await self._write(
            lambda tx, now: delegation_requests.ask(
                tx, jobs.NOTIFY, now, [BatchState.PLANNED, BatchState.SUBMITTED]
            )
        )

    async def grant(self) -> None:
        request = await self._request(RequestState.RUNNING)
        if request is not None:
            await self._write(
                lambda tx, now: delegation_requests.grant(
                    tx, request, now, actor=jobs.APPROVER, now=now
                )
            )

    def _channel(self) -> ConversationReference:
        tenant_id = self.random.choice(TENANTS[:2])
        # Teams gives no two tenants a conversation of the same ID.
        name = f"19:{tenant_id}-{self.random.randrange(3)}"
        return ConversationReference(
            tenant_id,
            f"{name};messageid={self.random.randrange(3)}",
            ConversationKind.CHANNEL,
            "https://x",
            "28:bot",
            "Bot",
            name,
            "team",
        )

    async def converse(self) -> None:
        """An activity arrives, perhaps a second time, and is answered."""
        reference, key = self._channel(), f"activity-{self.random.randrange(50)}"

        async def receive(tx: Transaction, now: datetime) -> None:
            if await received_activities.claim(tx, key, now):
                await conversations.remember(tx, reference, now)
                await conversations.remember(tx, reference.channel, now)

        await self._write(receive)
        post = posts.NewPost(
            reference.tenant_id, reference.conversation_id, content={"text": "hello"}
        )
        await self._write(lambda tx, now: posts.add(tx, post, now))

    async def remove(self) -> None:
        reference = self._channel().channel

        async def removed(tx: Transaction, now: datetime) -> None:
            gone = await conversations.removed(tx, reference, now)
            for post in await posts.live_in(tx, reference.tenant_id, gone):
                await jobs.NOTIFY.dead_letter(tx, post, now)

        await self._write(removed)

    async def deliver(self) -> None:
        async with self.database.read() as tx:
            due = await posts.next_due(tx, jobs.utc_now(), limit=4)
        for waiting in due:
            if not await self._write(
                lambda tx, now, key=waiting.rate_limit_key: publisher_leases.acquire(
                    tx, key, owner=self.owner, now=now, lease_until=now
                )
            ):
                continue
            async with self.database.read() as tx:
                post = await posts.load_due(tx, waiting.id)
            if post is not None:
                await self._write(
                    lambda tx, _, post=post: posts.sent(
                        tx,
                        post,
                        conversation_id=post.conversation_id,
                        activity_id=f"activity-{post.id}",
                        version=10_000,
                        final=self.random.random() < 0.5,
                    )
                )

    async def turn(self) -> None:
        async with self.database.read() as tx:
            ids = list((await tx.execute(select(PostRow.id).where(PostRow.live))).scalars())
        if ids:
            post_id = self.random.choice(ids)
            await self._write(lambda tx, _: posts.turn(tx, post_id, panel="phones", page=2))

    async def clean(self) -> None:
        await self._write(lambda tx, now: sweep(tx, now + 48 * HOUR))
        if self.random.random() < 0.2:
            await self._write(lambda tx, now: purge(tx, now))


async def test_writers_of_every_kind_neither_deadlock_nor_lose_a_transition(
    postgres_url: str,
) -> None:
    order, done = LockOrder(), Counter[str]()
    async with replicas(postgres_url, REPLICAS) as opened:
        for replica in opened:
            order.watch(replica)
        for tenant_id in TENANTS:
            for _ in range(3):
                await jobs.approved(opened[0], 420, *REGIONS, tenant_id=tenant_id)
        async with asyncio.TaskGroup() as tasks:
            for number, replica in enumerate(opened):
                for writer in range(WRITERS):
                    writers = Writers(replica, f"replica-{number}", f"{number}/{writer}")
                    tasks.create_task(writers.run(done))
        async with opened[0].read() as tx:
            assert (await tx.execute(_DEADLOCKS)).scalar_one() == 0
        tables = await rows.dump(opened[0])
    assert order.violations == []
    assert done.total() == REPLICAS * WRITERS * ROUNDS
    assert len(done) == len({kind.__name__ for kind in Writers(opened[0], "", "").kinds})
    _check(tables)


def _check(tables: dict[str, list[dict[str, Any]]]) -> None:
    ends = {state.value for state in TERMINAL_REQUEST_STATES}
    of_request: dict[str, list[BatchState]] = {row["id"]: [] for row in tables["requests"]}
    slots = Counter[tuple[str, str]]()
    for row in tables["batches"]:
        state = BatchState(row["state"])
        of_request[row["request_id"]].append(state)
        slots[row["tenant_id"], row["region"]] += state in SLOT_HOLDING_STATES
    assert max(slots.values(), default=0) <= MAX_BATCHES_PER_REGION, slots
    events = Counter((row["request_id"], row["action"]) for row in tables["events"])
    for row in tables["requests"]:
        states, state = set(of_request[row["id"]]), RequestState(row["state"])
        over = bool(states) and states <= TERMINAL_BATCH_STATES
        assert over is (state in (RequestState.FINISHED, RequestState.CANCELLED)), row
        told = sum(events[row["id"], end] for end in ends)
        assert told == (state in TERMINAL_REQUEST_STATES), row
    remote = [row["remote_batch_id"] for row in tables["batches"] if row["remote_batch_id"]]
    assert len(remote) == len(set(remote))
    ended = {row["id"] for row in tables["batches"] if row["state"] == BatchState.DONE.value}
    open_phones = {"pending", "in_progress"}
    assert not [
        row for row in tables["phones"] if row["batch_id"] in ended and row["status"] in open_phones
    ]
