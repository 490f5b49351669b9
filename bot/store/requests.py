"""Requests as rows: reads, and the columns that no transition is about."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, Select, Update, func, select, update

from bot.phones.region import Region
from bot.signin.batch import BatchState
from bot.signin.policy.facts import RequestFacts
from bot.signin.request import Hold, Person, Phone, RequestState
from bot.store.account_checks import Preflight
from bot.store.database import Transaction
from bot.store.models.batches import BatchRow
from bot.store.models.requests import PhoneRow, RequestRow
from bot.store.statement import statement


@dataclass(frozen=True, slots=True)
class Request:
    """What transitions and policy need to know of a request; cards take a snapshot instead."""

    id: str
    version: int  #: grows with every change a card can show
    state: RequestState
    tenant_id: str
    requester: Person
    conversation_id: str  #: where the request was made
    file_name: str
    four_eyes: bool
    ready_rows: int
    total_rows: int
    digest: str  #: `Digests.request`; "" while draft
    expires_at: datetime | None  #: UTC; None while draft
    cancel_asked_at: datetime | None  #: UTC; None unless cancellation was requested
    batch_size: int  #: phones per batch, at most
    retry_of: str  #: id of the request whose phones these are that were not signed in; "" if none
    reason: str  #: the requester's; "" while draft, unless its card asks about the start
    reason_wanted_since: datetime | None  #: UTC; None unless an overlap has to be explained
    overlaps_version: int  #: `version` at which overlaps or their reason changed last, 0 without
    ticket: str = ""  #: the requester's; "" without one
    accounts: int = 0  #: distinct accounts in the ready rows, whose passwords a sign-in resets
    checking_accounts: bool = False  #: its accounts have not all been checked yet
    accounts_unchecked: bool = False  #: it was drafted while accounts were not checked
    accounts_checked_at: datetime | None = None  #: UTC time of the last check; None before
    guarded_accounts: int = 0  #: accounts that look like people's, included by name
    approver: Person | None = None  #: who approved or rejected it
    hold: Hold = Hold.NONE
    hold_version: int = 0  #: `version` at which new failures held it last, 0 if none did
    run_at: datetime | None = None  #: UTC; None to start once approved; a proposal while draft
    run_by: datetime | None = None  #: UTC; None unless approved with `run_at`
    run_zone: str = ""  #: IANA name of the zone in which `run_at` was typed
    opens_at: datetime | None = (
        None  #: UTC; when a window opens for which it waits, None if unknown
    )
    reminders: int = 0  #: reminders that Offhook sent by itself
    reminded_at: datetime | None = None  #: UTC; when the last of them was sent
    nudged_at: datetime | None = None  #: UTC; when its requester reminded the approvers last
    asked_at: datetime | None = None  #: UTC; None while draft
    escalated_at: datetime | None = None  #: UTC; when it was escalated last

    @property
    def facts(self) -> RequestFacts:
        return RequestFacts(
            self.tenant_id,
            self.state,
            self.requester.object_id,
            self.expires_at,
            self.cancel_asked_at is not None,
            self.reason_wanted_since is not None,
            self.reason,
            ticket=self.ticket,
            before_start=self.state is RequestState.RUNNING and self.hold.before_start,
            run_at=self.run_at,
            escalated=(
                self.escalated_at - self.asked_at if self.escalated_at and self.asked_at else None
            ),
            nudged_at=self.nudged_at,
        )


def header(row: Row[Any]) -> dict[str, Any]:
    """The fields that `Request` and the cards' snapshot share, of a row of `requests`."""
    return {
        "id": row.id,
        "version": row.version,
        "state": RequestState(row.state),
        "tenant_id": row.tenant_id,
        "requester": Person(row.requester_id, row.requester_name),
        "four_eyes": row.four_eyes,
        "digest": row.digest,
        "expires_at": row.expires_at,
        "cancel_asked_at": row.cancel_asked_at,
        "batch_size": row.batch_size,
        "retry_of": row.retry_of,
        "reason": row.reason,
        "reason_wanted_since": row.reason_wanted_since,
        "ticket": row.ticket,
        "run_at": row.run_at,
        "run_by": row.run_by,
        "run_zone": row.run_zone,
        "nudged_at": row.nudged_at,
        "escalated_at": row.escalated_at,
    }


