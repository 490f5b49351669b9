"""Mends and their changes as rows. `bot.lifecycle.mends` has the transitions."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, Update, func, insert, or_, select, update

from bot.mending.change import Change, ChangeKind, ChangeState, NewChange
from bot.mending.mend import MAX_NAMED, OPEN_MEND_STATES, WORKING_STATES, MendState
from bot.mending.plan import SWITCH_IS_OFF, Mendable, nameable
from bot.mending.snapshot import Line, MendOffer, MendSnapshot
from bot.preflight.findings import TENANT_PREFIX
from bot.preflight.verdict import AccountReport
from bot.signin.policy.facts import RequestFacts
from bot.signin.request import Person, RequestState
from bot.signin.snapshot import Page
from bot.store import account_checks
from bot.store.account_checks import Preflight
from bot.store.database import Transaction
from bot.store.models.accounts import MendChangeRow, MendRow
from bot.store.models.requests import RequestRow
from bot.store.statement import statement

PAGE_SIZE = 10  #: changes per page
_CHUNK = 2000  # rows per statement, so that other tasks run in between


#: The state of a sign-in request in which the same is allowed.
_AS_REQUEST = {
    MendState.DRAFT: RequestState.DRAFT,
    MendState.WAITING: RequestState.WAITING,
    MendState.RUNNING: RequestState.RUNNING,
    MendState.FINISHED: RequestState.FINISHED,
    MendState.UNDOING: RequestState.RUNNING,
    MendState.UNDONE: RequestState.FINISHED,
    MendState.REJECTED: RequestState.REJECTED,
    MendState.EXPIRED: RequestState.EXPIRED,
    MendState.WITHDRAWN: RequestState.WITHDRAWN,
}


@dataclass(frozen=True, slots=True)
class Mend:
    """A mend as it was read; times are UTC."""

    id: int
    request_id: str
    tenant_id: str
    state: MendState
    requester: Person
    conversation_id: str  #: where it was asked for
    four_eyes: bool
    reason: str
    digest: str
    expires_at: datetime | None
    decided_at: datetime | None
    undo_asked_at: datetime | None
    passes: int  #: over the changes, without progress
    access_wanted_since: datetime | None

    @property
    def facts(self) -> RequestFacts:
        """What decides who may do what to it: the rules of sign-in requests."""
        return RequestFacts(
            self.tenant_id, _AS_REQUEST[self.state], self.requester.object_id, self.expires_at
        )

    @property
    def since(self) -> datetime | None:
        """When the changes, or their undo, were approved."""
        return self.undo_asked_at or self.decided_at


def _mend(row: Row[Any]) -> Mend:
    return Mend(
        id=row.id,
        request_id=row.request_id,
        tenant_id=row.tenant_id,
        state=MendState(row.state),
        requester=Person(row.requester_id, row.requester_name),
        conversation_id=row.conversation_id,
        four_eyes=row.four_eyes,
        reason=row.reason,
        digest=row.digest,
        expires_at=row.expires_at,
        decided_at=row.decided_at,
        undo_asked_at=row.undo_asked_at,
        passes=row.passes,
        access_wanted_since=row.access_wanted_since,
    )


def _change(row: Row[Any]) -> Change:
    return Change(
        number=row.number,
        kind=ChangeKind(row.kind),
        account=row.username,
        object_id=row.object_id,
        replaces=row.replaces,
        before=row.before,
        after=row.after,
        state=ChangeState(row.state),
        since=row.since,
        guard_unknown=row.guard_unknown,
    )


async def load(tx: Transaction, mend_id: int) -> Mend | None:
    """Returns None if there is no such mend."""
    row = (await tx.execute(*_one(mend_id))).one_or_none()
    return None if row is None else _mend(row)


@statement
def _one(mend_id: int) -> Select[*tuple[Any, ...]]:
    return select(MendRow.__table__).where(MendRow.id == mend_id)


async def insert_mend(
    tx: Transaction,
    *,
    request_id: str,
    tenant_id: str,
    requester: Person,
    conversation_id: str,
    four_eyes: bool,
    changes: Sequence[NewChange],
    now: datetime,
) -> int:
    """Returns the new mend's id."""
    added = await tx.execute(
        insert(MendRow)
        .values(
            request_id=request_id,
            tenant_id=tenant_id,
            state=MendState.DRAFT.value,
            requester_id=requester.object_id,
            requester_name=requester.name,
            conversation_id=conversation_id,
            four_eyes=four_eyes,
            created_at=now,
        )
        .returning(MendRow.id)
    )
    mend_id = added.scalar_one()
    await add_changes(tx, mend_id, changes, first=0)
    return mend_id


_ADD_CHANGES = insert(MendChangeRow)


