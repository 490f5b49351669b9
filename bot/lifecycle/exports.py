"""Exports of a request, for the audit: each file that somebody was offered, and each that they got."""

from __future__ import annotations

from datetime import datetime

from bot.signin.request import Person
from bot.store import audit
from bot.store.database import Transaction


async def record_offer(
    tx: Transaction, request_id: str, what: str, *, actor: Person, now: datetime
) -> None:
    """`actor` is offered the file `what`, in the same transaction as the post that offers it."""
    await audit.record(tx, request_id, "exported", now, actor, what=what, step="offered")


async def record_delivery(
    tx: Transaction, request_id: str, what: str, *, actor: Person, now: datetime
) -> None:
    """`actor` got the file `what`, or whoever opened the link that only `actor` was given."""
    await audit.record(tx, request_id, "exported", now, actor, what=what, step="delivered")
