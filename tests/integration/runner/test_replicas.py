"""Several publishers on one database: one writes to a conversation, another takes over when it dies."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text

from bot.lifecycle import batches as lifecycle
from bot.phones.region import Region
from bot.runner.messages import Message, Sent
from bot.runner.projection import Projected, Projection
from bot.runner.publisher import Publisher
from bot.store import conversations, locks, posts, publisher_leases
from bot.store import database as store
from bot.store.conversations import ConversationKind, ConversationReference
from bot.store.database import Database, Transaction
from bot.store.models.chat import PublisherLeaseRow
from tests.support import jobs
from tests.support.waiting import PATIENCE
from tests.support.worker_harness import FAST

MESSAGES, CONVERSATIONS = 60, 6
TIMING = replace(FAST, lease_margin_seconds=30.0)


class RecordingMessenger:
    """A chat that takes a moment for each message, as Teams does."""

    def __init__(self, done: Callable[[int], None]) -> None:
        self.sent: list[str] = []
        self._done = done

    async def send(self, conversation: ConversationReference, message: Message) -> Sent:
        await asyncio.sleep(0.01)
        self.sent.append(message.text)
        self._done(len(self.sent))
        return Sent(conversation.conversation_id, f"activity-{len(self.sent)}")

    async def update(
        self, conversation: ConversationReference, activity_id: str, message: Message
    ) -> None:
        raise AssertionError("a fixed message is never updated")


def publisher(database: Database, messenger: RecordingMessenger, owner: str) -> Publisher:
    return Publisher(
        database,
        messenger,
        Projection(jobs.NOTIFY.words),
        jobs.NOTIFY,
        timing=TIMING,
        owner=owner,
        clock=jobs.utc_now,
        monotonic=time.monotonic,
    )


async def add_messages(database: Database, messages: int = MESSAGES) -> None:
    async with database.write() as tx:
        for number in range(messages):
            conversation_id = f"a:chat-{number % CONVERSATIONS}"
            reference = ConversationReference(
                jobs.TENANT,
                conversation_id,
                ConversationKind.PERSONAL,
                "https://x",
                "28:bot",
                "Bot",
            )
            await conversations.remember(tx, reference, jobs.utc_now())
            new = posts.NewPost(jobs.TENANT, conversation_id, content={"text": f"message {number}"})
            await posts.add(tx, new, jobs.utc_now())


async def test_three_replicas_send_each_message_once(new_database_url: Callable[[], str]) -> None:
    url = new_database_url()
    replicas = [Database(url) for _ in range(3)]
    for replica in replicas:
        await replica.open(alone=False)
    if replicas[0].sqlite:  # one process at a time: its publisher is the only one
        replicas = replicas[:1]
    await add_messages(replicas[0])
    finished = asyncio.Event()

    def done(count: int) -> None:
        if count >= MESSAGES:
            finished.set()

    messenger = RecordingMessenger(done)
    tasks = [
        asyncio.create_task(publisher(replica, messenger, f"replica-{number}").run())
        for number, replica in enumerate(replicas)
    ]
    async with asyncio.timeout(3 * PATIENCE):
        await finished.wait()
    for task in tasks:
        task.cancel()
    for task in tasks:
        with suppress(asyncio.CancelledError):
            await task
    async with replicas[0].read() as tx:
        left = await tx.execute(PublisherLeaseRow.__table__.select())
        assert left.all() == []  # released by those that stopped
        assert await posts.backlog(tx) == 0
    for replica in replicas:
        await replica.close()
    assert Counter(messenger.sent) == {f"message {n}": 1 for n in range(MESSAGES)}


async def test_publisher_takes_over_only_when_the_lease_has_expired(database: Database) -> None:
    now = jobs.utc_now()
    minute = timedelta(minutes=1)
    async with database.write() as tx:
        for owner, moment, acquired in (
            ("a", now, True),
            ("b", now, False),
            ("a", now + minute / 2, True),
            ("b", now + minute, False),
            ("b", now + 2 * minute, True),
            ("a", now + 2 * minute, False),
        ):
            assert acquired is await publisher_leases.acquire(
                tx, "a:chat", owner=owner, now=moment, lease_until=moment + minute
            )


class Time:
    """One clock for UTC and for the monotonic time, set by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._start = jobs.utc_now()

    def monotonic(self) -> float:
        return self.seconds

    def utc(self) -> datetime:
        return self._start + timedelta(seconds=self.seconds)