async def add_changes(
    tx: Transaction, mend_id: int, changes: Sequence[NewChange], *, first: int
) -> None:
    """Plan changes; `first`: the number of the first of them."""
    rows = [
        {
            "mend_id": mend_id,
            "number": number,
            "kind": each.kind.value,
            "account": each.account.casefold(),
            "username": each.account,
            "replaces": each.replaces,
            "after": each.after,
            "state": ChangeState.PLANNED.value,
            "guard_unknown": each.guard_unknown,
        }
        for number, each in enumerate(changes, first)
    ]
    for start in range(0, len(rows), _CHUNK):
        await tx.execute(_ADD_CHANGES, rows[start : start + _CHUNK])


async def changes(
    tx: Transaction, mend_id: int, states: Collection[ChangeState] | None = None
) -> list[Change]:
    """In order; `states`: only those in one of them."""
    if states is None:
        rows = await tx.execute(*_changes(mend_id))
    else:
        rows = await tx.execute(*_changes_in(mend_id, [each.value for each in states]))
    return [_change(row) for row in rows]


@statement
def _changes(mend_id: int) -> Select[*tuple[Any, ...]]:
    return (
        select(MendChangeRow.__table__)
        .where(MendChangeRow.mend_id == mend_id)
        .order_by(MendChangeRow.number)
    )


@statement
def _changes_in(mend_id: int, states: Sequence[str]) -> Select[*tuple[Any, ...]]:
    return (
        select(MendChangeRow.__table__)
        .where(MendChangeRow.mend_id == mend_id, MendChangeRow.state.in_(states))
        .order_by(MendChangeRow.number)
    )


