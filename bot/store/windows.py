"""The windows of a request's phones, counted from their provisioning (`bot.preflight.clocks`)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, case, func, select

from bot.preflight.clocks import DEADLINE, SAFE, SETTLES, Window
from bot.signin.snapshot import ProvisioningWindows
from bot.store.database import Transaction
from bot.store.models.requests import PhoneRow

_MAX_EXAMPLES = 3  # accounts named per window
_at = PhoneRow.provisioned_at


def _in_window(window: Window, now: datetime) -> ColumnElement[bool]:
    """The same as `bot.preflight.clocks.window`, for rows with a time."""
    match window:
        case Window.TOO_EARLY:
            return _at > now - SETTLES
        case Window.IN_TIME:
            return (_at <= now - SETTLES) & (_at >= now - SAFE)
        case Window.NEARLY_TOO_LATE:
            return (_at < now - SAFE) & (_at >= now - DEADLINE)
        case Window.TOO_LATE:
            return _at < now - DEADLINE


async def count(tx: Transaction, request_id: str, now: datetime) -> ProvisioningWindows | None:
    """The ready rows by window. Returns None if the time of none is known."""
    counted = (
        await tx.execute(
            select(
                func.count(),
                func.count(_at),
                func.min(case((_at >= now - DEADLINE, _at))),
                *(func.count(case((_in_window(window, now), 1))) for window in Window),
            ).where(PhoneRow.request_id == request_id, PhoneRow.ready)
        )
    ).one()
    total, known, oldest, *of_windows = tuple(counted)
    if not known:
        return None
    phones = dict(zip(Window, of_windows, strict=True))
    examples = {
        window: await _examples(tx, request_id, window, now) if phones[window] else ()
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


async def _examples(
    tx: Transaction, request_id: str, window: Window, now: datetime
) -> Sequence[str]:
    rows = await tx.execute(
        select(PhoneRow.username)
        .where(PhoneRow.request_id == request_id, PhoneRow.ready, _in_window(window, now))
        .order_by(PhoneRow.number)
        .limit(_MAX_EXAMPLES)
    )
    return rows.scalars().all()


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
                    ~_in_window(Window.IN_TIME, now),
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
