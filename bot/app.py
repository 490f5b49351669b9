"""The composition root: settings in, a running service out. The only place where all parts meet."""

from __future__ import annotations

import asyncio
import secrets
import sys
import time
from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import structlog
from aiohttp import web

from bot import __version__
from bot.commands.context import Context, Rules
from bot.commands.dispatcher import Dispatcher
from bot.commands.roles import Roles
from bot.gateway import SipGateway
from bot.gateway.administration import Administrator
from bot.gateway.configapi import SCOPE
from bot.gateway.powershell import MAX_PROCESSES
from bot.gateway.powershell_administration import MAX_SESSIONS
from bot.identity.delegations import Delegations
from bot.identity.entra_roles import decided_by_teams
from bot.identity.token_service import TokenService
from bot.lifecycle import service as service_lifecycle
from bot.lifecycle.notifications import Notifications
from bot.lifecycle.policy import load as load_policy
from bot.lifecycle.starts import windows_of
from bot.reading import run_checks_of
from bot.remote import Remote, open_remote
from bot.runner.audit_stream import AuditStream
from bot.runner.audit_watch import AuditWatch
from bot.runner.context import WorkerContext
from bot.runner.deadlines import Deadlines
from bot.runner.gateways import Gateways
from bot.runner.mending import Mending
from bot.runner.policy_watch import PolicyWatch
from bot.runner.preflight import Preflight
from bot.runner.projection import Projection
from bot.runner.publisher import Publisher
from bot.runner.sightings import Sightings
from bot.runner.starts import Starts
from bot.runner.worker import Worker
from bot.settings.clouds import WITHOUT_BOT_FILES
from bot.settings.model import Settings
from bot.settings.values import METRICS_OFF, METRICS_ON, Exports, RunAs
from bot.signin.digest import Digests
from bot.signin.policy.model import Policy, simple
from bot.signin.policy.settings import policy_settings
from bot.signin.request import Person
from bot.signin.timing import Timing
from bot.store import policy_facts, stand_ins
from bot.store.connect import database_of
from bot.store.database import UNUSABLE, Database
from bot.store.requests import Request
from bot.teams.edge import open_edge
from bot.teams.files import ChatFiles, files_session
from bot.web.exports import ExportLinks
from bot.web.probes import metrics_routes, probe_routes
from bot.web.server import listen
from bot.words import Words
from cards.escape import single_line

log = structlog.get_logger()

# A click hands over to the database's thread and back dozens of times. While a large file is read in
# another thread, each time waits for that one to yield: Python's 5 ms add up to half a second.
_SWITCH_SECONDS = 0.0005


@dataclass(frozen=True, slots=True)
class Service:
    url: str  #: where it listens
    metrics_url: str  #: where it serves metrics, unless they are off


def utc_now() -> datetime:
    return datetime.now(UTC)


