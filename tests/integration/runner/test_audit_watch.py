"""The watch over the audit's chain: anchors in the log and in a channel, and an error once it is broken."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from sqlalchemy import update
from structlog.testing import capture_logs

from bot.lifecycle.notifications import Notifications
from bot.runner.audit_watch import AuditWatch
from bot.settings.values import REQUESTER_CHAT
from bot.signin.timing import Timing
from bot.store import audit, audit_progress, conversations
from bot.store.audit_progress import Progress
from bot.store.conversations import ConversationKind, ConversationReference
from bot.store.database import Database, Transaction
from bot.store.models.audit import EventRow
from bot.words import Words
from tests.support import jobs, rows
from tests.support.tampering import unprotect

CHANNEL = "19:operators@thread.tacv2"
NOON = datetime.fromisoformat("2026-11-29T12:00:00Z")


class Watch(AuditWatch):
    """Of one replica, with a clock of its own."""

    def __init__(self, database: Database, channel: str = "", *, anchors: bool = True) -> None:
        self.now = NOON
        self.starts = 0
        super().__init__(
            database,
            Notifications(REQUESTER_CHAT, channel or REQUESTER_CHAT, Words()),
            self._start,
            timing=Timing(),
            clock=lambda: self.now,
            changed=lambda: None,
            anchors_in=channel if anchors else "",
        )

    async def _start(self, _tx: Transaction) -> None:
        self.starts += 1


async def heard_from(database: Database, conversation_id: str) -> None:
    reference = ConversationReference(
        jobs.TENANT, conversation_id, ConversationKind.CHANNEL, "", "", ""
    )
    async with database.write() as tx:
        await conversations.remember(tx, reference, NOON)


async def posted(database: Database) -> list[str]:
    """The texts posted to the channel."""
    posts = (await rows.dump(database))["posts"]
    return [each["content"]["text"] for each in posts if each["conversation_id"] == CHANNEL]


async def tamper(database: Database) -> None:
    async with database.write() as tx:
        await unprotect(tx)
        await tx.execute(update(EventRow).values(actor_name="Eve"))


async def head_of(database: Database) -> str:
    async with database.read() as tx:
        head = await audit.head(tx)
    assert head is not None
    return f"{head.seq}:{head.hash}"


async def verified(database: Database) -> audit_progress.Reached:
    async with database.read() as tx:
        return await audit_progress.read(tx, Progress.VERIFIED)


@pytest.fixture
def quiet() -> Iterator[None]:
    with capture_logs():
        yield


async def test_watch_logs_the_head_and_what_broke_the_chain_since(database: Database) -> None:
    watch = Watch(database)
    with capture_logs() as logged:
        await watch.check()
    assert logged == []  # no chain yet
    await jobs.draft(database, 1)
    async with database.read() as tx:
        head = await audit.head(tx)
    assert head is not None
    for _ in range(2):
        with capture_logs() as logged:
            await watch.check()
        (line,) = logged
        assert (line["event"], line["seq"], line["hash"]) == ("audit.head", head.seq, head.hash)
    await jobs.draft(database, 1)
    await tamper(database)
    for _ in range(2):
        with capture_logs() as logged:
            await watch.check()
        (line,) = logged
        assert (line["event"], line["log_level"]) == ("audit.broken", "error")
        assert (line["seq"], line["fault"]) == (2, "event_changed")
    await jobs.draft(database, 1)  # the service runs on
    assert watch.starts == 1


@pytest.mark.usefixtures("quiet")
async def test_anchor_is_posted_once_a_day_whatever_replicas_there_are(database: Database) -> None:
    await heard_from(database, CHANNEL)
    await jobs.draft(database, 1)
    one, two = Watch(database, CHANNEL), Watch(database, CHANNEL)
    await one.check()
    assert await posted(database) == []  # there is nothing to tell on the first day
    for watch in (one, two):
        watch.now += timedelta(days=1)
    for _ in range(2):
        await one.check()
        await two.check()
    first = await head_of(database)
    (text,) = await posted(database)
    assert f"Anchor of the audit: {first}." in text
    await jobs.draft(database, 1)
    await two.check()
    assert len(await posted(database)) == 1  # of that day
    for watch in (one, two):
        watch.now += timedelta(days=1)
        await watch.check()
    _, text = await posted(database)
    assert await head_of(database) in text
    one.now += timedelta(days=1)
    await one.check()
    assert len(await posted(database)) == 2  # nothing new


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize(
    ("channel", "anchors", "known"),
    [("", True, True), (CHANNEL, False, True), (CHANNEL, True, False)],
)
async def test_no_anchor_goes_to_a_requester_or_where_offhook_is_not(
    database: Database, channel: str, anchors: bool, known: bool
) -> None:
    if known:
        await heard_from(database, CHANNEL)
    await jobs.draft(database, 1)
    before = (await rows.dump(database))["posts"]
    watch = Watch(database, channel, anchors=anchors)
    for _ in range(2):
        await watch.check()
        watch.now += timedelta(days=1)
    assert (await rows.dump(database))["posts"] == before


@pytest.mark.usefixtures("quiet")
async def test_broken_chain_is_told_once_and_remembered_until_all_is_verified_again(
    database: Database,
) -> None:
    await heard_from(database, CHANNEL)
    await jobs.draft(database, 1)
    old = Watch(database, CHANNEL)
    await old.check()
    assert (await verified(database)).fault == ""
    await tamper(database)
    new = Watch(database, CHANNEL)
    for _ in range(2):
        await new.check()
    fault = "1: its event was changed"
    assert (await verified(database)).fault == fault
    assert ["broken at link 1" in text for text in await posted(database)] == [True]
    await old.check()  # verified that link before it was changed
    assert ((await verified(database)).fault, (await verified(database)).at) == (fault, NOON)
    async with database.write() as tx:
        await tx.execute(update(EventRow).values(actor_name=jobs.ADMIN.name))
    await Watch(database, CHANNEL).check()
    assert (await verified(database)).fault == ""
