"""Conditions on rows: their type, and how many rows meet some."""

from __future__ import annotations

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import InstrumentedAttribute

from bot.store.database import Transaction

Condition = ColumnElement[bool] | InstrumentedAttribute[bool]


async def count(tx: Transaction, *conditions: Condition) -> int:
    """How many rows meet all conditions, which are about one table."""
    return (await tx.execute(select(func.count()).where(*conditions))).scalar_one()
