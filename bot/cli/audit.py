"""`python -m bot audit`: verifies the chain of the audit, and exports it."""

from __future__ import annotations

import csv
import json
import os
import re
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from bot.cli.common import UsageError
from bot.cli.database import with_database, write_line
from bot.store import audit_export, audit_reading
from bot.store.chain import Anchor, Break, Event, Link, Verifier
from bot.store.database import Database
from bot.store.models.audit import LinkRow

BROKEN = 1  # exit code

_ANCHOR = re.compile(r"(?<!\w)(\d{1,18}):([0-9a-f]{64})(?!\w)", re.ASCII)


def verify(
    file: Path | None, anchors: Sequence[str], anchors_file: Path | None, *, as_json: bool
) -> int:
    """Checks the chain of the database, or of an export. Prints the first broken link, and returns the exit
    code. Raises UsageError when it cannot be read, or has none of the links that the anchors are of."""
    known = [*map(_anchor, anchors), *(_noted(anchors_file) if anchors_file else ())]
    if file is not None:
        verifier, found = _verify_file(file, known)
    else:
        verifier, found = with_database(lambda database: _verify_database(database, known))
    if found is None and known and not verifier.anchored:
        raise UsageError(
            "No anchor was compared: they are all of links before the first one here. Export from an "
            "earlier time, or give a later anchor."
        )
    if as_json:
        sys.stdout.write(json.dumps(_as_json(verifier, found)) + "\n")
    else:
        sys.stdout.write(_sentence(verifier, found) + "\n")
    return BROKEN if found else 0


async def _verify_database(
    database: Database, anchors: Sequence[Anchor]
) -> tuple[Verifier, Break | None]:
    async with database.read() as tx:
        return await audit_reading.verify(tx, anchors)


def _verify_file(file: Path, anchors: Sequence[Anchor]) -> tuple[Verifier, Break | None]:
    """An export may begin in the middle of the chain."""
    first = True
    verifier = Verifier(anchors)
    for number, line in enumerate(_lines(file), 1):
        try:
            link, event = audit_export.read(line)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise UsageError(f"{file}, line {number}: not an event of an export.") from None
        if first and link.seq > 1:
            verifier.head = None
        first = False
        if not verifier.add(link, event):
            break
        if not audit_export.same(line, link, event):
            verifier.misreported(link, event)  # the chain holds: later links may tell of a purge
    if first:
        raise UsageError(f"{file} has no event of an export.")
    return verifier, verifier.end()


def _anchor(text: str) -> Anchor:
    match = _ANCHOR.fullmatch(text.strip())
    if match is None:
        raise UsageError(
            f"{text!r} is not an anchor. Write the number and the hash of a link: 17:9f86d0…"
        )
    return Anchor(int(match[1]), match[2])


def _noted(file: Path) -> Sequence[Anchor]:
    """The anchors in a log, whose lines are JSON with `seq` and `hash`, or in text copied from the channel.
    Whatever else there is, is passed over. Raises UsageError if there is no anchor."""
    found = [anchor for line in _lines(file) for anchor in _in_line(line)]
    if not found:
        raise UsageError(
            f"{file} has no anchor. Anchors are the lines of the log that begin with audit, and the "
            "messages Anchor of the audit in the channel."
        )
    return found


def _in_line(line: str) -> Iterator[Anchor]:
    try:
        noted = json.loads(line)
        yield _anchor(f"{noted['seq']}:{noted['hash']}")
    except (ValueError, KeyError, TypeError, UsageError):
        for match in _ANCHOR.finditer(line):
            yield Anchor(int(match[1]), match[2])


def _lines(file: Path) -> Iterator[str]:
    try:
        with file.open(encoding="utf-8") as lines:
            yield from lines
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} cannot be read: {error}.") from error


def _as_json(verifier: Verifier, found: Break | None) -> dict[str, Any]:
    head = verifier.head or Anchor(0, "")
    return {
        "whole": found is None,
        "links": verifier.links,
        "head": {"seq": head.seq, "hash": head.hash},
        "purged": verifier.purged,
        "erased": verifier.erased,
        "anchors": {"compared": verifier.anchored, "passed_over": verifier.passed_over},
        "broken": {"seq": found.seq, "event": found.event_id, "fault": found.fault.name.lower()}
        if found
        else None,
    }


def _sentence(verifier: Verifier, found: Break | None) -> str:
    if found is not None:
        return f"Broken at link {found.seq}: {found.fault.value}."
    head = verifier.head or Anchor(0, "")
    whole = [
        f"Whole: {verifier.links} links",
        *([f"{verifier.purged} of purged events"] if verifier.purged else []),
        *([f"{verifier.erased} with erased values"] if verifier.erased else []),
    ]
    return f"{', '.join(whole)}. {_anchors(verifier)} Head: {head.seq}:{head.hash or '-'}"


def _anchors(verifier: Verifier) -> str:
    if not verifier.anchored:
        return "No anchor was compared: give one with --anchor to know that nobody rewrote it all."
    holding = "1 anchor holds" if verifier.anchored == 1 else f"{verifier.anchored} anchors hold"
    if verifier.passed_over:
        holding += f", {verifier.passed_over} from before the first link not compared"
    return f"{holding}."


def export(since: str, output: Path | None, *, as_csv: bool) -> None:
    """Writes the events since a time to `output`, by default to stdout. Raises UsageError."""
    from_ = _time(since)

    async def run(database: Database) -> None:
        async with database.read() as tx:
            first = await audit_reading.first_since(tx, from_) if from_ else 1
            with _writer(output, as_csv=as_csv) as write:
                async for link, event in audit_reading.links(tx, LinkRow.seq >= first):
                    write(link, event)

    with_database(run)


@contextmanager
def _writer(
    output: Path | None, *, as_csv: bool
) -> Generator[Callable[[Link, Event | None], None]]:
    """Writes exported events. With a file, only its owner can read it."""
    with ExitStack() as stack:
        stream: TextIO = sys.stdout
        if output is not None:
            try:
                descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            except OSError as error:
                raise UsageError(f"{output} cannot be written: {error.strerror}.") from error
            # With a mark that spreadsheets know UTF-8 by.
            encoding = "utf-8-sig" if as_csv else "utf-8"
            stream = stack.enter_context(os.fdopen(descriptor, "w", encoding=encoding, newline=""))
        if not as_csv:
            yield lambda link, event: write_line(stream, audit_export.ocsf(link, event))
            return
        table = csv.writer(stream)
        table.writerow(audit_export.COLUMNS)
        yield lambda link, event: table.writerow(audit_export.row(audit_export.ocsf(link, event)))


def _time(text: str) -> datetime | None:
    """`2026-01-31`, or with a time; UTC unless it says otherwise. None for "". Raises UsageError."""
    if not text:
        return None
    try:
        time = datetime.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(
            f"{text!r} is not a time. Write, for example, 2026-01-31 or 2026-01-31T18:00Z."
        ) from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
