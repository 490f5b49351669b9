"""`python -m bot audit evidence`: one document about a request, in Markdown, for an auditor."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from sqlalchemy import select

from bot import __version__
from bot.cli.common import UsageError
from bot.cli.database import with_database
from bot.signin.request import parse_id
from bot.signin.shown import Aspect, changed
from bot.store import audit_export, audit_reading
from bot.store.chain import Break, Event, Link, Verifier, timestamp
from bot.store.database import Database
from bot.store.models.audit import LinkRow
from bot.store.models.batches import BatchRow
from bot.store.models.requests import PhoneRow
from cards.escape import markdown

_ASKED = frozenset({"drafted", "asked", "accounts included", "overlap explained"})
_SAW = frozenset({"exported", "list read", "looked"})
_DECIDED = frozenset(
    {"voted", "vote void", "approved", "rejected", "withdrawn", "expired", "denied", "signed in"}
)
_LONGEST = 2000  # characters of a cell
_ASPECTS: Mapping[Aspect, str] = MappingProxyType(
    {
        Aspect.CHECKS: "the checks of accounts",
        Aspect.OVERLAP: "the overlap with other requests",
        Aspect.REASON: "the reason and the ticket",
        Aspect.WINDOWS: "how many phones are too late",
    }
)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is kept about a request."""

    events: Sequence[tuple[Link, Event]]  #: in the order of the chain
    batches: Sequence[Mapping[str, Any]]  #: none once the request is purged
    phones: Sequence[Mapping[str, Any]]
    verifier: Verifier
    broken: Break | None


def run(request: str, output: Path | None) -> None:
    """Writes the document to `output`, by default to stdout. Raises UsageError."""
    request_id = parse_id(request)
    if request_id is None:
        raise UsageError(f"{request!r} is not the ID of a request.")
    found = with_database(lambda database: gather(database, request_id))
    if not found.events:
        raise UsageError(f"There is no request {request_id} in the audit.")
    text = "\n".join(document(request_id, found, datetime.now(UTC))) + "\n"
    if output is None:
        sys.stdout.write(text)
        return
    try:
        with output.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        raise UsageError(f"{output} cannot be written: {error.strerror}.") from error


async def gather(database: Database, request_id: str) -> Evidence:
    async with database.read() as tx:
        verifier, broken = await audit_reading.verify(tx)
        events = [
            (link, event or audit_export.event_of(link))
            async for link, event in audit_reading.links(
                tx, LinkRow.entry.contains(f'"request":"{request_id}"')
            )
        ]
        batches = await tx.execute(
            select(BatchRow.__table__)
            .where(BatchRow.request_id == request_id)
            .order_by(BatchRow.id)
        )
        phones = await tx.execute(
            select(PhoneRow.__table__)
            .where(PhoneRow.request_id == request_id)
            .order_by(PhoneRow.number)
        )
        return Evidence(
            [(link, event) for link, event in events if event.request_id == request_id],
            [dict(row) for row in batches.mappings()],
            [dict(row) for row in phones.mappings()],
            verifier,
            broken,
        )


def document(request_id: str, found: Evidence, now: datetime) -> Iterator[str]:
    """The lines of the document."""
    yield f"# Request {request_id}"
    yield ""
    yield f"Made by Offhook {__version__} at {timestamp(now)}. All times are UTC. {_proof(found)}"
    yield from _section("Who asked for what, and why", found, _ASKED)
    yield from _section("Who saw it", found, _SAW)
    yield from _section("Who decided on which digest", found, _DECIDED)
    yield from _what_was_shown(found)
    yield from _section("What else happened", found, None)
    yield from ("", "## What was sent", "")
    if found.batches:
        yield from _table(
            ("batch", "region", "phones", "rows", "digest", "sent", "SIP Gateway's ID", "state"),
            (
                (
                    row["id"],
                    row["region"],
                    row["size"],
                    f"{row['first_row']} to {row['last_row']}",
                    row["digest"],
                    timestamp(row["sent_at"]) if row["sent_at"] else "",
                    row["remote_batch_id"],
                    row["state"],
                )
                for row in found.batches
            ),
        )
    else:
        yield "Nothing, or it was purged."
    yield from ("", "## What came of it", "")
    if found.phones:
        yield from _table(
            ("row", "account", "phone", "region", "status", "message"),
            (
                (
                    row["number"],
                    row["username"],
                    row["hardware_id"],
                    row["region"],
                    row["status"] if row["ready"] else "not ready",
                    row["message"],
                )
                for row in found.phones
            ),
        )
    else:
        yield "The phones were purged; the events above have what is known."


def _proof(found: Evidence) -> str:
    if found.broken is not None:
        return (
            f"**The chain of the audit is broken at link {found.broken.seq}**: "
            f"{found.broken.fault.value}. What follows may have been tampered with."
        )
    head = found.verifier.head
    at = f"{head.seq}:{head.hash}" if head else ""
    return f"The chain of the audit is whole: {found.verifier.links} links, head `{at}`."


def _section(title: str, found: Evidence, actions: frozenset[str] | None) -> Iterator[str]:
    """Events of these actions; None: those of no other section."""
    told = _ASKED | _SAW | _DECIDED
    chosen = [
        (link, event)
        for link, event in found.events
        if (event.action in actions if actions is not None else event.action not in told)
    ]
    yield from ("", f"## {title}", "")
    if not chosen:
        yield "Nothing is recorded."
        return
    yield from _table(
        ("link", "time", "action", "who", "object ID", "details", "SHA-256 of the link"),
        (
            (
                link.seq,
                timestamp(event.at),
                event.action,
                event.actor_name or ("(erased or Offhook)" if not event.actor_id else ""),
                event.actor_id,
                _details(event.detail),
                link.hash,
            )
            for link, event in chosen
        ),
    )


def _what_was_shown(found: Evidence) -> Iterator[str]:
    """How the cards of those who approved differ from the request as it was asked for."""
    asked = ""
    rows: list[tuple[object, ...]] = []
    for link, event in found.events:
        token = str(event.detail.get("shown", ""))
        if event.action in _ASKED and token:
            asked = token
        elif event.action in ("voted", "approved") and asked:
            differs = ", ".join(_ASPECTS[aspect] for aspect in changed(asked, token))
            same = "the same" if token else "not recorded"
            rows.append((link.seq, event.actor_name, event.actor_id, differs or same))
    if rows:
        header = (
            "link",
            "who",
            "object ID",
            "how their card differed from the request as asked for",
        )
        yield from ("", "### What each approver was shown", "")
        yield from _table(header, rows)


def _details(detail: Mapping[str, Any]) -> str:
    return "; ".join(
        f"{name}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
        for name, value in detail.items()
        if value != ""
    )


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    yield f"| {' | '.join(header)} |"
    yield f"|{'---|' * len(header)}"
    for row in rows:
        yield f"| {' | '.join(_cell(str(value)) for value in row)} |"


def _cell(text: str) -> str:
    """As a cell: its Markdown is escaped, and so is what would end it."""
    return "&#124;".join(markdown(part, _LONGEST) for part in text.split("|"))
