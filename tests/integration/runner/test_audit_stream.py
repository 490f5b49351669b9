"""The audit's webhook: every event, in order, signed, whatever fails; on both databases."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import aiohttp
import pytest
from sqlalchemy import delete, text
from structlog.testing import capture_logs

from bot.runner.audit_stream import AuditStream
from bot.runner.webhook import Webhook, signature
from bot.signin.timing import Timing
from bot.store import audit, audit_export, audit_progress
from bot.store.audit_progress import Progress
from bot.store.chain import Verifier
from bot.store.database import Database
from bot.store.models.audit import EventRow, LinkRow
from bot.store.purge import purge
from tests.support import jobs
from tests.support.receiver import KEY, Receiver, receiving
from tests.support.tampering import unprotect


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


class Replica(AuditStream):
    """With a clock of its own."""

    def __init__(
        self, database: Database, webhook: Webhook, owner: str, now: datetime | None = None
    ) -> None:
        self.now = now or jobs.utc_now()
        super().__init__(
            database,
            webhook,
            Timing(),
            owner=owner,
            clock=lambda: self.now,
            monotonic=lambda: self.now.timestamp(),
        )


def replica(
    database: Database, receiver: Receiver, session: aiohttp.ClientSession, owner: str = "one"
) -> Replica:
    return Replica(database, Webhook(session, receiver.url, KEY), owner)


async def record(database: Database, count: int, **detail: str) -> None:
    async with database.write() as tx:
        for number in range(count):
            await audit.record(
                tx, None, "tested", jobs.utc_now(), jobs.ADMIN, number=number, **detail
            )


async def behind(database: Database) -> int:
    async with database.read() as tx:
        return (await audit_progress.behind(tx, Progress.WEBHOOK)).events


def test_signature_is_that_of_the_specification() -> None:
    # The example of its reference libraries.
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    message_id, body = "msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}'
    expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert signature(key, message_id, 1614265330, body) == expected


async def test_every_event_is_delivered_once_in_order_and_verifies(
    database: Database, receiver: Receiver, session: aiohttp.ClientSession
) -> None:
    await record(database, 130, comment="ünï \u2028 |")
    async with database.write() as tx:
        await purge(tx, jobs.utc_now(), audit_before=jobs.utc_now())
    await record(database, 20)
    stream = replica(database, receiver, session)
    assert [await stream.deliver() for _ in range(3)] == [0.0, 0.0, Timing().idle_seconds]
    assert [message_id.rpartition("-")[0] for message_id, _ in receiver.accepted] == [
        "audit-1-100",
        "audit-101-151",
    ]
    assert await behind(database) == 0
    verifier = Verifier()
    for event in receiver.events:
        assert verifier.add(*audit_export.read(json.dumps(event)))
    assert verifier.end() is None
    assert verifier.links == 151
    await record(database, 1)
    await stream.deliver()
    assert receiver.accepted[-1][0].startswith("audit-152-152-")


async def test_outage_loses_nothing_and_is_logged_once(
    database: Database, receiver: Receiver, session: aiohttp.ClientSession
) -> None:
    await record(database, 3)
    receiver.answers = [
        (503, {}),
        (302, {"Location": receiver.url}),
        (429, {"Retry-After": "1200"}),
        (410, {}),
    ]
    stream = replica(database, receiver, session)
    with capture_logs() as logged:
        waits = [await stream.deliver() for _ in range(4)]
        assert await behind(database) == 3
        stream.now += timedelta(days=1)
        assert await stream.deliver() == 0.0
    assert waits[0] < waits[1] < waits[3]
    assert waits[2] >= 1200
    assert receiver.calls == 5
    assert [message_id.rpartition("-")[0] for message_id, _ in receiver.accepted] == ["audit-1-3"]
    lines = [line for line in logged if line["log_level"] != "debug"]
    assert [line["event"] for line in lines] == [
        "webhook.unavailable",
        "webhook.recovered",
    ]
    assert (lines[0]["reason"], lines[1]["failures"]) == ("HTTP 503", 4)
    assert lines[1]["seconds"] == 86400.0
    assert "hunter2" not in str(logged)


async def test_receiver_that_is_not_there_is_an_outage(
    database: Database, session: aiohttp.ClientSession
) -> None:
    await record(database, 1)
    async with receiving() as gone:
        pass
    stream = replica(database, gone, session)
    with capture_logs() as logged:
        assert await stream.deliver() > 0
    assert logged[0]["reason"] == "ClientConnectorError"
    assert await Webhook(session, gone.url, KEY).probe() == "ClientConnectorError"


async def test_too_large_messages_are_split(
    database: Database, receiver: Receiver, session: aiohttp.ClientSession
) -> None:
    receiver.max_lines = 30
    await record(database, 60)
    stream = replica(database, receiver, session)
    while await behind(database):
        await stream.deliver()
    assert [len(lines) for _, lines in receiver.accepted] == [25, 25, 10]
    await record(database, 3, comment="x" * 300_000)
    while await behind(database):
        await stream.deliver()
    assert [len(lines) for _, lines in receiver.accepted[3:]] == [1, 1, 1]


async def test_one_replica_delivers_and_another_goes_on_after_it_died(
    database: Database, receiver: Receiver, session: aiohttp.ClientSession
) -> None:
    await record(database, 2)
    one, two = (replica(database, receiver, session, owner) for owner in ("one", "two"))
    receiver.answers = [(503, {})]
    await one.deliver()
    await two.deliver()
    assert receiver.calls == 1  # the first still holds the lease
    two.now += timedelta(minutes=2)
    await two.deliver()
    assert [message_id.rpartition("-")[0] for message_id, _ in receiver.accepted] == ["audit-1-2"]
    await one.deliver()
    assert receiver.calls == 2


@pytest.mark.parametrize("restored", [False, True])
async def test_only_the_same_events_are_sent_again_under_their_id(
    database: Database, receiver: Receiver, session: aiohttp.ClientSession, restored: bool
) -> None:
    """That they were accepted was not recorded; or a backup was restored, and others have their numbers."""
    await record(database, 2)
    stream = replica(database, receiver, session)
    await stream.deliver()
    async with database.write() as tx:
        reached = await audit_progress.read(tx, Progress.WEBHOOK)
        start = audit_progress.Anchor(0, "")
        assert await audit_progress.advance(
            tx, Progress.WEBHOOK, reached.anchor, start, jobs.utc_now()
        )
        if restored:
            await unprotect(tx)
            await tx.execute(delete(LinkRow))
            await tx.execute(delete(EventRow))
    if restored:
        await record(database, 2)
    await stream.deliver()
    first, second = (message_id for message_id, _ in receiver.accepted)
    assert first.startswith("audit-1-2-")
    assert second.startswith("audit-1-2-")
    assert (first == second) is not restored


@pytest.mark.parametrize(
    "tamper",
    ["DELETE FROM audit_chain WHERE seq = 3", "UPDATE audit_chain SET entry = 'x' WHERE seq = 3"],
)
async def test_broken_chain_does_not_stop_the_stream(
    database: Database, receiver: Receiver, session: aiohttp.ClientSession, tamper: str
) -> None:
    await record(database, 2)
    stream = replica(database, receiver, session)
    await stream.deliver()
    await record(database, 3)
    async with database.write() as tx:
        await unprotect(tx)
        await tx.execute(text(tamper))
    assert await behind(database) == 3
    await stream.deliver()
    assert receiver.events[-1]["metadata"]["sequence"] == 5
    assert await behind(database) == 0
