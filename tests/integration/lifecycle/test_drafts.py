"""Drafts of files: large ones go in by parts, and nobody sees half of one."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text

from bot.lifecycle import drafts as lifecycle
from bot.store import drafts, history, requests
from bot.store.database import Database, Transaction
from bot.store.purge import purge, sweep
from tests.support import jobs, rows

ROWS = 1_050
DAY = timedelta(days=1)


async def draft(database: Database, *, check_accounts: bool = False) -> str:
    return await lifecycle.draft(
        database,
        jobs.NOTIFY,
        jobs.new_request(),
        jobs.roster(ROWS),
        jobs.utc_now(),
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


async def test_half_a_draft_is_seen_by_nobody_and_swept_away(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_: Transaction, *__: object) -> None:
        raise TimeoutError

    with monkeypatch.context() as patched:
        patched.setattr(drafts, "complete", fail)
        with pytest.raises(TimeoutError):
            await draft(database)
    whole = await draft(database)
    assert await listed(database) == [whole]
    async with database.read() as tx:
        assert await requests.counts(tx) == {"draft": 1}
    now = jobs.utc_now()
    async with database.write() as tx:
        # Its rows may still be coming.
        assert await purge(tx, now + DAY) == 1
        await sweep(tx, now + 6 * DAY)
    tables = await rows.dump(database)
    assert (len(tables["requests"]), len(tables["phones"])) == (1, ROWS)
    async with database.write() as tx:
        await sweep(tx, now + 8 * DAY)
    tables = await rows.dump(database)
    assert tables["requests"] == tables["phones"] == []
