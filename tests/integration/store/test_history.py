"""Requests found by phone, account, person, and period, on both databases."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text, update

from bot.lifecycle import requests as lifecycle
from bot.phones.region import Region
from bot.settings.scope import parse_scope
from bot.signin.history import HistoryFilter, parse
from bot.signin.policy.facts import Actor
from bot.signin.policy.model import Condition, Group, Policy, View
from bot.signin.policy.sight import may_see, sight
from bot.signin.request import Person
from bot.signin.snapshot import History
from bot.store import audit, history, policy_facts, requests
from bot.store.database import Database
from bot.store.models.requests import PhoneRow, RequestRow
from tests.support import jobs

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


async def find(
    database: Database, typed: str, *, tenant_id: str | None = jobs.TENANT, mine: str | None = None
) -> History:
    asked = parse(typed, NOW, me=jobs.ADMIN.object_id)
    assert isinstance(asked, HistoryFilter)
    async with database.read() as tx:
        return await history.find(tx, tenant_id, asked, requester_id=mine)


async def ids(database: Database, typed: str, **whose: str | None) -> set[str]:
    return {line.id for line in (await find(database, typed, **whose)).lines}


async def test_phones_and_accounts_are_found_in_any_spelling(database: Database) -> None:
    first = await jobs.approved(database, 3)
    second = await jobs.draft(database, 2, first=10)
    async with database.write() as tx:
        await tx.execute(
            update(PhoneRow)
            .where(PhoneRow.request_id == second, PhoneRow.number == 12)
            .values(hardware_id="80-5E-C0-00-00-0A:007", account="100%_lobby@contoso.com")
        )
    for typed, expected in {
        "805ec0000001": {first},
        "80-5E-C0-00-00-0A": {second},
        "80-5E-C0-00-00-0A:7": {second},
        "80-5E-C0-00-00-0A:8": set[str](),
        "Lobby1@contoso.com": {first},
        "lobby": {first, second},
        "lobby11*": {second},
        "lobby1@contoso.com 80-5E-C0-00-00-02": set[str](),
        "100": {second},
        "obby": set[str](),
    }.items():
        assert await ids(database, typed) == expected, typed
    (line,) = (await find(database, "lobby", mine=None)).lines[1:]
    assert (line.id, line.found_count) == (first, 3)
    assert [phone.username for phone in line.found] == [f"lobby{n}@contoso.com" for n in range(3)]
    assert line.decided_by == jobs.APPROVER


async def test_wildcards_are_taken_as_they_are(database: Database) -> None:
    await jobs.draft(database, 2)
    for typed in ("l_bby", "lobby_", "by %", "by _"):
        assert await ids(database, typed) == set(), typed


async def test_people_are_found_by_whatever_they_did(database: Database) -> None:
    asked = await jobs.draft(database, 1)
    decided = await jobs.approved(database, 1, first=5)
    seen = await jobs.draft(database, 1, first=9, tenant_id=jobs.TENANT)
    async with database.write() as tx:
        request_ids = (asked, seen)
        for request_id, action in zip(request_ids, ("signed in", "denied"), strict=True):
            await audit.record(
                tx, request_id, action, jobs.utc_now(), jobs.Person("ada-id", "Ada Lovelace")
            )
    for typed, expected in {
        "by me": {asked, decided, seen},
        "by megan": {decided},
        f"by {jobs.APPROVER.object_id}": {decided},
        "by Ada": {asked},
        "by Eve": set[str](),
    }.items():
        assert await ids(database, typed) == expected, typed


async def test_nobody_finds_what_they_may_not_see(database: Database) -> None:
    own = await jobs.draft(database, 1)
    foreign = await jobs.draft(database, 1, tenant_id="another")
    for typed in ("lobby", "80-5E-C0-00-00-00", "by Alex", "since 2026-01-01"):
        assert await ids(database, typed) == {own}
        assert await ids(database, typed, mine=jobs.APPROVER.object_id) == set()
        assert await ids(database, typed, tenant_id=None) == {own, foreign}


async def test_period_has_what_was_open_in_it(database: Database) -> None:
    draft = await jobs.draft(database, 1)
    running = await jobs.approved(database, 1, first=5)
    ended = await jobs.draft(database, 1, first=7)
    async with database.write() as tx:
        request = await jobs.load(database, ended)
        assert await lifecycle.withdraw(tx, request, actor=jobs.ADMIN, now=jobs.utc_now())
        await tx.execute(
            update(RequestRow).values(created_at=datetime(2026, 11, 10, 12, tzinfo=UTC))
        )
        ending = update(RequestRow).where(RequestRow.id == ended)
        await tx.execute(ending.values(finished_at=datetime(2026, 11, 12, 12, tzinfo=UTC)))
    for typed, expected in {
        "on 2026-11-10": {draft, running, ended},
        "on 2026-11-11": {running, ended},
        "since 2026-11-13": {running},
        "last 7 days": {running},
        "until 2026-11-09": set[str](),
        "until 2026-11-10 12:00": set[str](),
        "until 2026-11-10 12:01": {draft, running, ended},
    }.items():
        assert await ids(database, typed) == expected, typed


async def test_list_is_bounded_and_the_rest_is_found_with_until(database: Database) -> None:
    made = [await jobs.draft(database, 1, first=number) for number in range(13)]
    async with database.write() as tx:
        for number, request_id in enumerate(made):
            of_request = update(RequestRow).where(RequestRow.id == request_id)
            await tx.execute(of_request.values(created_at=NOW + timedelta(minutes=number)))
    newest = await find(database, "lobby")
    assert ([line.id for line in newest.lines], newest.total) == (made[:2:-1], 13)
    oldest = newest.lines[-1].created_at
    rest = await find(database, f"lobby until {oldest:%Y-%m-%dT%H:%M:%SZ}")
    assert ([line.id for line in rest.lines], rest.total) == (made[2::-1], 3)


@pytest.mark.parametrize("typed", ["lobby123", "lobby123@contoso.com", "80-5E-C0-00-00-01"])
async def test_phones_are_looked_up_in_an_index(database: Database, typed: str) -> None:
    asked = parse(typed, NOW)
    assert isinstance(asked, HistoryFilter)
    # Of an empty table, whose indexes all cost the same, PostgreSQL takes any.
    await jobs.draft(database, 1_000)
    async with database.write() as tx:
        phones = history.of_phones(tx, asked)
        statement = history.requests_with(phones).compile(
            dialect=tx.dialect, compile_kwargs={"literal_binds": True}
        )
        if tx.dialect.name == "postgresql":
            await tx.execute(text("ANALYZE phones"))
            await tx.execute(text("SET LOCAL enable_seqscan = off"))
        plan = await tx.execute(
            text(
                ("EXPLAIN QUERY PLAN " if tx.dialect.name == "sqlite" else "EXPLAIN ")
                + str(statement).replace(":", r"\:")
            )
        )
        lines = "\n".join(map(str, plan.all()))
    column = "hardware_id" if typed.startswith("80") else "account"
    assert f"ix_phones_{column}_request_id" in lines
    assert "Filter: ((account" not in lines


async def test_lists_find_what_the_evaluator_lets_somebody_see(database: Database) -> None:
    """For views of regions, of accounts, of both, and of several together; beside one's own."""
    drafted = [
        await jobs.draft(database, 2, *regions, first=first)
        for regions, first in (
            ((Region.EMEA,), 0),
            ((Region.APAC,), 10),
            ((Region.EMEA, Region.APAC), 20),
            ((Region.NOAM,), 30),
        )
    ]
    async with database.write() as tx:
        for account, first in (("x%1@contoso.com", 10), ("x_y@contoso.com", 30)):
            row = PhoneRow.username == f"lobby{first}@contoso.com"
            await tx.execute(update(PhoneRow).where(row).values(account=account))
        await tx.execute(
            update(RequestRow).where(RequestRow.id == drafted[3]).values(requester_id="other")
        )
    conditions = {
        "emea": Condition(frozenset({Region.EMEA})),
        "apac": Condition(frozenset({Region.APAC, Region.NOAM})),
        "percent": Condition(accounts=parse_scope(["x%*@contoso.com"])),
        "under": Condition(accounts=parse_scope(["x_y@contoso.com", "LOBBY2*@contoso.com"])),
        "both": Condition(frozenset({Region.EMEA}), parse_scope(["lobby0@*"])),
    }
    groups = {name: Group(name, frozenset({name})) for name in (*conditions, "auditors")}
    views = tuple(View(name, (groups[name],), each) for name, each in conditions.items())
    policy = Policy((), (), (groups["auditors"],), views=views)
    for size in range(3):
        for chosen in itertools.combinations(conditions, size):
            for who in ("somebody", "other"):
                ids = frozenset({"auditors", *chosen})
                actor = Actor(Person(who, ""), jobs.TENANT, ids)
                seen = sight(policy, actor)
                mine = None if seen.everything else who
                async with database.read() as tx:
                    listed = await history.find(
                        tx, jobs.TENANT, requester_id=mine, others=seen.ways
                    )
                    expected: set[str] = set()
                    for each in drafted:
                        request = await requests.load(tx, each)
                        assert request is not None
                        facts = await policy_facts.of_request(tx, policy, request)
                        expected |= {each} if may_see(policy, actor, facts).allowed else set()
                assert {line.id for line in listed.lines} == expected, (chosen, who)
                assert listed.total == len(expected)
