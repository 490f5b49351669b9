"""Purging: what ended long ago goes, with all that belongs to it, and nothing else."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import update

from bot.lifecycle import requests as lifecycle
from bot.mending.mend import WORKING_STATES, MendState
from bot.store import posts, requests
from bot.store.database import Database
from bot.store.models.accounts import MendRow
from bot.store.purge import purge
from tests.integration.lifecycle.test_mends import waiting as waiting_mend
from tests.support import jobs, outbox, rows


async def test_purge_deletes_old_drafts_and_spares_open_requests(database: Database) -> None:
    old = await jobs.draft(database, 2)
    waiting = await jobs.draft(database, 2)
    assert await jobs.request_approval(database, waiting)
    running = await jobs.approved(database, 2)
    before = await rows.dump(database)
    async with database.write() as tx:
        assert await purge(tx, jobs.utc_now() - timedelta(days=1)) == 0
    assert await rows.dump(database) == before
    async with database.write() as tx:
        assert await purge(tx, jobs.utc_now() + timedelta(seconds=1)) == 1
        assert await requests.load(tx, old) is None
    after = await rows.dump(database)
    assert set(rows.column(after["requests"], "id")) == {waiting, running}
    for table in ("phones", "batches", "posts"):
        spared = [row for row in before[table] if row["request_id"] != old]
        assert after[table] == spared
    *events, purged = after["events"]
    assert events == before["events"]
    assert (purged["action"], purged["detail"]["requests"]) == ("requests purged", 1)
    assert set(rows.column(after["phones"], "request_id")) == {waiting, running}


async def test_purge_deletes_ended_requests_with_their_posts_and_keeps_the_audit(
    database: Database,
) -> None:
    ended = await jobs.draft(database, 2)
    request = await jobs.load(database, ended)
    async with database.write() as tx:
        assert await lifecycle.withdraw(tx, request, actor=jobs.ADMIN, now=jobs.utc_now())
        assert await purge(tx, jobs.utc_now() - timedelta(days=1)) == 0
        assert await purge(tx, jobs.utc_now() + timedelta(seconds=1)) == 1
    after = await rows.dump(database)
    assert {table for table, kept in after.items() if kept} == {"events", "audit_chain"}
    actions = rows.column(after["events"], "action")
    assert actions == ["drafted", "withdrawn", "requests purged"]


async def test_purge_deletes_old_posts_of_no_request_unless_live(database: Database) -> None:
    async with database.write() as tx:
        new = posts.NewPost(jobs.TENANT, jobs.CHAT, content={"text": "hello"})
        for _ in range(2):
            await posts.add(tx, new, jobs.utc_now())
        delivered, _ = await outbox.due(tx)
        await posts.give_up(tx, delivered)
        assert await purge(tx, jobs.utc_now() + timedelta(seconds=1)) == 0
        assert [post.id for post in await outbox.due(tx)] == [delivered.id + 1]
    assert len((await rows.dump(database))["posts"]) == 1


async def test_purge_spares_a_request_while_its_mend_changes_accounts(database: Database) -> None:
    mend = await waiting_mend(database)
    for state in MendState:
        async with database.write() as tx:
            await tx.execute(update(MendRow).values(state=state.value))
        before = await rows.dump(database)
        async with database.write() as tx:
            deleted = await purge(tx, jobs.utc_now() + timedelta(seconds=1))
            left = await requests.load(tx, mend.request_id)
        if state in WORKING_STATES:
            assert (deleted, left is not None) == (0, True)
            after = await rows.dump(database)
            for table in ("mends", "mend_changes", "phones"):
                assert after[table] == before[table]
        else:
            assert (deleted, left) == (1, None)
            mend = await waiting_mend(database)
