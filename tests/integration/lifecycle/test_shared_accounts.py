"""Accounts on several phones, on both databases: one batch for each, and a warning before a retry."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import select, update

from bot.lifecycle import drafts as lifecycle
from bot.phones.issue import Notice
from bot.phones.region import Region
from bot.phones.roster import Roster
from bot.phones.validation import RosterRow
from bot.signin.outcome import PhoneStatus
from bot.signin.request import RequestState
from bot.store import snapshots
from bot.store.database import Database
from bot.store.models.requests import PhoneRow, RequestRow
from tests.support import jobs


async def draft(database: Database, accounts: Sequence[str]) -> str:
    """A draft with one phone in EMEA for each account given."""
    rows = [
        RosterRow(at + 2, account, f"80-5E-C0-00-00-{at:02X}", Region.EMEA, ready=True)
        for at, account in enumerate(accounts)
    ]
    roster = Roster("phones.csv", rows, (), ())
    return await lifecycle.draft(database, jobs.NOTIFY, jobs.new_request(), roster, jobs.utc_now)


async def end(database: Database, request_id: str, signed_in: Collection[int]) -> None:
    """Bring a draft to its end as if it had run, with the phones of these rows signed in."""
    async with database.write() as tx:
        for status, chosen in (
            (PhoneStatus.FAILED, PhoneRow.number.not_in(signed_in)),
            (PhoneStatus.SIGNED_IN, PhoneRow.number.in_(signed_in)),
        ):
            await tx.execute(
                update(PhoneRow)
                .where(PhoneRow.request_id == request_id, chosen)
                .values(status=status.value)
            )
        await tx.execute(
            update(RequestRow)
            .where(RequestRow.id == request_id)
            .values(state=RequestState.FINISHED.value)
        )


async def retry(database: Database, request_id: str) -> str:
    request = await jobs.load(database, request_id)
    async with database.write() as tx:
        drafted = await lifecycle.draft_retry(
            tx, jobs.NOTIFY, jobs.new_request(), request, jobs.utc_now()
        )
    assert drafted is not None
    return drafted.request_id


async def notices(database: Database, request_id: str) -> list[Notice]:
    async with database.read() as tx:
        snapshot = await snapshots.load(tx, request_id)
    assert snapshot is not None
    return list(snapshot.roster.notices)


async def test_approval_plans_each_account_into_one_batch(database: Database) -> None:
    accounts = [f"u{at}@contoso.com" for at in range(99)] + ["Both@contoso.com", "both@contoso.com"]
    request_id = await draft(database, accounts)
    assert await jobs.request_approval(database, request_id)
    async with database.read() as tx:
        waiting = await snapshots.load(tx, request_id)
    assert await jobs.approve(database, request_id)
    async with database.read() as tx:
        running = await snapshots.load(tx, request_id)
        phones = await tx.execute(
            select(PhoneRow.batch_id)
            .where(PhoneRow.request_id == request_id)
            .order_by(PhoneRow.number)
        )
    batches = list(phones.scalars())
    assert batches[-1] == batches[-2] != batches[0]
    assert len(set(batches[:99])) == 1
    assert waiting is not None
    assert running is not None
    assert waiting.batch_count == running.batch_count == 2
    assert [each.lower() for each in waiting.roster.shared_accounts] == ["both@contoso.com"]
    assert not running.roster.shared_accounts


async def test_card_knows_the_batches_before_approval_when_accounts_repeat(
    database: Database,
) -> None:
    """Three accounts of 51 phones each need three batches; 153 phones of as many accounts need two."""
    request_id = await draft(database, [f"u{at // 51}@contoso.com" for at in range(153)])
    async with database.read() as tx:
        snapshot = await snapshots.load(tx, request_id)
    assert snapshot is not None
    assert snapshot.batch_count == 3


async def test_retry_warns_when_an_account_is_signed_in_on_another_phone(
    database: Database,
) -> None:
    request_id = await draft(database, ["A@contoso.com", "a@contoso.com", "b@contoso.com"])
    await end(database, request_id, {2})
    retried = await retry(database, request_id)
    assert await notices(database, retried) == [
        Notice("signed-in-elsewhere", {"accounts": 1}),
        Notice("passwords", {"reset": 1, "maybe": 1, "not_reset": 0}),
    ]


async def test_retry_warns_when_the_sign_in_is_of_a_request_further_back(
    database: Database,
) -> None:
    request_id = await draft(database, ["a@contoso.com", "a@contoso.com", "a@contoso.com"])
    await end(database, request_id, {2})
    first = await retry(database, request_id)
    await end(database, first, ())
    second = await retry(database, first)
    assert await notices(database, second) == [
        Notice("accounts-on-several", {"accounts": 1, "phones": 2}),
        Notice("signed-in-elsewhere", {"accounts": 1}),
        Notice("passwords", {"reset": 1, "maybe": 0, "not_reset": 0}),
    ]


async def test_retry_does_not_warn_when_every_account_has_one_phone(database: Database) -> None:
    request_id = await draft(database, ["a@contoso.com", "b@contoso.com"])
    await end(database, request_id, {2})
    assert await notices(database, await retry(database, request_id)) == [
        Notice("passwords", {"reset": 0, "maybe": 1, "not_reset": 0})
    ]
