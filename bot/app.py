"""The composition root: settings in, a running service out. The only place where the parts meet."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import aiohttp
import structlog
from aiohttp import web
from sqlalchemy.exc import SQLAlchemyError

from bot.commands.context import Context, Rules
from bot.commands.desk import Desk
from bot.commands.people import People
from bot.directory.graph import GraphDirectory
from bot.files import ChatFiles, files_session
from bot.gateway import SipGateway
from bot.gateway.configapi import ConfigApiGateway
from bot.gateway.identity import AppTokens, FixedToken, Tokens
from bot.gateway.powershell import PowerShellGateway
from bot.links import Links
from bot.metrics import Metrics
from bot.runner.announcements import Announcements
from bot.runner.calendar import Calendar
from bot.runner.keeper import Keeper
from bot.runner.projection import Projection
from bot.runner.worker import Worker
from bot.settings import Exports, Gateway, RunAs, Settings
from bot.signin.pace import Pace
from bot.simulator.scenario import Scenario
from bot.simulator.server import Simulator
from bot.sso.credentials import Credentials
from bot.store import snapshots
from bot.store.database import Database
from bot.teams.edge import open_edge
from bot.words import Words
from cards.escape import plain

log = structlog.get_logger()

_READY_SECONDS = 2.0
_NO_DATABASE = "the database does not answer"


class NotSupported(Exception):
    """The settings ask for something that this version cannot do; the message says what to set."""


@dataclass(frozen=True, slots=True)
class Service:
    """A running service. `url` is where it listens."""

    url: str


def utc_now() -> datetime:
    return datetime.now(UTC)


@asynccontextmanager
async def running(
    settings: Settings,
    *,
    pace: Pace | None = None,
    submit_timeout: float = 60.0,
    busy_seconds: float = 10.0,
) -> AsyncGenerator[Service]:
    """Start everything, hand out the service, stop everything; what is being sent is finished first.

    `pace`, `submit_timeout` and `busy_seconds` (how long a locked SQLite file is waited for) are for tests
    and benchmarks, in which time runs faster.
    Raises `DatabaseTrouble`, `NotSupported`, `ScenarioError`, or OSError if the port is taken.
    """
    pace = pace or Pace(poll_first=settings.poll_seconds)
    async with AsyncExitStack() as stack:
        database = Database(settings.database, busy_seconds=busy_seconds)
        stack.push_async_callback(database.close)
        await database.open()

        session = await stack.enter_async_context(
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), trust_env=not settings.local)
        )
        configapi_url, graph_url = await _far_sides(settings, stack)
        tokens = await _tokens(settings, session, stack)
        gateway: SipGateway = (
            # Cmdlets take longer: each starts a PowerShell, which first loads its module and connects.
            PowerShellGateway(tokens, pwsh=settings.pwsh, submit_timeout=3 * submit_timeout)
            if settings.gateway is Gateway.POWERSHELL
            else ConfigApiGateway(session, configapi_url, tokens, submit_timeout=submit_timeout)
        )

        bot_token = partial(tokens.token, f"{settings.hosts.bot}/.default")
        edge = await stack.enter_async_context(
            open_edge(settings, bot_token if settings.signed else None)
        )
        files = ChatFiles(settings, await stack.enter_async_context(files_session(settings)))
        # What people wrote is quoted in sentences: on one line, and nothing in it that is not seen.
        words = Words(escape=plain)
        projection = Projection(words, next(iter(settings.tenant_ids), ""))
        announcements = Announcements(settings.approvals, settings.notifications, words)
        keeper = Keeper(
            database,
            edge.messenger,
            projection,
            announcements,
            pace=pace,
            clock=utc_now,
            monotonic=time.monotonic,
        )
        worker = Worker(
            database,
            gateway,
            announcements,
            pace=pace,
            owner=f"{time.time_ns():x}",
            clock=utc_now,
            changed=keeper.wake,
        )

        def changed() -> None:
            keeper.wake()
            worker.wake()

        calendar = Calendar(database, announcements, pace=pace, clock=utc_now, changed=keeper.wake)
        links = Links()
        context = Context(
            database=database,
            gateway=gateway,
            projection=projection,
            announcements=announcements,
            calendar=calendar,
            people=People(
                GraphDirectory(session, graph_url, tokens),
                requesters=settings.may_request,
                approvers=settings.may_approve,
                monotonic=time.monotonic,
            ),
            files=files,
            words=words,
            rules=Rules(
                four_eyes=settings.four_eyes,
                approval_ttl=settings.approval_ttl,
                home_tenant=next(iter(settings.tenant_ids), ""),
                exports=settings.exports,
            ),
            clock=utc_now,
            changed=changed,
            link=links.make,
        )
        application = web.Application()
        edge.route(Desk(context), words).add_to(application)
        application.add_routes(_probes(database))
        if settings.exports is Exports.LINK:
            application.add_routes(links.routes(context))
        url = await _listen(application, settings, stack)
        links.base_url = url
        await _start((worker.run(), keeper.run(), calendar.run()), stack)
        log.info("service.started", url=url, environment=settings.environment.value)
        yield Service(url)
        log.info("service.stopping")


async def _far_sides(settings: Settings, stack: AsyncExitStack) -> tuple[str, str]:
    """Base URLs of the SIP Gateway and of Graph. What is not given is simulated, or Microsoft's."""
    if settings.gateway is not Gateway.SIMULATOR:
        return settings.hosts.configapi, settings.hosts.graph
    if settings.configapi_url and settings.graph_url:
        return settings.configapi_url, settings.graph_url
    scenario = Scenario.load(settings.scenario) if settings.scenario else Scenario()
    simulator = await stack.enter_async_context(Simulator(scenario))
    return settings.configapi_url or simulator.configapi_url, (
        settings.graph_url or simulator.graph_url
    )


