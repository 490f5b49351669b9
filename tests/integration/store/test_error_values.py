"""Database errors do not quote the values of rows: their text is logged."""

from __future__ import annotations

import traceback

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from bot.store.database import Database

ACCOUNT = "lobby@contoso.example"


async def _execute(database: Database, *statements: str) -> None:
    async with database.write() as tx:
        for statement in statements:
            values = {"account": ACCOUNT} if ":account" in statement else {}
            await tx.execute(text(statement), values)


async def _error(database: Database, *statements: str) -> str:
    """The traceback of the last of `statements`, which are given the account."""
    with pytest.raises(DBAPIError) as raised:
        await _execute(database, *statements)
    return "".join(traceback.format_exception(raised.value))


async def test_database_error_does_not_quote_parameters(database: Database) -> None:
    error = await _error(database, "SELECT :account FROM nowhere")
    assert "nowhere" in error
    assert ACCOUNT not in error


async def test_database_error_does_not_quote_row_when_constraint_is_violated(
    database: Database,
) -> None:
    insert = "INSERT INTO only_once VALUES (:account)"
    error = await _error(
        database, "CREATE TABLE only_once (account VARCHAR(99) PRIMARY KEY)", insert, insert
    )
    assert "unique" in error.lower()
    assert ACCOUNT not in error
