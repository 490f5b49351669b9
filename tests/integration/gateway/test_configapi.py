"""Behavior specific to the ConfigAPI: headers, discovery, tokens, and unreadable responses."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from structlog.testing import capture_logs

from bot import __version__
from bot.gateway import (
    AccessDeniedError,
    BatchRejectedError,
    GatewayError,
    OutcomeUnknownError,
    ThrottledError,
    UnavailableError,
    UnknownBatchError,
    UnreachableError,
)
from bot.gateway.configapi import CREATE, DISCOVERY, SCOPE, STATUS, SUMMARIES, ConfigApiGateway
from bot.identity.tokens import FixedToken, Tokens
from bot.phones.region import Region
from bot.settings.clouds import HOSTS, Cloud
from bot.signin.request import Phone
from bot.simulator.scenario import Call, Fault, FaultKind, Scenario
from bot.simulator.server import Simulator
from tests.support.waiting import Clock, until

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
PHONES = [Phone("lobby@contoso.com", "00-04-F2-00-00-01", Region.EMEA)]
TIMEOUT = 60.0  # seconds, of all calls; a third of it to get ready for a submit
BATCH = "7d0b1f9e-53a1-4c55-9d5c-0123456789ab"


@asynccontextmanager
async def in_front_of(
    url: str, tokens: Tokens | None = None
) -> AsyncGenerator[ConfigApiGateway, None]:
    async with aiohttp.ClientSession() as session:
        yield ConfigApiGateway(
            session,
            url,
            tokens or FixedToken(),
            submit_timeout=TIMEOUT,
            read_timeout=TIMEOUT,
            pauses=(0.01,),
        )


@asynccontextmanager
async def answering(handler: Handler) -> AsyncGenerator[ConfigApiGateway, None]:
    """A gateway in front of a server without discovery that responds by `handler`."""

    async def route(request: web.Request) -> web.StreamResponse:
        return web.Response(status=404) if request.path == DISCOVERY else await handler(request)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", route)
    async with (
        TestServer(app) as server,
        in_front_of(str(server.make_url("/"))) as it,
    ):
        yield it


def always(status: int, body: str | bytes, **headers: str) -> Handler:
    content = body.encode() if isinstance(body, str) else body

    async def answer(_: web.Request) -> web.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(status=status, body=content, headers=named)

    return answer


class FreshTokens:
    """Returns a new token each time and records the calls."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, bool]] = []

    async def token(self, scope: str, *, refresh: bool = False) -> str:
        self.calls.append((scope, refresh))
        return f"token-{len(self.calls)}"


class NoTokens:
    def __init__(self, error: Exception) -> None:
        self.error = error

    async def token(self, scope: str, *, refresh: bool = False) -> str:
        raise self.error


async def test_submit_sends_identifying_headers() -> None:
    async with Simulator() as far, in_front_of(far.configapi_url) as gateway:
        await gateway.submit(Region.EMEA, PHONES)
        await gateway.submit(Region.EMEA, PHONES)
        first, second = (submit.headers for submit in far.configapi.submits)
        assert first["Authorization"] == "Bearer local"
        assert first["User-Agent"] == f"Offhook/{__version__}"
        assert first["X-MS-Target-Uri"] == "https://admin1a.online.lync.com/"
        assert uuid.UUID(first["X-MS-Correlation-Id"]) != uuid.UUID(second["X-MS-Correlation-Id"])
        assert far.configapi.calls[Call.DISCOVERY] == 1


async def test_discovery_runs_once_for_concurrent_calls() -> None:
    async with Simulator(Scenario(latency=0.02)) as far, in_front_of(far.configapi_url) as gateway:
        await asyncio.gather(*(gateway.summaries() for _ in range(5)))
        assert far.configapi.calls[Call.DISCOVERY] == 1


@pytest.mark.parametrize("fault", [FaultKind.NOT_FOUND, FaultKind.GARBAGE, FaultKind.FORBIDDEN])
async def test_submit_omits_target_header_when_discovery_is_unavailable(fault: FaultKind) -> None:
    rule = Fault(call=Call.DISCOVERY, fault=fault, times=0)
    async with (
        Simulator(Scenario(faults=(rule,))) as far,
        in_front_of(far.configapi_url) as gateway,
    ):
        assert await gateway.submit(Region.EMEA, PHONES)
        assert "X-MS-Target-Uri" not in far.configapi.submits[0].headers


