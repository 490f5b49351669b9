"""Everything around one example: a clock, replicas, a SIP Gateway, a chat, and people who click."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import structlog

from bot.phones.region import Region
from bot.runner.deadlines import Deadlines
from bot.runner.projection import Projection
from bot.runner.publisher import Publisher
from bot.signin.request import RequestState
from bot.store import conversations
from bot.store.posts import Post
from tests.stateful.chat import Chatroom
from tests.stateful.databases import ObservedDatabase
from tests.stateful.ledger import Call, Fate
from tests.stateful.oracles import Oracles
from tests.stateful.people import REFERENCE, WORDS, People, commands
from tests.stateful.replica import TIMING, Clock, Replica
from tests.support import outbox
from tests.support.jobs import NOTIFY


class World:
    def __init__(self, database: ObservedDatabase, submit_timeout: float) -> None:
        self.database = database
        self.clock = Clock()
        self.oracles = Oracles(database, self.clock, submit_timeout)
        self.observer = self.oracles.observer
        database.observer = self.observer
        self.ledger = self.oracles.ledger
        self.did = self.oracles.did
        self.replicas: list[Replica] = []
        self.chat = Chatroom()
        projection = Projection(WORDS)
        self.publisher = Publisher(
            database,
            self.chat,
            projection,
            NOTIFY,
            timing=TIMING,
            owner="publisher",
            clock=self.clock,
            monotonic=self.clock.monotonic,
        )
        self.deadlines = Deadlines(
            database, NOTIFY, timing=TIMING, clock=self.clock, changed=lambda: None
        )
        self.people = People(
            database,
            self.ledger,
            self.clock,
            self.oracles,
            commands(database, self.ledger, self.clock, projection),
        )
        self._log = structlog.get_config()

    async def open(self) -> None:
        structlog.configure(
            processors=[self.oracles.watch],
            wrapper_class=structlog.make_filtering_bound_logger(0),
            cache_logger_on_first_use=False,
        )
        await self.database.empty()
        async with self.database.write() as tx:
            await conversations.remember(tx, REFERENCE, self.clock())

    async def close(self) -> None:
        for replica in self.replicas:
            await replica.kill()
        self.database.observer = None
        structlog.configure(**self._log)

    # Processes --------------------------------------------------------------------------------

    def start(self, *, sole: bool) -> Replica:
        replica = Replica(
            f"replica-{len(self.replicas) + 1}",
            self.database,
            self.ledger,
            self.clock,
            sole=sole,
        )
        self.replicas.append(replica)
        return replica

    async def kill(self, replica: Replica) -> None:
        await replica.kill()
        self.ledger.forget(replica.process)

    async def work(self, seconds: float) -> None:
        """Time passes, and every worker does all that it can."""
        await self.tick(seconds)
        for replica in self.replicas:
            if replica.working:
                await replica.run()

    async def ask(
        self, regions: list[Region], *, bad_row: bool = False, approve: bool = True
    ) -> None:
        request_id = await self.people.draft(regions, with_bad_row=bad_row)
        await self.people.request_approval(request_id)
        if approve:
            await self.people.approve(request_id)

    async def answer(self, call: Call, fate: Fate) -> None:
        """The answer to a submit; `fate` unless that is decided already."""
        if call.fate is None:
            self.ledger.arrive(call, fate)
        self.did[f"submit {call.fate}"] += 1
        await self.ledger.deliver(call)

    # Time -------------------------------------------------------------------------------------

    async def tick(self, seconds: float) -> None:
        self.clock.now += timedelta(seconds=seconds)
        await self.ledger.time_passed()

    async def pass_deadlines(self) -> None:
        await self.deadlines._round()  # pyright: ignore[reportPrivateUsage]

    async def publish(self) -> None:
        """One round of the publisher, and the deliveries that it starts."""
        await self.publisher._round()  # pyright: ignore[reportPrivateUsage]
        deliveries = self.publisher._deliveries  # pyright: ignore[reportPrivateUsage]
        await asyncio.gather(*deliveries.values())

    def running(self) -> list[str]:
        images = self.observer.committed.requests
        return [id_ for id_, row in images.items() if row.state is RequestState.RUNNING]

    async def check_chat(self) -> None:
        """With time, every card shows its request as it is."""
        self.chat.up = True
        due: list[Post] = []
        for _ in range(200):
            async with self.database.read() as tx:
                due = await outbox.due(tx)
            if not due:
                return
            await self.publish()
            self.clock.now += timedelta(seconds=TIMING.card_seconds)
        raise AssertionError(f"{len(due)} posts are never delivered")
