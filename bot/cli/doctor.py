"""`python -m bot doctor` and `python -m bot diagnostics`: the doctor at a terminal, and for support."""

from __future__ import annotations

import asyncio
import io
import json
import os
import platform
import re
import zipfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum
from importlib import metadata
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text
from sqlalchemy.exc import SQLAlchemyError

from bot import __version__
from bot.app import examining
from bot.doctor import Finding, FindingState
from bot.doctor.report import as_json, show
from bot.settings.model import EVERYONE, Settings
from bot.store import batches, health, overview, posts, snapshots
from bot.store.connect import database_of
from bot.store.database import Database, DatabaseError
from bot.words import Words
from bot.words.terminal import single_line

FINE, FAILED = 0, 1  # exit codes of `doctor`
_ACTIONS = 200  # lines of the audit in a bundle


async def doctor(settings: Settings, *, json_wanted: bool, console: Console) -> int:
    """Returns the exit code. Raises as `bot.app.examining`."""
    words = Words(escape=single_line)
    findings = await _findings(settings)
    if json_wanted:
        # Not through the console's layout: a script wants the lines as they are.
        document = as_json(findings, words, datetime.now(UTC))
        console.file.write(json.dumps(document, indent=2) + "\n")
    else:
        show(findings, words, console)
    return FAILED if any(each.state is FindingState.FAILED for each in findings) else FINE


async def diagnostics(settings: Settings, file: Path, console: Console) -> None:
    """Write the bundle: a ZIP of JSON files that only their owner can read. Raises as
    `bot.app.examining`, and OSError if the file is there already or cannot be written."""
    now = datetime.now(UTC)
    bundle = {
        "about.json": _about(now),
        "settings.json": settings_told(settings),
        "findings.json": as_json(await _findings(settings), Words(escape=masked), now),
        "database.json": await _database(settings),
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in bundle.items():
            archive.writestr(name, json.dumps(content, indent=2) + "\n")
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(packed.getvalue())
    words = Words(escape=single_line)
    console.print(Text(words("diagnostics-written", file=str(file))), soft_wrap=True)


async def _findings(settings: Settings) -> Sequence[Finding]:
    async with examining(settings) as examine:
        return await examine(None)


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


def settings_told(settings: Settings) -> Mapping[str, Any]:
    """Every setting: numbers, switches and choices as they are; of anything else only whether it is set,
    or how many values it has. So a setting that is yet to come is masked, too."""
    return {
        name: {"set": name in settings.model_fields_set, "value": _told(getattr(settings, name))}
        for name in type(settings).model_fields
    }


def _told(value: object) -> object:
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
            found = await asyncio.to_thread(health.examine, await database.address())
            return {
                "backend": found.backend,
                "schema": found.schema.value,
                "revision": found.revision,
                "writing": found.writing.value if found.writing else "",
                **(await _counted(database) if found.schema is health.Schema.CURRENT else {}),
            }
    except DatabaseError as error:
        return {"trouble": masked(str(error))}


async def _counted(database: Database) -> Mapping[str, Any]:
    try:
        async with database.read() as tx:
            return {
                "requests": await snapshots.counts(tx),
                "batches": await batches.counts(tx),
                "messages_to_send": await posts.backlog(tx),
                "conversations": (await overview.heard(tx)).conversations,
                "actions": [
                    {"at": each.at.isoformat(), "action": each.action}
                    for each in await overview.recent_actions(tx, _ACTIONS)
                ],
            }
    except SQLAlchemyError as error:
        return {"trouble": type(error).__name__}


# What is nobody else's business, in any text: tokens, addresses of people, ids, phones, phone numbers.
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
    """`text` on one line, without what could be a secret, a person, an id, a phone or its number."""
    text = single_line(text)
    for pattern, mask in _MASKS:
        text = pattern.sub(mask, text)
    return text
