"""`python -m bot purge`: deletes old requests and drafts, and everything that belongs to them.

With `--json`, one object: `deleted`, the number of requests.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from datetime import UTC, datetime, timedelta

from sqlalchemy.exc import DBAPIError

from bot import logs
from bot.cli.common import UsageError, load_settings
from bot.settings.model import Settings
from bot.store.connect import database_of
from bot.store.database import DatabaseError, describe_error
from bot.store.purge import purge

_AGE = re.compile(r"(\d{1,5})\s*([hdw])", re.IGNORECASE)
_HOURS = {"h": 1, "d": 24, "w": 168}


def run(older_than: str, audit_older_than: str = "", *, as_json: bool) -> None:
    """Deletes what ended, or was drafted, longer ago than `older_than`, and prints how much. Of the audit,
    what is older than `audit_older_than`, if that is not empty.

    Raises UsageError when `older_than` is not an age or the database cannot be used.
    """
    age = parse_age(older_than)
    audit_age = parse_age(audit_older_than) if audit_older_than else None
    logs.configure(level="warning")  # stdout has the result only
    try:
        deleted = asyncio.run(_purge(load_settings(), age, audit_age))
    except DatabaseError as error:
        raise UsageError(str(error)) from error
    except DBAPIError as error:
        if "permission denied" in str(error.orig):
            raise UsageError(
                f"Nothing was deleted: {describe_error(error)}. Set OFFHOOK_DATABASE_URL to the login "
                "that owns the tables: the service's own may not delete the audit."
            ) from error
        raise UsageError(
            f"Nothing was deleted: {describe_error(error)}. Try again when the database is not in use."
        ) from error
    if as_json:
        sys.stdout.write(json.dumps({"deleted": deleted}) + "\n")
    else:
        sys.stdout.write(f"Deleted {deleted} {'request' if deleted == 1 else 'requests'}.\n")


def parse_age(text: str) -> timedelta:
    """Parses `90d`, `12w`, or `36h`. Raises UsageError for anything else."""
    match = _AGE.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"{text!r} is not an age. Write, for example, 90d, 12w, or 36h.")
    return timedelta(hours=int(match[1]) * _HOURS[match[2].lower()])


async def _purge(settings: Settings, age: timedelta, audit_age: timedelta | None) -> int:
    async with database_of(settings) as database:
        await database.open(alone=False)
        now = datetime.now(UTC)
        async with database.write() as tx:
            return await purge(
                tx, now - age, audit_before=None if audit_age is None else now - audit_age
            )
