"""The windows of a request's phones, counted from their provisioning (`bot.preflight.clocks`)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, case, func, select

from bot.preflight.clocks import DEADLINE, SAFE, SETTLES, Window
from bot.signin.snapshot import ProvisioningWindows
from bot.store.database import Transaction
from bot.store.models.requests import PhoneRow
from bot.store.statement import statement

_MAX_EXAMPLES = 3  # accounts named per window
_at = PhoneRow.provisioned_at


def _bounds(now: datetime) -> tuple[datetime, datetime, datetime]:
    """When phones were provisioned that enter a later window at `now`."""
    return now - SETTLES, now - SAFE, now - DEADLINE


def _in_window(
    window: Window, settles: datetime, safe: datetime, deadline: datetime
) -> ColumnElement[bool]:
    """The same as `bot.preflight.clocks.window`, for rows with a time, given the `_bounds`."""
    match window:
        case Window.TOO_EARLY:
            return _at > settles
        case Window.IN_TIME:
            return (_at <= settles) & (_at >= safe)
        case Window.NEARLY_TOO_LATE:
            return (_at < safe) & (_at >= deadline)
        case Window.TOO_LATE:
            return _at < deadline


async def count(tx: Transaction, request_id: str, now: datetime) -> ProvisioningWindows | None:
    """The ready rows by window. Returns None if the time of none is known."""
    bounds = _bounds(now)
    counted = (await tx.execute(*_counts(request_id, *bounds))).one()
    total, known, oldest, *of_windows = tuple(counted)
    if not known:
        return None
    phones = dict(zip(Window, of_windows, strict=True))
    examples = {
        window: (
            (await tx.execute(*_examples(request_id, *bounds, window=window))).scalars().all()
            if phones[window]
            else ()
        )
        for window in (Window.TOO_EARLY, Window.NEARLY_TOO_LATE, Window.TOO_LATE)
    }
    return ProvisioningWindows(
        at=now,
        too_early=phones[Window.TOO_EARLY],
        in_time=phones[Window.IN_TIME],
        nearly_too_late=phones[Window.NEARLY_TOO_LATE],
        too_late=phones[Window.TOO_LATE],
        without_time=total - known,
        next_deadline=oldest + DEADLINE if oldest else None,
        early_examples=examples[Window.TOO_EARLY],
        nearly_late_examples=examples[Window.NEARLY_TOO_LATE],
        late_examples=examples[Window.TOO_LATE],
    )


@statement
def _counts(
    request_id: str, settles: datetime, safe: datetime, deadline: datetime
) -> Select[*tuple[Any, ...]]:
    in_windows = [_in_window(window, settles, safe, deadline) for window in Window]
    return select(
        func.count(),
        func.count(_at),
        func.min(case((_at >= deadline, _at))),
        *(func.count(case((in_window, 1))) for in_window in in_windows),
    ).where(PhoneRow.request_id == request_id, PhoneRow.ready)


@statement
def _examples(
    request_id: str, settles: datetime, safe: datetime, deadline: datetime, *, window: Window
) -> Select[str]:
    in_window = _in_window(window, settles, safe, deadline)
    return (
        select(PhoneRow.username)
        .where(PhoneRow.request_id == request_id, PhoneRow.ready, in_window)
        .order_by(PhoneRow.number)
        .limit(_MAX_EXAMPLES)
    )


async def outside(
    tx: Transaction, request_id: str, now: datetime, *, chunk: int = 1000
) -> AsyncIterator[tuple[int, datetime]]:
    """Row number and time of provisioning of each ready row that is not in time; read in chunks."""
    after = -1
    while True:
        rows = (
            await tx.execute(
                select(PhoneRow.number, _at)
                .where(
                    PhoneRow.request_id == request_id,
                    PhoneRow.ready,
                    _at.is_not(None),
                    ~_in_window(Window.IN_TIME, *_bounds(now)),
                    PhoneRow.number > after,
                )
                .order_by(PhoneRow.number)
                .limit(chunk)
            )
        ).all()
        if not rows:
            return
        for number, at in rows:
            assert at is not None  # noqa: S101  # so says the query
            yield number, at
        after = rows[-1].number
