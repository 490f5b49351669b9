"""Requests that run with an approver's delegation: without one they wait, over replicas too."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

import aiohttp
import pytest
from sqlalchemy import func, select

from bot.gateway import SipGateway
from bot.gateway.configapi import SCOPE, ConfigApiGateway
from bot.identity.credentials import Credentials
from bot.identity.delegations import ApproverTokens, Delegations, Principal, Proof
from bot.identity.token_service import Account, TokenService
from bot.identity.tokens import CredentialTokens, Tokens
from bot.lifecycle import delegations as lifecycle
from bot.runner.context import WorkerContext
from bot.runner.gateways import Gateways
from bot.runner.worker import Worker
from bot.settings.model import Settings
from bot.signin.request import RequestState
from bot.simulator.entra import APP_ID, BOT, SECRET
from bot.simulator.scenario import PEOPLE, Scenario
from bot.store.database import Database
from bot.store.models import PostRow
from tests.support import jobs
from tests.support.waiting import PATIENCE
from tests.support.worker_harness import SUBMIT_TIMEOUT, World, expire_leases, opened

MEGAN = PEOPLE[1]
LEASE = 0.6


class CountedDelegations(Delegations[SipGateway]):
    """Announces the worker's heartbeats: each one ends with a release."""

    _released: asyncio.Event | None = None

    async def release(self, request_ids: Collection[str]) -> None:
        await super().release(request_ids)
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
        now = jobs.utc_now()
        request = await jobs.load(self.world.database, request_id)
        async with self.world.database.write() as tx:
            until = now + timedelta(seconds=LEASE)
            assert await lifecycle.grant(tx, request, until, actor=jobs.APPROVER, now=now)
        self.worker.wake()

    async def heartbeats(self, number: int) -> None:
        """Wait for so many more of the worker's heartbeats, which are a third of a lease apart."""
        for _ in range(number):
            await self.delegations.next_heartbeat()

    async def stop(self) -> None:
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task


class Replicas:
    def __init__(self, world: World, session: aiohttp.ClientSession) -> None:
        self._world = world
        self._session = session
        self.all: list[Replica] = []

    def start(self) -> Replica:
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
                clock=jobs.utc_now,
                changed=world.changed.set,
            )
        )
        replica = Replica(world, delegations, worker, asyncio.create_task(worker.run()))
        self.all.append(replica)
        return replica


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    async with opened(database, Scenario(batch_seconds=60)) as made:
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
    replica = replicas.start()
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
        await replica.heartbeats(1)


async def test_second_replica_waits_while_first_holds_delegation_and_takes_over_when_it_stops(
    world: World, replicas: Replicas
) -> None:
    if world.database.sqlite:
        pytest.skip("one process per SQLite file")
    request_id = await jobs.approved(world.database, 450)
    first = replicas.start()
    await first.sign_in(request_id)
    await world.simulator.configapi.wait_for_submits(3, PATIENCE)
    second = replicas.start()
    await second.heartbeats(7)  # longer than two leases: the first keeps renewing its own
    assert (await world.snapshot(request_id)).delegation_wanted_since is None
    await first.stop()
    await expire_leases(world.database)
    world.simulator.configapi.finish()
    await world.until(request_id, lambda each: each.delegation_wanted_since is not None)
    await second.sign_in(request_id)
    await world.until(request_id, lambda each: each.state is RequestState.FINISHED)
    assert len(world.simulator.configapi.submits) == 5
    assert not world.simulator.configapi.run_twice
