"""For commands that work with the service's database and print a result."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any, TextIO, TypeVar

from sqlalchemy.exc import DBAPIError

from bot import logs
from bot.cli.common import UsageError, load_settings
from bot.store import health
from bot.store.connect import database_of
from bot.store.database import Database, DatabaseError, describe_error

_Result = TypeVar("_Result")


def with_database(work: Callable[[Database], Coroutine[Any, Any, _Result]]) -> _Result:
    """What `work` returns. Raises UsageError when the database cannot be used."""
    logs.configure(level="warning")  # stdout has the result only
    settings = load_settings()

    async def run() -> _Result:
        async with database_of(settings) as database:
            if not health.exists(settings.database):
                raise DatabaseError("There is no database yet: start Offhook first.")
            await database.open(alone=False)
            return await work(database)

    try:
        return asyncio.run(run())
    except DatabaseError as error:
        raise UsageError(str(error)) from error
    except DBAPIError as error:
        hint = (
            " Set OFFHOOK_DATABASE_URL to the login that owns the tables: the service's own may not "
            "change the audit."
            if "permission denied" in str(error.orig)
            else ""
        )
        raise UsageError(f"Nothing was done: {describe_error(error)}.{hint}") from error


def write_line(stream: TextIO, value: object) -> None:
    """One JSON object."""
    stream.write(json.dumps(value, ensure_ascii=False, default=str) + "\n")
