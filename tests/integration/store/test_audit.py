"""The audit's chain in both databases: whole whatever writers do, and broken by whoever tampers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog
from sqlalchemy import Executable, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from structlog.testing import capture_logs

from bot.lifecycle import denials
from bot.signin.policy.facts import Actor
from bot.signin.request import Person
from bot.store import audit, audit_reading, chain, people, posts
from bot.store.chain import Anchor, Break, Fault
from bot.store.database import Database
from bot.store.models.audit import EventRow, LinkRow
from bot.store.purge import purge
from tests.support import jobs, processes, rows
from tests.support.tampering import unprotect

ADA = Person("ada-id", "Ada Lovelace")


async def verified(database: Database, *anchors: Anchor) -> Break | None:
    async with database.read() as tx:
        _, found = await audit_reading.verify(tx, anchors)
    return found


async def record(database: Database, count: int = 1) -> None:
    for number in range(count):
        async with database.write() as tx:
            await audit.record(tx, None, "tested", jobs.utc_now(), ADA, comment=f"{number} ünï")


async def record_and_fail(database: Database) -> None:
    async with database.write() as tx:
        await audit.record(tx, None, "undone", jobs.utc_now(), ADA)
        raise RuntimeError


async def test_chain_of_a_whole_job_is_whole_and_names_nobody(database: Database) -> None:
    request_id = await jobs.approved(database, 3)
    assert await verified(database) is None
    tables = await rows.dump(database)
    links, events = tables["audit_chain"], tables["events"]
    assert [link["event_id"] for link in links] == [event["id"] for event in events]
    assert {event["tenant_id"] for event in events} == {jobs.TENANT}
    approved = json.loads(links[-1]["entry"])
    digest = (await jobs.load(database, request_id)).digest
    assert approved["facts"]["digest"] == digest
    assert {"actor_id", "actor_name"} <= set(approved["sealed"])
    everything = "".join(link["entry"] for link in links)
    for event in events:
        assert event["actor_id"] not in everything
        assert event["actor_name"] not in everything


async def test_event_of_a_transaction_that_is_rolled_back_leaves_no_gap(database: Database) -> None:
    await record(database)
    with pytest.raises(RuntimeError):
        await record_and_fail(database)
    await record(database)
    assert rows.column((await rows.dump(database))["audit_chain"], "seq") == [1, 2]
    assert await verified(database) is None


async def test_transaction_that_reads_only_cannot_record(database: Database) -> None:
    with pytest.raises(KeyError):
        async with database.read() as tx:
            await audit.record(tx, None, "lost", jobs.utc_now(), ADA)
    assert (await rows.dump(database))["events"] == []


async def test_value_that_json_cannot_hold_is_not_recorded_and_undoes_its_transaction(
    database: Database,
) -> None:
    with pytest.raises(ValueError, match="domain"):
        async with database.write() as tx:
            await audit.record(tx, None, "counted", jobs.utc_now(), ADA, rows=2**60)
    assert (await rows.dump(database))["events"] == []


async def test_each_event_is_logged_with_its_link_once_it_is_committed(database: Database) -> None:
    with capture_logs() as logged, pytest.raises(RuntimeError):
        await record_and_fail(database)
    assert logged == []
    with capture_logs() as logged:
        async with database.write() as tx:
            await audit.record(tx, None, "list read", jobs.utc_now(), ADA, rows=2, comment="x")
            assert logged == []
    (line,) = logged
    async with database.read() as tx:
        head = await audit.head(tx)
    assert head == Anchor(line["seq"], line["hash"])
    assert (line["event"], line["actor"], line["facts"]) == (
        "audit.list_read",
        "ada-id",
        {"rows": 2},
    )
    assert "Ada" not in str(line)


async def test_reference_of_the_turn_is_recorded(database: Database) -> None:
    with structlog.contextvars.bound_contextvars(reference="4d5e6f70"):
        await record(database)
    (link,) = (await rows.dump(database))["audit_chain"]
    assert json.loads(link["entry"])["facts"]["reference"] == "4d5e6f70"


async def test_parallel_denials_on_two_replicas_do_not_fork_the_chain(
    database: Database,
) -> None:
    other = Database(database.url)
    request = await jobs.load(database, await jobs.draft(database, 1))

    async def deny(number: int) -> None:
        mallory = Actor(Person(f"mallory-{number}", "Mallory"), jobs.TENANT)
        async with (database, other)[number % 2].write() as tx:
            await denials.record(
                tx, request, "approve", "not-approver", actor=mallory, now=jobs.utc_now()
            )

    try:
        await asyncio.gather(*(deny(number) for number in range(50)))
    finally:
        await other.close()
    assert rows.column((await rows.dump(database))["audit_chain"], "seq") == list(range(1, 52))
    assert await verified(database) is None


def _record_in_a_process(url: str, count: int) -> None:
    async def run() -> None:
        database = Database(url)
        try:
            await asyncio.gather(*(record(database, 5) for _ in range(count // 5)))
        finally:
            await database.close()

    asyncio.run(run())


async def test_processes_do_not_fork_the_chain(database: Database) -> None:
    """On SQLite, too: the command line writes beside the service."""
    with processes.context().Pool(2) as pool:
        await asyncio.to_thread(pool.starmap, _record_in_a_process, [(database.url, 25)] * 2)
    assert rows.column((await rows.dump(database))["audit_chain"], "seq") == list(range(1, 51))
    assert await verified(database) is None


MIDDLE = 3  # of five
LINK = update(LinkRow).where(LinkRow.seq == MIDDLE)
OF_LINK = EventRow.id == select(LinkRow.event_id).where(LinkRow.seq == MIDDLE).scalar_subquery()
EVENT = update(EventRow).where(OF_LINK)


@pytest.mark.parametrize(
    ("fault", "tamper"),
    [
        (Fault.CHANGED, LINK.values(entry=LinkRow.entry + " ")),
        (Fault.CHANGED, LINK.values(hash="0" * 64)),
        (Fault.EVENT_CHANGED, EVENT.values(actor_name="Eve")),
        (Fault.EVENT_CHANGED, EVENT.values(at=datetime(2026, 1, 1, tzinfo=UTC))),
        (Fault.EVENT_CHANGED, EVENT.values(reference="12345678")),
        (Fault.EVENT_DELETED, delete(EventRow).where(OF_LINK)),
        (
            Fault.VALUE_DELETED,
            EVENT.values(actor_id="", actor_name="", detail={}, salts={}),
        ),
    ],
)
async def test_tampering_is_found_at_its_link(
    database: Database, fault: Fault, tamper: Executable
) -> None:
    await record(database, 5)
    async with database.write() as tx:
        await unprotect(tx)
        await tx.execute(tamper)
    found = await verified(database)
    assert found is not None
    assert (found.seq, found.fault) == (MIDDLE, fault)


async def test_deleted_link_and_cut_off_end_are_found(database: Database) -> None:
    await record(database, 5)
    async with database.read() as tx:
        head = await audit.head(tx)
    assert head is not None
    async with database.write() as tx:
        await unprotect(tx)
        await tx.execute(delete(LinkRow).where(LinkRow.seq == 5))
        newest = (await tx.execute(select(EventRow.id).order_by(EventRow.id.desc()))).scalars()
        await tx.execute(delete(EventRow).where(EventRow.id == newest.first()))
    assert await verified(database) is None  # nothing in the database tells
    assert await verified(database, head) == Break(5, Fault.CUT_OFF)
    async with database.write() as tx:
        await tx.execute(delete(LinkRow).where(LinkRow.seq == 2))
    found = await verified(database)
    assert found is not None
    assert (found.seq, found.fault) == (3, Fault.OUT_OF_ORDER)


async def test_event_added_without_a_link_is_found(database: Database) -> None:
    await record(database, 2)
    async with database.write() as tx:
        await tx.execute(
            insert(EventRow).values(action="approved", at=jobs.utc_now(), actor_name="Eve")
        )
    found = await verified(database)
    assert found is not None
    assert (found.seq, found.fault) == (3, Fault.NOT_CHAINED)


async def test_purged_audit_still_verifies_and_keeps_its_facts(database: Database) -> None:
    await jobs.approved(database, 2)
    links = (await rows.dump(database))["audit_chain"]
    async with database.write() as tx:
        await purge(tx, jobs.utc_now(), audit_before=jobs.utc_now())
    after = await rows.dump(database)
    assert after["audit_chain"][:-1] == links
    assert rows.column(after["events"], "action") == [chain.PURGED]
    assert await verified(database) is None
    async with database.write() as tx:
        await unprotect(tx)
        await tx.execute(delete(EventRow))
    found = await verified(database)
    assert found is not None
    assert found.fault is Fault.EVENT_DELETED


def _decide_forever(url: str) -> None:
    """A message and its audit event per transaction."""

    async def run() -> None:
        database = Database(url)
        while True:
            async with database.write() as tx:
                new = posts.NewPost(jobs.TENANT, jobs.CHAT, content={"text": "decided"})
                await posts.add(tx, new, jobs.utc_now())
                await audit.record(tx, None, "decided", jobs.utc_now(), ADA)

    asyncio.run(run())


async def test_killed_process_leaves_no_decision_without_its_link(database: Database) -> None:
    for kills in range(1, 4):
        writer = processes.context().Process(target=_decide_forever, args=(database.url,))
        writer.start()
        head = None
        while head is None or head.seq < 20 * kills:
            async with database.read() as tx:
                head = await audit.head(tx)
        writer.kill()
        await asyncio.to_thread(writer.join)
        assert await verified(database) is None
        tables = await rows.dump(database)
        assert len(tables["posts"]) == len(tables["events"]) == len(tables["audit_chain"])


@pytest.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[Database]:
    """Which has triggers, since it has no logins."""
    database = Database(f"sqlite:///{tmp_path / 'audit.db'}")
    await database.open(alone=False)
    yield database
    await database.close()


@pytest.mark.parametrize(
    "tamper",
    [
        LINK.values(hash="0" * 64),
        delete(LinkRow),
        EVENT.values(actor_name="Eve"),
        EVENT.values(actor_id="", actor_name="", detail={}, salts={}),
        delete(EventRow).where(OF_LINK),
    ],
    ids=str,
)
async def test_sqlite_itself_refuses_changes_to_the_audit(
    sqlite: Database, tamper: Executable
) -> None:
    await record(sqlite, 5)
    with pytest.raises(IntegrityError, match="audit"):
        async with sqlite.write() as tx:
            await tx.execute(tamper)
    assert await verified(sqlite) is None


async def _purge_and(database: Database, before: datetime, *more: Executable) -> None:
    async with database.write() as tx:
        await purge(tx, before, audit_before=before)
        for statement in more:
            await tx.execute(statement)


async def _erase_and(database: Database, *more: Executable) -> None:
    async with database.write() as tx:
        await people.erase(tx, [ADA.object_id])
        for statement in more:
            await tx.execute(statement)


async def test_sqlite_lets_a_purge_and_an_erasure_do_only_what_they_tell_of(
    sqlite: Database,
) -> None:
    await record(sqlite, 2)
    between = jobs.utc_now()
    await record(sqlite, 2)
    with pytest.raises(IntegrityError, match="by a purge only"):
        await _purge_and(sqlite, between, delete(EventRow).where(EventRow.at >= between))
    await _purge_and(sqlite, between)
    assert rows.column((await rows.dump(sqlite))["events"], "id") == [3, 4, 5]
    with pytest.raises(IntegrityError, match="by an erasure only"):
        await _erase_and(sqlite, update(EventRow).values(action="approved"))
    await _erase_and(sqlite)
    assert ADA.object_id not in str(await rows.dump(sqlite))
    assert await verified(sqlite) is None
