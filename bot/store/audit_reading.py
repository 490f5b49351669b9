"""Reads the audit for those who check it: links with their events, in the order of the chain."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, exists, select

from bot.store.audit import event_of
from bot.store.chain import NOTHING, Anchor, Break, Event, Link, Verifier
from bot.store.database import Transaction
from bot.store.models.audit import EventRow, LinkRow
from bot.store.statement import statement

_AT_ONCE = 100  # links per query: the service answers in between
_START = Anchor(0, NOTHING)


async def links(
    tx: Transaction, *conditions: ColumnElement[bool], after: int = 0
) -> AsyncGenerator[tuple[Link, Event | None]]:
    """The links that meet all `conditions`, each with its event: None if that was purged. `after`: the
    number of the link before the first of them."""
    last = after
    while True:
        following, values = _following(last)
        if conditions:
            following = following.where(*conditions)
        rows = (await tx.execute(following, values)).all()
        for row in rows:
            yield Link(row.seq, row.entry, row.hash), _event(row)
        if len(rows) < _AT_ONCE:
            return
        last = rows[-1].seq


@statement
def _following(seq: int) -> Select[*tuple[Any, ...]]:
    return (
        select(LinkRow.seq, LinkRow.entry, LinkRow.hash, *EventRow.__table__.columns)
        .join_from(LinkRow, EventRow, LinkRow.event_id == EventRow.id, isouter=True)
        .where(LinkRow.seq > seq)
        .order_by(LinkRow.seq)
        .limit(_AT_ONCE)
    )


def _event(row: Row[Any]) -> Event | None:
    return None if row.id is None else event_of(row)


async def verify(
    tx: Transaction, anchors: Sequence[Anchor] = (), *, after: Anchor = _START
) -> tuple[Verifier, Break | None]:
    """Checks the chain `after` a link that was verified before, and that every event is in it. Returns how
    far it is whole, and the first broken link if there is one."""
    verifier = Verifier(anchors, head=after)
    async for link, event in links(tx, after=after.seq):
        if not verifier.add(link, event):
            break
    else:
        for event_id in (await tx.execute(*_unchained())).scalars():
            verifier.not_chained(event_id)
    return verifier, verifier.end()


@statement
def _unchained() -> Select[int]:
    chained = exists().where(LinkRow.event_id == EventRow.id)
    return select(EventRow.id).where(~chained).order_by(EventRow.id).limit(1)


async def first_since(tx: Transaction, since: datetime) -> int:
    """The number of the first link whose event is of `since` or later; past the end if there is none."""
    rows = await tx.execute(
        select(LinkRow.seq)
        .join(EventRow, EventRow.id == LinkRow.event_id)
        .where(EventRow.at >= since)
        .order_by(LinkRow.seq)
        .limit(1)
    )
    return rows.scalar() or 2**62
