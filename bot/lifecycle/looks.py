"""Looks at the list of a waiting request, for the audit: who of the approvers saw which phones.

A person's look is recorded once for each filter, and `MAX_FILTERS` filters of one request at most, so nobody
can fill the database by turning pages; the last of them says that it is the last.
"""

from __future__ import annotations

from datetime import datetime

from bot.signin.listing import PhoneFilter
from bot.signin.request import Person
from bot.store import audit
from bot.store.database import Transaction
from bot.store.requests import Request

MAX_FILTERS = 20


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


async def _before(tx: Transaction, request: Request, actor: Person) -> list[str]:
    """The filters of earlier looks at the same rows."""
    details = await audit.details(tx, request.id, "looked", actor)
    return [each.get("filter", "") for each in details if each.get("digest") == request.digest]
