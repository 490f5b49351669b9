"""What a request's card shows now, as the token that its button carries (`bot.signin.shown`)."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Row, Select, func, select

from bot.preflight.clocks import DEADLINE
from bot.signin.shown import Aspect, token
from bot.store import account_checks, overlaps
from bot.store.database import Transaction
from bot.store.models.requests import PhoneRow
from bot.store.statement import statement


class Waiting(Protocol):
    """What the token takes from a request, as a row has it, too."""

    @property
    def id(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def ticket(self) -> str: ...
    @property
    def accounts_checked_at(self) -> datetime | None: ...


async def load(tx: Transaction, request: Waiting | Row[Any], now: datetime) -> str:
    """The token of a request as it is at `now`."""
    request_id = request.id
    counts = await account_checks.counts(tx, request_id)
    checked_at = request.accounts_checked_at
    checks = [
        sorted((result.value, count) for result, count in counts.items()),
        await account_checks.included(tx, request_id),
        checked_at.isoformat() if checked_at else "",
    ]
    others = await overlaps.shown(tx, request_id)
    overlapping = [
        (each.request_id, each.state.value, each.accounts, each.phones) for each in others
    ]
    too_late = await tx.execute(*_provisioned_before(now - DEADLINE, request_id))
    return token(
        {
            Aspect.CHECKS: checks,
            Aspect.OVERLAP: overlapping,
            Aspect.REASON: [request.reason, request.ticket],
            Aspect.WINDOWS: too_late.scalar_one(),
        }
    )


@statement
def _provisioned_before(time: datetime, request_id: str) -> Select[int]:
    return select(func.count()).where(
        PhoneRow.request_id == request_id, PhoneRow.ready, PhoneRow.provisioned_at < time
    )
