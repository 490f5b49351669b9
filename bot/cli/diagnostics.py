"""`python -m bot diagnostics`: a bundle for support, without secrets, names, IDs, or phone numbers."""

from __future__ import annotations

import asyncio
import io
import json
import os
import platform
import re
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum
from importlib import metadata
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text
from sqlalchemy.exc import SQLAlchemyError

from bot import __version__, logs
from bot.cli.common import UsageError, load_settings, usage_errors
from bot.cli.doctor import run_checks
from bot.doctor import report
from bot.settings.model import Settings
from bot.settings.values import EVERYONE
from bot.store import audit, batches, conversations, health, posts, requests
from bot.store.connect import database_of
from bot.store.database import Database, DatabaseError
from bot.words import Words
from bot.words.terminal import single_line

_AUDIT_LINES = 200  # the newest ones


def run(output: Path | None, *, console: Console) -> None:
    """Writes the bundle to `output`, by default a file named after the current time.

    Raises UsageError when the file exists or cannot be written, or when the checks cannot run.
    """
    file = output or Path(f"offhook-diagnostics-{datetime.now():%Y%m%d-%H%M%S}.zip")
    settings = load_settings(strict=False)
    logs.configure(level="error")
    try:
        with usage_errors():
            asyncio.run(write_bundle(settings, file))
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror or error}.") from error
    words = Words(escape=single_line)
    console.print(Text(words("diagnostics-written", file=str(file))), soft_wrap=True)


async def write_bundle(settings: Settings, file: Path) -> None:
    """Writes a ZIP of JSON files that only its owner can read.

    Raises as `bot.reading.examining`, and OSError when the file exists or cannot be written.
    """
    now = datetime.now(UTC)
    documents = {
        "about.json": _about(now),
        "settings.json": masked_settings(settings),
        "findings.json": report.as_json(await run_checks(settings), Words(escape=masked), now),
        "database.json": await _database(settings),
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, document in documents.items():
            archive.writestr(name, json.dumps(document, indent=2) + "\n")
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(buffer.getvalue())


def _about(now: datetime) -> Mapping[str, Any]:
    return {
        "offhook": __version__,
        "made_at": now.isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "packages": dict(
            sorted((each.name, each.version) for each in metadata.distributions() if each.name)
        ),
    }


def masked_settings(settings: Settings) -> Mapping[str, Any]:
    """Every setting: numbers, switches, and choices in full; of others, whether they are set or how
    many values they have. A setting added later is therefore masked, too."""
    return {
        name: {"set": name in settings.model_fields_set, "value": _mask(getattr(settings, name))}
        for name in type(settings).model_fields
    }


def _mask(value: object) -> object:
    match value:
        case None | bool() | int() | float() | Enum():
            return value
        case tuple() if value == (EVERYONE,):
            return EVERYONE
        case tuple():
            return f"{len(value)} values"
        case _:
            return "(set)" if str(value) else ""


async def _database(settings: Settings) -> Mapping[str, Any]:
    try:
        async with database_of(settings) as database:
            examined = await asyncio.to_thread(health.examine, await database.address())
            return {
                "backend": examined.backend,
                "schema": examined.schema.value,
                "revision": examined.revision,
                "writing": examined.writing.value if examined.writing else "",
                **(await _counts(database) if examined.schema is health.Schema.CURRENT else {}),
            }
    except DatabaseError as error:
        return {"trouble": masked(str(error))}


async def _counts(database: Database) -> Mapping[str, Any]:
    try:
        async with database.read() as tx:
            return {
                "requests": await requests.counts(tx),
                "holds": await requests.hold_counts(tx),
                "batches": await batches.counts(tx),
                "messages_to_send": await posts.backlog(tx),
                "conversations": (await conversations.heard(tx)).conversations,
                "actions": [
                    {"at": each.at.isoformat(), "action": each.action}
                    for each in await audit.recent_actions(tx, _AUDIT_LINES)
                ],
            }
    except SQLAlchemyError as error:
        return {"trouble": type(error).__name__}


# Anything in a text that could identify a person or open a door.
_MASKS = tuple(
    (re.compile(pattern, re.IGNORECASE), mask)
    for pattern, mask in (
        (r"eyJ[\w-]{8,}[\w.-]*", "<token>"),
        (r"\w+://[^\s/@]+@", "<user>@"),
        (r"[^\s@<>\"'=:,;]+@[^\s@<>\"'=:,;]+", "<address>"),
        (r"\b19:[^\s\"']+", "<channel>"),
        (r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "<id>"),
        (r"\b(?:[0-9a-f]{2}[-:]){5}[0-9a-f]{2}\b", "<phone>"),
        (r"\+?\d[\d ()./-]{6,}\d", "<number>"),
        (r"[\w+/=~.-]{32,}", "<secret>"),
    )
)


def masked(text: str) -> str:
    """Returns `text` on one line, with possible secrets, addresses, IDs, and numbers masked."""
    text = single_line(text)
    for pattern, mask in _MASKS:
        text = pattern.sub(mask, text)
    return text
