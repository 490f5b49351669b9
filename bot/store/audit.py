"""The audit: who did what, and when. Events are appended, and chained in the transaction that they tell of.

Each event becomes a link of one chain (`bot.store.chain`). An event is inserted at once, so that its own
transaction can read it; its link is the last thing before the commit, since links are appended one
transaction at a time. After the commit, it is logged as `audit.` and its action.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Row, Select, func, insert, select, type_coerce
from sqlalchemy.sql.dml import ReturningInsert

from bot.signin.request import Person
from bot.store import chain, locks
from bot.store.chain import Anchor, Event, Link
from bot.store.database import Transaction, last_step
from bot.store.models.audit import EventRow, LinkRow
from bot.store.models.requests import RequestRow
from bot.store.statement import statement

log = structlog.get_logger()

#: Texts of which Offhook itself makes the values: they name nobody, so the chain has them in full. Whatever
#: else is text, or contains any, may name a person: the chain commits to it.
_CODES = frozenset(
    {
        "before",
        "digest",
        "opens_at",
        "outcome",
        "policy",
        "reference",
        "region",
        "remote_id",
        "replica",
        "retry_of",
        "settings_hash",
        "run_at",
        "state",
        "step",
        "tenant",
        "version",
        "what",
    }
)


@dataclass(frozen=True, slots=True)
class AuditedAction:
    """A line of the audit, without the person and the values."""

    at: datetime  #: UTC
    action: str


_APPEND = insert(LinkRow)


@dataclass(slots=True)
class _Appending:
    """The last step of a transaction: its events become links."""

    events: list[Event] = field(default_factory=list)
    _links: list[Link] = field(default_factory=list)

    async def before_commit(self, tx: Transaction) -> None:
        await locks.audit(tx)
        newest = await head(tx)
        self._links = list(chain.appended(newest, self.events))
        prevs = [newest.hash if newest else chain.NOTHING, *(link.hash for link in self._links)]
        await tx.execute(
            _APPEND,
            [
                {
                    "seq": link.seq,
                    "event_id": event.id,
                    "entry": link.entry,
                    "prev": prev,
                    "hash": link.hash,
                }
                for link, event, prev in zip(self._links, self.events, prevs, strict=False)
            ],
        )

    def after_commit(self) -> None:
        for link, event in zip(self._links, self.events, strict=True):
            log.info(
                f"audit.{event.action.replace(' ', '_')}",
                seq=link.seq,
                hash=link.hash,
                at=chain.timestamp(event.at),
                tenant=event.tenant_id,
                request=event.request_id,
                actor=event.actor_id,
                facts=event.facts,
            )


async def record(
    tx: Transaction,
    request_id: str | None,
    action: str,
    now: datetime,
    actor: Person | None = None,
    **detail: Any,
) -> None:
    """Append an event. `request_id` is None if there is no request, `actor` for what Offhook did by itself;
    `detail` must be JSON-safe. Its numbers, and texts of `_CODES`, stay in the chain when people are
    erased; all other text can be erased. For a stand-in, it has the approver, too."""
    person = actor or Person("", "")
    if person.stands_in_for is not None:
        approver = person.stands_in_for
        detail = {**detail, "for_id": approver.object_id, "for_name": approver.name}
    reference = structlog.contextvars.get_contextvars().get("reference", "")
    event = Event(
        0,
        now,
        str(detail.get("tenant", "")),
        request_id,
        action,
        person.object_id,
        person.name,
        reference,
        detail,
        salts={},
    )
    salts = {
        name: secrets.token_hex(32)
        for name, value in event.values.items()
        if _may_name(name, value)
    }
    inserted = await tx.execute(
        *_insert(
            request_id,
            event.tenant_id,
            now,
            person.object_id,
            person.name,
            reference,
            action,
            detail,
            salts,
        )
    )
    row = inserted.one()
    chained = replace(event, id=row.id, tenant_id=row.tenant_id, salts=salts)
    last_step(tx, _Appending).events.append(chained)


@statement
def _insert(
    request_id: str | None,
    tenant_id: str,
    at: datetime,
    actor_id: str,
    actor_name: str,
    reference: str,
    action: str,
    detail: dict[str, Any],
    salts: dict[str, str],
) -> ReturningInsert[int, str]:
    of_request = select(RequestRow.tenant_id).where(RequestRow.id == request_id).scalar_subquery()
    given = type_coerce(tenant_id, EventRow.tenant_id.type)
    return (
        insert(EventRow)
        .values(
            request_id=request_id,
            tenant_id=func.coalesce(of_request, given),
            at=at,
            actor_id=actor_id,
            actor_name=actor_name,
            reference=reference,
            action=action,
            detail=detail,
            salts=salts,
        )
        .returning(EventRow.id, EventRow.tenant_id)
    )


def _may_name(name: str, value: object) -> bool:
    if isinstance(value, str):
        return name not in _CODES
    return '"' in chain.canonical(value)  # any text within


async def head(tx: Transaction) -> Anchor | None:
    """The newest link; None before the first event."""
    row = (await tx.execute(*_head())).one_or_none()
    return Anchor(row.seq, row.hash) if row else None


@statement
def _head() -> Select[int, str]:
    return select(LinkRow.seq, LinkRow.hash).order_by(LinkRow.seq.desc()).limit(1)


def event_of(row: Row[Any]) -> Event:
    """`row` has the columns of `events`."""
    return Event(
        row.id,
        row.at,
        row.tenant_id,
        row.request_id,
        row.action,
        row.actor_id,
        row.actor_name,
        row.reference,
        row.detail,
        row.salts,
    )


async def count_since(tx: Transaction, actor: Person, action: str, since: datetime) -> int:
    """How many lines there are of this action by this person after `since`."""
    return (await tx.execute(*_count_since(actor.object_id, action, since))).scalar_one()


@statement
def _count_since(actor_id: str, action: str, since: datetime) -> Select[int]:
    return select(func.count()).where(
        EventRow.actor_id == actor_id, EventRow.at > since, EventRow.action == action
    )


async def record_once(
    tx: Transaction, request_id: str, action: str, now: datetime, **detail: Any
) -> bool:
    """Append a line about what Offhook did, unless one with the same detail is there already.

    Returns whether it was appended.
    """
    lines = await tx.execute(*_details(request_id, action))
    if detail in lines.scalars().all():
        return False
    await record(tx, request_id, action, now, **detail)
    return True


@statement
def _details(request_id: str, action: str) -> Select[dict[str, Any]]:
    return select(EventRow.detail).where(
        EventRow.request_id == request_id, EventRow.action == action
    )


async def details(
    tx: Transaction, request_id: str, action: str, actor: Person
) -> list[dict[str, Any]]:
    """The details of a request's events of this action by this person, oldest first."""
    return list((await tx.execute(*_details_by(request_id, action, actor.object_id))).scalars())


@statement
def _details_by(request_id: str, action: str, actor_id: str) -> Select[dict[str, Any]]:
    return (
        select(EventRow.detail)
        .where(
            EventRow.request_id == request_id,
            EventRow.action == action,
            EventRow.actor_id == actor_id,
        )
        .order_by(EventRow.id)
    )


async def recent_actions(tx: Transaction, limit: int) -> list[AuditedAction]:
    """The newest lines, newest first."""
    rows = await tx.execute(
        select(EventRow.at, EventRow.action).order_by(EventRow.id.desc()).limit(limit)
    )
    return [AuditedAction(row.at, row.action) for row in rows]


async def newest_detail(tx: Transaction, action: str) -> dict[str, Any] | None:
    """The detail of the newest event of this action; None if there is none."""
    return (await tx.execute(*_newest_detail(action))).scalar()


@statement
def _newest_detail(action: str) -> Select[dict[str, Any]]:
    return (
        select(EventRow.detail)
        .where(EventRow.action == action)
        .order_by(EventRow.id.desc())
        .limit(1)
    )
