"""Drafts: from a file, or from the phones of a request that were not signed in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.lifecycle import preflight
from bot.lifecycle.notifications import Notifications
from bot.lifecycle.overlaps import counted, keep
from bot.phones.issue import Notice
from bot.phones.roster import Roster
from bot.store import audit, drafts, locks
from bot.store.database import Transaction
from bot.store.drafts import NewRequest
from bot.store.requests import Request


async def draft(
    tx: Transaction,
    notify: Notifications,
    new: NewRequest,
    roster: Roster,
    now: datetime,
    *,
    check_accounts: bool = False,
) -> str:
    """-> draft, from a validated file. Returns the new request's id.

    `check_accounts`: have its accounts checked before approval can be requested.
    """
    request_id = await drafts.insert_roster(tx, new, roster, now)
    if check_accounts:
        await preflight.begin(tx, request_id)
    found = await keep(tx, request_id, now, tenant_id=new.tenant_id)
    await audit.record(
        tx,
        request_id,
        "drafted",
        now,
        new.requester,
        file=new.file_name,
        rows=len(roster.rows),
        **counted(found),
    )
    await notify.drafted(tx, new.tenant_id, new.conversation_id, request_id, now)
    return request_id


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
    overlapping = await keep(tx, request_id, now, tenant_id=new.tenant_id, retry_of=failed.id)
    await audit.record(
        tx,
        request_id,
        "drafted",
        now,
        new.requester,
        retry_of=failed.id,
        rows=phones,
        **counted(overlapping),
    )
    await notify.drafted(tx, new.tenant_id, new.conversation_id, request_id, now)
    return Retry(request_id, phones)
