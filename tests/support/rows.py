"""Whole tables, to compare the database before and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from sqlalchemy import Select, insert, select, text

from bot.store.database import Database, Transaction
from bot.store.models import Base

Tables = dict[str, list[dict[str, Any]]]
_SELECTS: Mapping[str, Select[Any]] = MappingProxyType(
    {
        table.name: select(table).order_by(*table.primary_key.columns)
        for table in Base.metadata.sorted_tables
    }
)


async def dump_in(tx: Transaction) -> Tables:
    """Every row of every table, by the table's name."""
    tables: Tables = {}
    for name, statement in _SELECTS.items():
        tables[name] = [dict(row) for row in (await tx.execute(statement)).mappings()]
    return tables


async def dump(database: Database) -> Tables:
    """Every committed row of every table, by the table's name."""
    async with database.read() as tx:
        return await dump_in(tx)


async def insert_in(tx: Transaction, tables: Tables) -> None:
    """Insert what `dump_in` returned, of another database with the same tables."""
    for table in Base.metadata.sorted_tables:
        rows = tables[table.name]
        if not rows:
            continue
        await tx.execute(insert(table), rows)
        if tx.dialect.name == "postgresql" and table.autoincrement_column is not None:
            name = table.name
            await tx.execute(
                text(f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), max(id)) FROM {name}")
            )


def column(rows: Sequence[dict[str, Any]], name: str) -> list[Any]:
    """One column of a dumped table."""
    return [row[name] for row in rows]
