"""Starts at a set time, as rows: what is due; and what waits for a change window to go on."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, Select, or_, select

from bot.signin.request import Hold, RequestState
from bot.store.database import Transaction
from bot.store.models.requests import RequestRow
from bot.store.statement import statement


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
    return list((await tx.execute(*_due(now))).scalars())


@statement
def _due(now: datetime) -> Select[str]:
    return _scheduled_where(RequestRow.run_at <= now)


async def due_to_ask(tx: Transaction, now: datetime, until: datetime) -> list[str]:
    """Ids of the requests that start before `until` and for which no approver was asked to sign in."""
    return list((await tx.execute(*_due_to_ask(now, until))).scalars())


@statement
def _due_to_ask(now: datetime, until: datetime) -> Select[str]:
    return _scheduled_where(
        RequestRow.run_at <= until, ~RequestRow.start_told, without_delegation(now)
    )


def _scheduled_where(*conditions: ColumnElement[bool]) -> Select[str]:
    return (
        select(RequestRow.id)
        .where(scheduled(), *conditions)
        .order_by(RequestRow.run_at, RequestRow.id)
    )


async def paused(tx: Transaction) -> list[str]:
    """Ids of the requests that go on when a change window opens, and are not being canceled."""
    return list((await tx.execute(*_paused())).scalars())


@statement
def _paused() -> Select[str]:
    return (
        select(RequestRow.id)
        .where(
            RequestRow.hold == Hold.PAUSED.value,
            RequestRow.state == RequestState.RUNNING.value,
        )
        .order_by(RequestRow.opens_at, RequestRow.id)
    )