@pytest.mark.parametrize(
    "host", ["evil.example.com/path", "a b", "", "x" * 300, "host\r\nX-Evil: 1", 7, None]
)
async def test_discovered_host_is_ignored_when_malformed(host: object) -> None:
    seen: list[str | None] = []

    async def answer(request: web.Request) -> web.Response:
        if request.path == DISCOVERY:
            return web.json_response({"Endpoints": {"AdminServiceEndpoint": host}})
        seen.append(request.headers.get("X-MS-Target-Uri"))
        return web.json_response([])

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    async with TestServer(app) as server, in_front_of(str(server.make_url("/"))) as gateway:
        await gateway.summaries()
    assert seen == [None]


@pytest.mark.parametrize(
    "fault",
    [FaultKind.SERVER_ERROR, FaultKind.THROTTLED, FaultKind.DROP_LOST, FaultKind.TIMEOUT_LOST],
)
async def test_submit_does_not_run_when_discovery_fails(fault: FaultKind, clock: Clock) -> None:
    rule = Fault(call=Call.DISCOVERY, fault=fault, times=0)
    scenario = Scenario(faults=(rule,))
    async with Simulator(scenario) as far, in_front_of(far.configapi_url) as gateway:
        submit = asyncio.create_task(gateway.submit(Region.EMEA, PHONES))
        await until(lambda: far.configapi.calls[Call.DISCOVERY])
        if fault is FaultKind.TIMEOUT_LOST:
            clock.advance(TIMEOUT / 3)
        with pytest.raises((UnreachableError, ThrottledError)):
            await submit
        assert not far.configapi.submits


async def test_discovery_is_retried_after_transient_failure() -> None:
    rule = Fault(call=Call.DISCOVERY, fault=FaultKind.DROP_LOST)
    async with (
        Simulator(Scenario(faults=(rule,))) as far,
        in_front_of(far.configapi_url) as gateway,
    ):
        await gateway.submit(Region.EMEA, PHONES)
        assert "X-MS-Target-Uri" in far.configapi.submits[0].headers


async def test_submit_renews_token_once_when_refused() -> None:
    tokens = FreshTokens()
    rule = Fault(call=Call.CREATE_BATCH, fault=FaultKind.UNAUTHORIZED)
    async with (
        Simulator(Scenario(faults=(rule,))) as far,
        in_front_of(far.configapi_url, tokens) as gateway,
    ):
        assert await gateway.submit(Region.EMEA, PHONES)
        assert [each.headers["Authorization"] for each in far.configapi.submits] == [
            "Bearer token-1",
            "Bearer token-2",
        ]
        assert tokens.calls == [(SCOPE, False), (SCOPE, True)]
        assert len(far.configapi.batches) == 1


@pytest.mark.parametrize(
    ("error", "of_submit", "of_read"),
    [
        (
            PermissionError("AADSTS700016: no such application"),
            AccessDeniedError,
            AccessDeniedError,
        ),
        (ConnectionError("the token endpoint is down"), UnreachableError, UnavailableError),
    ],
)
async def test_nothing_is_sent_when_there_is_no_token(
    error: Exception, of_submit: type[GatewayError], of_read: type[GatewayError]
) -> None:
    async with (
        Simulator() as far,
        in_front_of(far.configapi_url, NoTokens(error)) as gateway,
    ):
        with pytest.raises(of_submit, match=str(error)):
            await gateway.submit(Region.EMEA, PHONES)
        with pytest.raises(of_read, match=str(error)):
            await gateway.summaries()
        assert not far.configapi.calls


async def test_submit_is_unreachable_when_connection_is_refused() -> None:
    async with Simulator() as far:
        url = far.configapi_url
    async with in_front_of(url) as gateway:
        with pytest.raises(UnreachableError, match=r"^no connection to 127\.0\.0\.1$"):
            await gateway.submit(Region.EMEA, PHONES)
        with pytest.raises(UnavailableError):
            await gateway.status(BATCH)


