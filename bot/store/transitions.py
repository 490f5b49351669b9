"""The one place that changes a state: only as the tables of `bot.signin` allow, by compare-and-set."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

from sqlalchemy import ColumnElement, SQLColumnExpression, Update, bindparam, or_, update
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


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows by conditions, whose statement is built once for all values."""

    conditions: Callable[..., tuple[ColumnElement[bool], ...]]  #: see `bot.store.statement`
    values: tuple[object, ...]  #: its arguments


async def apply(
    tx: Transaction,
    table: type[Base],
    transition: Transition[State],
    *where: ColumnElement[bool],
    rows: Rows | None = None,
    each: Sequence[Mapping[str, object]] = (),
    **columns: Any,
) -> int:
    """Make a transition of the rows selected by `where` and `rows`, and set `columns` along with it.

    Returns the number of rows that changed; a row in a state that the transition does not start from
    is left alone. `each` runs the statement once per mapping of its bind parameters, and returns 0.
    """
    if rows is not None:
        literal = not any(isinstance(value, SQLColumnExpression) for value in columns.values())
        if literal and not where and not each:
            statement = _of_rows(
                table, transition, rows.conditions, len(rows.values), tuple(columns)
            )
            values = {f"where{number}_": value for number, value in enumerate(rows.values)}
            values |= {f"{name}_": value for name, value in columns.items()}
            return (await tx.execute(statement, values)).rowcount
        where = (*where, *rows.conditions(*rows.values))
    statement = _update(table, transition, where, columns)
    if each:
        await tx.execute(statement, each, execution_options={"synchronize_session": False})
        return 0
    return (await tx.execute(statement)).rowcount


@cache
def _of_rows(
    table: type[Base],
    transition: Transition[Any],
    conditions: Callable[..., tuple[ColumnElement[bool], ...]],
    count: int,
    names: tuple[str, ...],
) -> Update:
    where = conditions(*(bindparam(f"where{number}_") for number in range(count)))
    return _update(table, transition, where, {name: bindparam(f"{name}_") for name in names})


def _update(
    table: type[Base],
    transition: Transition[Any],
    where: Sequence[ColumnElement[bool]],
    columns: Mapping[str, Any],
) -> Update:
    state = STATE_COLUMNS[table]
    return (
        update(table)
        .where(*where, or_(*(state == before.value for before in sorted(transition.before))))
        .values({**columns, state.key: transition.after.value})
    )
