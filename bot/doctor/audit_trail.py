"""Checks on the audit: whether its chain is whole, and whether its webhook gets what is recorded."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from sqlalchemy.exc import SQLAlchemyError

from bot.doctor import Finding, failed, ok, unknown, warning
from bot.doctor.clients import WebhookProbe
from bot.store import audit, audit_progress, health
from bot.store.audit_progress import Progress
from bot.store.database import Database, DatabaseError

_VERIFIED_WITHIN = timedelta(hours=3)  # the service verifies each hour
_DELIVERED_WITHIN = timedelta(minutes=15)


async def chain(database: Database) -> Finding:
    """Check that the service verifies the chain, and found it to be whole."""
    check = "audit"
    try:
        if not await asyncio.to_thread(health.exists, database.url):
            return ok(check, "found-audit-new")
        async with database.read() as tx:
            verified = await audit_progress.read(tx, Progress.VERIFIED)
            head = await audit.head(tx)
    except (SQLAlchemyError, DatabaseError, OSError):
        return unknown(check, "found-audit-no-database")
    if verified.fault:
        return failed(check, "found-audit-broken", message=verified.fault)
    if verified.at is None:
        return ok(check, "found-audit-new") if head is None else unknown(check, "found-audit-never")
    age = datetime.now(UTC) - verified.at
    links, hours = verified.anchor.seq, round(age.total_seconds() / 3600)
    if age > _VERIFIED_WITHIN:
        return warning(check, "found-audit-old", count=links, hours=hours)
    return ok(check, "found-audit", count=links, minutes=round(age.total_seconds() / 60))


async def webhook(database: Database, probe: WebhookProbe) -> Finding:
    """Check that the webhook can be reached, and lacks no old event. Nothing is posted."""
    check = "audit-webhook"
    try:
        if not await asyncio.to_thread(health.exists, database.url):
            return unknown(check, "found-audit-no-database")
        async with database.read() as tx:
            behind = await audit_progress.behind(tx, Progress.WEBHOOK)
            delivered = await audit_progress.read(tx, Progress.WEBHOOK)
    except (SQLAlchemyError, DatabaseError, OSError):
        return unknown(check, "found-audit-no-database")
    if reason := await probe.probe():
        return failed(
            check,
            "found-webhook-unreachable",
            message=reason,
            count=behind.events,
            setting="OFFHOOK_AUDIT_WEBHOOK",
        )
    age = datetime.now(UTC) - behind.since if behind.since else timedelta()
    if age > _DELIVERED_WITHIN:
        minutes = round(age.total_seconds() / 60)
        return warning(check, "found-webhook-behind", count=behind.events, minutes=minutes)
    return ok(check, "found-webhook", link=delivered.anchor.seq, count=behind.events)
