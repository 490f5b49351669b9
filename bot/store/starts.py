"""Starts at a set time, as rows: what is due; and what waits for a change window to go on."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, or_, select

from bot.signin.request import Hold, RequestState
from bot.store.database import Transaction
from bot.store.models.requests import RequestRow


def scheduled() -> ColumnElement[bool]:
    """Approved requests that wait for their time, and are not being canceled."""
    return (
        (RequestRow.hold == Hold.SCHEDULED.value)
        & (RequestRow.state == RequestState.RUNNING.value)
        & RequestRow.cancel_asked_at.is_(None)
    )


def without_delegation(now: datetime) -> ColumnElement[bool]:
    """Requests for which no replica holds an approver's delegation."""
    return or_(RequestRow.delegation_until.is_(None), RequestRow.delegation_until <= now)


async def due(tx: Transaction, now: datetime) -> list[str]:
    """Ids of the requests whose time has come, the longest due first."""
    return await _ids(tx, RequestRow.run_at <= now)


async def due_to_ask(tx: Transaction, now: datetime, until: datetime) -> list[str]:
    """Ids of the requests that start before `until` and for which no approver was asked to sign in."""
    return await _ids(
        tx, RequestRow.run_at <= until, ~RequestRow.start_told, without_delegation(now)
    )


async def paused(tx: Transaction) -> list[str]:
    """Ids of the requests that go on when a change window opens, and are not being canceled."""
    rows = await tx.execute(
        select(RequestRow.id)
        .where(
            RequestRow.hold == Hold.PAUSED.value,
            RequestRow.state == RequestState.RUNNING.value,
        )
        .order_by(RequestRow.opens_at, RequestRow.id)
    )
    return list(rows.scalars())


async def _ids(tx: Transaction, *conditions: ColumnElement[bool]) -> list[str]:
    rows = await tx.execute(
        select(RequestRow.id)
        .where(scheduled(), *conditions)
        .order_by(RequestRow.run_at, RequestRow.id)
    )
    return list(rows.scalars())