@asynccontextmanager
async def running(
    settings: Settings,
    *,
    timing: Timing | None = None,
    submit_timeout: float = 60.0,
    busy_seconds: float = 10.0,
) -> AsyncGenerator[Service]:
    """Run the service; on exit, let in-flight submits finish.

    `timing`, `submit_timeout` and `busy_seconds` (how long to wait for a locked SQLite file) are for
    tests and benchmarks, where time runs faster.
    Raises `PolicyError`, `DatabaseError`, `CredentialError`, `ScenarioError`, or `ListenError`.
    """
    sys.setswitchinterval(_SWITCH_SECONDS)
    timing = timing or Timing(poll_first_seconds=settings.poll_seconds)
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(database_of(settings, busy_seconds=busy_seconds))
        policy = policy_of(settings)
        await database.open()
        owner = f"{time.time_ns():x}-{secrets.token_hex(4)}"
        stack.push_async_callback(_record_stop, database, settings, owner)

        remote = await open_remote(settings, stack)
        tokens, credentials = remote.tokens, remote.credentials

        slots = asyncio.Semaphore(MAX_PROCESSES)
        gateway_of = partial(remote.gateway, submit_timeout, slots=slots)
        gateway = gateway_of(tokens)
        bot_token = partial(tokens.token, f"{settings.hosts.bot}/.default")
        administrator_of = partial(remote.administrator, slots=asyncio.Semaphore(MAX_SESSIONS))
        delegations: Delegations[SipGateway] | None = None
        mend_delegations: Delegations[Administrator] | None = None
        if credentials is not None and settings.run_as is RunAs.APPROVER:
            service = TokenService(
                remote.session,
                settings.hosts.token_service,
                bot_token,
                app_id=settings.app_id,
                connection=settings.oauth_connection,
            )
            delegations = Delegations(
                service,
                credentials,
                gateway_of,
                scope=SCOPE,
                lease_seconds=timing.lease_margin_seconds,
                step_up=settings.step_up,
            )
            stack.push_async_callback(delegations.aclose)
            mend_delegations = Delegations(
                service,
                credentials,
                administrator_of,
                scope=SCOPE,
                lease_seconds=timing.lease_margin_seconds,
                step_up=settings.step_up,
                missing=decided_by_teams,
            )
            stack.push_async_callback(mend_delegations.aclose)
        edge = await stack.enter_async_context(
            open_edge(settings, bot_token if settings.signed else None)
        )
        files = ChatFiles(settings, await stack.enter_async_context(files_session(settings)))
        # Sentences quote what people wrote: on one line, without invisible characters.
        words = Words(escape=single_line)
        watch_policy = PolicyWatch(
            policy,
            settings.policy,
            database,
            settings=policy_settings(settings),
            clock=utc_now,
            changed=lambda: publisher.wake(),
            seconds=timing.idle_seconds,
        )
        window = windows_of(watch_policy.current, words)
        projection = Projection(
            words,
            runs_as_approver=delegations is not None,
            approvals=settings.approvals,
            mends=settings.checks_accounts,
            typed_above=settings.typed_above,
            clock=utc_now,
            policy=watch_policy.current,
        )
        notifications = Notifications(
            settings.approvals, settings.notifications, words, settings.zone
        )
        digests = Digests(settings.digest_key.get_secret_value().encode())
        publisher = Publisher(
            database,
            edge.messenger,
            projection,
            notifications,
            timing=timing,
            owner=owner,
            clock=utc_now,
            monotonic=time.monotonic,
        )
        # Off, they still end what was begun while they were on: as not known.
        reader_of = remote.readers()
        preflight = Preflight(
            database,
            reader_of,
            settings.scope,
            Words(),
            owner=owner,
            idle_seconds=timing.idle_seconds,
            clock=utc_now,
            changed=publisher.wake,
            notifications=notifications,
            started=lambda: worker.wake(),
            digests=digests,
            approvers=remote.approver_readers(delegations)
            if delegations is not None and settings.checks_accounts
            else None,
            lease=timedelta(seconds=timing.lease_margin_seconds),
        )

        sightings = Sightings(
            database,
            reader_of,
            timing,
            owner=owner,
            clock=utc_now,
            changed=publisher.wake,
            begins=settings.checks_accounts,
        )

        worker = Worker(
            WorkerContext(
                database,
                Gateways(gateway, delegations, follow_as_app=settings.follow_as_app),
                notifications,
                timing,
                owner=owner,
                clock=utc_now,
                changed=publisher.wake,
                drafted=preflight.wake,
                digests=digests,
                check_accounts=settings.checks_accounts,
                window=window,
            )
        )
        mending = Mending(
            database,
            notifications,
            administrator_of(tokens),
            mend_delegations,
            timing,
            owner=owner,
            clock=utc_now,
            changed=publisher.wake,
            recheck=preflight.wake,
        )

        def changed() -> None:
            publisher.wake()
            preflight.wake()
            worker.wake()
            mending.wake()

        deadlines = Deadlines(
            database,
            notifications,
            timing=timing,
            clock=utc_now,
            changed=publisher.wake,
            policy=watch_policy.current,
            zone=settings.zone,
        )
        roles = Roles(
            remote.directory(),
            watch_policy.current,
            monotonic=time.monotonic,
            stands_in_for=partial(stands_in_for, database),
        )
        starts = Starts(
            database,
            notifications,
            timing.idle_seconds,
            clock=utc_now,
            changed=changed,
            allowed=partial(_still_allowed, database, roles),
            window=window,
            digests=digests,
            check_accounts=settings.checks_accounts,
            as_approver=delegations is not None,
        )
        links = ExportLinks()
        context = Context(
            database=database,
            gateway=gateway,
            projection=projection,
            notifications=notifications,
            roles=roles,
            files=files,
            words=words,
            rules=Rules(
                approval_ttl=settings.approval_ttl,
                exports=settings.exports,
                lookup_seconds=timing.lookup_seconds,
                chat_files=settings.cloud not in WITHOUT_BOT_FILES,
                check_accounts=settings.checks_accounts,
                typed_above=settings.typed_above,
                zone=settings.zone,
            ),
            clock=utc_now,
            changed=changed,
            run_checks=run_checks_of(remote, database),
            link=links.make,
            window=window,
            delegations=delegations,
            mend_delegations=mend_delegations,
            owner=owner,
            digests=digests,
            members=edge.messenger,
        )
        application = web.Application()
        edge.endpoint(Dispatcher(context), words).add_to(application)
        application.add_routes(probe_routes(database))
        if settings.exports is Exports.LINK:
            application.add_routes(links.routes(context))
        metrics_url = await _serve_metrics(settings, database, application, stack)
        names = "OFFHOOK_HOST or OFFHOOK_PORT"
        url = await listen(application, settings.host, settings.port, stack, settings=names)
        links.base_url = url
        record_start = partial(
            service_lifecycle.started,
            version=__version__,
            settings=settings.told(),
            secret_settings=settings.secrets,
            owner=owner,
            now=utc_now(),
        )
        watch = AuditWatch(
            database,
            notifications,
            record_start,
            timing=timing,
            clock=utc_now,
            changed=publisher.wake,
            anchors_in=settings.anchors_in,
        )
        loops = (worker, publisher, deadlines, starts, preflight, mending, sightings, watch)
        if settings.policy is not None:
            loops = (*loops, watch_policy)
        streams = _audit_streams(remote, database, timing, owner)
        await _start([loop.run() for loop in (*loops, *streams)], stack)
        log.info(
            "service.started",
            url=url,
            metrics_url=metrics_url or url,
            environment=settings.environment.value,
        )
        yield Service(url, metrics_url or url)
        log.info("service.stopping")


