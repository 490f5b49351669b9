"""`python -m bot person`: exports and erases what is stored about a person."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from bot.cli.common import UsageError
from bot.cli.database import with_database, write_line
from bot.store import people
from bot.store.database import Database


def export(identifiers: Sequence[str]) -> None:
    """Writes every row about a person, a JSON object per line. Raises UsageError."""
    _check(identifiers)

    async def run(database: Database) -> None:
        async with database.read() as tx:
            async for table, row in people.find(tx, identifiers):
                write_line(sys.stdout, {"table": table.name, "row": dict(row)})

    with_database(run)


def erase(identifiers: Sequence[str], *, as_json: bool) -> None:
    """Erases a person and prints how much. Raises UsageError, having erased nothing."""
    _check(identifiers)

    async def run(database: Database) -> people.Erased:
        async with database.write() as tx:
            return await people.erase(tx, identifiers)

    try:
        erased = with_database(run)
    except people.StillOpenError as error:
        raise UsageError(
            f"Nothing was erased, since these requests, or mends of their accounts, have not ended: {error}. "
            "Cancel them or wait."
        ) from error
    if as_json:
        write_line(sys.stdout, {"events": erased.events, "rows": erased.rows})
    else:
        sys.stdout.write(
            f"Erased in {erased.events} events of the audit and in {erased.rows} other rows.\n"
        )


def _check(identifiers: Sequence[str]) -> None:
    for identifier in identifiers:
        if len(identifier.strip()) < people.SHORTEST:
            raise UsageError(
                f"{identifier!r} is too short. Name the person by object ID, user principal name, or "
                "full name."
            )
