"""The publisher while chat is down: posts wait, and the outage is logged once."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import replace

from structlog.testing import capture_logs

from bot.runner.messages import ChatUnavailableError, Message, Sent
from bot.runner.projection import Projection
from bot.runner.publisher import Publisher
from bot.store import conversations, posts
from bot.store.conversations import ConversationKind, ConversationReference
from bot.store.database import Database
from tests.support import jobs, rows
from tests.support.waiting import PATIENCE
from tests.support.worker_harness import FAST


class FailingMessenger:
    """A chat that is down for its first calls."""

    def __init__(self, *, failures: int) -> None:
        self._failures = failures
        self.calls = 0
        self.sent: list[str] = []
        self.delivered = asyncio.Event()

    async def send(self, conversation: ConversationReference, message: Message) -> Sent:
        self.calls += 1
        if self.calls <= self._failures:
            raise ChatUnavailableError("503")
        self.sent.append(message.text)
        self.delivered.set()
        return Sent(conversation.conversation_id, "activity-1")

    async def update(
        self, conversation: ConversationReference, activity_id: str, message: Message
    ) -> None:
        raise AssertionError("a fixed message is never updated")


async def add_message(database: Database, text: str) -> None:
    reference = ConversationReference(
        jobs.TENANT, jobs.CHAT, ConversationKind.PERSONAL, "https://smba.example", "28:bot", "Bot"
    )
    async with database.write() as tx:
        await conversations.remember(tx, reference, jobs.utc_now())
        await posts.add(
            tx,
            posts.NewPost(jobs.TENANT, jobs.CHAT, content={"text": text}),
            jobs.utc_now(),
        )


async def test_outage_is_logged_once_however_many_deliveries_fail(database: Database) -> None:
    failures = 5
    messenger = FailingMessenger(failures=failures)
    publisher = Publisher(
        database,
        messenger,
        Projection(jobs.NOTIFY.words),
        jobs.NOTIFY,
        timing=replace(FAST, idle_seconds=3600.0),  # a retry is not left to a look now and then
        owner="here",
        clock=jobs.utc_now,
        monotonic=time.monotonic,
    )
    await add_message(database, "hello")
    with capture_logs() as logs:
        task = asyncio.create_task(publisher.run())
        async with asyncio.timeout(PATIENCE):
            await messenger.delivered.wait()
        task.cancel()  # lets the delivery in flight be recorded
        with suppress(asyncio.CancelledError):
            await task
    assert messenger.sent == ["hello"]
    (post,) = (await rows.dump(database))["posts"]
    assert (post["activity_id"], post["attempts"], post["live"]) == ("activity-1", 0, False)
    unavailable = [entry for entry in logs if entry["event"] == "chat.unavailable"]
    assert [entry["log_level"] for entry in unavailable] == ["warning"] + ["debug"] * (failures - 1)
    assert {(entry["reason"], entry["post"]) for entry in unavailable} == {("503", post["id"])}
    recovered = [entry for entry in logs if entry["event"] == "chat.recovered"]
    assert [(entry["log_level"], entry["failures"]) for entry in recovered] == [("info", failures)]
