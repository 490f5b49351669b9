"""Mends and their changes as rows. `bot.lifecycle.mends` has the transitions."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, Update, func, insert, select, update

from bot.mending.change import Change, ChangeKind, ChangeState, NewChange
from bot.mending.mend import OPEN_MEND_STATES, MendState
from bot.mending.plan import SWITCH_IS_OFF, Mendable
from bot.preflight.findings import TENANT_PREFIX
from bot.preflight.verdict import AccountReport
from bot.signin.policy.facts import RequestFacts
from bot.signin.request import Person, RequestState
from bot.store import account_checks
from bot.store.database import Transaction
from bot.store.models.accounts import MendChangeRow, MendRow
from bot.store.models.requests import RequestRow
from bot.store.statement import statement

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