async def _tokens(
    settings: Settings, session: aiohttp.ClientSession, stack: AsyncExitStack
) -> Tokens:
    """Those of the app's own identity."""
    if not settings.proves_itself:
        return FixedToken()
    if settings.run_as is RunAs.APPROVER:
        raise NotSupported(
            "OFFHOOK_RUN_AS=approver (the default in production) is not available in this version. "
            "Set OFFHOOK_RUN_AS=app, and give the application's identity the roles named in the README"
        )
    credentials = Credentials(settings, session)
    stack.push_async_callback(credentials.aclose)
    tokens = AppTokens(credentials.app())
    stack.push_async_callback(tokens.aclose)
    return tokens


def _probes(database: Database) -> Sequence[web.RouteDef]:
    metrics = Metrics(database)

    async def alive(_: web.Request) -> web.Response:
        return web.Response(text="alive")

    async def ready(_: web.Request) -> web.Response:
        try:
            async with asyncio.timeout(_READY_SECONDS), database.read() as tx:
                await snapshots.counts(tx)
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            log.warning("service.not_ready", why=type(error).__name__)
            return web.Response(status=503, text=_NO_DATABASE)
        return web.Response(text="ready")

    async def measure(_: web.Request) -> web.Response:
        try:
            text = await metrics.text()
        except (SQLAlchemyError, OSError) as error:
            log.warning("service.not_measured", why=type(error).__name__)
            return web.Response(status=503, text=_NO_DATABASE)
        return web.Response(body=text, content_type="text/plain", charset="utf-8")

    return [web.get("/livez", alive), web.get("/readyz", ready), web.get("/metrics", measure)]


async def _listen(application: web.Application, settings: Settings, stack: AsyncExitStack) -> str:
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=10)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    site = web.TCPSite(runner, settings.host, settings.port)
    await site.start()
    host, port = runner.addresses[0][:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def _start(loops: Sequence[Coroutine[Any, Any, None]], stack: AsyncExitStack) -> None:
    tasks = [asyncio.create_task(loop, name=loop.__qualname__) for loop in loops]

    async def stop() -> None:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task

    stack.push_async_callback(stop)