GARBAGE = {
    "nothing": b"",
    "html": b"<html><body>Sign in</body></html>",
    "null": b"null",
    "number": b"17",
    "a word": b'"Accepted"',
    "empty list": b"[]",
    "empty object": b"{}",
    "no text for id": b'{"batchId": {"a": 1}}',
    "id with spaces": b'{"batchId": "a b"}',
    "empty id": b'{"batchId": ""}',
    "an error in a 200": b'{"error": {"code": "Busy", "message": "Come back later"}}',
    "half": b'{"batchId": "7d0b1f9e-53a1-4c55',
    "not text": b"\xff\xfe\x00\xd8",
    "deep": b"[" * 100_000,
    "large number": b'{"batchId": ' + b"9" * 5000 + b"}",
    "huge": b'{"batchId": "' + b"a" * 5_000_000 + b'"}',
}


@pytest.mark.parametrize("body", GARBAGE.values(), ids=GARBAGE.keys())
async def test_submit_outcome_is_unknown_when_response_is_unreadable(body: bytes) -> None:
    async with answering(always(200, body)) as gateway:
        with pytest.raises(OutcomeUnknownError) as raised:
            await gateway.submit(Region.EMEA, PHONES)
        assert raised.value.correlation_id
        assert len(raised.value.message) <= 500


@pytest.mark.parametrize("body", GARBAGE.values(), ids=GARBAGE.keys())
async def test_status_is_unavailable_when_response_is_unreadable(body: bytes) -> None:
    async with answering(always(200, body)) as gateway:
        with pytest.raises(UnavailableError):
            await gateway.status(BATCH)


@pytest.mark.parametrize("body", [value for name, value in GARBAGE.items() if name != "empty list"])
async def test_summaries_are_unavailable_when_response_is_unreadable(body: bytes) -> None:
    async with answering(always(200, body)) as gateway:
        with pytest.raises(UnavailableError):
            await gateway.summaries()


async def test_summaries_are_unavailable_when_an_entry_is_unreadable() -> None:
    async with answering(always(200, json.dumps([{"batchId": BATCH}, {"status": "?"}]))) as gateway:
        with pytest.raises(UnavailableError, match="no batch id"):
            await gateway.summaries()


async def test_response_is_unreadable_when_content_encoding_is_wrong() -> None:
    async with answering(always(200, b"not gzip", Content_Encoding="gzip")) as gateway:
        with pytest.raises(OutcomeUnknownError):
            await gateway.submit(Region.EMEA, PHONES)
        with pytest.raises(UnavailableError):
            await gateway.summaries()


async def test_status_is_unavailable_when_response_is_for_another_batch() -> None:
    body = json.dumps({"batchId": str(uuid.uuid4()), "batchStatus": "Completed", "batchItem": []})
    async with answering(always(200, body)) as gateway:
        with pytest.raises(UnavailableError, match="another batch"):
            await gateway.status(BATCH)


@pytest.mark.parametrize(
    ("status", "body", "error", "message"),
    [
        (
            400,
            '{"Message": "Too many concurrent batches"}',
            ThrottledError,
            "Too many concurrent batches",
        ),
        (400, '{"error": {"message": "Access Denied"}}', AccessDeniedError, "Access Denied"),
        (409, "Something else", BatchRejectedError, "Something else"),
        (400, '{"error": {"code": "BadThing"}}', BatchRejectedError, "BadThing"),
        (400, '{"error": "flat"}', BatchRejectedError, "flat"),
        (400, "<html>x</html>", BatchRejectedError, "HTTP 400"),
        (404, "", BatchRejectedError, "HTTP 404"),
        (408, "", OutcomeUnknownError, "HTTP 408"),
        (302, "", OutcomeUnknownError, "HTTP 302"),
        (599, "bang", OutcomeUnknownError, "bang"),
        (400, "a\x00b\r\n\tc \u202ed", BatchRejectedError, "a b c d"),
        (400, "x" * 5000, BatchRejectedError, "x" * 499 + "…"),
    ],
)
async def test_submit_error_follows_from_status_and_text(
    status: int, body: str, error: type[GatewayError], message: str
) -> None:
    async with answering(always(status, body)) as gateway:
        with pytest.raises(GatewayError) as raised:
            await gateway.submit(Region.EMEA, PHONES)
        assert (type(raised.value), raised.value.message) == (error, message)


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (404, "", UnknownBatchError),
        (400, '{"Message": "Batch id does not exist"}', UnknownBatchError),
        (400, '{"Message": "Access Denied"}', AccessDeniedError),
        (400, '{"Message": "What?"}', UnavailableError),
        (302, "", UnavailableError),
    ],
)
async def test_status_error_follows_from_status_and_text(
    status: int, body: str, error: type[GatewayError]
) -> None:
    async with answering(always(status, body)) as gateway:
        with pytest.raises(GatewayError) as raised:
            await gateway.status(BATCH)
        assert type(raised.value) is error


