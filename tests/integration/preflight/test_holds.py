"""Approved requests whose accounts are checked again, on both databases: what holds them, what ends it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, update

from bot.lifecycle import asking, holds, starts
from bot.lifecycle import batches as batch_lifecycle
from bot.lifecycle import requests as request_lifecycle
from bot.phones.region import Region
from bot.preflight.facts import TenantFacts, Unknown, UnknownReason
from bot.preflight.reader import FactReader
from bot.preflight.verdict import Result
from bot.runner.preflight import LEASE
from bot.signin.outcome import CHANGED, FAILED_CHECK, NOT_RUN, PhoneStatus
from bot.signin.request import Hold, Person, RequestState
from bot.signin.schedule import Due, Start
from bot.signin.snapshot import AccountHold, RequestSnapshot
from bot.store import account_checks, rechecks, slots
from bot.store.database import Database
from bot.store.models.accounts import AccountCheckRow
from bot.store.models.batches import BatchRow
from bot.store.models.requests import PhoneRow, RequestRow
from bot.words import Words
from tests.integration.preflight.test_drafts import (
    DISABLED,
    MISSING,
    PERSON,
    UNREADABLE,
    Broken,
    Clock,
    check,
    draft,
    request_approval,
    runner,
    snapshot_of,
)
from tests.support import jobs
from tests.support.facts import TENANT, Reader

HOUR = timedelta(hours=1)
LATER = timedelta(minutes=40)
FIRST, SECOND = "lobby0@contoso.com", "lobby1@contoso.com"
ADELE = Person("00000000-0000-0000-0000-000000000022", "Adele Vance")


def later() -> datetime:
    return jobs.utc_now() + LATER


async def waiting(
    database: Database, phones: int, reader: FactReader, *, failed: bool = False
) -> str:
    """A request that waits for approval, with its accounts checked."""
    request_id = await draft(database, phones)
    await check(database, reader, request_id)
    assert await request_approval(database, request_id, failed=failed)
    return request_id


async def approve(database: Database, request_id: str, now: datetime) -> bool:
    request = await jobs.load(database, request_id)
    async with database.write() as tx:
        return await request_lifecycle.approve(
            tx,
            jobs.NOTIFY,
            request,
            comment="",
            actor=jobs.APPROVER,
            now=now,
            check_accounts=True,
        )


async def until(database: Database, request_id: str, hold: Hold) -> None:
    while (await jobs.load(database, request_id)).hold is not hold:
        await asyncio.sleep(0.01)


@asynccontextmanager
async def checking(database: Database, reader: FactReader | None) -> AsyncGenerator[None]:
    task = asyncio.create_task(runner(database, reader, clock=Clock(later())).run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def recheck(
    database: Database, request_id: str, reader: FactReader | None, hold: Hold
) -> None:
    """Run one replica until the request is in this hold."""
    async with checking(database, reader):
        await until(database, request_id, hold)


async def held(database: Database, phones: int = 3) -> str:
    """A request that is held, since its first account is disabled now."""
    request_id = await waiting(database, phones, Reader())
    assert await approve(database, request_id, later())
    await recheck(database, request_id, Reader({FIRST: DISABLED}), Hold.HELD)
    return request_id


async def continue_without(database: Database, request_id: str) -> bool:
    request = await jobs.load(database, request_id)
    async with database.write() as tx:
        return await holds.continue_without(
            tx, jobs.NOTIFY, request, Words(), actor=ADELE, now=later()
        )


async def planned(database: Database, request_id: str) -> list[str]:
    """The accounts whose phones are in a batch."""
    async with database.read() as tx:
        rows = await tx.execute(
            select(PhoneRow.username)
            .join(BatchRow, BatchRow.id == PhoneRow.batch_id)
            .where(PhoneRow.request_id == request_id)
            .order_by(PhoneRow.number)
        )
        return list(rows.scalars())


async def hold_of(database: Database, request_id: str) -> AccountHold:
    hold = (await snapshot_of(database, request_id)).hold
    assert hold is not None
    return hold


def codes(snapshot: RequestSnapshot) -> list[str]:
    return [each.code for each in snapshot.rechecked]


async def test_what_is_fresh_and_known_starts_at_once(database: Database) -> None:
    request_id = await waiting(database, 3, Reader())

    assert await approve(database, request_id, jobs.utc_now())

    assert (await jobs.load(database, request_id)).hold is Hold.NONE
    assert len(await planned(database, request_id)) == 3


@pytest.mark.parametrize("minutes", [29, 31])
async def test_accounts_are_checked_again_after_half_an_hour(
    database: Database, minutes: int
) -> None:
    request_id = await waiting(database, 3, Reader())
    now = jobs.utc_now() + timedelta(minutes=minutes)

    assert await approve(database, request_id, now)

    hold = (await jobs.load(database, request_id)).hold
    assert hold is (Hold.CHECKING if minutes > 30 else Hold.NONE)


async def test_only_accounts_that_are_not_known_are_read_again_if_the_rest_is_fresh(
    database: Database,
) -> None:
    request_id = await waiting(database, 3, Reader({SECOND: UNREADABLE}))
    assert await approve(database, request_id, jobs.utc_now())
    reader = Reader()

    await recheck(database, request_id, reader, Hold.NONE)

    assert reader.asked == [SECOND]
    assert len(await planned(database, request_id)) == 3
    assert "rechecked" in codes(await snapshot_of(database, request_id))


async def test_what_no_look_can_tell_does_not_hold(database: Database) -> None:
    lasting = {"mfa": Unknown(UnknownReason.CLOUD)}
    request_id = await waiting(database, 3, Reader({SECOND: lasting}))

    assert await approve(database, request_id, jobs.utc_now())

    assert (await jobs.load(database, request_id)).hold is Hold.NONE


async def test_request_that_is_checked_has_nothing_to_claim(database: Database) -> None:
    request_id = await waiting(database, 3, Reader())
    assert await approve(database, request_id, later())

    assert (await jobs.load(database, request_id)).state is RequestState.RUNNING
    async with database.read() as tx:
        assert await slots.regions_with_work(tx, later() + HOUR) == []
        assert await slots.next_to_send(tx, jobs.TENANT, Region.EMEA, later() + HOUR) == {}
    claimed = await batch_lifecycle.claim(
        database, jobs.TENANT, Region.EMEA, owner="w", now=later(), lease_until=later() + HOUR
    )
    assert claimed == []


async def test_new_failures_hold_the_request_and_are_named(database: Database) -> None:
    request_id = await waiting(database, 4, Reader())
    assert await approve(database, request_id, later())

    changed = Reader({FIRST: DISABLED, SECOND: MISSING})
    await recheck(database, request_id, changed, Hold.HELD)

    hold = await hold_of(database, request_id)
    assert [(each.username, each.code) for each in hold.failures] == [
        (FIRST, "disabled"),
        (SECOND, "not-found"),
    ]
    assert (hold.accounts, hold.phones, hold.total) == (2, 2, 4)
    assert await planned(database, request_id) == []
    assert (await jobs.events(database, request_id))[-1] == "accounts checked again"


async def test_failures_that_were_included_hold_nothing(database: Database) -> None:
    request_id = await waiting(database, 3, Reader({FIRST: DISABLED}), failed=True)
    assert await approve(database, request_id, later())

    await recheck(database, request_id, Reader({FIRST: DISABLED}), Hold.NONE)

    assert len(await planned(database, request_id)) == 3


async def test_accounts_that_were_left_out_before_are_not_read_again(database: Database) -> None:
    request_id = await waiting(database, 3, Reader({FIRST: DISABLED}))
    assert await approve(database, request_id, later())
    reader = Reader({FIRST: PERSON})

    await recheck(database, request_id, reader, Hold.NONE)

    assert FIRST not in reader.asked
    assert FIRST not in await planned(database, request_id)


async def test_continuing_leaves_out_the_accounts_that_fail_and_sends_the_rest(
    database: Database,
) -> None:
    request_id = await held(database)

    assert await continue_without(database, request_id)

    assert len(await planned(database, request_id)) == 2
    phone = (await snapshot_of(database, request_id)).phones.items[0]
    assert (phone.username, phone.status, phone.cause) == (
        FIRST,
        PhoneStatus.NOT_RUN,
        FAILED_CHECK,
    )
    assert phone.message == "The account is disabled."
    assert (await jobs.events(database, request_id))[-1] == "continued without"
    assert not await continue_without(database, request_id)


async def test_request_without_phones_left_ends(database: Database) -> None:
    request_id = await held(database, phones=1)

    assert await continue_without(database, request_id)

    assert (await jobs.load(database, request_id)).state is RequestState.FINISHED


async def test_accounts_that_were_mended_pass_the_next_check(database: Database) -> None:
    request_id = await held(database)
    request = await jobs.load(database, request_id)
    async with database.write() as tx:
        assert await holds.check_again(tx, request, actor=ADELE, now=later())
    reader = Reader()

    await recheck(database, request_id, reader, Hold.NONE)

    assert reader.asked == [FIRST]  # the others are fresh by now
    assert len(await planned(database, request_id)) == 3


async def test_continuing_is_bound_to_the_accounts_that_were_shown(database: Database) -> None:
    request_id = await held(database)
    shown = await jobs.load(database, request_id)
    async with database.write() as tx:
        assert await holds.check_again(tx, shown, actor=ADELE, now=later() + HOUR)
    await recheck(database, request_id, Reader({SECOND: DISABLED}), Hold.HELD)

    async with database.write() as tx:
        continued = await holds.continue_without(
            tx, jobs.NOTIFY, shown, Words(), actor=ADELE, now=later()
        )

    assert not continued
    assert (await jobs.load(database, request_id)).hold is Hold.HELD
    assert (await hold_of(database, request_id)).failures[0].username == SECOND


@pytest.mark.parametrize("state", [Hold.CHECKING, Hold.HELD])
async def test_canceled_while_held_nothing_is_sent(database: Database, state: Hold) -> None:
    if state is Hold.HELD:
        request_id = await held(database)
    else:
        request_id = await waiting(database, 3, Reader())
        assert await approve(database, request_id, later())

    assert await jobs.cancel(database, request_id)

    request = await jobs.load(database, request_id)
    assert (request.state, request.hold) == (RequestState.CANCELLED, Hold.NONE)
    phones = (await snapshot_of(database, request_id)).phones.items
    assert {(each.status, each.cause) for each in phones} == {(PhoneStatus.NOT_RUN, NOT_RUN)}
    assert not await continue_without(database, request_id)


async def test_check_that_was_canceled_meanwhile_stores_nothing(database: Database) -> None:
    request_id = await waiting(database, 4, Reader())
    assert await approve(database, request_id, later())
    reached, cancelled = asyncio.Event(), asyncio.Event()

    async def wait_for_cancel() -> None:
        reached.set()
        await cancelled.wait()

    async with checking(database, Reader(before_chunk=wait_for_cancel)):
        await reached.wait()
        assert await jobs.cancel(database, request_id)
        cancelled.set()
        await check(database, Reader(), await draft(database, 1))

    assert (await jobs.load(database, request_id)).state is RequestState.CANCELLED
    async with database.read() as tx:
        assert (await rechecks.checked_again(tx, request_id))[0] == 0


async def test_another_replica_resumes_the_second_check(database: Database) -> None:
    request_id = await waiting(database, 6, Reader())
    assert await approve(database, request_id, later())
    clock = Clock(later())
    reached, forever = asyncio.Event(), asyncio.Event()
    chunks = 0

    async def stop_after_two() -> None:
        nonlocal chunks
        chunks += 1
        if chunks > 2:
            reached.set()
            await forever.wait()

    first = Reader({FIRST: DISABLED}, before_chunk=stop_after_two)
    killed = asyncio.create_task(runner(database, first, owner="killed", clock=clock).run())
    await reached.wait()
    killed.cancel()
    await asyncio.gather(killed, return_exceptions=True)
    clock.now += LEASE + timedelta(seconds=1)
    second = Reader()
    resumed = asyncio.create_task(runner(database, second, owner="other", clock=clock).run())
    await until(database, request_id, Hold.HELD)
    resumed.cancel()
    await asyncio.gather(resumed, return_exceptions=True)

    assert second.asked == ["lobby4@contoso.com", "lobby5@contoso.com"]
    assert (await hold_of(database, request_id)).failures[0].username == FIRST


async def test_fault_midway_keeps_what_is_known_and_stops_nothing(database: Database) -> None:
    request_id = await waiting(database, 4, Reader())
    assert await approve(database, request_id, later())

    await recheck(database, request_id, Broken(), Hold.NONE)

    assert len(await planned(database, request_id)) == 4
    async with database.read() as tx:
        results = await tx.execute(
            select(AccountCheckRow.result)
            .where(AccountCheckRow.request_id == request_id)
            .order_by(AccountCheckRow.number)
        )
        assert list(results.scalars()) == ["passed", "passed", "unknown", "unknown"]
    assert codes(await snapshot_of(database, request_id)) == ["unknown-unreadable"]


async def due(database: Database, phones: int = 2) -> str:
    """A request whose time has come: its accounts are being checked again."""
    request_id = await draft(database, phones)
    await check(database, Reader(), request_id)
    request, at = await jobs.load(database, request_id), later()
    async with database.write() as tx:
        assert await asking.request_approval(
            tx,
            jobs.NOTIFY,
            request,
            region=None,
            reason="new lobby",
            ttl=HOUR,
            actor=jobs.ADMIN,
            now=jobs.utc_now(),
            start=Start(at, "Europe/Berlin", "2026-12-01T18:00"),
        )
    assert await approve(database, request_id, jobs.utc_now())
    request = await jobs.load(database, request_id)
    assert request.hold is Hold.SCHEDULED
    async with database.write() as tx:
        started = await starts.start(tx, jobs.NOTIFY, request, now=at, check_accounts=True)
    assert started is Due.START
    return request_id


async def test_scheduled_request_has_its_accounts_checked_again_at_its_start(
    database: Database,
) -> None:
    request_id = await due(database)
    assert (await jobs.load(database, request_id)).hold is Hold.CHECKING
    assert await planned(database, request_id) == []
    reader = Reader({FIRST: DISABLED})

    await recheck(database, request_id, reader, Hold.HELD)

    assert reader.asked == [FIRST, SECOND]
    assert await continue_without(database, request_id)
    assert await planned(database, request_id) == [SECOND]


async def test_check_that_ends_late_does_not_start_a_scheduled_request(database: Database) -> None:
    request_id = await due(database)
    clock = Clock(later() + 2 * HOUR)
    task = asyncio.create_task(runner(database, Reader(), clock=clock).run())
    await until(database, request_id, Hold.MISSED)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert await planned(database, request_id) == []
    missed = (await snapshot_of(database, request_id)).missed
    assert missed is not None
    assert missed.reason is Due.LATE


class ClosedTenant(Reader):
    async def tenant(self) -> TenantFacts:
        return TenantFacts(bulk_sign_in=False, trusted_addresses=2, security_defaults=True)


async def test_tenant_that_fails_now_holds_the_request(database: Database) -> None:
    request_id = await waiting(database, 2, Reader())
    assert await approve(database, request_id, later())

    await recheck(database, request_id, ClosedTenant(), Hold.HELD)

    snapshot = await snapshot_of(database, request_id)
    assert codes(snapshot)[0] == "tenant-bulk-sign-in-off"
    assert (await hold_of(database, request_id)).accounts == 0
    assert await continue_without(database, request_id)
    assert len(await planned(database, request_id)) == 2


async def test_tenant_that_failed_on_the_approved_card_holds_nothing(database: Database) -> None:
    request_id = await waiting(database, 2, ClosedTenant())
    assert await approve(database, request_id, later())

    await recheck(database, request_id, ClosedTenant(), Hold.NONE)


async def test_rows_changed_while_held_are_not_sent(database: Database) -> None:
    request_id = await held(database)
    async with database.write() as tx:
        await tx.execute(
            update(PhoneRow)
            .where(PhoneRow.request_id == request_id, PhoneRow.account == SECOND)
            .values(hardware_id="80-5E-C0-FF-FF-FF")
        )

    assert await continue_without(database, request_id)

    assert await planned(database, request_id) == []
    snapshot = await snapshot_of(database, request_id)
    assert snapshot.state is RequestState.FINISHED
    assert [each.cause for each in snapshot.phones.items] == [FAILED_CHECK, CHANGED, CHANGED]


async def test_request_that_was_never_checked_is_checked_at_the_approval(
    database: Database,
) -> None:
    request_id = await jobs.draft(database, 3)
    assert await jobs.request_approval(database, request_id)
    assert await approve(database, request_id, jobs.utc_now())

    await recheck(database, request_id, Reader({FIRST: DISABLED}), Hold.HELD)

    assert (await hold_of(database, request_id)).accounts == 1


async def test_without_checks_nothing_is_held(database: Database) -> None:
    request_id = await waiting(database, 3, Reader({FIRST: UNREADABLE}))

    assert await jobs.approve(database, request_id)

    assert (await jobs.load(database, request_id)).hold is Hold.NONE


async def test_checks_turned_off_meanwhile_end_the_hold_as_not_known(database: Database) -> None:
    request_id = await waiting(database, 2, Reader())
    assert await approve(database, request_id, later())

    await recheck(database, request_id, None, Hold.NONE)

    assert len(await planned(database, request_id)) == 2
    assert codes(await snapshot_of(database, request_id)) == [
        "unknown-approver",
        "unknown-not-read",
    ]


@pytest.mark.parametrize(
    ("delegated", "until_after", "found"),
    [
        ((), HOUR, False),  # another replica has the delegation
        ("here", HOUR, True),
        ((), -HOUR, True),  # no replica has it any more: nobody waits for it
        ((), None, True),
    ],
)
async def test_replica_with_the_delegation_checks_as_long_as_it_lives(
    database: Database, delegated: object, until_after: timedelta | None, found: bool
) -> None:
    request_id = await waiting(database, 2, Reader())
    assert await approve(database, request_id, later())
    async with database.write() as tx:
        await tx.execute(
            update(RequestRow)
            .where(RequestRow.id == request_id)
            .values(delegation_until=until_after and later() + until_after)
        )
    held_here: Collection[str] = (request_id,) if delegated else ()

    async with database.read() as tx:
        job = await account_checks.next_to_check(
            tx, owner="a", now=later(), under_way=(), delegated=held_here
        )

    assert (job is not None) is found


async def test_lease_that_was_lost_decides_nothing(database: Database) -> None:
    request_id = await waiting(database, 2, Reader())
    assert await approve(database, request_id, later())
    async with database.write() as tx:
        now = later()
        assert await account_checks.renew(tx, request_id, owner="fast", now=now, until=now + LEASE)
        hold = await holds.complete(tx, jobs.NOTIFY, request_id, (), Words(), owner="slow", now=now)

    assert hold is None
    assert (await jobs.load(database, request_id)).hold is Hold.CHECKING


async def test_account_without_an_answer_is_not_known(database: Database) -> None:
    request_id = await waiting(database, 2, Reader())
    assert await approve(database, request_id, later())
    async with database.write() as tx:
        now = later()
        assert await account_checks.renew(tx, request_id, owner="a", now=now, until=now + LEASE)
        await holds.complete(tx, jobs.NOTIFY, request_id, (), Words(), owner="a", now=now)
        again = await rechecks.load(tx, request_id)

    assert [[each.result for each in account.now] for account in again] == [[Result.UNKNOWN]] * 2


@pytest.mark.parametrize(
    "unanswered",
    [Reader({FIRST: {"roles": Unknown(UnknownReason.UNAVAILABLE)}}), None],
    ids=["roles", "nothing-readable"],
)
async def test_known_administrator_stays_held_when_another_look_has_no_answer(
    database: Database, unanswered: Reader | None
) -> None:
    request_id = await waiting(database, 3, Reader())
    assert await approve(database, request_id, later())
    administrator = Reader({FIRST: {"roles": ["Global Administrator"]}})
    await recheck(database, request_id, administrator, Hold.HELD)

    for reader, hold in ((unanswered, Hold.HELD), (unanswered, Hold.HELD), (Reader(), Hold.NONE)):
        request = await jobs.load(database, request_id)
        async with database.write() as tx:
            assert await holds.check_again(tx, request, actor=ADELE, now=later())
        async with checking(database, reader):
            while (await jobs.load(database, request_id)).hold is Hold.CHECKING:
                await asyncio.sleep(0.01)
        assert (await jobs.load(database, request_id)).hold is hold

    assert FIRST in await planned(database, request_id)


async def test_tenant_failure_stays_when_another_look_has_no_answer(database: Database) -> None:
    request_id = await waiting(database, 2, Reader())
    assert await approve(database, request_id, later())
    await recheck(
        database, request_id, Reader(settings=replace(TENANT, bulk_sign_in=False)), Hold.HELD
    )

    request = await jobs.load(database, request_id)
    async with database.write() as tx:
        assert await holds.check_again(tx, request, actor=ADELE, now=later())
    unanswered = Reader(settings=replace(TENANT, bulk_sign_in=Unknown(UnknownReason.UNAVAILABLE)))
    async with checking(database, unanswered):
        while (await jobs.load(database, request_id)).hold is Hold.CHECKING:
            await asyncio.sleep(0.01)

    assert (await jobs.load(database, request_id)).hold is Hold.HELD
    assert await planned(database, request_id) == []
