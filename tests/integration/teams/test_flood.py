"""What a client without a token, or one that sends too much, can cost the service: next to nothing."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from aiohttp import web
from pydantic import ValidationError

from bot.settings.model import Settings
from bot.teams import admission
from bot.teams.activities import Activity
from bot.web.server import listen
from tests.integration.teams.conftest import Post, Serve
from tests.support.teams import RecordingChat, activity
from tests.support.waiting import PATIENCE, Clock, until

SERVICE = "http://127.0.0.1:9/connector"
JSON = {"Content-Type": "application/json"}


@asynccontextmanager
async def half_sent(url: str, **headers: str) -> AsyncGenerator[asyncio.StreamReader]:
    """A request of which the body never arrives in full; yields what the server answers."""
    parts = urlsplit(url)
    lines = {"Host": parts.netloc, **JSON, "Content-Length": "1000", **headers}
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    writer.write(f"POST {parts.path} HTTP/1.1\r\n{head}\r\n{{".encode())
    yield reader
    writer.close()


async def status_of(reader: asyncio.StreamReader) -> int:
    async with asyncio.timeout(PATIENCE):
        return int((await reader.readline()).split()[1])


async def test_request_is_refused_before_its_body_when_token_is_missing(
    serve: Serve, production: Settings
) -> None:
    async with half_sent(await serve(production)) as answer:
        assert await status_of(answer) == 401


async def test_token_is_checked_before_everything_about_the_body(
    serve: Serve, production: Settings, session: aiohttp.ClientSession
) -> None:
    url = await serve(production)
    for headers in (
        {"Content-Encoding": "gzip", **JSON},
        {"Content-Type": "text/plain"},
        {"Authorization": "Bearer x", **JSON},
    ):
        data = gzip.compress(b" " * 1_000_000)
        async with session.post(url, data=data, headers=headers) as response:
            assert response.status == 401


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "identity"])
async def test_body_is_refused_when_encoded(
    serve: Serve,
    local: Settings,
    session: aiohttp.ClientSession,
    chat: RecordingChat,
    encoding: str,
) -> None:
    body = json.dumps(activity(SERVICE)).encode()
    async with session.post(
        await serve(local),
        data=gzip.compress(body) if encoding == "gzip" else body,
        headers={"Content-Encoding": encoding, **JSON},
    ) as response:
        assert response.status == 415
    assert not chat.messages


async def test_body_is_refused_when_it_does_not_arrive_in_time(
    serve: Serve, local: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "_BODY_SECONDS", 0.01)  # whatever it is: the rest never arrives
    async with half_sent(await serve(local)) as answer:
        assert await status_of(answer) == 408


async def test_body_is_refused_at_its_header_when_announced_too_big(
    serve: Serve, local: Settings
) -> None:
    too_big = str(admission.MAX_BODY_BYTES + 1)
    async with half_sent(await serve(local), **{"Content-Length": too_big}) as answer:
        assert await status_of(answer) == 413


async def test_body_is_refused_when_it_grows_too_big(
    serve: Serve, local: Settings, session: aiohttp.ClientSession
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(admission.MAX_BODY_BYTES // 2**16 + 1):
            yield b" " * 2**16

    async with session.post(await serve(local), data=chunks(), headers=JSON) as response:
        assert response.status == 413


@pytest.mark.parametrize("name", ["entities", "attachments"])
async def test_list_is_refused_when_too_long(post: Post, name: str) -> None:
    response = await post(activity(SERVICE, **{name: [{}] * 1000}))
    assert response.status == 400
    assert name in (await response.json())["error"]["message"]


@pytest.mark.parametrize("name", ["entities", "attachments"])
def test_validation_ends_at_first_error_of_a_list(name: str) -> None:
    body = json.dumps(activity(SERVICE, **{name: [1] * 40}))
    with pytest.raises(ValidationError) as caught:
        Activity.model_validate_json(body)
    assert caught.value.error_count() == 1


async def test_requests_are_refused_when_too_many_are_under_way(
    post: Post, chat: RecordingChat, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _assert_limited(post, chat, monkeypatch, "_MAX_REQUESTS", 503)


async def test_requests_are_refused_when_one_address_sends_too_many(
    post: Post, chat: RecordingChat, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _assert_limited(post, chat, monkeypatch, "_MAX_PER_PEER", 429)


async def test_requests_of_one_sender_are_refused_when_too_many_are_under_way(
    post: Post, chat: RecordingChat, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = {"from": {"id": "29:megan", "name": "Megan Bowen", "aadObjectId": "megan"}}
    await _assert_limited(post, chat, monkeypatch, "_MAX_PER_SENDER", 429, unlimited=other)


async def _assert_limited(
    post: Post,
    chat: RecordingChat,
    monkeypatch: pytest.MonkeyPatch,
    limit: str,
    status: int,
    *,
    unlimited: dict[str, Any] | None = None,
) -> None:
    async def send(**changes: Any) -> aiohttp.ClientResponse:
        return await post(activity(SERVICE, **changes))

    monkeypatch.setattr(admission, limit, 1)
    chat.hold = asyncio.Event()
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        first = group.create_task(send())
        await until(lambda: chat.remembered)
        refused = await post(activity(SERVICE))
        others = [group.create_task(send(**unlimited))] if unlimited else []
        await until(lambda: len(chat.remembered) == 1 + len(others))
        chat.hold.set()
    assert refused.status == status
    assert int(refused.headers["Retry-After"]) > 0
    assert [(await each).status for each in (first, *others)] == [200] * (1 + len(others))
    assert (await post(activity(SERVICE))).status == 200, "the place is free again"


async def test_slow_turn_counts_as_under_way_after_its_answer(
    post: Post, chat: RecordingChat, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    monkeypatch.setattr(admission, "_MAX_PER_SENDER", 1)
    chat.hold = asyncio.Event()
    slow = asyncio.ensure_future(post(activity(SERVICE)))
    await until(lambda: chat.held)
    clock.advance(8)
    assert (await slow).status == 200
    assert (await post(activity(SERVICE))).status == 429
    chat.hold.set()
    async with asyncio.timeout(PATIENCE):
        while (await post(activity(SERVICE))).status == 429:
            await asyncio.sleep(0)


async def test_server_does_not_inflate_bodies(local: Settings) -> None:
    """Also what is refused is read to its end, for a moment: so it must not grow then."""

    async def measure(request: web.Request) -> web.Response:
        return web.Response(text=str(len(await request.read())))

    app = web.Application()
    app.router.add_post("/", measure)
    bomb = gzip.compress(b" " * 500_000)
    async with AsyncExitStack() as stack, aiohttp.ClientSession() as session:
        url = await listen(app, local.host, 0, stack, settings="OFFHOOK_PORT")
        headers = {"Content-Encoding": "gzip"}
        async with session.post(url, data=bomb, headers=headers) as response:
            assert await response.text() == str(len(bomb))


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
async def test_body_is_refused_when_it_is_not_declared_json(
    serve: Serve,
    local: Settings,
    session: aiohttp.ClientSession,
    chat: RecordingChat,
    content_type: str,
) -> None:
    """A web page of any origin can send these without asking the server."""
    async with session.post(
        await serve(local),
        data=json.dumps(activity(SERVICE)).encode(),
        headers={"Content-Type": content_type},
    ) as response:
        assert response.status == 415
    assert not chat.messages


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:3978", 200),
        ("localhost:3978", 200),
        ("[::1]:3978", 200),
        ("evil.example:3978", 403),
        ("127.0.0.1.evil.example", 403),
        ("localhost@evil.example", 403),
        ("", 403),
        ("[", 403),
    ],
)
async def test_local_endpoint_answers_only_loopback_hosts(
    serve: Serve, local: Settings, session: aiohttp.ClientSession, host: str, status: int
) -> None:
    """A web page may point its own name at this machine (DNS rebinding)."""
    async with session.post(
        await serve(local), json=activity(SERVICE), headers={"Host": host}
    ) as response:
        assert response.status == status
