"""Endpoints for operators: `/livez`, `/readyz`, and `/metrics`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog
from aiohttp import web
from sqlalchemy.exc import SQLAlchemyError

from bot.store import requests
from bot.store.database import Database
from bot.web.metrics import Metrics

log = structlog.get_logger()

_READY_SECONDS = 2.0  # timeout of the database query behind /readyz
_UNAVAILABLE = "the database does not answer"


def probe_routes(database: Database) -> Sequence[web.RouteDef]:
    """Routes that answer 200, or 503 when the database cannot be read; /livez does not ask it."""
    metrics = Metrics(database)

    async def live(_: web.Request) -> web.Response:
        return web.Response(text="alive")

    async def ready(_: web.Request) -> web.Response:
        try:
            async with asyncio.timeout(_READY_SECONDS), database.read() as tx:
                await requests.counts(tx)
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            log.warning("readiness.failed", reason=type(error).__name__)
            return web.Response(status=503, text=_UNAVAILABLE)
        return web.Response(text="ready")

    async def measure(_: web.Request) -> web.Response:
        try:
            text = await metrics.text()
        except (SQLAlchemyError, OSError) as error:
            log.warning("metrics.failed", reason=type(error).__name__)
            return web.Response(status=503, text=_UNAVAILABLE)
        return web.Response(body=text, content_type="text/plain", charset="utf-8")

    return [web.get("/livez", live), web.get("/readyz", ready), web.get("/metrics", measure)]
