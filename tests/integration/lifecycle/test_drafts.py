"""Drafts of files: large ones go in by parts, and nobody sees half of one."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import delete, select, text, update

from bot.lifecycle import drafts as lifecycle
from bot.phones.roster import Roster
from bot.store import drafts, history, requests
from bot.store.database import Database, Transaction
from bot.store.models.requests import RequestRow
from bot.store.purge import purge
from tests.support import jobs, rows

ROWS = 1_050
DAY = timedelta(days=1)


async def draft(database: Database, *, check_accounts: bool = False) -> str:
    return await lifecycle.draft(
        database,
        jobs.NOTIFY,
        jobs.new_request(),
        jobs.roster(ROWS),
        jobs.utc_now,
        check_accounts=check_accounts,
    )


async def listed(database: Database) -> list[str]:
    async with database.read() as tx:
        found = await history.find(tx, jobs.TENANT, requester_id=None)
    assert found.total == len(found.lines)
    return [line.id for line in found.lines]


async def test_others_write_while_a_large_file_is_drafted(database: Database) -> None:
    drafting = asyncio.create_task(draft(database))
    written = 0
    while not drafting.done():
        async with database.write() as tx:
            await tx.execute(text("SELECT 1"))
        written += 1
    await drafting
    assert written > 5


async def test_draft_has_all_rows_and_accounts_in_their_order(database: Database) -> None:
    request_id = await draft(database, check_accounts=True)
    assert await listed(database) == [request_id]
    tables = await rows.dump(database)
    (request,) = tables["requests"]
    assert (request["total_rows"], request["ready_rows"], request["accounts"]) == (ROWS,) * 3
    of_file = [(row.number, row.username) for row in jobs.roster(ROWS).rows]
    phones = [(each["number"], each["username"]) for each in tables["phones"]]
    assert phones == of_file
    checks = sorted((each["number"], each["username"]) for each in tables["account_checks"])
    assert checks == [(at, username) for at, (_, username) in enumerate(of_file)]


async def half_drafted(database: Database, monkeypatch: pytest.MonkeyPatch) -> str:
    """A draft whose last transaction failed."""

    async def fail(_: Transaction, *__: object) -> None:
        raise TimeoutError

    with monkeypatch.context() as patched:
        patched.setattr(drafts, "complete", fail)
        with pytest.raises(TimeoutError):
            await draft(database)
    async with database.read() as tx:
        return (await tx.execute(select(RequestRow.id))).scalar_one()


async def test_half_a_draft_is_seen_by_nobody(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    half = await half_drafted(database, monkeypatch)
    whole = await draft(database)
    assert await listed(database) == [whole]
    async with database.read() as tx:
        assert await requests.counts(tx) == {"draft": 1}
        assert await requests.load(tx, half) is None
    assert await jobs.events(database, half) == []


async def test_half_a_draft_is_purged_once_its_rows_do_not_come_any_more(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    half = await half_drafted(database, monkeypatch)
    now = jobs.utc_now()
    async with database.write() as tx:
        assert await purge(tx, now + DAY) == 0
        await tx.execute(update(RequestRow).values(created_at=now - timedelta(hours=2)))
        assert await purge(tx, now - DAY) == 0
        assert await purge(tx, now) == 1
    tables = await rows.dump(database)
    assert tables["requests"] == tables["phones"] == []
    assert await jobs.events(database, half) == []


async def test_draft_that_was_deleted_on_the_way_is_no_draft(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    complete = drafts.complete

    async def delete_first(tx: Transaction, request_id: str, roster: Roster) -> None:
        await tx.execute(delete(RequestRow))
        await complete(tx, request_id, roster)

    monkeypatch.setattr(drafts, "complete", delete_first)
    with pytest.raises(LookupError):
        await draft(database)
    tables = await rows.dump(database)
    assert tables["events"] == tables["posts"] == []
