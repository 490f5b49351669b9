"""Requests that run with people's rights: where nobody is signed in they wait, over replicas too."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
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
from bot.lifecycle.notifications import Notifications
from bot.runner.worker import Worker
from bot.settings.model import REQUESTER_CHAT, Settings
from bot.signin.request import RequestState
from bot.simulator.entra import APP_ID, BOT, SECRET
from bot.simulator.scenario import PEOPLE, Scenario
from bot.store import batches, requests
from bot.store.database import Database
from bot.store.models import PostRow
from bot.words import Words
from tests.support import jobs
from tests.support.worker_harness import World, opened

MEGAN = PEOPLE[1]
LEASE = 0.6


@dataclass
class Replica:
    """One process of the service, as far as its worker goes."""

    world: World
    delegations: Delegations[SipGateway]
    worker: Worker
    task: asyncio.Task[None]

    async def sign_in(self, request_id: str) -> None:
        """What `approve` and `sign_in` do after they have checked who clicked."""
        account = Account(f"29:{MEGAN.object_id}", "a:chat", "https://service.example", "28:bot")
        who = Principal(jobs.TENANT, MEGAN.object_id, account)
        token = self.world.simulator.entra.sso(MEGAN, jobs.TENANT)
        outcome = await self.delegations.acquire(who, Proof(uuid.uuid4().hex, token))
        assert isinstance(outcome, ApproverTokens)
        self.delegations.delegate(request_id, outcome)
        now = jobs.utc_now()
        async with self.world.database.write() as tx:
            until = now + timedelta(seconds=LEASE)
            assert await requests.signed_in(tx, request_id, until, actor=jobs.APPROVER, now=now)
            await batches.look_now(tx, request_id, now)
        self.worker.wake()

    async def die(self) -> None:
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
                session, url, tokens, submit_timeout=1.0, read_timeout=2.0, pauses=(0.01,)
            )

        service = TokenService(
            session,
            settings.hosts.token_service,
            lambda: own.token(f"{BOT}/.default"),
            app_id=APP_ID,
            connection="approver",
        )
        delegations = Delegations(service, credentials, gateway, scope=SCOPE, lease=LEASE)
        worker = Worker(
            world.database,
            world.gateway,
            Notifications(REQUESTER_CHAT, REQUESTER_CHAT, Words()),
            timing=world.timing,
            owner=uuid.uuid4().hex,
            clock=jobs.utc_now,
            changed=world.changed.set,
            delegations=delegations,
        )
        replica = Replica(world, delegations, worker, asyncio.create_task(worker.run()))
        self.all.append(replica)
        return replica


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    async with opened(database, Scenario(batch_seconds=2.0), submit_timeout=1.0) as made:
        yield made


@pytest.fixture
async def replicas(world: World) -> AsyncIterator[Replicas]:
    async with aiohttp.ClientSession() as session:
        made = Replicas(world, session)
        yield made
        for replica in made.all:
            await replica.die()
            await replica.delegations.aclose()


async def cards(database: Database, request_id: str) -> int:
    async with database.read() as tx:
        counted = await tx.execute(
            select(func.count()).where(PostRow.request_id == request_id, PostRow.kind == "progress")
        )
        return counted.scalar_one()


async def test_nothing_is_sent_before_somebody_signs_in(world: World, replicas: Replicas) -> None:
    request_id = await jobs.approved(world.database, 150)
    replica = replicas.start()
    await world.until(request_id, lambda each: each.delegation_wanted_since is not None)
    assert not world.simulator.configapi.submits
    assert await cards(world.database, request_id) == 1
    await replica.sign_in(request_id)
    done = await world.until(request_id, lambda each: each.state is RequestState.FINISHED)
    assert done.delegation_wanted_since is None
    assert len(world.simulator.configapi.submits) == 2
    assert not world.simulator.configapi.run_twice
    assert await cards(world.database, request_id) == 1
    async with asyncio.timeout(10):
        while replica.delegations.held():  # what has ended keeps nobody's rights
            await asyncio.sleep(0.05)


async def test_another_replica_leaves_it_alone_and_takes_over_when_the_first_is_gone(
    world: World, replicas: Replicas
) -> None:
    if world.database.sqlite:
        pytest.skip("one process at a time")
    request_id = await jobs.approved(world.database, 450)
    first = replicas.start()
    await first.sign_in(request_id)
    await world.simulator.configapi.wait_for_submits(3, 10)
    second = replicas.start()
    await asyncio.sleep(2 * LEASE)  # longer than a word of the first would last by itself
    assert (await world.snapshot(request_id)).delegation_wanted_since is None
    await first.die()
    await world.until(request_id, lambda each: each.delegation_wanted_since is not None)
    await second.sign_in(request_id)
    await world.until(request_id, lambda each: each.state is RequestState.FINISHED)
    assert len(world.simulator.configapi.submits) == 5
    assert not world.simulator.configapi.run_twice
