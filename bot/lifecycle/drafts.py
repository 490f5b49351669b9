"""Drafts: from a file, or from the phones of a request that were not signed in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.lifecycle import preflight
from bot.lifecycle.notifications import Notifications
from bot.lifecycle.overlaps import counted
from bot.phones.issue import Notice
from bot.phones.roster import Roster
from bot.signin.overlap import Overlap
from bot.signin.request import new_id
from bot.store import audit, drafts, locks, overlaps
from bot.store.database import Database, Transaction, counted_commits
from bot.store.drafts import NewRequest
from bot.store.requests import Request


async def draft(
    database: Database,
    notify: Notifications,
    new: NewRequest,
    roster: Roster,
    clock: Callable[[], datetime],
    *,
    check_accounts: bool = False,
) -> str:
    """-> draft, from a validated file. Returns the new request's id.

    The rows of a large file go in by parts, each in a transaction of its own, so that others write in
    between; nobody sees the request before the last. One that is left without it goes with a purge.
    `check_accounts`: have its accounts checked before approval can be requested.
    """
    request_id = new_id()
    with counted_commits():  # apart: until the request is seen, nothing has come of the file
        for part in drafts.parts(request_id, new, roster, clock(), check_accounts=check_accounts):
            async with database.write() as tx:
                for add, rows in part:
                    await tx.execute(add, rows)
    now = clock()
    async with database.read() as tx:
        found = await overlaps.find(tx, request_id, now, tenant_id=new.tenant_id, retry_of="")
    async with database.write() as tx:
        await drafts.complete(tx, request_id, roster)
        if check_accounts:
            await preflight.begin(tx, request_id, noted=True)
        await overlaps.save(tx, request_id, found)
        await _drafted(
            tx, notify, new, request_id, now, found, file=new.file_name, rows=len(roster.rows)
        )
    return request_id


async def _drafted(
    tx: Transaction,
    notify: Notifications,
    new: NewRequest,
    request_id: str,
    now: datetime,
    found: Sequence[Overlap],
    **facts: object,
) -> None:
    await audit.record(tx, request_id, "drafted", now, new.requester, **facts, **counted(found))
    await notify.drafted(tx, new.tenant_id, new.conversation_id, request_id, now)


@dataclass(frozen=True, slots=True)
class Retry:
    request_id: str
    phones: int


class RetryExistsError(Exception):
    """Another request took over the phones that were not signed in."""

    def __init__(self, request_id: str) -> None:
        super().__init__(request_id)
        self.request_id = request_id


async def draft_retry(
    tx: Transaction,
    notify: Notifications,
    new: NewRequest,
    failed: Request,
    now: datetime,
    *,
    check_accounts: bool = False,
    found: Sequence[Notice] = (),
) -> Retry | None:
    """-> draft, from the phones of `failed` that were not signed in; None if there are none.

    `found`: what came of looking up those without a result. Raises `RetryExistsError` if another request
    took them over.
    """
    await locks.requests(tx, failed.id)
    existing = await drafts.retry_of(tx, failed.id)
    if existing is not None:
        raise RetryExistsError(existing)
    drafted = await drafts.insert_retry(
        tx, new, failed.id, now, batch_size=failed.batch_size, found=found
    )
    if drafted is None:
        return None
    request_id, phones = drafted
    if check_accounts:
        await preflight.begin(tx, request_id)
    overlapping = await overlaps.find(
        tx, request_id, now, tenant_id=new.tenant_id, retry_of=failed.id
    )
    await overlaps.save(tx, request_id, overlapping)
    await _drafted(tx, notify, new, request_id, now, overlapping, retry_of=failed.id, rows=phones)
    return Retry(request_id, phones)