async def load(tx: Transaction, request_id: str) -> Request | None:
    """Returns None if there is no such request, or a draft whose rows are still put in."""
    row = (await tx.execute(*_by_id(request_id))).one_or_none()
    if row is None:
        return None
    return Request(
        **header(row),
        conversation_id=row.conversation_id,
        file_name=row.file_name,
        ready_rows=row.ready_rows,
        total_rows=row.total_rows,
        overlaps_version=row.overlaps_version,
        accounts=row.accounts,
        checking_accounts=row.preflight == Preflight.CHECKING.value,
        accounts_unchecked=row.preflight == Preflight.OFF.value,
        accounts_checked_at=row.accounts_checked_at,
        guarded_accounts=row.guarded_accounts,
        approver=Person(row.decided_by_id, row.decided_by_name) if row.decided_by_id else None,
        hold=Hold(row.hold),
        hold_version=row.hold_version,
        opens_at=row.opens_at,
        reminders=row.reminders,
        reminded_at=row.reminded_at,
        asked_at=row.asked_at,
    )


@statement
def _by_id(request_id: str) -> Select[*tuple[Any, ...]]:
    return select(RequestRow.__table__).where(
        RequestRow.id == request_id, RequestRow.total_rows > 0
    )


async def waiting(tx: Transaction, request_id: str, now: datetime) -> Request | None:
    """The request as it is now; None unless it waits for approval and its time is not over."""
    current = await load(tx, request_id)
    if current is None or current.state is not RequestState.WAITING:
        return None
    return current if current.expires_at is not None and current.expires_at > now else None


async def phones(tx: Transaction, request_id: str) -> list[Phone]:
    """The ready rows in the file's order. Every one of them has a region."""
    rows = await tx.execute(*_phones(request_id))
    return [Phone(name, hardware_id, Region(region)) for name, hardware_id, region in rows]


@statement
def _phones(request_id: str) -> Select[str, str, str]:
    return (
        select(PhoneRow.username, PhoneRow.hardware_id, PhoneRow.region)
        .where(PhoneRow.request_id == request_id, PhoneRow.ready)
        .order_by(PhoneRow.number)
    )


async def without_region(tx: Transaction, request_id: str) -> int:
    """How many ready rows have no region yet."""
    return (await tx.execute(*_without_region(request_id))).scalar_one()


@statement
def _without_region(request_id: str) -> Select[int]:
    return select(func.count()).where(
        PhoneRow.request_id == request_id, PhoneRow.ready, PhoneRow.region == ""
    )


async def set_region(tx: Transaction, request_id: str, region: Region) -> None:
    """Give the ready rows without a region this one."""
    await tx.execute(*_set_region(request_id, region.value))


@statement
def _set_region(request_id: str, region: str) -> Update:
    return (
        update(PhoneRow)
        .where(PhoneRow.request_id == request_id, PhoneRow.ready, PhoneRow.region == "")
        .values(region=region)
    )


async def due_to_expire(tx: Transaction, now: datetime) -> list[str]:
    """Ids of the waiting requests whose time is over, the longest overdue first."""
    return list((await tx.execute(*_due_to_expire(now))).scalars())


@statement
def _due_to_expire(now: datetime) -> Select[str]:
    return (
        select(RequestRow.id)
        .where(RequestRow.state == RequestState.WAITING.value, RequestRow.expires_at <= now)
        .order_by(RequestRow.expires_at, RequestRow.id)
    )


async def due_to_remind(tx: Transaction, now: datetime) -> list[str]:
    """Ids of the waiting requests whose approvers are to be reminded, the longest due first."""
    return list((await tx.execute(*_due_to_remind(now))).scalars())


@statement
def _due_to_remind(now: datetime) -> Select[str]:
    return (
        select(RequestRow.id)
        .where(
            RequestRow.state == RequestState.WAITING.value,
            RequestRow.remind_at <= now,
            RequestRow.expires_at > now,
        )
        .order_by(RequestRow.remind_at, RequestRow.id)
    )


@dataclass(frozen=True, slots=True)
class Waiting:
    """A request that awaits approval."""

    id: str
    version: int
    asked_at: datetime  #: UTC
    escalated_at: datetime | None  #: UTC; when it was escalated last

    @property
    def escalated(self) -> timedelta | None:
        """How long it had waited when it was escalated last; None: it was not."""
        return self.escalated_at - self.asked_at if self.escalated_at else None