async def _lines(tx: Transaction, mend_id: int, page: int) -> Page[Line]:
    """A page of the changes: those with an error first."""
    total = (await tx.execute(*_total(mend_id))).scalar_one()
    number = min(max(page, 1), max(1, -(-total // PAGE_SIZE)))
    rows = await tx.execute(*_page(mend_id, (number - 1) * PAGE_SIZE))
    found = [
        Line(
            ChangeKind(row.kind),
            row.username,
            row.replaces,
            row.before,
            row.after,
            ChangeState(row.state),
            row.error,
            row.detail,
        )
        for row in rows
    ]
    return Page(found, number, PAGE_SIZE, total)


@statement
def _total(mend_id: int) -> Select[int]:
    return select(func.count()).where(MendChangeRow.mend_id == mend_id)


@statement
def _page(mend_id: int, offset: int) -> Select[*tuple[Any, ...]]:
    return (
        select(MendChangeRow.__table__)
        .where(MendChangeRow.mend_id == mend_id)
        .order_by(MendChangeRow.error == "", MendChangeRow.number)
        .limit(PAGE_SIZE)
        .offset(offset)
    )


async def snapshot(
    tx: Transaction, request_id: str, mend_id: int, page: int
) -> MendSnapshot | None:
    """What a card of the mend shows; None if the request has no such mend."""
    row = (await tx.execute(*_one_of(request_id, mend_id))).one_or_none()
    if row is None:
        return None
    names = await _nameable(tx, request_id) if row.state == MendState.DRAFT.value else ()
    return MendSnapshot(
        id=row.id,
        state=MendState(row.state),
        requester=Person(row.requester_id, row.requester_name),
        four_eyes=row.four_eyes,
        reason=row.reason,
        digest=row.digest,
        accounts=await accounts(tx, mend_id),
        counts=await counts(tx, mend_id),
        lines=await _lines(tx, mend_id, page),
        asked_at=row.asked_at,
        expires_at=row.expires_at,
        decided_by=_person(row.decided_by_id, row.decided_by_name),
        decided_at=row.decided_at,
        comment=row.comment,
        undo_by=_person(row.undo_by_id, row.undo_by_name),
        undo_asked_at=row.undo_asked_at,
        refused=row.refused,
        access_wanted_since=row.access_wanted_since,
        rechecking=row.rechecking,
        guard_unknown=names[:MAX_NAMED] or await named(tx, mend_id),
        nameable=len(names),
    )


@statement
def _one_of(request_id: str, mend_id: int) -> Select[*tuple[Any, ...]]:
    return select(MendRow.__table__).where(MendRow.id == mend_id, MendRow.request_id == request_id)


async def _nameable(tx: Transaction, request_id: str) -> Sequence[str]:
    rows = await tx.execute(*_mendable(request_id))
    if not Mendable(**rows.scalar_one()).nameable:
        return ()
    reports, _ = await found_of(tx, request_id)
    return nameable(reports)


@statement
def _mendable(request_id: str) -> Select[dict[str, Any]]:
    return select(RequestRow.mendable).where(RequestRow.id == request_id)


async def named(tx: Transaction, mend_id: int) -> Sequence[str]:
    """The accounts that were named although the guard's checks do not know of them."""
    return (await tx.execute(*_named(mend_id))).scalars().all()


@statement
def _named(mend_id: int) -> Select[str]:
    return (
        select(MendChangeRow.username)
        .where(MendChangeRow.mend_id == mend_id, MendChangeRow.guard_unknown)
        .group_by(MendChangeRow.account, MendChangeRow.username)
        .order_by(func.min(MendChangeRow.number))
    )


def _person(object_id: str, name: str) -> Person | None:
    return Person(object_id, name) if object_id else None


async def offer(tx: Transaction, request_id: str) -> MendOffer | None:
    """What a draft's card says about mending; None if nothing can be mended."""
    found = (await tx.execute(*_mendable(request_id))).scalar_one_or_none()
    under_way = await open_of_request(tx, request_id)
    if not found and under_way is None:
        return None
    return MendOffer(Mendable(**(found or {})), None if under_way is None else under_way.state)


async def counts(tx: Transaction, mend_id: int) -> Mapping[tuple[ChangeKind, ChangeState], int]:
    rows = await tx.execute(*_counts(mend_id))
    return {(ChangeKind(kind), ChangeState(state)): count for kind, state, count in rows}


@statement
def _counts(mend_id: int) -> Select[str, str, int]:
    return (
        select(MendChangeRow.kind, MendChangeRow.state, func.count())
        .where(MendChangeRow.mend_id == mend_id)
        .group_by(MendChangeRow.kind, MendChangeRow.state)
    )


async def accounts(tx: Transaction, mend_id: int) -> int:
    """How many accounts a mend is about."""
    return (await tx.execute(*_accounts(mend_id))).scalar_one()


@statement
def _accounts(mend_id: int) -> Select[int]:
    return select(func.count(func.distinct(MendChangeRow.account))).where(
        MendChangeRow.mend_id == mend_id, MendChangeRow.account != ""
    )


async def open_of_request(tx: Transaction, request_id: str) -> Mend | None:
    """The mend of a request that is not settled yet, its draft included; None if there is none."""
    return await _newest(tx, request_id, (*OPEN_MEND_STATES, MendState.DRAFT))


async def latest_of_request(tx: Transaction, request_id: str) -> Mend | None:
    """The newest mend of a request that changed something, or still can; None if there is none."""
    states = (*OPEN_MEND_STATES, MendState.DRAFT, MendState.FINISHED, MendState.UNDONE)
    return await _newest(tx, request_id, states)


async def _newest(tx: Transaction, request_id: str, states: Collection[MendState]) -> Mend | None:
    rows = await tx.execute(*_newest_in(request_id, [each.value for each in states]))
    row = rows.one_or_none()
    return None if row is None else _mend(row)


@statement
def _newest_in(request_id: str, states: Sequence[str]) -> Select[*tuple[Any, ...]]:
    return (
        select(MendRow.__table__)
        .where(MendRow.request_id == request_id, MendRow.state.in_(states))
        .order_by(MendRow.id.desc())
        .limit(1)
    )


async def conflicting(
    tx: Transaction, mend: Mend, states: Collection[MendState], *, since: datetime | None = None
) -> tuple[str, str] | None:
    """Another mend of the tenant, in one of these states, with one of its accounts: the id of that
    mend's request and the account. None if there is none. `since`: only mends approved then or later."""
    in_states = [state.value for state in states]
    rows = await tx.execute(
        *_conflicting(mend.id, mend.tenant_id, in_states, since, ever=since is None)
    )
    row = rows.one_or_none()
    return None if row is None else (row.request_id, row.username)


@statement
def _conflicting(
    mend_id: int, tenant_id: str, states: Sequence[str], since: datetime | None, *, ever: bool
) -> Select[str, str]:
    own = select(MendChangeRow.account).where(
        MendChangeRow.mend_id == mend_id, MendChangeRow.account != ""
    )
    return (
        select(MendRow.request_id, MendChangeRow.username)
        .join(MendChangeRow, MendChangeRow.mend_id == MendRow.id)
        .where(
            MendRow.tenant_id == tenant_id,
            MendRow.id != mend_id,
            *(() if ever else (MendRow.decided_at >= since,)),
            MendRow.state.in_(states),
            MendChangeRow.account.in_(own),
        )
        .order_by(MendRow.id, MendChangeRow.number)
        .limit(1)
    )


async def found_of(tx: Transaction, request_id: str) -> tuple[Sequence[AccountReport], bool]:
    """What the checks of a request found, and whether the tenant's switch is off."""
    notices = (await tx.execute(*_notices(request_id))).scalar_one()
    off = any(notice["code"] == TENANT_PREFIX + SWITCH_IS_OFF for notice in notices)
    reports = await account_checks.reports(tx, request_id)
    return list(reports.values()), off


@statement
def _notices(request_id: str) -> Select[list[Any]]:
    return select(RequestRow.notices).where(RequestRow.id == request_id)


async def keep_mendable(tx: Transaction, request_id: str, found: Mendable) -> None:
    """Show on the request's cards how much can be mended."""
    values = asdict(found) if found.anything else {}
    await tx.execute(*_keep_mendable(request_id, values))


@statement
def _keep_mendable(request_id: str, found: Mapping[str, int]) -> Update:
    return update(RequestRow).where(RequestRow.id == request_id).values(mendable=found)


async def due_to_expire(tx: Transaction, now: datetime) -> list[int]:
    return list((await tx.execute(*_due_to_expire(now))).scalars())


@statement
def _due_to_expire(now: datetime) -> Select[int]:
    return select(MendRow.id).where(
        MendRow.state == MendState.WAITING.value, MendRow.expires_at <= now
    )


_WORKING = MendRow.state.in_([state.value for state in WORKING_STATES])


async def due(
    tx: Transaction,
    *,
    owner: str,
    now: datetime,
    only: Collection[int] | None,
    limit: int,
) -> list[int]:
    """Mends with a pass due that no other replica works on; `only`: among these, None for all."""
    rows = await tx.execute(*_due(owner, now, only or (), limit, among_all=only is None))
    return list(rows.scalars())


@statement
def _due(
    owner: str, now: datetime, only: Collection[int], limit: int, *, among_all: bool
) -> Select[int]:
    among = () if among_all else (MendRow.id.in_(only),)
    return (
        select(MendRow.id)
        .where(_WORKING, MendRow.due_at <= now, _free(owner, now), *among)
        .order_by(MendRow.due_at, MendRow.id)
        .limit(limit)
    )


def lapsed(now: datetime) -> ColumnElement[bool]:
    """No replica vouches for the mend."""
    return or_(MendRow.lease_until.is_(None), MendRow.lease_until <= now)


def _free(owner: str, now: datetime) -> ColumnElement[bool]:
    return or_(MendRow.owner == owner, lapsed(now))


async def next_due_at(tx: Transaction, now: datetime) -> datetime | None:
    return (await tx.execute(*_next_due_at(now))).scalar_one()


@statement
def _next_due_at(now: datetime) -> Select[datetime | None]:
    return select(func.min(MendRow.due_at)).where(_WORKING, MendRow.due_at > now)


async def without_access(tx: Transaction, now: datetime) -> list[int]:
    """Working mends for which no replica vouches, and nobody was asked yet to give access."""
    return list((await tx.execute(*_without_access(now))).scalars())


@statement
def _without_access(now: datetime) -> Select[int]:
    return select(MendRow.id).where(_WORKING, MendRow.access_wanted_since.is_(None), lapsed(now))


async def overdue(tx: Transaction, *, owner: str, now: datetime, before: datetime) -> list[int]:
    """Working mends that were approved, or whose undo was, before then, with a pass due, and that nobody
    works on."""
    return list((await tx.execute(*_overdue(owner, now, before))).scalars())


@statement
def _overdue(owner: str, now: datetime, before: datetime) -> Select[int]:
    since = func.coalesce(MendRow.undo_asked_at, MendRow.decided_at)
    return (
        select(MendRow.id)
        .where(_WORKING, since <= before, MendRow.due_at <= now, _free(owner, now))
        .order_by(MendRow.id)
    )


async def renew(
    tx: Transaction, mend_id: int, *, owner: str, now: datetime, until: datetime
) -> bool:
    """Take or renew the lease. Returns False if another replica holds it, or nothing is to be done."""
    return (await tx.execute(*_renew(mend_id, owner, now, until))).rowcount == 1


@statement
def _renew(mend_id: int, owner: str, now: datetime, until: datetime) -> Update:
    return (
        update(MendRow)
        .where(MendRow.id == mend_id, _WORKING, _free(owner, now))
        .values(owner=owner, lease_until=until)
    )


async def expire_leases(tx: Transaction) -> None:
    """Whoever held leases is gone, as on SQLite when the service starts."""
    await tx.execute(
        update(MendRow).where(MendRow.lease_until.is_not(None)).values(lease_until=None)
    )


async def rechecked(tx: Transaction) -> list[int]:
    """Mends whose requesters are to be told that their accounts were checked again."""
    return list((await tx.execute(*_rechecked())).scalars())


@statement
def _rechecked() -> Select[int]:
    return (
        select(MendRow.id)
        .join(RequestRow, RequestRow.id == MendRow.request_id)
        .where(MendRow.rechecking, RequestRow.preflight != Preflight.CHECKING.value)
    )
