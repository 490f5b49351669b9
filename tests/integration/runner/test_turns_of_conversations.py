"""The publisher's turns: one conversation's thousands of posts delay no other, and none is kept forever."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from sqlalchemy import insert

from bot.runner.messages import Message, Sent
from bot.runner.projection import Projection
from bot.runner.publisher import Publisher
from bot.store import conversations, posts
from bot.store.conversations import ConversationKind, ConversationReference
from bot.store.database import Database
from bot.store.models.chat import PostRow
from tests.support import jobs
from tests.support.worker_harness import FAST

MANY = 5000


class Chat:
    """A chat that notes where messages go."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    async def send(self, conversation: ConversationReference, message: Message) -> Sent:
        del message
        self.sent.append(conversation.conversation_id)
        return Sent(conversation.conversation_id, f"activity-{len(self.sent)}")

    async def update(
        self, conversation: ConversationReference, activity_id: str, message: Message
    ) -> None:
        raise AssertionError("a fixed message is never updated")


class Rounds:
    """A publisher whose rounds a test runs one by one, by a clock of its own."""

    def __init__(self, database: Database) -> None:
        self.chat = Chat()
        self.moment = 1000.0
        self._publisher = Publisher(
            database,
            self.chat,
            Projection(jobs.NOTIFY.words),
            jobs.NOTIFY,
            timing=FAST,
            owner="here",
            clock=jobs.utc_now,
            monotonic=lambda: self.moment,
        )

    async def run(self) -> None:
        """One round, and the deliveries that it starts."""
        await self._publisher._round()  # pyright: ignore[reportPrivateUsage]
        deliveries = self._publisher._deliveries  # pyright: ignore[reportPrivateUsage]
        await asyncio.gather(*deliveries.values())

    @property
    def known(self) -> set[str]:
        """Keys of the conversations that the publisher keeps in memory."""
        return set(self._publisher._conversations)  # pyright: ignore[reportPrivateUsage]


async def add_messages(database: Database, conversation_ids: Iterable[str]) -> None:
    now = jobs.utc_now()
    columns = {"tenant_id": jobs.TENANT, "content": {"text": "hello"}, "created_at": now}
    new = [{**columns, "conversation_id": conversation_id} for conversation_id in conversation_ids]
    async with database.write() as tx:
        for conversation_id in {str(row["conversation_id"]) for row in new}:
            reference = ConversationReference(
                jobs.TENANT,
                conversation_id,
                ConversationKind.PERSONAL,
                "https://smba.example",
                "28:bot",
                "Bot",
            )
            await conversations.remember(tx, reference, now)
        await tx.execute(insert(PostRow), new)


async def test_thousands_of_posts_of_one_conversation_delay_no_other(database: Database) -> None:
    rounds = Rounds(database)
    await add_messages(database, ["a:flood"] * MANY)
    await rounds.run()
    assert rounds.chat.sent == ["a:flood"]
    await add_messages(database, ["a:other"])
    await rounds.run()
    assert rounds.chat.sent.count("a:other") == 1
    assert rounds.chat.sent.count("a:flood") == 2
    async with database.read() as tx:
        assert await posts.backlog(tx) == MANY - 2


async def test_publisher_forgets_conversations_that_are_idle_for_an_hour(
    database: Database,
) -> None:
    rounds = Rounds(database)
    names = {f"a:{number}" for number in range(20)}
    await add_messages(database, names)
    for _ in range(5):
        await rounds.run()
    assert set(rounds.chat.sent) == rounds.known == names
    rounds.moment += 3599
    await add_messages(database, ["a:0"])
    await rounds.run()
    assert rounds.known == names  # Teams' limit of an hour still counts what was sent
    rounds.moment += 2
    await rounds.run()
    assert rounds.known == {"a:0"}