async def waiting_since(tx: Transaction, asked_before: datetime, now: datetime) -> list[Waiting]:
    """The waiting requests for which approval was requested by `asked_before`."""
    return [Waiting(*row) for row in await tx.execute(*_waiting_since(asked_before, now))]


@statement
def _waiting_since(
    asked_before: datetime, now: datetime
) -> Select[str, int, datetime | None, datetime | None]:
    return (
        select(RequestRow.id, RequestRow.version, RequestRow.asked_at, RequestRow.escalated_at)
        .where(
            RequestRow.state == RequestState.WAITING.value,
            RequestRow.asked_at <= asked_before,
            RequestRow.expires_at > now,
        )
        .order_by(RequestRow.asked_at, RequestRow.id)
    )


async def touch(tx: Transaction, request_id: str, **columns: Any) -> None:
    """Something that cards show has changed: the publisher updates them."""
    if not columns:
        await tx.execute(*_touch(request_id))
        return
    await tx.execute(
        update(RequestRow)
        .where(RequestRow.id == request_id)
        .values(version=RequestRow.version + 1, **columns)
    )


@statement
def _touch(request_id: str) -> Update:
    return (
        update(RequestRow).where(RequestRow.id == request_id).values(version=RequestRow.version + 1)
    )


async def touch_waiting(tx: Transaction, request_ids: Collection[str]) -> None:
    """A sign-in was lost or granted for these requests: cards of requests of the same tenants that have
    something to send may say why it waits. Locks several requests, so it is a transaction of its own."""
    waiting_ids = (await tx.execute(*_lock_waiting(request_ids))).scalars().all()
    await tx.execute(*_touch_all(waiting_ids))


@statement
def _lock_waiting(request_ids: Collection[str]) -> Select[str]:
    tenants = select(RequestRow.tenant_id).where(RequestRow.id.in_(request_ids))
    planned = select(BatchRow.request_id).where(
        BatchRow.tenant_id.in_(tenants), BatchRow.state == BatchState.PLANNED.value
    )
    return (
        select(RequestRow.id)
        .where(RequestRow.state == RequestState.RUNNING.value, RequestRow.id.in_(planned))
        .order_by(RequestRow.id)
        .with_for_update(key_share=True)
    )


@statement
def _touch_all(request_ids: Collection[str]) -> Update:
    return (
        update(RequestRow)
        .where(RequestRow.id.in_(request_ids))
        .values(version=RequestRow.version + 1)
    )


async def mark_unreachable(
    tx: Transaction, request_id: str, since: datetime, *, refused: str = ""
) -> None:
    """The SIP Gateway does not answer, or (`refused`, in its own words) denies access.

    Recorded when it begins, not at every poll.
    """
    await tx.execute(*_mark_unreachable(request_id, since, refused, denied=refused != ""))


@statement
def _mark_unreachable(request_id: str, since: datetime, refused: str, *, denied: bool) -> Update:
    return (
        update(RequestRow)
        .where(
            RequestRow.id == request_id,
            RequestRow.state == RequestState.RUNNING.value,
            RequestRow.unreachable_since.is_(None),
        )
        .values(
            version=RequestRow.version + 1,
            unreachable_since=since,
            refused=refused if denied else RequestRow.refused,
        )
    )


async def mark_reachable(tx: Transaction, request_id: str) -> bool:
    """The SIP Gateway answers. Returns True if it did not before."""
    return (await tx.execute(*_mark_reachable(request_id))).rowcount == 1


@statement
def _mark_reachable(request_id: str) -> Update:
    return (
        update(RequestRow)
        .where(RequestRow.id == request_id, RequestRow.unreachable_since.is_not(None))
        .values(version=RequestRow.version + 1, unreachable_since=None, refused="")
    )


async def counts(tx: Transaction) -> dict[str, int]:
    """Requests by state, for the metrics."""
    rows = await tx.execute(
        select(RequestRow.state, func.count())
        .where(RequestRow.total_rows > 0)
        .group_by(RequestRow.state)
    )
    return {row.state: row[1] for row in rows}


async def hold_counts(tx: Transaction) -> dict[str, int]:
    """Requests by what holds them, for the metrics."""
    rows = await tx.execute(
        select(RequestRow.hold, func.count())
        .where(RequestRow.state == RequestState.RUNNING.value, RequestRow.hold != "")
        .group_by(RequestRow.hold)
    )
    return {row.hold: row[1] for row in rows}