@dataclass(frozen=True)
class PausedProjection(Projection):
    """Stops a publisher between taking its lease and sending, as SIGSTOP would."""

    entered: asyncio.Event = field(default_factory=asyncio.Event)
    resumed: asyncio.Event = field(default_factory=asyncio.Event)

    async def post(self, tx: Transaction, post: posts.Post) -> Projected | None:
        self.entered.set()
        await self.resumed.wait()
        return await super().post(tx, post)


async def test_publisher_paused_past_its_lease_does_not_send_what_another_has_sent(
    postgres_url: str,
) -> None:
    replicas = Database(postgres_url), Database(postgres_url)
    for replica in replicas:
        await replica.open()
    finished = asyncio.Event()
    messenger = RecordingMessenger(lambda _: finished.set())
    time = Time()
    paused = PausedProjection(jobs.NOTIFY.words)

    def start(database: Database, projection: Projection, owner: str) -> asyncio.Task[None]:
        publisher = Publisher(
            database,
            messenger,
            projection,
            jobs.NOTIFY,
            timing=TIMING,
            owner=owner,
            clock=time.utc,
            monotonic=time.monotonic,
        )
        return asyncio.create_task(publisher.run())

    async def stop(publisher: asyncio.Task[None]) -> None:
        publisher.cancel()
        with suppress(asyncio.CancelledError):
            await publisher

    await add_messages(replicas[0], 1)
    async with asyncio.timeout(PATIENCE):
        first = start(replicas[0], paused, "a")
        await paused.entered.wait()
        time.seconds += TIMING.lease_margin_seconds + 1
        second = start(replicas[1], Projection(jobs.NOTIFY.words), "b")
        await finished.wait()
        await stop(second)
        paused.resumed.set()
        await stop(first)  # lets the delivery that was paused come to its end
    assert messenger.sent == ["message 0"]
    for replica in replicas:
        await replica.close()


async def test_card_that_cannot_be_drawn_becomes_a_text_with_its_reference(
    database: Database,
) -> None:
    request_id = await jobs.approved(database, 3)
    finished = asyncio.Event()

    def done(count: int) -> None:
        if count >= 2:
            finished.set()

    messenger = RecordingMessenger(done)
    async with database.write() as tx:
        await tx.execute(text("UPDATE phones SET status = 'no such status'"))
        await tx.execute(text("DELETE FROM posts"))
        reference = ConversationReference(
            jobs.TENANT, jobs.CHAT, ConversationKind.PERSONAL, "https://x", "28:bot", "Bot"
        )
        await conversations.remember(tx, reference, jobs.utc_now())
        card = posts.NewPost(jobs.TENANT, jobs.CHAT, kind="progress", request_id=request_id)
        await posts.add(tx, card, jobs.utc_now())
        after = posts.NewPost(jobs.TENANT, jobs.CHAT, content={"text": "the next message"})
        await posts.add(tx, after, jobs.utc_now())
    task = asyncio.create_task(publisher(database, messenger, "a").run())
    async with asyncio.timeout(PATIENCE):
        await finished.wait()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    fallback, following = messenger.sent[:2]
    assert request_id in fallback
    assert following == "the next message"


async def test_paused_writer_does_not_stop_the_others(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A replica paused in the middle of a transaction loses it, and with it the locks it held."""
    paused, other = Database(postgres_url), Database(postgres_url)
    await paused.open()
    request_id = await jobs.approved(paused, 3)
    limits = str(store._LIMIT_TIME)  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(store, "_LIMIT_TIME", text(limits.replace("15s", "300ms")))
    entered = asyncio.Event()
    finish = asyncio.Event()

    async def pause() -> None:
        async with paused.write() as tx:
            await locks.slots(tx, jobs.TENANT, Region.EMEA)
            await locks.requests(tx, request_id)
            entered.set()
            await finish.wait()

    task = asyncio.create_task(pause())
    await entered.wait()
    now = jobs.utc_now()
    async with asyncio.timeout(PATIENCE):
        claimed = await lifecycle.claim(
            other, jobs.TENANT, Region.EMEA, owner="b", now=now, lease_until=now
        )
        assert [batch.request_id for batch in claimed] == [request_id]
    finish.set()
    with suppress(Exception):
        await task
    await paused.close()
    await other.close()
