"""Overlaps with other requests, on both databases: found, explained, and stopped at the approval."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text, update

from bot.lifecycle import asking, drafts
from bot.lifecycle import overlaps as overlap_lifecycle
from bot.lifecycle import requests as lifecycle
from bot.lifecycle.overlaps import OverlapUnexplainedError
from bot.phones.issue import Column
from bot.phones.region import Region
from bot.phones.roster import Roster, RosterRow
from bot.signin.outcome import PhoneStatus
from bot.signin.overlap import RECENT, Overlap
from bot.signin.request import Person, RequestState
from bot.store import overlaps
from bot.store.database import Database
from bot.store.models.audit import EventRow
from bot.store.models.requests import PhoneRow, RequestRow
from bot.store.requests import Request
from tests.support import jobs, rows

LEE = Person("00000000-0000-0000-0000-000000000022", "Lee Gu")
ALEX = jobs.ADMIN


async def draft(
    database: Database,
    phones: Sequence[tuple[str, int]],
    *,
    requester: Person = ALEX,
    tenant: str = jobs.TENANT,
) -> str:
    """A draft; a phone is its account and the last byte of its hardware ID."""
    roster = [
        RosterRow(
            at + 2, f"{account}@contoso.com", f"80-5E-C0-00-00-{last:02X}", Region.EMEA, ready=True
        )
        for at, (account, last) in enumerate(phones)
    ]
    new = replace(jobs.new_request(), requester=requester, tenant_id=tenant)
    return await drafts.draft(
        database, jobs.NOTIFY, new, Roster("phones.csv", roster, (), ()), jobs.utc_now
    )


async def ask(database: Database, request_id: str, reason: str = "phones were swapped") -> bool:
    request = await jobs.load(database, request_id)
    async with database.write() as tx:
        return await asking.request_approval(
            tx,
            jobs.NOTIFY,
            request,
            region=None,
            reason=reason,
            ttl=timedelta(hours=1),
            actor=ALEX,
            now=jobs.utc_now(),
        )


async def explain(database: Database, request_id: str, reason: str) -> bool:
    request = await jobs.load(database, request_id)
    async with database.write() as tx:
        return await overlap_lifecycle.explain_overlap(
            tx, jobs.NOTIFY, request, reason=reason, actor=ALEX, now=jobs.utc_now()
        )


async def shown(database: Database, request_id: str) -> list[Overlap]:
    async with database.read() as tx:
        return await overlaps.shown(tx, request_id)


async def in_common(database: Database, request_id: str) -> dict[str, tuple[int, int]]:
    """Accounts and phones in common, by other request."""
    found = await shown(database, request_id)
    return {each.request_id: (each.accounts, each.phones) for each in found}


async def end(database: Database, request_id: str, *, days_ago: float = 0, **phone: Any) -> None:
    """End a request as if it had run, with its phones changed."""
    finished_at = jobs.utc_now() - timedelta(days=days_ago)
    async with database.write() as tx:
        await tx.execute(
            update(RequestRow)
            .where(RequestRow.id == request_id)
            .values(state=RequestState.FINISHED.value, finished_at=finished_at)
        )
        await tx.execute(update(PhoneRow).where(PhoneRow.request_id == request_id).values(**phone))


async def events(database: Database, request_id: str) -> list[tuple[str, dict[str, Any]]]:
    async with database.read() as tx:
        found = await tx.execute(
            select(EventRow.action, EventRow.detail)
            .where(EventRow.request_id == request_id)
            .order_by(EventRow.id)
        )
        return [(row.action, row.detail) for row in found]


# -- what is found -------------------------------------------------------------------------------------


async def test_draft_finds_accounts_in_any_case_and_phones_of_an_open_request(
    database: Database,
) -> None:
    other = await draft(database, [("Anna", 1), ("ben", 2), ("carl", 3)], requester=LEE)
    assert await ask(database, other)
    request_id = await draft(database, [("zoe", 9), ("ANNA", 7), ("dora", 2)])
    [found] = await shown(database, request_id)
    assert (found.request_id, found.requester_id) == (other, LEE.object_id)
    assert (found.state, found.accounts, found.phones) == (RequestState.WAITING, 1, 1)
    assert list(found.examples) == ["ANNA@contoso.com", "dora@contoso.com"]
    async with database.read() as tx:
        found_rows = [
            (each.row, each.column, each.value, each.other.request_id)
            async for each in overlaps.all_rows(tx, request_id, chunk=1)
        ]
    assert found_rows == [
        (3, Column.USERNAME, "ANNA@contoso.com", other),
        (4, Column.HARDWARE_ID, "80-5E-C0-00-00-02", other),
    ]


async def test_draft_finds_nothing_in_drafts_and_in_other_tenants(database: Database) -> None:
    await draft(database, [("anna", 1)])
    elsewhere = await draft(database, [("anna", 1)], tenant="other-tenant")
    assert await ask(database, elsewhere)
    assert await in_common(database, await draft(database, [("anna", 1)])) == {}


@pytest.mark.parametrize(
    ("phone", "days_ago", "counts"),
    [
        ({"status": PhoneStatus.SIGNED_IN.value}, 29, True),
        ({"status": PhoneStatus.SIGNED_IN.value}, 31, False),
        ({"status": PhoneStatus.UNCONFIRMED.value, "cause": "no-result"}, 1, True),
        ({"status": PhoneStatus.FAILED.value, "cause": "ad-throttling"}, 1, True),
        ({"status": PhoneStatus.FAILED.value, "cause": "user-not-found"}, 1, False),
        ({"status": PhoneStatus.NOT_RUN.value, "cause": "not-run"}, 1, False),
    ],
)
async def test_ended_request_counts_while_recent_with_phones_possibly_reset(
    database: Database, phone: dict[str, str], days_ago: int, counts: bool
) -> None:
    other = await draft(database, [("anna", 1)])
    await end(database, other, days_ago=days_ago, **phone)
    found = await in_common(database, await draft(database, [("anna", 1)]))
    assert found == ({other: (1, 1)} if counts else {})


async def test_retry_does_not_overlap_with_the_requests_it_retries(database: Database) -> None:
    first = await draft(database, [("anna", 1)])
    request_id = first
    for _ in range(2):
        await end(database, request_id, status=PhoneStatus.UNCONFIRMED.value, cause="no-result")
        failed = await jobs.load(database, request_id)
        async with database.write() as tx:
            retry = await drafts.draft_retry(
                tx, jobs.NOTIFY, jobs.new_request(), failed, jobs.utc_now()
            )
        assert retry is not None
        request_id = retry.request_id
        assert await in_common(database, request_id) == {}
    assert set(await in_common(database, await draft(database, [("anna", 1)]))) > {first}


async def test_one_account_on_every_row_of_both_files_counts_once(database: Database) -> None:
    other = await draft(database, [("anna", at) for at in range(100)])
    assert await ask(database, other)
    request_id = await draft(database, [("anna", at + 100) for at in range(100)])
    assert await in_common(database, request_id) == {other: (1, 0)}


@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
async def test_find_looks_up_both_keys_by_index(database: Database) -> None:
    request_id = await draft(database, [("anna", 1)])
    async with database.read() as tx:
        statement = overlaps.hits(request_id, jobs.TENANT, [request_id], jobs.utc_now() - RECENT)
        compiled = statement.compile(dialect=tx.dialect, compile_kwargs={"literal_binds": True})
        plan = str((await tx.execute(text(f"EXPLAIN QUERY PLAN {compiled}"))).all())
    for index in ("ix_phones_account_request_id", "ix_phones_hardware_id_request_id"):
        assert f"SEARCH theirs USING INDEX {index}" in plan
    assert "SCAN theirs" not in plan


# -- asking --------------------------------------------------------------------------------------------


async def test_request_approval_needs_a_reason_for_what_the_card_shows(database: Database) -> None:
    await jobs.approved(database, 2)
    request_id = await jobs.draft(database, 1)
    before = await rows.dump(database)
    with pytest.raises(OverlapUnexplainedError):
        await ask(database, request_id, reason=" ")
    assert await rows.dump(database) == before
    assert await ask(database, request_id)
    [*_, (action, detail)] = await events(database, request_id)
    assert (action, detail["reason"], detail["overlaps"]) == ("asked", "phones were swapped", 1)
    assert [(each["accounts"], each["phones"]) for each in detail["overlapping"]] == [(1, 1)]
    assert await jobs.approve(database, request_id)


async def test_request_approval_stops_once_at_an_overlap_the_card_did_not_show(
    database: Database,
) -> None:
    request_id = await jobs.draft(database, 1)
    other = await jobs.approved(database, 1)
    assert not await ask(database, request_id)
    request = await jobs.load(database, request_id)
    assert request.state is RequestState.DRAFT
    assert request.reason_wanted_since is not None
    assert await in_common(database, request_id) == {other: (1, 1)}
    assert await ask(database, request_id)
    request = await jobs.load(database, request_id)
    assert (request.state, request.reason_wanted_since) == (RequestState.WAITING, None)


# -- approving -----------------------------------------------------------------------------------------


async def waiting_pair(database: Database) -> tuple[str, str]:
    """Two requests for the same phones, each waiting; the second one explains the first."""
    first, second = await jobs.draft(database, 20), await jobs.draft(database, 20)
    assert await ask(database, first, reason="new lobby")
    assert not await ask(database, second)  # its card did not show the first one
    assert await ask(database, second)
    return first, second


async def approve_loaded(database: Database, request: Request) -> bool:
    async with database.write() as tx:
        return await lifecycle.approve(
            tx, jobs.NOTIFY, request, comment="", actor=jobs.APPROVER, now=jobs.utc_now()
        )


@pytest.mark.parametrize("approved_first", [0, 1])
async def test_of_two_racing_approvals_the_second_sees_the_first(
    database: Database, approved_first: int
) -> None:
    """Both have read their requests, when neither is approved yet. The second waits in another replica
    while the first has approved and not committed."""
    pair = await waiting_pair(database)
    winner, loser = pair[approved_first], pair[1 - approved_first]
    both = [await jobs.load(database, request_id) for request_id in (winner, loser)]
    replica = Database(database.url)
    await replica.open(alone=False)
    begun = asyncio.Event()

    async def late() -> bool:
        begun.set()
        return await approve_loaded(replica, both[1])

    try:
        async with database.write() as tx:
            assert await lifecycle.approve(
                tx, jobs.NOTIFY, both[0], comment="", actor=jobs.APPROVER, now=jobs.utc_now()
            )
            second = asyncio.create_task(late())
            await begun.wait()
            assert not second.done()
        assert not await second
    finally:
        await replica.close()
    assert (await jobs.load(database, winner)).state is RequestState.RUNNING
    stopped = await jobs.load(database, loser)
    assert (stopped.state, stopped.reason_wanted_since is None) == (RequestState.WAITING, False)
    [found] = await shown(database, loser)
    assert (found.request_id, found.state, found.phones) == (winner, RequestState.RUNNING, 20)


async def test_stopped_approval_tells_the_requester_once_and_goes_on_when_explained(
    database: Database,
) -> None:
    first, second = await waiting_pair(database)
    assert await jobs.approve(database, second)
    assert not await jobs.approve(database, first)
    before = await rows.dump(database)
    assert not await jobs.approve(database, first)  # still not explained
    assert await rows.dump(database) == before
    told = [row["content"].get("text", "") for row in before["posts"] if row["request_id"] == first]
    assert sum("was not approved" in each for each in told) == 1
    assert [action for action, _ in await events(database, first)][-1] == "overlap found"

    with pytest.raises(OverlapUnexplainedError):
        await explain(database, first, "")
    stale = await jobs.load(database, first)
    assert await explain(database, first, "the other one was for the old phones")
    assert not await explain(database, first, "twice")
    # Whoever read the request before the reason was given has not seen it.
    assert not await approve_loaded(database, stale)
    request = await jobs.load(database, first)
    assert request.reason == "the other one was for the old phones"
    assert await jobs.approve(database, first)
    recorded = await events(database, first)
    assert [action for action, _ in recorded][-2:] == ["overlap explained", "approved"]
    assert recorded[-2][1]["reason"] == "the other one was for the old phones"
    assert recorded[-1][1]["overlaps"] == 1


async def test_stopped_approval_goes_on_when_the_other_request_did_not_run(
    database: Database,
) -> None:
    first, second = await waiting_pair(database)
    assert await jobs.approve(database, second)
    assert not await jobs.approve(database, first)
    assert await jobs.cancel(database, second)  # before anything was sent
    assert await jobs.approve(database, first)


async def test_waiting_request_does_not_hold_up_another(database: Database) -> None:
    first, second = await waiting_pair(database)
    assert await jobs.approve(database, first)
    assert (await jobs.load(database, second)).state is RequestState.WAITING


async def test_stopped_request_can_be_withdrawn(database: Database) -> None:
    first, second = await waiting_pair(database)
    assert await jobs.approve(database, second)
    assert not await jobs.approve(database, first)
    request = await jobs.load(database, first)
    async with database.write() as tx:
        assert await lifecycle.withdraw(tx, request, actor=ALEX, now=jobs.utc_now())
