"""What a token costs: how long it blocks the event loop, and how many connections turns open.

The Bot Framework SDK (its `CloudAdapter`, a proactive turn that sends one message) against Offhook's
messenger and credentials. A connector and a token endpoint that takes 300 ms run on loopback in their own
process. Exit code 1 if Offhook blocks its loop for 20 ms or more, or if a steady turn opens a connection.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import sys
import time
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import aiohttp
import requests
from aiohttp import web
from botbuilder.core import TurnContext
from botbuilder.integration.aiohttp import CloudAdapter, ConfigurationBotFrameworkAuthentication
from botbuilder.schema import Activity, ChannelAccount, ConversationAccount
from botbuilder.schema import ConversationReference as SdkConversationReference
from rich.console import Console
from rich.table import Table

from bot.identity.credentials import Credentials
from bot.identity.tokens import CredentialTokens
from bot.runner.messages import Message
from bot.settings.model import Settings
from bot.store.conversations import ConversationKind, ConversationReference
from bot.teams.connector import ConnectorMessenger

APP_ID = "99999999-0000-0000-0000-000000000009"
TENANT = "11111111-2222-4333-8444-555555555555"
MICROSOFT = "https://login.microsoftonline.com"
TOKEN_SECONDS = 0.3  # latency of the token endpoint
TURNS = 10  # steady turns measured
MAX_STALL_MS = 20.0

Turn = Callable[[], Awaitable[None]]


def remote_services(pipe: Connection) -> None:
    """Serves Entra ID and the connector until the pipe closes; sends the port through it."""

    async def serve() -> None:
        peers: dict[str, set[Any]] = {"token": set(), "connector": set()}
        calls = {"token": 0, "connector": 0}

        def record(name: str, request: web.Request) -> None:
            calls[name] += 1
            peers[name].add(
                request.transport.get_extra_info("peername") if request.transport else 0
            )

        async def token(request: web.Request) -> web.Response:
            record("token", request)
            await asyncio.sleep(TOKEN_SECONDS)
            return web.json_response(
                {"token_type": "Bearer", "expires_in": 3600, "access_token": "x"}
            )

        async def discovery(_: web.Request) -> web.Response:
            base = f"{MICROSOFT}/{TENANT}"
            return web.json_response(
                {
                    "token_endpoint": f"{base}/oauth2/v2.0/token",
                    "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                    "issuer": base,
                }
            )

        async def send(request: web.Request) -> web.Response:
            record("connector", request)
            return web.json_response({"id": "1"}, status=201)

        async def count(_: web.Request) -> web.Response:
            return web.json_response(
                {name: [calls[name], len(connections)] for name, connections in peers.items()}
            )

        app = web.Application()
        app.router.add_post("/{tenant}/oauth2/v2.0/token", token)
        app.router.add_get("/{tenant}/v2.0/.well-known/openid-configuration", discovery)
        app.router.add_post("/connector/{path:.*}", send)
        app.router.add_get("/count", count)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        pipe.send(runner.addresses[0][1])
        await asyncio.to_thread(pipe.poll, None)
        await runner.cleanup()

    asyncio.run(serve())


class Stall:
    """Measures the longest time that the event loop was blocked, in milliseconds."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def __aenter__(self) -> Stall:
        self._task = asyncio.create_task(self._watch())
        await asyncio.sleep(0.05)
        self.longest = 0.0
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.sleep(0.01)
        self._task.cancel()

    async def _watch(self) -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            self.longest = max(self.longest, (time.perf_counter() - before - 0.001) * 1000)


