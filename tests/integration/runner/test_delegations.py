"""Requests that run with an approver's delegation: without one they wait, over replicas too."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from sqlalchemy import func, select

from bot.gateway import SipGateway
from bot.gateway.configapi import SCOPE, ConfigApiGateway
from bot.identity.credentials import Credentials
from bot.identity.delegations import ApproverTokens, Delegation, Delegations, Principal, Proof
from bot.identity.token_service import Account, TokenService
from bot.identity.tokens import CredentialTokens, Tokens
from bot.lifecycle import batches as batch_lifecycle
from bot.lifecycle import delegations as lifecycle
from bot.lifecycle import submission
from bot.phones.region import Region
from bot.runner.context import WorkerContext
from bot.runner.gateways import Gateways
from bot.runner.worker import Worker
from bot.settings.model import Settings
from bot.signin.batch import BatchState
from bot.signin.request import RequestState
from bot.signin.snapshot import RegionWait, SlotHolder
from bot.simulator.entra import APP_ID, BOT, SECRET
from bot.simulator.scenario import PEOPLE, Call, Fault, FaultKind, Scenario
from bot.store import batches
from bot.store.database import Database
from bot.store.models.chat import PostRow
from tests.support import jobs
from tests.support.waiting import PATIENCE, until
from tests.support.worker_harness import FAST, SUBMIT_TIMEOUT, Date, World, opened

MEGAN = PEOPLE[1]
LEASE = 3600.0  # seconds, of which the test decides when they pass
# However long that is, no batch is given up.
TIMING = replace(FAST, stalled_seconds=100 * LEASE, abandoned_seconds=100 * LEASE)


class CountedDelegations(Delegations[SipGateway]):
    """Announces the worker's heartbeats: each one ends with a release."""

    _released: asyncio.Event | None = None

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        #: Granted, by request ID, between what a heartbeat reads and its next release.
        self.granted_meanwhile: list[tuple[str, ApproverTokens]] = []

    async def release(self, delegations: Collection[Delegation[SipGateway]]) -> None:
        for granted in self.granted_meanwhile:
            self.delegate(*granted)
        self.granted_meanwhile.clear()
        await super().release(delegations)
        if self._released is not None:
            self._released.set()

    async def next_heartbeat(self) -> None:
        self._released = asyncio.Event()
        async with asyncio.timeout(PATIENCE):
            await self._released.wait()


@dataclass
class Replica:
    """One process of Offhook, as far as its worker goes."""

    world: World
    date: Date
    delegations: CountedDelegations
    worker: Worker
    task: asyncio.Task[None]

    async def sign_in(self, request_id: str) -> None:
        """Delegate as `approve` and `delegate` do after checking who clicked."""
        account = Account(f"29:{MEGAN.object_id}", "a:chat", "https://service.example", "28:bot")
        who = Principal(jobs.TENANT, MEGAN.object_id, account)
        token = self.world.simulator.entra.sso(MEGAN, jobs.TENANT)
        outcome = await self.delegations.acquire(who, Proof(uuid.uuid4().hex, token))
        assert isinstance(outcome, ApproverTokens)
        self.delegations.delegate(request_id, outcome)
        now = self.date()
        request = await jobs.load(self.world.database, request_id)
        async with self.world.database.write() as tx:
            until = now + timedelta(seconds=LEASE)
            assert await lifecycle.grant(tx, request, until, actor=jobs.APPROVER, now=now)
        self.worker.wake()

    async def stop(self) -> None:
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task


