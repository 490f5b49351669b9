"""How far the audit's chain is verified, delivered to a webhook, and anchored in a channel: of all replicas
together, so that each is done once."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Insert, Select, Update, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import ReturningInsert

from bot.store import audit
from bot.store.chain import NOTHING, Anchor
from bot.store.database import Transaction
from bot.store.models.audit import AuditProgressRow, LinkRow
from bot.store.statement import statement

_START = Anchor(0, NOTHING)


class Progress(StrEnum):
    VERIFIED = "verified"
    WEBHOOK = "webhook"
    NOTICE = "notice"  # an anchor was posted to the channel of notifications


@dataclass(frozen=True, slots=True)
class Reached:
    """The last link that something was done with."""

    anchor: Anchor
    at: datetime | None  #: UTC; None if nothing was done yet
    fault: str = ""  #: why the chain is broken after it; "" if it is whole


@dataclass(frozen=True, slots=True)
class Behind:
    """What has not been delivered yet."""

    events: int
    #: UTC time of the oldest of them; None if there is none, or it cannot be read
    since: datetime | None


async def read(tx: Transaction, name: Progress) -> Reached:
    row = (await tx.execute(*_reached(name.value))).one_or_none()
    return Reached(Anchor(row.seq, row.hash), row.at, row.fault) if row else Reached(_START, None)


@statement
def _reached(name: str) -> Select[int, str, datetime | None, str]:
    return select(
        AuditProgressRow.seq, AuditProgressRow.hash, AuditProgressRow.at, AuditProgressRow.fault
    ).where(AuditProgressRow.name == name)


async def lock(tx: Transaction, name: Progress) -> Reached:
    """How far it is, which only this transaction changes until it ends."""
    await tx.execute(*_lock(name.value, dialect=tx.dialect.name))
    return await read(tx, name)


@statement
def _lock(name: str, *, dialect: str) -> Insert:
    insert_into = sqlite.insert if dialect == "sqlite" else postgresql.insert
    return (
        insert_into(AuditProgressRow)
        .values(name=name, seq=0, hash=NOTHING, fault="", owner="")
        .on_conflict_do_update(index_elements=[AuditProgressRow.name], set_={"name": name})
    )


async def set_to(
    tx: Transaction, name: Progress, to: Anchor, now: datetime, *, fault: str = ""
) -> None:
    """Record how far it is. The caller holds its lock."""
    await tx.execute(*_set_to(name.value, to.seq, to.hash, now, fault))


@statement
def _set_to(name: str, seq: int, link_hash: str, at: datetime, fault: str) -> Update:
    return (
        update(AuditProgressRow)
        .where(AuditProgressRow.name == name)
        .values(seq=seq, hash=link_hash, at=at, fault=fault)
    )


async def claim(
    tx: Transaction, name: Progress, *, owner: str, now: datetime, lease_until: datetime
) -> Reached | None:
    """Take or renew the work on it. Returns how far it is; None while another replica works on it."""
    claimed = await tx.execute(
        *_claim(name.value, owner, now, lease_until, dialect=tx.dialect.name)
    )
    return await read(tx, name) if claimed.one_or_none() is not None else None


@statement
def _claim(
    name: str, owner: str, now: datetime, lease_until: datetime, *, dialect: str
) -> ReturningInsert[str]:
    insert_into = sqlite.insert if dialect == "sqlite" else postgresql.insert
    lease = {"owner": owner, "lease_until": lease_until}
    return (
        insert_into(AuditProgressRow)
        .values(name=name, seq=0, hash=NOTHING, fault="", **lease)
        .on_conflict_do_update(
            index_elements=[AuditProgressRow.name],
            set_=lease,
            where=or_(
                AuditProgressRow.owner == owner,
                AuditProgressRow.lease_until.is_(None),
                AuditProgressRow.lease_until <= now,
            ),
        )
        .returning(AuditProgressRow.name)
    )


async def advance(
    tx: Transaction, name: Progress, after: Anchor, to: Anchor, now: datetime
) -> bool:
    """Record how far it is. Returns False if another replica has, since `after` was read."""
    advanced = await tx.execute(*_advance(name.value, after.seq, to.seq, to.hash, now))
    return advanced.rowcount == 1


@statement
def _advance(name: str, after: int, to: int, link_hash: str, at: datetime) -> Update:
    return (
        update(AuditProgressRow)
        .where(AuditProgressRow.name == name, AuditProgressRow.seq == after)
        .values(seq=to, hash=link_hash, at=at)
    )


async def release(tx: Transaction, owner: str) -> None:
    """End all work of a replica, which stops."""
    await tx.execute(
        update(AuditProgressRow)
        .where(AuditProgressRow.owner == owner)
        .values(owner="", lease_until=None)
    )


async def behind(tx: Transaction, name: Progress) -> Behind:
    """How much of the chain it has not reached."""
    seq = (await read(tx, name)).anchor.seq
    head = await audit.head(tx)
    if head is None or head.seq <= seq:
        return Behind(0, None)
    # Of the link, since its event may have been purged. The next one may have been deleted, or changed: that
    # is for the chain's verification to tell.
    entries = await tx.execute(*_next_entry(seq))
    return Behind(head.seq - seq, _time_of(entries.scalar_one()))


@statement
def _next_entry(seq: int) -> Select[str]:
    return select(LinkRow.entry).where(LinkRow.seq > seq).order_by(LinkRow.seq).limit(1)


def _time_of(entry: str) -> datetime | None:
    try:
        return datetime.fromisoformat(json.loads(entry)["at"])
    except (ValueError, KeyError, TypeError):
        return None
