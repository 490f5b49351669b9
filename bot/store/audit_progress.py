"""How far the audit's chain is verified, delivered to a webhook, and anchored in a channel: of all replicas
together, so that each is done once."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from bot.store import audit
from bot.store.chain import NOTHING, Anchor
from bot.store.database import Transaction
from bot.store.models.audit import AuditProgressRow, LinkRow

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
    rows = await tx.execute(
        select(
            AuditProgressRow.seq, AuditProgressRow.hash, AuditProgressRow.at, AuditProgressRow.fault
        ).where(AuditProgressRow.name == name.value)
    )
    row = rows.one_or_none()
    return Reached(Anchor(row.seq, row.hash), row.at, row.fault) if row else Reached(_START, None)


async def lock(tx: Transaction, name: Progress) -> Reached:
    """How far it is, which only this transaction changes until it ends."""
    insert_into = sqlite.insert if tx.dialect.name == "sqlite" else postgresql.insert
    await tx.execute(
        insert_into(AuditProgressRow)
        .values(name=name.value, seq=0, hash=NOTHING, fault="", owner="")
        .on_conflict_do_update(index_elements=[AuditProgressRow.name], set_={"name": name.value})
    )
    return await read(tx, name)


async def set_to(
    tx: Transaction, name: Progress, to: Anchor, now: datetime, *, fault: str = ""
) -> None:
    """Record how far it is. The caller holds its lock."""
    await tx.execute(
        update(AuditProgressRow)
        .where(AuditProgressRow.name == name.value)
        .values(seq=to.seq, hash=to.hash, at=now, fault=fault)
    )


async def claim(
    tx: Transaction, name: Progress, *, owner: str, now: datetime, lease_until: datetime
) -> Reached | None:
    """Take or renew the work on it. Returns how far it is; None while another replica works on it."""
    insert_into = sqlite.insert if tx.dialect.name == "sqlite" else postgresql.insert
    lease = {"owner": owner, "lease_until": lease_until}
    claimed = await tx.execute(
        insert_into(AuditProgressRow)
        .values(name=name.value, seq=0, hash=NOTHING, fault="", **lease)
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
    return await read(tx, name) if claimed.one_or_none() is not None else None


async def advance(
    tx: Transaction, name: Progress, after: Anchor, to: Anchor, now: datetime
) -> bool:
    """Record how far it is. Returns False if another replica has, since `after` was read."""
    advanced = await tx.execute(
        update(AuditProgressRow)
        .where(AuditProgressRow.name == name.value, AuditProgressRow.seq == after.seq)
        .values(seq=to.seq, hash=to.hash, at=now)
    )
    return advanced.rowcount == 1


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
    entries = await tx.execute(
        select(LinkRow.entry).where(LinkRow.seq > seq).order_by(LinkRow.seq).limit(1)
    )
    return Behind(head.seq - seq, _time_of(entries.scalar_one()))


def _time_of(entry: str) -> datetime | None:
    try:
        return datetime.fromisoformat(json.loads(entry)["at"])
    except (ValueError, KeyError, TypeError):
        return None
