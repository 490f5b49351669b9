"""The one place that changes a state: only as the tables of `bot.signin` allow, by compare-and-set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from sqlalchemy import ColumnElement, or_, update
from sqlalchemy.orm import InstrumentedAttribute

from bot.signin.transition import State, Transition
from bot.store.database import Transaction
from bot.store.models import Base
from bot.store.models.accounts import MendChangeRow, MendRow
from bot.store.models.batches import BatchRow
from bot.store.models.requests import PhoneRow, RequestRow

#: The column that holds the state, by table.
STATE_COLUMNS: Mapping[type[Base], InstrumentedAttribute[str]] = MappingProxyType(
    {
        RequestRow: RequestRow.state,
        BatchRow: BatchRow.state,
        PhoneRow: PhoneRow.status,
        MendRow: MendRow.state,
        MendChangeRow: MendChangeRow.state,
    }
)


async def apply(
    tx: Transaction,
    table: type[Base],
    transition: Transition[State],
    *where: ColumnElement[bool],
    each: Sequence[Mapping[str, object]] = (),
    **columns: Any,
) -> int:
    """Make a transition of the rows selected by `where`, and set `columns` along with it.

    Returns the number of rows that changed; a row in a state that the transition does not start from
    is left alone. `each` runs the statement once per mapping of its bind parameters, and returns 0.
    """
    state = STATE_COLUMNS[table]
    statement = (
        update(table)
        .where(*where, or_(*(state == before.value for before in sorted(transition.before))))
        .values({**columns, state.key: transition.after.value})
    )
    if each:
        await tx.execute(statement, each, execution_options={"synchronize_session": False})
        return 0
    return (await tx.execute(statement)).rowcount
