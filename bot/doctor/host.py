"""What is on our own side: the settings and the database."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from sqlalchemy.exc import SQLAlchemyError

from bot.doctor import Finding, failed, ok, unknown
from bot.settings.model import REQUESTER_CHAT, Settings
from bot.settings.unknown import given, strangers
from bot.store import health, overview
from bot.store.database import Database, DatabaseError
from bot.store.health import Schema, Writing

_NEEDED = ("app_id", "tenant_ids", "requesters", "approvers")  # by production


def _variables(fields: Collection[str]) -> str:
    return ", ".join(sorted(f"OFFHOOK_{field}".upper() for field in fields))


async def settings(settings: Settings) -> Finding:
    step = "settings"
    if misspelled := strangers(given()):
        names = [f"{name} ({near}?)" if near else name for name, near in misspelled.items()]
        return failed(step, "found-settings-strangers", names=", ".join(names), count=len(names))
    names = _variables(settings.model_fields_set)
    if not settings.local:
        return ok(step, "found-settings-production", names=names)
    missing = [name for name in _NEEDED if not getattr(settings, name)]
    return ok(
        step,
        "found-settings-local",
        gateway=settings.gateway.value,
        set=len(settings.model_fields_set),
        names=names,
        lacking=len(missing),
        missing=_variables(missing),
    )


async def database(examined: Database) -> Finding:
    step = "database"
    try:
        found = await asyncio.to_thread(health.examine, await examined.address())
    except DatabaseError as error:
        return failed(step, "found-database-trouble", message=str(error))
    match found.schema:
        case Schema.MISSING:
            return unknown(step, "found-database-new")
        case Schema.BEHIND:
            return failed(step, "found-database-behind", revision=found.revision)
        case Schema.UNKNOWN:
            return failed(step, "found-database-foreign", revision=found.revision)
        case Schema.CURRENT:
            pass
    match found.writing:
        case Writing.BUSY:
            return failed(step, "found-database-busy")
        case Writing.REFUSED:
            return failed(step, "found-database-read-only")
        case _:
            return ok(step, "found-database", backend=found.backend, revision=found.revision)


async def chat(settings: Settings, database: Database) -> Finding:
    """Whether Teams has ever reached us, and whether we know where cards and notices go."""
    step = "teams"
    channels = {settings.approvals, settings.notifications} - {REQUESTER_CHAT}
    try:
        if not await asyncio.to_thread(health.exists, database.url):
            return unknown(step, "found-teams-silent")
        async with database.read() as tx:
            heard = await overview.heard(tx)
            unheard = channels - await overview.known(tx, channels)
    except (SQLAlchemyError, DatabaseError, OSError):
        return unknown(step, "found-teams-no-database")
    if not heard.conversations:
        return unknown(step, "found-teams-silent")
    if unheard:
        which = [
            name for name in ("approvals", "notifications") if getattr(settings, name) in unheard
        ]
        return unknown(step, "found-teams-channel", settings=_variables(which), count=len(which))
    return ok(step, "found-teams", conversations=heard.conversations)
