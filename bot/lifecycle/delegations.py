"""Delegations as requests see them: granted by an approver, or wanted because none is held any more.

The delegations themselves live in memory only (`bot.identity.delegations`); rows say who vouches.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import Select, Update, or_, select, update

from bot.lifecycle.notifications import Notifications
from bot.signin.batch import BatchState
from bot.signin.request import Person, RequestState
from bot.signin.schedule import NOTICE
from bot.store import audit, delegation_leases, leases, locks, requests
from bot.store.database import Transaction
from bot.store.models.batches import BatchRow
from bot.store.models.requests import RequestRow
from bot.store.requests import Request
from bot.store.statement import statement


async def grant(
    tx: Transaction, request: Request, until: datetime, *, actor: Person, now: datetime
) -> bool:
    """An approver delegated to a running request: its batches become due at once.

    `until`: how long the delegation is vouched for. Returns False when the request has ended.
    """
    await locks.requests(tx, request.id)
    if (await tx.execute(*_grant(request.id, until))).rowcount != 1:
        return False
    await audit.record(tx, request.id, "signed in", now, actor)
    await leases.make_due(tx, request.id, now)
    return True


@statement
def _grant(request_id: str, until: datetime) -> Update:
    return (
        update(RequestRow)
        .where(RequestRow.id == request_id, RequestRow.state == RequestState.RUNNING.value)
        .values(
            version=RequestRow.version + 1,
            delegation_until=until,
            delegation_wanted_since=None,
            refused="",
            unreachable_since=None,
        )
    )


async def ask(
    tx: Transaction, notify: Notifications, now: datetime, states: Collection[BatchState]
) -> list[str]:
    """Ask for a delegation for each running request that has batches in one of `states`, holds none,
    and was not asked for yet. Returns the ids of these requests. One that is paused has nothing to send until
    shortly before it goes on."""
    in_states = [state.value for state in states]
    to_ask = await tx.execute(*_without_delegation(in_states, now, now + NOTICE))
    request_ids = list(to_ask.scalars())
    for request_id in request_ids:
        await requests.touch(tx, request_id, delegation_wanted_since=now)
        request = await requests.load(tx, request_id)
        if request is not None:
            await audit.record(tx, request_id, "delegation lost", now)
            await notify.delegation_wanted(tx, request, now)
    return request_ids


@statement
def _without_delegation(states: Sequence[str], now: datetime, soon: datetime) -> Select[str]:
    with_work = (
        select(BatchRow.request_id)
        .join(RequestRow, RequestRow.id == BatchRow.request_id)
        .where(
            BatchRow.state.in_(states),
            or_(
                BatchRow.state != BatchState.PLANNED.value,
                delegation_leases.needed_to_send(soon),
            ),
        )
    )
    return (
        select(RequestRow.id)
        .where(
            RequestRow.state == RequestState.RUNNING.value,
            RequestRow.delegation_wanted_since.is_(None),
            or_(RequestRow.delegation_until.is_(None), RequestRow.delegation_until <= now),
            RequestRow.id.in_(with_work),
        )
        .order_by(RequestRow.id)  # as everybody locks several requests
        .with_for_update(key_share=True)
    )