class Replicas:
    def __init__(self, world: World, session: aiohttp.ClientSession) -> None:
        self._world = world
        self._session = session
        self.date = Date()
        self.all: list[Replica] = []

    async def heartbeats(self, number: int = 1) -> None:
        """Let a third of a lease pass so many times, after which each worker's next heartbeat is due."""
        for _ in range(number):
            self.date.advance(LEASE / 3)
            running = [replica for replica in self.all if not replica.task.done()]
            beats = [asyncio.ensure_future(each.delegations.next_heartbeat()) for each in running]
            for replica in running:
                replica.worker.wake()
            await asyncio.gather(*beats)

    async def start(self) -> Replica:
        """Start another one, and wait for its first heartbeat."""
        world, session = self._world, self._session
        settings = Settings(
            _env_file=None,  # pyright: ignore[reportCallIssue]
            authority_url=world.simulator.entra_url,
            app_id=APP_ID,
            app_password=SECRET,  # pyright: ignore[reportArgumentType]
            tenant_ids=(jobs.TENANT,),
        )
        credentials = Credentials(settings, session)
        own = CredentialTokens(credentials.app())

        def gateway(tokens: Tokens) -> SipGateway:
            url = world.simulator.configapi_url
            return ConfigApiGateway(
                session, url, tokens, submit_timeout=SUBMIT_TIMEOUT, pauses=(0.01,)
            )

        service = TokenService(
            session,
            settings.hosts.token_service,
            lambda: own.token(f"{BOT}/.default"),
            app_id=APP_ID,
            connection="approver",
        )
        delegations = CountedDelegations(
            service, credentials, gateway, scope=SCOPE, lease_seconds=LEASE
        )
        worker = Worker(
            WorkerContext(
                world.database,
                Gateways(world.gateway, delegations),
                jobs.NOTIFY,
                world.timing,
                owner=uuid.uuid4().hex,
                clock=self.date,
                changed=world.changed.set,
            )
        )
        task = asyncio.create_task(worker.run())
        replica = Replica(world, self.date, delegations, worker, task)
        self.all.append(replica)
        await delegations.next_heartbeat()
        return replica


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    async with opened(database, Scenario(batch_seconds=60), timing=TIMING) as made:
        yield made


@pytest.fixture
async def replicas(world: World) -> AsyncIterator[Replicas]:
    async with aiohttp.ClientSession() as session:
        made = Replicas(world, session)
        yield made
        for replica in made.all:
            await replica.stop()
            await replica.delegations.aclose()


async def cards(database: Database, request_id: str) -> int:
    async with database.read() as tx:
        counted = await tx.execute(
            select(func.count()).where(PostRow.request_id == request_id, PostRow.kind == "progress")
        )
        return counted.scalar_one()


async def test_worker_submits_nothing_before_approver_delegates(
    world: World, replicas: Replicas
) -> None:
    request_id = await jobs.approved(world.database, 150)
    assert await cards(world.database, request_id) == 1
    replica = await replicas.start()
    await world.until(request_id, lambda each: each.delegation_wanted_since is not None)
    assert not world.simulator.configapi.submits
    world.simulator.configapi.finish()
    assert await cards(world.database, request_id) == 2  # a new one asks for the delegation
    await replica.sign_in(request_id)
    done = await world.until(request_id, lambda each: each.state is RequestState.FINISHED)
    assert done.delegation_wanted_since is None
    assert len(world.simulator.configapi.submits) == 2
    assert not world.simulator.configapi.run_twice
    assert await cards(world.database, request_id) == 2
    while replica.delegations.held():  # a request that has ended releases its delegation
        await replicas.heartbeats()


async def test_second_replica_waits_while_first_holds_delegation_and_takes_over_when_it_stops(
    world: World, replicas: Replicas
) -> None:
    if world.database.sqlite:
        pytest.skip("one process per SQLite file")
    request_id = await jobs.approved(world.database, 450)
    first = await replicas.start()
    await first.sign_in(request_id)
    await submitted(world, request_id)
    second = await replicas.start()
    await replicas.heartbeats(7)  # longer than two leases: the first keeps renewing its own
    assert (await world.snapshot(request_id)).delegation_wanted_since is None
    await first.stop()
    replicas.date.advance(LEASE)
    world.simulator.configapi.finish()
    await world.until(request_id, lambda each: each.delegation_wanted_since is not None)
    await second.sign_in(request_id)
    await world.until(request_id, lambda each: each.state is RequestState.FINISHED)
    assert len(world.simulator.configapi.submits) == 5
    assert not world.simulator.configapi.run_twice


async def submitted(world: World, request_id: str) -> None:
    """Wait until the SIP Gateway has answered the submits of as many batches as run at once."""
    await world.until(
        request_id, lambda each: each.regions[0].batches.get(BatchState.SUBMITTED) == 3
    )


async def orphaned(world: World, replicas: Replicas, phones: int) -> str:
    """A request of three submitted batches or more, whose delegation went with its replica."""
    request_id = await jobs.approved(world.database, phones)
    replica = await replicas.start()
    await replica.sign_in(request_id)
    await submitted(world, request_id)
    await replica.stop()
    replicas.date.advance(LEASE)
    return request_id


