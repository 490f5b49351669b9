"""`python -m bot history`: requests found by phone, account, person, or period, of all tenants.

With `--json`, an object per line with `request`, `state`, `file`, `requested_by`, `created_at`,
`decided_by`, `decided_at`, and the `phones` that were looked for.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from rich.console import Console

from bot.cli.common import UsageError
from bot.cli.database import with_database, write_line
from bot.cli.output import Column, print_line, print_table
from bot.signin.history import HistoryFilter, Unreadable, parse
from bot.signin.request import Person
from bot.signin.snapshot import FoundPhone, History, HistoryLine
from bot.store.database import Database
from bot.store.history import find
from bot.words import Words
from bot.words.terminal import escape_terminal

_COLUMNS = (
    Column("request"),
    Column("state"),
    Column("created (UTC)"),
    Column("requested by"),
    Column("decided by"),
    Column("decided (UTC)"),
    Column("hardware ID"),
    Column("account"),
    Column("phone"),
    Column("sent (UTC)"),
)

_NAMED = 1000  # phones of a request


def run(text: str, *, limit: int, as_json: bool, console: Console) -> None:
    """Prints the newest requests that meet the filters. Raises UsageError if they cannot be read."""
    words = Words(escape=escape_terminal)
    asked = parse(text, datetime.now(UTC))
    if isinstance(asked, Unreadable):
        raise UsageError(words(f"history-problem-{asked.problem.value}", text=asked.text))
    found = with_database(lambda database: _found(database, asked, limit))
    if as_json:
        for line in found.lines:
            write_line(sys.stdout, _as_json(line))
        return
    if not found.lines:
        print_line(
            Console(stderr=True), "No request has this. Check the spelling, or leave something out."
        )
    print_table(console, _COLUMNS, [row for line in found.lines for row in _rows(line)])
    if found.total > len(found.lines):
        more = f"These are the newest {len(found.lines)} of {found.total}: use until, or --limit."
        print_line(Console(stderr=True), more)


async def _found(database: Database, asked: HistoryFilter, limit: int) -> History:
    async with database.read() as tx:
        return await find(tx, None, asked, requester_id=None, newest=limit, named=_NAMED)


def _rows(line: HistoryLine) -> Iterator[tuple[str, ...]]:
    of_request = (
        line.id,
        line.state.value,
        _when(line.created_at),
        escape_terminal(line.requester.name),
        escape_terminal(line.decided_by.name) if line.decided_by else "",
        _when(line.decided_at),
    )
    for phone in line.found:
        yield (
            *of_request,
            phone.hardware_id,
            escape_terminal(phone.username),
            phone.status.value,
            _when(phone.sent_at),
        )
    if not line.found:
        yield (*of_request, "", "", "", "")


def _as_json(line: HistoryLine) -> dict[str, Any]:
    return {
        "request": line.id,
        "state": line.state.value,
        "file": line.file_name,
        "requested_by": _person(line.requester),
        "created_at": line.created_at.isoformat(),
        "decided_by": _person(line.decided_by) if line.decided_by else None,
        "decided_at": line.decided_at.isoformat() if line.decided_at else None,
        "phones": [_phone(phone) for phone in line.found],
    }


def _person(person: Person) -> dict[str, str]:
    return {"object_id": person.object_id, "name": person.name}


def _phone(phone: FoundPhone) -> dict[str, Any]:
    return {
        "hardware_id": phone.hardware_id,
        "account": phone.username,
        "status": phone.status.value,
        "sent_at": phone.sent_at.isoformat() if phone.sent_at else None,
    }


def _when(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}" if at else ""
