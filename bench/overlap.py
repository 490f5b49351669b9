"""How long it takes to find what 20,000 phones have in common with 200,000 that are stored.

PYTHONPATH=. python bench/overlap.py [postgresql://…]
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import delete, update

from bot.lifecycle import drafts as lifecycle
from bot.lifecycle.notifications import Notifications
from bot.phones.region import Region
from bot.phones.roster import Roster, RosterRow
from bot.settings.values import REQUESTER_CHAT
from bot.signin.request import Person, RequestState
from bot.store import overlaps
from bot.store.database import Database
from bot.store.drafts import NewRequest
from bot.store.models.requests import RequestRow
from bot.words import Words

ROWS = 20_000
STORED = 10  # requests of as many rows
NEW = NewRequest(
    "11111111-2222-4333-8444-555555555555", Person("a", "Alex"), "chat", "f.csv", four_eyes=True
)
NOTIFY = Notifications(REQUESTER_CHAT, REQUESTER_CHAT, Words())


def _roster(first: int) -> Roster:
    rows: list[RosterRow] = []
    for at in range(ROWS):
        letters = f"{first + at:06X}"
        hardware_id = f"80-5E-C0-{letters[:2]}-{letters[2:4]}-{letters[4:]}"
        username = f"lobby{first + at}@contoso.com"
        rows.append(RosterRow(at + 2, username, hardware_id, Region.EMEA, ready=True))
    return Roster("f.csv", rows, (), ())


async def _draft(database: Database, first: int) -> str:
    return await lifecycle.draft(database, NOTIFY, NEW, _roster(first), lambda: datetime.now(UTC))


async def _measure(url: str) -> None:
    database = Database(url)
    await database.open()
    try:
        for shared in (0, 100, ROWS):
            stored = [await _draft(database, at * ROWS) for at in range(STORED)]
            async with database.write() as tx:
                await tx.execute(
                    update(RequestRow)
                    .where(RequestRow.id.in_(stored))
                    .values(state=RequestState.RUNNING.value, decided_at=datetime.now(UTC))
                )
            started = time.perf_counter()
            request_id = await _draft(database, STORED * ROWS - shared)
            drafted = time.perf_counter() - started
            started = time.perf_counter()
            async with database.read() as tx:
                found = await overlaps.find(
                    tx, request_id, datetime.now(UTC), tenant_id=NEW.tenant_id, retry_of=""
                )
            took = time.perf_counter() - started
            common = [(each.accounts, each.phones) for each in found]
            print(
                f"{shared:6} in common: found in {took:.2f} s, drafted in {drafted:.2f} s, {common}"
            )
            async with database.write() as tx:
                await tx.execute(delete(RequestRow))
    finally:
        await database.close()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        asyncio.run(_measure(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(_measure(f"sqlite:///{Path(folder, 'offhook.db')}"))