def holder(request_id: str, *, signed_out: bool) -> SlotHolder:
    return SlotHolder(request_id, jobs.ADMIN.object_id, signed_out=signed_out, asks=False)


async def test_submitted_batches_are_followed_with_delegation_of_another_request(
    world: World, replicas: Replicas
) -> None:
    orphan_id = await orphaned(world, replicas, 450)
    request_id = await jobs.approved(world.database, 50, first=1000)
    waiting = await world.snapshot(request_id)
    assert waiting.waits == [RegionWait(Region.EMEA, [holder(orphan_id, signed_out=False)])]
    replica = await replicas.start()
    await world.until(orphan_id, lambda each: each.delegation_wanted_since is not None)
    version = waiting.version
    waiting = await world.snapshot(request_id)
    assert waiting.waits == [RegionWait(Region.EMEA, [holder(orphan_id, signed_out=True)])]
    assert waiting.version > version  # so its card says so
    world.simulator.configapi.finish()
    await replica.sign_in(request_id)
    await world.until(request_id, lambda each: each.state is RequestState.FINISHED)
    orphan = await world.until(orphan_id, lambda each: each.phones_by_status.signed_in == 300)
    # What it has not sent waits for a delegation of its own.
    assert orphan.delegation_wanted_since is not None
    assert orphan.phones_by_status.pending == 150
    assert len(world.simulator.configapi.submits) == 4
    await replica.sign_in(orphan_id)
    await world.until(orphan_id, lambda each: each.state is RequestState.FINISHED)
    assert not world.simulator.configapi.run_twice


async def test_lent_delegation_serves_its_own_request_when_another_batch_is_denied(
    world: World, replicas: Replicas
) -> None:
    orphan_id = await orphaned(world, replicas, 300)
    world.simulator.faults.add(
        Fault(call=Call.BATCH_STATUS, fault=FaultKind.FORBIDDEN, message="Access Denied")
    )
    request_id = await jobs.approved(world.database, 50, first=1000)
    replica = await replicas.start()
    await world.until(orphan_id, lambda each: each.delegation_wanted_since is not None)
    await replica.sign_in(request_id)
    await until(lambda: not replica.delegations.lending_tenants())
    await replicas.heartbeats(2)
    assert replica.delegations.held() == {request_id}
    for each in (orphan_id, request_id):
        assert (await world.snapshot(each)).refused == ""
    assert (await world.snapshot(request_id)).delegation_wanted_since is None
    world.simulator.configapi.finish()
    await replica.sign_in(orphan_id)
    await world.until(orphan_id, lambda each: each.state is RequestState.FINISHED)
    await world.until(request_id, lambda each: each.state is RequestState.FINISHED)
    assert len(world.simulator.configapi.submits) == 4


async def test_delegation_granted_while_an_older_one_is_released_is_kept(
    world: World, replicas: Replicas
) -> None:
    request_id = await jobs.approved(world.database, 450)
    replica = await replicas.start()
    await replica.sign_in(request_id)
    await world.simulator.configapi.wait_for_submits(3, PATIENCE)
    older = replica.delegations.for_request(request_id)
    assert older is not None
    replica.delegations.granted_meanwhile.append((request_id, older.tokens))
    replica.delegations.deny(older)
    await replicas.heartbeats()
    newer = replica.delegations.for_request(request_id)
    assert newer is not None
    assert newer is not older
    world.simulator.configapi.finish()
    await world.until(request_id, lambda each: each.state is RequestState.FINISHED)
    assert len(world.simulator.configapi.submits) == 5


async def test_time_without_a_delegation_is_not_counted_as_silence(database: Database) -> None:
    request_id = await jobs.approved(database, 3)
    now = jobs.utc_now()
    due_at = now - timedelta(days=2)
    (batch,) = await batch_lifecycle.claim(
        database, jobs.TENANT, Region.EMEA, owner="a", now=due_at, lease_until=due_at
    )
    request = await jobs.load(database, request_id)
    async with database.write() as tx:
        assert await submission.acknowledge(
            tx, batch, "AB-12", owner="a", lease_until=due_at, due_at=due_at, now=due_at
        )
        assert await lifecycle.grant(tx, request, now, actor=jobs.APPROVER, now=now)
        granted = await batches.load(tx, batch.id)
    assert granted is not None
    assert (granted.due_at, granted.failing_since) == (now, due_at)