def sdk_turn(base: str) -> Turn:
    """Returns a proactive turn of the SDK's adapter that sends one message."""
    settings = SimpleNamespace(
        APP_ID=APP_ID, APP_PASSWORD="secret", APP_TYPE="SingleTenant", APP_TENANTID=TENANT
    )
    adapter = CloudAdapter(ConfigurationBotFrameworkAuthentication(settings))
    reference = SdkConversationReference(
        activity_id="1",
        user=ChannelAccount(id="29:x"),
        bot=ChannelAccount(id="28:y"),
        conversation=ConversationAccount(id="a:chat"),
        channel_id="msteams",
        service_url=f"{base}/connector/",
    )

    async def send(context: TurnContext) -> None:
        await context.send_activity(Activity(type="message", text="x"))

    async def turn() -> None:
        await adapter.continue_conversation(reference, send, APP_ID)

    return turn


def offhook_turn(base: str, session: aiohttp.ClientSession) -> Turn:
    """Returns a send of one message by Offhook's messenger."""
    settings = Settings(
        _env_file=None,  # pyright: ignore[reportCallIssue]
        authority_url=base,
        app_id=APP_ID,
        app_password="secret",  # pyright: ignore[reportArgumentType]
        tenant_ids=(TENANT,),
    )
    tokens = CredentialTokens(Credentials(settings, session).app())
    scope = f"{settings.hosts.bot}/.default"
    messenger = ConnectorMessenger(session, lambda: tokens.token(scope))
    conversation = ConversationReference(
        TENANT, "a:chat", ConversationKind.PERSONAL, f"{base}/connector/", "28:y", "Offhook"
    )

    async def turn() -> None:
        await messenger.send(conversation, Message(text="x"))

    return turn


async def counts(session: aiohttp.ClientSession, base: str) -> dict[str, list[int]]:
    async with session.get(f"{base}/count") as response:
        return await response.json()


async def measure(base: str, turn: Turn) -> tuple[float, float, dict[str, tuple[int, int]]]:
    """Returns the stalls of the first and of steady turns (ms), and (calls, connections) of the latter."""
    async with aiohttp.ClientSession() as session:
        async with Stall() as first:
            await turn()
        before = await counts(session, base)
        async with Stall() as steady:
            for _ in range(TURNS):
                await turn()
        after = await counts(session, base)
    new = {
        name: (after[name][0] - before[name][0], after[name][1] - before[name][1]) for name in after
    }
    return first.longest, steady.longest, new


def redirected(base: str) -> Any:
    """Sends the SDK's requests to Entra ID, whose URL is built into MSAL, to loopback."""
    original = requests.Session.request

    def request(self: requests.Session, method: str, url: str, **options: Any) -> Any:
        return original(self, method, url.replace(MICROSOFT, base), **options)

    return patch.object(requests.Session, "request", request)


async def main(port: int) -> int:
    base = f"http://127.0.0.1:{port}"
    with redirected(base):
        sdk = await measure(base, sdk_turn(base))
    async with aiohttp.ClientSession() as session:
        offhook = await measure(base, offhook_turn(base, session))
    table = Table(title=f"token endpoint {TOKEN_SECONDS * 1000:.0f} ms, {TURNS} steady turns")
    for column in ("", "stall, first turn", "stall, steady", "tokens fetched", "new connections"):
        table.add_column(column, justify="right")
    for name, (first, steady, new) in (("the SDK", sdk), ("Offhook", offhook)):
        opened = sum(connections for _, connections in new.values())
        fetched = str(new["token"][0])
        table.add_row(name, f"{first:.1f} ms", f"{steady:.1f} ms", fetched, str(opened))
    Console().print(table)
    first, steady, new = offhook
    met = max(first, steady) < MAX_STALL_MS and not any(opened for _, opened in new.values())
    sys.stdout.write(
        json.dumps({"sdk_ms": sdk[0], "ours_ms": max(first, steady), "ok": met}) + "\n"
    )
    return 0 if met else 1


if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    parent_end, child_end = context.Pipe()
    server = context.Process(target=remote_services, args=(child_end,), daemon=True)
    server.start()
    try:
        code = asyncio.run(main(parent_end.recv()))
    finally:
        parent_end.close()
        server.kill()
    sys.exit(code)