def policy_of(settings: Settings) -> Policy:
    """The policy of the file, else that of the settings. Raises `PolicyError`."""
    beside = policy_settings(settings)
    if settings.policy is not None:
        return load_policy(settings.policy, beside)
    return simple(
        settings.may_request,
        settings.may_approve,
        four_eyes=settings.four_eyes,
        break_glass=settings.break_glass,
        escalations=(beside.escalation,) if beside.escalation else (),
    )


async def _still_allowed(database: Database, roles: Roles, request: Request) -> bool | None:
    """Whether those who asked for a request and approved it still may; None if that cannot be told now."""
    policy = roles.policy
    async with database.read() as tx:
        facts = await policy_facts.of_request(tx, policy, request)
    return await roles.still_allowed(request, facts, policy)


def _audit_streams(
    remote: Remote, database: Database, timing: Timing, owner: str
) -> Sequence[AuditStream]:
    """Deliveries of the audit: none or one."""
    webhook = remote.webhook()
    if webhook is None:
        return ()
    return (
        AuditStream(
            database, webhook, timing, owner=owner, clock=utc_now, monotonic=time.monotonic
        ),
    )


async def stands_in_for(database: Database, tenant_id: str, object_id: str) -> Sequence[Person]:
    """Those who handed over their role to somebody, whether they still have it or not."""
    async with database.read() as tx:
        return await stand_ins.approvers_of(tx, tenant_id, object_id, utc_now())


async def _record_stop(database: Database, settings: Settings, owner: str) -> None:
    try:
        async with database.write() as tx:
            await service_lifecycle.stopped(
                tx, version=__version__, settings=settings.told(), owner=owner, now=utc_now()
            )
    except UNUSABLE as error:
        log.warning("service.stop_not_recorded", error=type(error).__name__)


async def _serve_metrics(
    settings: Settings, database: Database, application: web.Application, stack: AsyncExitStack
) -> str:
    """Metrics where `OFFHOOK_METRICS` wants them. Returns the URL of a server of their own, else ""."""
    if settings.metrics == METRICS_OFF:
        return ""
    webhook = bool(settings.audit_webhook.get_secret_value())
    routes = metrics_routes(database, audit_webhook=webhook)
    if settings.metrics == METRICS_ON:
        application.add_routes(routes)
        return ""
    own = web.Application()
    own.add_routes(routes)
    return await listen(own, *settings.metrics_address, stack, settings="OFFHOOK_METRICS")


async def _start(loops: Sequence[Coroutine[Any, Any, None]], stack: AsyncExitStack) -> None:
    tasks = [asyncio.create_task(loop, name=loop.__qualname__) for loop in loops]

    async def stop() -> None:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task

    stack.push_async_callback(stop)
