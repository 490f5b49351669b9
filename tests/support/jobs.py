"""Requests for tests: made in the database as the commands make them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bot.phones.region import Region
from bot.phones.roster import Roster, RosterRow
from bot.signin.request import Person
from bot.store import drafts, requests
from bot.store.database import Database

ADMIN = Person("00000000-0000-0000-0000-000000000020", "Alex Wilber")
APPROVER = Person("00000000-0000-0000-0000-000000000021", "Megan Bowen")
TENANT = "11111111-2222-4333-8444-555555555555"
CHAT = "19:alex@unq.gbl.spaces"


def utc_now() -> datetime:
    return datetime.now(UTC)


def roster(phones: int, *regions: Region | None) -> Roster:
    """Ready rows with one account each, regions in turn."""
    rows = [
        RosterRow(
            number=number + 2,
            username=f"lobby{number}@contoso.com",
            hardware_id=f"80-5E-C0-00-{number // 256:02X}-{number % 256:02X}",
            region=regions[number % len(regions)] if regions else Region.EMEA,
            ready=True,
        )
        for number in range(phones)
    ]
    return Roster("phones.csv", rows, (), ())


async def draft(database: Database, phones: int, *regions: Region | None) -> str:
    async with database.write() as tx:
        return await drafts.draft(
            tx,
            roster(phones, *regions),
            tenant_id=TENANT,
            requester=ADMIN,
            conversation_id=CHAT,
            file_name="phones.csv",
            four_eyes=True,
            now=utc_now(),
        )


async def ask(
    database: Database,
    request_id: str,
    *,
    region: Region | None = None,
    ttl: timedelta = timedelta(hours=1),
) -> bool:
    now = utc_now()
    async with database.write() as tx:
        return await requests.ask(
            tx,
            request_id,
            region=region,
            reason="new lobby",
            expires_at=now + ttl,
            remind_at=now + ttl / 2,
            now=now,
            actor=ADMIN,
        )


async def load(database: Database, request_id: str) -> requests.Request:
    async with database.read() as tx:
        found = await requests.load(tx, request_id)
    assert found is not None
    return found


async def approve(database: Database, request_id: str) -> bool:
    request = await load(database, request_id)
    async with database.write() as tx:
        return await requests.approve(tx, request, comment="", actor=APPROVER, now=utc_now())


async def approved(database: Database, phones: int, *regions: Region | None) -> str:
    """A request that runs: drafted, asked for and approved."""
    request_id = await draft(database, phones, *regions)
    assert await ask(database, request_id)
    assert await approve(database, request_id)
    return request_id
