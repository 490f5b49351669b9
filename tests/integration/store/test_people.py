"""Erasing a person: what was found about them goes, and no mend that is still open does."""

from __future__ import annotations

from itertools import product

import pytest
from sqlalchemy import update

from bot.mending.mend import OPEN_MEND_STATES, WORKING_STATES, MendState
from bot.store import people
from bot.store.database import Database
from bot.store.models import Base
from bot.store.models.accounts import MendChangeRow, MendRow
from bot.store.models.requests import RequestRow
from tests.integration.lifecycle.test_mends import approve, end, load, undo, waiting
from tests.support import jobs, rows

ACCOUNT = "lobby1@contoso.com"


async def erase(database: Database, *identifiers: str) -> people.Erased:
    async with database.write() as tx:
        return await people.erase(tx, identifiers)


async def found(database: Database, *identifiers: str) -> list[str]:
    async with database.read() as tx:
        return [table.name async for table, _ in people.find(tx, identifiers)]


@pytest.mark.parametrize(
    ("state", "identifier"),
    [
        *product(sorted(OPEN_MEND_STATES), [jobs.ADMIN.object_id, ACCOUNT]),
        *product(sorted(WORKING_STATES), [jobs.APPROVER.object_id]),
    ],
)
async def test_erasure_is_refused_while_a_mend_is_open(
    database: Database, state: MendState, identifier: str
) -> None:
    mend = await waiting(database)
    if state is not MendState.WAITING:
        assert await approve(database, mend)
    if state is MendState.UNDOING:
        assert await end(database, await load(database, mend.id), undone=False)
        assert await undo(database, await load(database, mend.id))
    assert (await load(database, mend.id)).state is state
    before = await rows.dump(database)
    with pytest.raises(people.StillOpenError) as refusal:
        await erase(database, identifier)
    assert refusal.value.request_ids == [mend.request_id]
    assert await rows.dump(database) == before


async def test_account_that_only_the_changes_of_an_open_mend_name_is_not_erased(
    database: Database,
) -> None:
    mend = await waiting(database)
    assert await approve(database, mend)
    async with database.write() as tx:
        await tx.execute(update(MendChangeRow).values(object_id="of-the-account"))
    with pytest.raises(people.StillOpenError):
        await erase(database, "of-the-account")


async def test_ended_mend_stays_without_the_person(database: Database) -> None:
    mend = await waiting(database)
    assert await approve(database, mend)
    assert await end(database, await load(database, mend.id), undone=False)
    of_megan = f"for {jobs.APPROVER.name}"
    async with database.write() as tx:
        await tx.execute(
            update(MendRow).values(
                comment=of_megan,
                refused=of_megan,
                undo_by_id=jobs.APPROVER.object_id,
                undo_by_name=jobs.APPROVER.name,
            )
        )
        await tx.execute(update(MendChangeRow).values(before="Sales", detail=of_megan))
    before = await rows.dump(database)
    names = (jobs.APPROVER.object_id, jobs.APPROVER.name)
    await erase(database, *names)
    assert await found(database, *names) == []
    after = await rows.dump(database)
    emptied = {
        "decided_by_id",
        "decided_by_name",
        "undo_by_id",
        "undo_by_name",
        "comment",
        "refused",
    }
    assert after["mends"] == [{**row, **dict.fromkeys(emptied, "")} for row in before["mends"]]
    assert after["mend_changes"] == [{**row, "detail": ""} for row in before["mend_changes"]]


async def test_erased_account_loses_its_own_changes_of_an_ended_mend_only(
    database: Database,
) -> None:
    mend = await waiting(database)
    assert await approve(database, mend)
    assert await end(database, await load(database, mend.id), undone=False)
    before = await rows.dump(database)
    await erase(database, ACCOUNT)
    assert await found(database, ACCOUNT) == []
    after = await rows.dump(database)
    assert after["mends"] == before["mends"]
    others = [row for row in before["mend_changes"] if row["account"] != ACCOUNT]
    assert others
    assert after["mend_changes"] == others


async def test_erased_account_is_in_nothing_that_the_checks_noted(database: Database) -> None:
    await jobs.draft(database, 1)
    other = [{"code": "kept", "arguments": {"account": "lobby2@contoso.com"}}]
    about = [{"code": "unknown", "arguments": {"detail": f"no answer for {ACCOUNT}"}}]
    async with database.write() as tx:
        await tx.execute(
            update(RequestRow).values(
                notices=other, recheck_notices=about, tenant_stops=about, tenant_verdicts=about
            )
        )
    await erase(database, ACCOUNT)
    assert await found(database, ACCOUNT) == []
    (request,) = (await rows.dump(database))["requests"]
    assert request["notices"] == other
    assert (request["recheck_notices"], request["tenant_verdicts"]) == ([], [])


@pytest.mark.parametrize("at_once", [1, 2, 3, 1000])
async def test_every_row_is_found_whatever_a_page_holds(
    database: Database, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    """Also where pages end with the table, and in tables whose key is of several columns."""
    monkeypatch.setattr(people, "_AT_ONCE", at_once)
    await waiting(database)
    tables = await rows.dump(database)
    async with database.read() as tx:
        pages = {
            name: [dict(row) async for row in people._rows(tx, Base.metadata.tables[name])]  # pyright: ignore[reportPrivateUsage]
            for name in tables
        }
    assert max(map(len, tables.values())) > 3
    assert pages == tables
