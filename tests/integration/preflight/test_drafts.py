"""Account checks of drafts on both databases: what they leave out, what may be included, and faults."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from bot.lifecycle import asking, drafts
from bot.lifecycle import preflight as lifecycle
from bot.lifecycle import requests as request_lifecycle
from bot.lifecycle.asking import NothingReadyError
from bot.lifecycle.preflight import UnknownAccountError
from bot.phones.issue import Severity
from bot.preflight.facts import AccountFacts, Plans, TenantFacts, Unknown, UnknownReason
from bot.preflight.reader import FactReader
from bot.preflight.verdict import Result
from bot.runner.preflight import LEASE, Preflight
from bot.settings.scope import AccountScope
from bot.signin.request import RequestState
from bot.signin.snapshot import AccountChecks, RequestSnapshot
from bot.store import account_checks, snapshots
from bot.store.database import Database
from bot.words import Words
from tests.support import jobs
from tests.support.facts import Reader

PERSON = {"plans": Plans(teams_phone=True, mailbox=True, desktop_apps=False)}
ADMINISTRATOR = {"roles": ("User Administrator",)}
DISABLED = {"enabled": False}
MISSING = {"found": False}
UNREADABLE = {"mfa": Unknown(UnknownReason.PERMISSION, "Policy.Read.All")}


@dataclass
class Clock:
    now: datetime = field(default_factory=jobs.utc_now)

    def __call__(self) -> datetime:
        return self.now


def runner(
    database: Database,
    reader: FactReader | None,
    *,
    owner: str = "a",
    clock: Clock | None = None,
    heartbeat_seconds: float = 1000,
) -> Preflight:
    return Preflight(
        database,
        lambda _: reader,
        AccountScope(),
        Words(),
        owner=owner,
        idle_seconds=0.01,
        clock=clock or Clock(),
        changed=lambda: None,
        notifications=jobs.NOTIFY,
        started=lambda: None,
        heartbeat_seconds=heartbeat_seconds,
    )


async def draft(database: Database, phones: int) -> str:
    return await drafts.draft(
        database,
        jobs.NOTIFY,
        jobs.new_request(),
        jobs.roster(phones),
        jobs.utc_now,
        check_accounts=True,
    )


async def snapshot_of(database: Database, request_id: str) -> RequestSnapshot:
    async with database.read() as tx:
        snapshot = await snapshots.load(tx, request_id, issues=True)
    assert snapshot is not None
    return snapshot


async def checks_of(database: Database, request_id: str) -> AccountChecks:
    checks = (await snapshot_of(database, request_id)).roster.account_checks
    assert checks is not None
    return checks


async def until_complete(database: Database, *request_ids: str) -> None:
    for request_id in request_ids:
        while not (await checks_of(database, request_id)).complete:
            await asyncio.sleep(0.01)


async def check(database: Database, reader: FactReader | None, *request_ids: str) -> None:
    """Run one replica until the drafts are checked."""
    task = asyncio.create_task(runner(database, reader).run())
    try:
        await until_complete(database, *request_ids)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def request_approval(
    database: Database, request_id: str, *, failed: bool = False, guarded: Sequence[str] = ()
) -> bool:
    request = await jobs.load(database, request_id)
    async with database.write() as tx:
        return await asking.request_approval(
            tx,
            jobs.NOTIFY,
            request,
            region=None,
            reason="new lobby",
            ttl=timedelta(hours=1),
            actor=jobs.ADMIN,
            now=jobs.utc_now(),
            include_failed=failed,
            include_guarded=guarded,
        )


async def test_accounts_that_fail_are_left_out_and_the_rest_stays_ready(database: Database) -> None:
    request_id = await draft(database, 6)
    changes = {
        "lobby0@contoso.com": PERSON,
        "lobby1@contoso.com": ADMINISTRATOR,
        "lobby2@contoso.com": DISABLED,
        "lobby3@contoso.com": MISSING,
        "lobby4@contoso.com": UNREADABLE,
    }

    await check(database, Reader(changes), request_id)

    snapshot = await snapshot_of(database, request_id)
    checks = snapshot.roster.account_checks
    assert checks is not None
    assert (checks.refused, checks.guarded, checks.failed) == (1, 1, 2)
    assert (checks.unknown, checks.passed, checks.total) == (1, 1, 6)
    assert (snapshot.roster.ready, snapshot.roster.accounts, snapshot.roster.not_ready) == (2, 2, 4)
    assert [phone.username for phone in snapshot.phones.items] == [
        "lobby4@contoso.com",
        "lobby5@contoso.com",
    ]
    assert [(each.row, each.code, each.severity) for each in snapshot.roster.issues.items] == [
        (2, "account-person-mailbox", Severity.ERROR),
        (3, "account-holds-role", Severity.ERROR),
        (4, "account-disabled", Severity.ERROR),
        (5, "account-not-found", Severity.ERROR),
    ]
    (gap,) = snapshot.roster.notices
    assert gap.code == "unknown-permission"
    assert gap.arguments == {
        "checks": "Per-user MFA",
        "detail": "Policy.Read.All",
        "accounts": 1,
    }


@pytest.mark.parametrize(
    ("changes", "mended"),
    [
        (PERSON | {"phone_numbers": ()}, False),
        (MISSING, False),
        ({"phone_numbers": ()}, True),
    ],
)
async def test_card_knows_what_cmdlets_mend_but_not_of_accounts_that_are_kept_out(
    database: Database, changes: dict[str, object], mended: bool
) -> None:
    request_id = await draft(database, 2)

    await check(database, Reader({"lobby0@contoso.com": changes}), request_id)

    checks = await checks_of(database, request_id)
    assert (checks.scripted, checks.lacks_numbers) == (mended, mended)


async def test_approval_cannot_be_requested_while_accounts_are_checked(database: Database) -> None:
    request_id = await draft(database, 2)

    assert (await jobs.load(database, request_id)).checking_accounts
    assert not await request_approval(database, request_id)
    assert (await jobs.load(database, request_id)).state is RequestState.DRAFT


async def test_failed_accounts_are_included_only_on_request(database: Database) -> None:
    request_id = await draft(database, 4)
    changes = {
        "lobby0@contoso.com": PERSON,
        "lobby1@contoso.com": ADMINISTRATOR,
        "lobby2@contoso.com": DISABLED,
    }
    await check(database, Reader(changes), request_id)

    assert await request_approval(database, request_id, failed=True)

    snapshot = await snapshot_of(database, request_id)
    assert [phone.username for phone in snapshot.phones.items] == [
        "lobby2@contoso.com",
        "lobby3@contoso.com",
    ]
    assert snapshot.roster.account_checks is not None
    assert snapshot.roster.account_checks.included == 1
    assert (await jobs.load(database, request_id)).guarded_accounts == 0


async def test_guarded_account_is_included_by_name_only(database: Database) -> None:
    request_id = await draft(database, 3)
    changes = {"lobby0@contoso.com": PERSON, "lobby1@contoso.com": PERSON}
    await check(database, Reader(changes), request_id)

    assert await request_approval(database, request_id, failed=True, guarded=["LOBBY1@contoso.com"])

    snapshot = await snapshot_of(database, request_id)
    checks = snapshot.roster.account_checks
    assert checks is not None
    assert checks.included_accounts == ["lobby1@contoso.com"]
    assert checks.guarded_accounts == ["lobby0@contoso.com"]
    assert [phone.username for phone in snapshot.phones.items] == [
        "lobby1@contoso.com",
        "lobby2@contoso.com",
    ]
    assert (await jobs.load(database, request_id)).guarded_accounts == 1


@pytest.mark.parametrize(
    "named", ["lobby1@contoso.com", "lobby2@contoso.com", "ceo@contoso.com", ""]
)
async def test_no_other_account_can_be_included_by_name(database: Database, named: str) -> None:
    request_id = await draft(database, 3)
    changes = {
        "lobby0@contoso.com": PERSON,
        "lobby1@contoso.com": ADMINISTRATOR,
        "lobby2@contoso.com": DISABLED,
    }
    await check(database, Reader(changes), request_id)

    with pytest.raises(UnknownAccountError):
        await request_approval(database, request_id, guarded=[named])

    assert (await jobs.load(database, request_id)).state is RequestState.DRAFT
    assert (await snapshot_of(database, request_id)).phones.total == 0


async def test_choices_are_kept_when_an_overlap_shows_up_and_can_be_taken_back(
    database: Database,
) -> None:
    other, request_id = await draft(database, 3), await draft(database, 3)
    changes = {"lobby0@contoso.com": PERSON, "lobby1@contoso.com": DISABLED}
    await check(database, Reader(changes), other, request_id)
    assert await request_approval(database, other)

    named = ["lobby0@contoso.com"]
    assert not await request_approval(database, request_id, failed=True, guarded=named)

    snapshot = await snapshot_of(database, request_id)
    checks = snapshot.roster.account_checks
    assert checks is not None
    assert (snapshot.state, snapshot.reason) == (RequestState.DRAFT, "new lobby")
    assert (snapshot.roster.ready, checks.included) == (3, 2)
    assert checks.included_accounts == named

    assert await request_approval(database, request_id)
    snapshot = await snapshot_of(database, request_id)
    assert [phone.username for phone in snapshot.phones.items] == ["lobby2@contoso.com"]
    assert (await jobs.load(database, request_id)).guarded_accounts == 0


async def test_request_of_which_nothing_is_left_is_not_requested(database: Database) -> None:
    request_id = await draft(database, 1)
    await check(database, Reader({"lobby0@contoso.com": ADMINISTRATOR}), request_id)

    with pytest.raises(NothingReadyError):
        await request_approval(database, request_id, failed=True)

    assert (await jobs.load(database, request_id)).state is RequestState.DRAFT


async def test_another_replica_resumes_where_one_was_killed(database: Database) -> None:
    request_id = await draft(database, 6)
    clock = Clock()
    reached, forever = asyncio.Event(), asyncio.Event()
    chunks = 0

    async def stop_after_two() -> None:
        nonlocal chunks
        chunks += 1
        if chunks > 2:
            reached.set()
            await forever.wait()

    first = Reader(before_chunk=stop_after_two)
    killed = asyncio.create_task(runner(database, first, owner="killed", clock=clock).run())
    await reached.wait()
    killed.cancel()
    await asyncio.gather(killed, return_exceptions=True)

    second = Reader()
    resumed = asyncio.create_task(runner(database, second, owner="other", clock=clock).run())
    async with database.read() as tx:
        held = await account_checks.next_to_check(tx, owner="other", now=clock.now, under_way=())
    assert held is None
    clock.now += LEASE + timedelta(seconds=1)
    await until_complete(database, request_id)
    resumed.cancel()
    await asyncio.gather(resumed, return_exceptions=True)

    assert len(first.asked) == 4
    assert second.asked == ["lobby4@contoso.com", "lobby5@contoso.com"]


async def test_replica_that_lost_its_lease_stores_nothing(database: Database) -> None:
    request_id = await draft(database, 2)
    now = jobs.utc_now()
    later = now + LEASE + timedelta(seconds=1)
    async with database.write() as tx:
        until = now + LEASE
        assert await account_checks.renew(tx, request_id, owner="slow", now=now, until=until)
        assert await account_checks.renew(
            tx, request_id, owner="fast", now=later, until=later + LEASE
        )
        assert not await lifecycle.record(
            tx, request_id, (), owner="slow", now=later, until=later + LEASE
        )
        assert not await lifecycle.complete(tx, request_id, (), Words(), owner="slow", now=later)

    assert not (await checks_of(database, request_id)).complete


async def test_withdrawn_draft_is_not_checked_further(database: Database) -> None:
    request_id = await draft(database, 4)
    reached, withdrawn = asyncio.Event(), asyncio.Event()

    async def wait_for_withdrawal() -> None:
        reached.set()
        await withdrawn.wait()

    reader = Reader(before_chunk=wait_for_withdrawal)
    task = asyncio.create_task(runner(database, reader).run())
    await reached.wait()
    request = await jobs.load(database, request_id)
    async with database.write() as tx:
        await request_lifecycle.withdraw(tx, request, actor=jobs.ADMIN, now=jobs.utc_now())
    withdrawn.set()
    next_request = await draft(database, 1)
    await until_complete(database, next_request)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert not (await checks_of(database, request_id)).complete
    assert (await checks_of(database, request_id)).checked == 0


@dataclass
class Slow(Reader):
    """Does not answer for large drafts until told to."""

    answer: asyncio.Event = field(default_factory=asyncio.Event)

    async def accounts(
        self, usernames: Sequence[str], scope: AccountScope
    ) -> AsyncGenerator[Sequence[AccountFacts]]:
        if len(usernames) > 1:
            await self.answer.wait()
        async for chunk in super().accounts(usernames, scope):
            yield chunk


async def test_large_draft_does_not_hold_up_a_small_one(database: Database) -> None:
    large, small = await draft(database, 9), await draft(database, 1)
    reader = Slow()
    task = asyncio.create_task(runner(database, reader).run())
    await until_complete(database, small)
    assert not (await checks_of(database, large)).complete
    reader.answer.set()
    await until_complete(database, large)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


class Broken(Reader):
    async def accounts(
        self, usernames: Sequence[str], scope: AccountScope
    ) -> AsyncGenerator[Sequence[AccountFacts]]:
        async for chunk in super().accounts(usernames[:2], scope):
            yield chunk
        raise RuntimeError("a fault")


async def test_fault_while_reading_ends_as_not_known_and_keeps_what_is_known(
    database: Database,
) -> None:
    request_id = await draft(database, 4)

    await check(database, Broken({"lobby0@contoso.com": DISABLED}), request_id)

    checks = await checks_of(database, request_id)
    assert (checks.failed, checks.passed, checks.unknown) == (1, 1, 2)


async def test_tenant_out_of_reach_is_not_known_and_the_rows_stay_ready(
    database: Database,
) -> None:
    request_id = await draft(database, 3)

    await check(database, None, request_id)

    snapshot = await snapshot_of(database, request_id)
    assert snapshot.roster.ready == 3
    assert [each.code for each in snapshot.roster.notices] == ["unknown-approver"]


class BadTenant(Reader):
    async def tenant(self) -> TenantFacts:
        return TenantFacts(bulk_sign_in=False, trusted_addresses=0)


async def test_tenant_that_is_not_set_up_is_told_first(database: Database) -> None:
    request_id = await draft(database, 1)

    await check(database, BadTenant(), request_id)

    notices = (await snapshot_of(database, request_id)).roster.notices
    assert [each.code for each in notices[:2]] == [
        "tenant-bulk-sign-in-off",
        "tenant-no-trusted-addresses",
    ]


async def test_verdicts_survive_storage(database: Database) -> None:
    request_id = await draft(database, 2)
    changes = {"lobby0@contoso.com": {**ADMINISTRATOR, **UNREADABLE, "synchronized": True}}
    await check(database, Reader(changes), request_id)

    async with database.read() as tx:
        reports = await account_checks.reports(tx, request_id)

    (report,) = reports.values()
    assert report.result is Result.REFUSED
    assert [each.code for each in report.problems] == ["holds-role", "synchronized"]
    assert [each.unknown for each in report.verdicts if each.unknown] == [UNREADABLE["mfa"]]


async def test_account_without_a_verdict_is_not_known(database: Database) -> None:
    request_id = await draft(database, 2)
    now = jobs.utc_now()
    async with database.write() as tx:
        assert await account_checks.renew(tx, request_id, owner="a", now=now, until=now + LEASE)
        assert await lifecycle.complete(tx, request_id, (), Words(), owner="a", now=now)

    checks = await checks_of(database, request_id)

    assert (checks.unknown, checks.passed) == (2, 0)


async def test_draft_that_was_made_without_checks_is_checked_once(database: Database) -> None:
    request_id = await jobs.draft(database, 2)
    assert (await jobs.load(database, request_id)).accounts_unchecked

    for _ in range(2):
        async with database.write() as tx:
            await lifecycle.begin(tx, request_id)
    await check(database, Reader({"lobby0@contoso.com": ADMINISTRATOR}), request_id)
    async with database.write() as tx:
        await lifecycle.begin(tx, request_id)

    checks = await checks_of(database, request_id)
    assert (checks.complete, checks.refused, checks.passed) == (True, 1, 1)


async def test_request_that_waits_for_approval_is_not_checked_anew(database: Database) -> None:
    request_id = await jobs.draft(database, 2)
    assert await jobs.request_approval(database, request_id)

    async with database.write() as tx:
        await lifecycle.begin(tx, request_id)

    assert (await snapshot_of(database, request_id)).roster.account_checks is None
