"""The Teams edge over HTTP: the endpoint, a fake connector and a file host on loopback."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from bot.settings.model import Settings
from bot.settings.values import Environment, Gateway
from bot.teams.edge import open_edge
from bot.words import Words
from tests.support.teams import ALEX, TENANT, FakeConnector, RecordingChat

Post = Callable[..., Awaitable[aiohttp.ClientResponse]]
Serve = Callable[[Settings], Awaitable[str]]


@pytest.fixture
def chat() -> RecordingChat:
    return RecordingChat()


@pytest.fixture
def local() -> Settings:
    return Settings(_env_file=None)  # pyright: ignore[reportCallIssue]


@pytest.fixture
def production() -> Settings:
    return Settings(
        _env_file=None,  # pyright: ignore[reportCallIssue]
        environment=Environment.PRODUCTION,
        app_id="99999999-0000-0000-0000-000000000009",
        app_password=SecretStr("not a real secret"),
        tenant_ids=(TENANT.upper(),),
        requesters=("*",),
        approvers=(ALEX,),
        gateway=Gateway.CONFIGAPI,
    )


@asynccontextmanager
async def served(app: web.Application) -> AsyncGenerator[str]:
    server = TestServer(app, host="127.0.0.1")
    await server.start_server()
    yield str(server.make_url("")).rstrip("/")
    await server.close()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as opened:
        yield opened


@pytest.fixture
async def connector() -> AsyncIterator[FakeConnector]:
    fake = FakeConnector()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", fake.handle)
    async with served(app) as url:
        fake.url = url
        yield fake
        if fake.hold is not None:
            fake.hold.set()


@pytest.fixture
async def serve(chat: RecordingChat) -> AsyncIterator[Serve]:
    """Starts the Teams edge with the given settings; returns the URL of its endpoint."""
    async with AsyncExitStack() as stack:

        async def start(settings: Settings) -> str:
            edge = await stack.enter_async_context(open_edge(settings))
            app = web.Application()
            edge.endpoint(chat, Words()).add_to(app)
            return await stack.enter_async_context(served(app)) + "/api/messages"

        yield start


@pytest.fixture
async def post(serve: Serve, local: Settings, session: aiohttp.ClientSession) -> Post:
    """Posts an activity, or raw bytes, to an endpoint in the `local` environment."""
    url = await serve(local)

    async def send(body: Any) -> aiohttp.ClientResponse:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        response = await session.post(url, data=io.BytesIO(content), headers=headers)
        await response.read()
        return response

    return send