def in_a_minute() -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [
        ("0", 0, 0),
        ("2.5", 2.5, 2.5),
        ("-3", 0, 0),
        ("1e9", 3600, 3600),
        pytest.param(in_a_minute, 1, 60, id="in a minute"),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0, 0),
    ],
)
async def test_retry_after_is_parsed(
    header: str | Callable[[], str], least: float, most: float
) -> None:
    header = header if isinstance(header, str) else header()
    async with answering(always(429, "", Retry_After=header)) as gateway:
        with pytest.raises(ThrottledError) as raised:
            await gateway.submit(Region.EMEA, PHONES)
        assert raised.value.retry_after is not None
        assert least <= raised.value.retry_after <= most


@pytest.mark.parametrize("header", ["soon", "nan", "inf", ""])
async def test_retry_after_is_none_when_unreadable(header: str) -> None:
    async with answering(always(429, "", Retry_After=header)) as gateway:
        with pytest.raises(ThrottledError) as raised:
            await gateway.submit(Region.EMEA, PHONES)
        assert raised.value.retry_after is None


async def test_submit_does_not_follow_redirects() -> None:
    paths: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        paths.append(request.path)
        return web.Response(status=307, headers={"Location": "/elsewhere"})

    async with answering(answer) as gateway:
        with pytest.raises(OutcomeUnknownError):
            await gateway.submit(Region.EMEA, PHONES)
    assert paths == [CREATE]


async def test_summaries_read_all_pages() -> None:
    async def answer(request: web.Request) -> web.Response:
        page = int(request.query.get("page", "1"))
        next_link = f"{SUMMARIES}?page={page + 1}" if page < 3 else None
        return web.json_response({"value": [{"batchId": f"batch-{page}"}], "nextLink": next_link})

    async with answering(answer) as gateway:
        assert [each.remote_batch_id for each in await gateway.summaries()] == [
            "batch-1",
            "batch-2",
            "batch-3",
        ]


@pytest.mark.parametrize(
    "link", ["http://evil.example.com/", "//evil.example.com/x", "http://[", SUMMARIES]
)
async def test_summaries_are_unavailable_when_next_link_is_foreign_or_endless(link: str) -> None:
    async with answering(always(200, json.dumps({"value": [], "nextLink": link}))) as gateway:
        with pytest.raises(UnavailableError):
            await gateway.summaries()


async def test_batch_id_is_escaped_in_the_url() -> None:
    batch_ids: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        batch_ids.append(request.query["batchid"])
        assert request.path == STATUS
        return web.json_response({"status": "x"})

    odd = "a&b=c/../d?e#f %"
    async with answering(answer) as gateway:
        await gateway.status(odd)
    assert batch_ids == [odd]


async def test_submit_is_unreachable_when_discovery_hangs(clock: Clock) -> None:
    asked = asyncio.Event()

    async def hang(_: web.Request) -> web.Response:
        asked.set()
        await asyncio.Event().wait()
        return web.Response()

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", hang)
    async with (
        TestServer(app, shutdown_timeout=0) as server,
        in_front_of(str(server.make_url("/"))) as gateway,
    ):
        submit = asyncio.create_task(gateway.submit(Region.EMEA, PHONES))
        await asked.wait()
        clock.advance(TIMEOUT / 3)
        with pytest.raises(UnreachableError):
            await submit


