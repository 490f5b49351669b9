"""Endpoints for operators: `/livez`, `/readyz`, and `/metrics`.

Anyone who reaches the port may call them. All calls within a second share one query.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog
from aiohttp import web
from sqlalchemy.exc import SQLAlchemyError

from bot.store import requests
from bot.store.database import Database
from bot.web.metrics import Metrics
from bot.web.shared import Shared

log = structlog.get_logger()

_QUERY_SECONDS = 2.0  # timeout of the queries behind /readyz and /metrics
_UNAVAILABLE = "the database does not answer"


def probe_routes(database: Database) -> Sequence[web.RouteDef]:
    """`/livez`, which does not ask the database, and `/readyz`: 200, or 503 if it cannot be read."""

    async def read() -> bool:
        try:
            async with asyncio.timeout(_QUERY_SECONDS), database.read() as tx:
                await requests.counts(tx)
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            log.warning("readiness.failed", reason=type(error).__name__)
            return False
        return True

    is_ready = Shared(read)

    async def live(_: web.Request) -> web.Response:
        return web.Response(text="alive")

    async def ready(_: web.Request) -> web.Response:
        if await is_ready.value():
            return web.Response(text="ready")
        return web.Response(status=503, text=_UNAVAILABLE)

    return [web.get("/livez", live), web.get("/readyz", ready)]


def metrics_routes(database: Database, *, audit_webhook: bool = False) -> Sequence[web.RouteDef]:
    """`/metrics`: 200, or 503 if the database cannot be read."""
    metrics = Metrics(database, audit_webhook=audit_webhook)

    async def read() -> bytes | None:
        try:
            async with asyncio.timeout(_QUERY_SECONDS):
                return await metrics.text()
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            log.warning("metrics.failed", reason=type(error).__name__)
            return None

    measured = Shared(read)

    async def measure(_: web.Request) -> web.Response:
        text = await measured.value()
        if text is None:
            return web.Response(status=503, text=_UNAVAILABLE)
        return web.Response(body=text, content_type="text/plain", charset="utf-8")

    return [web.get("/metrics", measure)]
