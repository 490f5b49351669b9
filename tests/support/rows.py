"""Whole tables, to compare the database before and after."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from bot.store.database import Database, Transaction
from bot.store.models import Base

Tables = dict[str, list[dict[str, Any]]]


async def dump_in(tx: Transaction) -> Tables:
    """Every row of every table, by the table's name."""
    tables: Tables = {}
    for table in Base.metadata.sorted_tables:
        rows = await tx.execute(select(table).order_by(*table.primary_key.columns))
        tables[table.name] = [dict(row) for row in rows.mappings()]
    return tables


async def dump(database: Database) -> Tables:
    """Every committed row of every table, by the table's name."""
    async with database.read() as tx:
        return await dump_in(tx)


def column(rows: Sequence[dict[str, Any]], name: str) -> list[Any]:
    """One column of a dumped table."""
    return [row[name] for row in rows]