@asynccontextmanager
async def silent(accepted: asyncio.Event) -> AsyncGenerator[str, None]:
    """The URL of a server that accepts connections and never reads from or writes to them."""
    closing = asyncio.Event()

    async def keep(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.set()
        await closing.wait()
        writer.close()

    server = await asyncio.start_server(keep, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        closing.set()


@pytest.mark.parametrize("call", [STATUS, SUMMARIES])
async def test_read_is_unavailable_when_connection_stays_silent(call: str, clock: Clock) -> None:
    accepted = asyncio.Event()
    async with silent(accepted) as url, in_front_of(url) as gateway:
        read = asyncio.ensure_future(
            gateway.status(BATCH) if call == STATUS else gateway.summaries()
        )
        await accepted.wait()
        clock.advance(TIMEOUT)
        with pytest.raises(UnavailableError):
            await read


async def test_submit_is_unreachable_when_connection_stays_silent(clock: Clock) -> None:
    """It ends before the batch is sent, with the discovery of its host."""
    accepted = asyncio.Event()
    async with silent(accepted) as url, in_front_of(url) as gateway:
        submit = asyncio.create_task(gateway.submit(Region.EMEA, PHONES))
        await accepted.wait()
        clock.advance(TIMEOUT)
        with pytest.raises(UnreachableError):
            await submit


async def test_submit_times_out_when_response_trickles(clock: Clock) -> None:
    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.02)
            clock.advance(TIMEOUT / 10)

    async with answering(drip) as gateway:
        with pytest.raises(OutcomeUnknownError, match="no response"):
            await gateway.submit(Region.EMEA, PHONES)


async def test_logs_contain_calls_and_warnings_but_no_phones() -> None:
    warned = {"X_Ms_ConfigApi_PowerShell_WarningMessage": "This cmdlet\tis old."}
    with capture_logs() as logs:
        async with answering(always(200, json.dumps({"batchId": BATCH}), **warned)) as gateway:
            await gateway.submit(Region.EMEA, PHONES)
    text = json.dumps(logs)
    assert BATCH in text
    assert "lobby" not in text
    assert "00-04" not in text
    assert "Bearer" not in text
    (warning,) = [line for line in logs if line["event"] == "gateway.warned"]
    assert warning["warning"] == "This cmdlet is old."
    (called,) = [line for line in logs if line.get("call") == "createbatch" and "request" in line]
    assert warning["correlation_id"] == called["correlation_id"]


@pytest.mark.parametrize("cloud", Cloud)
def test_every_cloud_has_its_own_hosts(cloud: Cloud) -> None:
    hosts = HOSTS[cloud]
    urls = (hosts.configapi, hosts.graph, hosts.authority, hosts.bot, hosts.token_service)
    assert all(url.startswith("https://") for url in urls)
    others = [each.configapi for other, each in HOSTS.items() if other is not cloud]
    assert hosts.configapi not in others


async def test_submit_is_unreachable_when_mark_takes_too_long(clock: Clock) -> None:
    """It is certain that nothing was sent, whatever the mark becomes later."""
    asked = asyncio.Event()

    async def never() -> None:
        asked.set()
        await asyncio.Event().wait()

    async with Simulator() as far, in_front_of(far.configapi_url) as gateway:
        submit = asyncio.create_task(gateway.submit(Region.EMEA, PHONES, never))
        await asked.wait()
        clock.advance(TIMEOUT)
        with pytest.raises(UnreachableError):
            await submit
        assert await gateway.submit(Region.EMEA, PHONES)
        assert len(far.configapi.submits) == 1


async def test_submit_is_unreachable_when_tls_cannot_be_set_up() -> None:
    """Discovery is not asked: the fault is in the connection for the submit itself."""
    marks: list[None] = []

    async def before_sending() -> None:
        marks.append(None)

    async with answering(always(200, json.dumps({"batchId": BATCH}))) as gateway:
        assert await gateway.submit(Region.EMEA, PHONES, before_sending)
        gateway._base = gateway._base.with_scheme("https")  # pyright: ignore[reportPrivateUsage]
        with pytest.raises(UnreachableError):
            await gateway.submit(Region.EMEA, PHONES, before_sending)
    assert len(marks) == 1


async def test_submit_is_unreachable_when_proxy_refuses_the_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    proxy = await asyncio.start_server(refuse, "127.0.0.1", 0)
    port = proxy.sockets[0].getsockname()[1]
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{port}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    async with proxy, aiohttp.ClientSession(trust_env=True) as session:
        gateway = ConfigApiGateway(
            session, "https://gateway.invalid", FixedToken(), submit_timeout=2.0, pauses=()
        )
        gateway._discovered = True  # pyright: ignore[reportPrivateUsage]
        with pytest.raises(UnreachableError):
            await gateway.submit(Region.EMEA, PHONES)
