"""Checks on Offhook itself: settings, database, and whether Teams has reached it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from sqlalchemy.exc import SQLAlchemyError

from bot.doctor import Finding, failed, ok, unknown, warning
from bot.settings.clouds import WITHOUT_SIP_GATEWAY
from bot.settings.model import Settings
from bot.settings.unknown import unknown_settings, variable_names
from bot.settings.values import REQUESTER_CHAT
from bot.store import conversations, health, reviews
from bot.store.database import Database, DatabaseError
from bot.store.health import Schema, Writing

# Settings that production requires.
_NEEDED = ("app_id", "tenant_ids", "requesters", "approvers")
#: Settings that a policy file replaces.
_REPLACED = frozenset({"requesters", "approvers"})


def _variables(fields: Collection[str]) -> str:
    return ", ".join(sorted(f"OFFHOOK_{field}".upper() for field in fields))


async def settings(settings: Settings) -> Finding:
    """Check for misspelled settings, and list what production would still need."""
    check = "settings"
    if misspelled := unknown_settings(variable_names()):
        names = [f"{name} ({near}?)" if near else name for name, near in misspelled.items()]
        return failed(check, "found-settings-strangers", names=", ".join(names), count=len(names))
    names = _variables(settings.model_fields_set)
    if not settings.local:
        return ok(check, "found-settings-production", names=names)
    replaced = _REPLACED if settings.policy else frozenset[str]()
    missing = [name for name in _NEEDED if not getattr(settings, name) and name not in replaced]
    return ok(
        check,
        "found-settings-local",
        gateway=settings.gateway.value,
        set=len(settings.model_fields_set),
        names=names,
        lacking=len(missing),
        missing=_variables(missing),
    )


async def cloud(settings: Settings) -> Finding:
    """Check that the cloud has SIP Gateway."""
    if settings.cloud in WITHOUT_SIP_GATEWAY:
        return failed("cloud", "found-cloud-without-sip-gateway", cloud=settings.cloud.value)
    return ok("cloud", "found-cloud", cloud=settings.cloud.value)


async def database(examined: Database) -> Finding:
    """Check the database's schema revision and write access."""
    check = "database"
    try:
        health_report = await asyncio.to_thread(health.examine, await examined.address())
    except DatabaseError as error:
        return failed(check, "found-database-trouble", message=str(error))
    match health_report.schema:
        case Schema.MISSING:
            return unknown(check, "found-database-new")
        case Schema.BEHIND:
            return failed(check, "found-database-behind", revision=health_report.revision)
        case Schema.UNKNOWN:
            return failed(check, "found-database-foreign", revision=health_report.revision)
        case Schema.CURRENT:
            pass
    match health_report.writing:
        case Writing.BUSY:
            return failed(check, "found-database-busy")
        case Writing.REFUSED:
            return failed(check, "found-database-read-only")
        case _ if not health_report.audit_protected:
            return warning(
                check, "found-database-audit-unprotected", revision=health_report.revision
            )
        case _:
            return ok(
                check,
                "found-database",
                backend=health_report.backend,
                revision=health_report.revision,
            )


async def open_reviews(database: Database) -> Finding:
    """Check that every use of break-glass has been reviewed."""
    check = "reviews"
    try:
        if not await asyncio.to_thread(health.exists, database.url):
            return ok(check, "found-reviews")
        async with database.read() as tx:
            found = await reviews.still_open(tx)
    except (SQLAlchemyError, DatabaseError, OSError):
        return unknown(check, "found-reviews-no-database")
    if found.since is None:
        return ok(check, "found-reviews")
    return warning(check, "found-reviews-open", count=found.count, since=f"{found.since:%Y-%m-%d}")


async def chat(settings: Settings, database: Database) -> Finding:
    """Check that Teams has reached Offhook, and that the configured channels are known."""
    check = "teams"
    channels = {settings.approvals, settings.notifications} - {REQUESTER_CHAT}
    try:
        if not await asyncio.to_thread(health.exists, database.url):
            return unknown(check, "found-teams-silent")
        async with database.read() as tx:
            heard = await conversations.heard(tx)
            unheard = channels - await conversations.known(tx, channels)
    except (SQLAlchemyError, DatabaseError, OSError):
        return unknown(check, "found-teams-no-database")
    if not heard.conversations:
        return unknown(check, "found-teams-silent")
    if unheard:
        missing = [
            name for name in ("approvals", "notifications") if getattr(settings, name) in unheard
        ]
        return unknown(
            check, "found-teams-channel", settings=_variables(missing), count=len(missing)
        )
    return ok(check, "found-teams", conversations=heard.conversations)
