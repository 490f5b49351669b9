"""Requests for tests, made in the database as the commands make them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone, tzinfo

from sqlalchemy import select

from bot.lifecycle import asking, drafts
from bot.lifecycle import requests as lifecycle
from bot.lifecycle.notifications import Notifications
from bot.phones.region import Region
from bot.phones.roster import Roster, RosterRow
from bot.settings.values import REQUESTER_CHAT
from bot.signin.digest import UNKEYED, Digests
from bot.signin.request import Person
from bot.signin.snapshot import RequestSnapshot
from bot.store import requests, snapshots
from bot.store.database import Database
from bot.store.drafts import NewRequest
from bot.store.models.audit import EventRow
from bot.store.requests import Request
from bot.words import Words

ADMIN = Person("00000000-0000-0000-0000-000000000020", "Alex Wilber")
APPROVER = Person("00000000-0000-0000-0000-000000000021", "Megan Bowen")
TENANT = "11111111-2222-4333-8444-555555555555"
CHAT = "19:alex@unq.gbl.spaces"


def utc_now() -> datetime:
    return datetime.now(UTC)


def zone_where(hour: int) -> tzinfo:
    """A time zone in which it is this hour of the day now."""
    return timezone(timedelta(hours=(hour - utc_now().hour + 11) % 24 - 11))


def roster(phones: int, *regions: Region | None, first: int = 0) -> Roster:
    """Ready rows, one account each, cycling through the regions. `first`: number of the first phone."""
    rows = [
        RosterRow(
            number=number + 2,
            username=f"lobby{number}@contoso.com",
            hardware_id=f"80-5E-C0-00-{number // 256:02X}-{number % 256:02X}",
            region=regions[number % len(regions)] if regions else Region.EMEA,
            ready=True,
        )
        for number in range(first, first + phones)
    ]
    return Roster("phones.csv", rows, (), ())


#: What happens is told in the requester's chat.
NOTIFY = Notifications(REQUESTER_CHAT, REQUESTER_CHAT, Words())


def new_request(tenant_id: str = TENANT) -> NewRequest:
    return NewRequest(tenant_id, ADMIN, CHAT, "phones.csv", four_eyes=True)


async def draft(
    database: Database,
    phones: int,
    *regions: Region | None,
    first: int = 0,
    tenant_id: str = TENANT,
) -> str:
    new = new_request(tenant_id)
    rows = roster(phones, *regions, first=first)
    return await drafts.draft(database, NOTIFY, new, rows, utc_now)


async def load(database: Database, request_id: str) -> Request:
    async with database.read() as tx:
        request = await requests.load(tx, request_id)
    assert request is not None
    return request


async def events(database: Database, request_id: str) -> list[str]:
    """The audited actions, in order."""
    async with database.read() as tx:
        rows = await tx.execute(
            select(EventRow.action).where(EventRow.request_id == request_id).order_by(EventRow.id)
        )
        return list(rows.scalars())


async def request_approval(
    database: Database,
    request_id: str,
    *,
    region: Region | None = None,
    ttl: timedelta = timedelta(hours=1),
    digests: Digests = UNKEYED,
) -> bool:
    request = await load(database, request_id)
    async with database.write() as tx:
        return await asking.request_approval(
            tx,
            NOTIFY,
            request,
            region=region,
            reason="new lobby",
            ttl=ttl,
            actor=ADMIN,
            now=utc_now(),
            digests=digests,
        )


async def approve(database: Database, request_id: str, *, digests: Digests = UNKEYED) -> bool:
    request = await load(database, request_id)
    async with database.write() as tx:
        return await lifecycle.approve(
            tx, NOTIFY, request, comment="", actor=APPROVER, now=utc_now(), digests=digests
        )


async def cancel(database: Database, request_id: str) -> bool:
    request = await load(database, request_id)
    async with database.write() as tx:
        return await lifecycle.cancel(tx, NOTIFY, request, actor=ADMIN, now=utc_now())


async def approved(
    database: Database,
    phones: int,
    *regions: Region | None,
    first: int = 0,
    tenant_id: str = TENANT,
) -> str:
    """A running request: drafted, approval requested, approved."""
    request_id = await draft(database, phones, *regions, first=first, tenant_id=tenant_id)
    assert await request_approval(database, request_id)
    assert await approve(database, request_id)
    return request_id


async def snapshot_of(database: Database, request_id: str) -> RequestSnapshot:
    """What cards show of a request, without its lists."""
    async with database.read() as tx:
        snapshot = await snapshots.load(tx, request_id)
    assert snapshot is not None
    return snapshot
