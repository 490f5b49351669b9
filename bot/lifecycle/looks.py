"""Looks, for the audit: who of the approvers saw which phones of a waiting request, and who read lists of
requests.

A person's look at phones is recorded once for each filter, and `MAX_FILTERS` filters of one request at most,
so nobody can fill the database by turning pages; the last of them says that it is the last. So does the last
of `MAX_A_MINUTE` lists of somebody who sees nobody else's requests, and needs no role to ask for them.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from bot.signin.listing import PhoneFilter
from bot.signin.request import Person
from bot.store import audit
from bot.store.database import Transaction
from bot.store.requests import Request

MAX_FILTERS = 20
MAX_A_MINUTE = 10
_MINUTE = timedelta(minutes=1)


async def is_new(tx: Transaction, request: Request, phones: PhoneFilter, *, actor: Person) -> bool:
    """Whether `record` would record this look."""
    before = await _before(tx, request, actor)
    return str(phones) not in before and len(before) < MAX_FILTERS


async def record(
    tx: Transaction, request: Request, phones: PhoneFilter, *, actor: Person, now: datetime
) -> None:
    """`actor` is shown the phones of `request` that pass the filter, page by page. Does nothing if that is
    recorded, or over the limit."""
    before = await _before(tx, request, actor)
    if str(phones) in before or len(before) >= MAX_FILTERS:
        return
    last = {"last_of_request": True} if len(before) == MAX_FILTERS - 1 else {}
    await audit.record(
        tx,
        request.id,
        "looked",
        now,
        actor,
        digest=request.digest,
        filter=str(phones),
        **last,
    )


async def record_list(
    tx: Transaction, *, actor: Person, now: datetime, own_only: bool, **detail: Any
) -> None:
    """`actor` is shown a list of requests. `own_only`: who sees no others; over the limit, that is not
    recorded."""
    if own_only:
        before = await audit.count_since(tx, actor, "list read", now - _MINUTE)
        if before >= MAX_A_MINUTE:
            return
        if before == MAX_A_MINUTE - 1:
            detail["last_this_minute"] = True
    await audit.record(tx, None, "list read", now, actor, **detail)


async def _before(tx: Transaction, request: Request, actor: Person) -> list[str]:
    """The filters of earlier looks at the same rows."""
    details = await audit.details(tx, request.id, "looked", actor)
    return [each.get("filter", "") for each in details if each.get("digest") == request.digest]
