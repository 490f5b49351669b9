"""What a token costs: how long the event loop stands still, and how many connections turns open.

A token endpoint that takes 300 ms, and a connector, on loopback, in a process of their own. The Bot
Framework SDK (its `CloudAdapter`, a proactive turn that sends one message) against Offhook's messenger and
credentials. Exit code 1 if Offhook's loop stands still for 20 ms or more, or if a steady turn opens a
connection.
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
from botbuilder.schema import Activity, ChannelAccount, ConversationAccount, ConversationReference
from rich.console import Console
from rich.table import Table

from bot.identity.credentials import Credentials
from bot.identity.tokens import AppTokens
from bot.runner.messenger import Address, Message
from bot.settings.model import Settings
from bot.teams.connector import ConnectorMessenger

APP_ID = "99999999-0000-0000-0000-000000000009"
TENANT = "11111111-2222-4333-8444-555555555555"
MICROSOFT = "https://login.microsoftonline.com"
TOKEN_SECONDS = 0.3
TURNS = 10
MOST_MS = 20.0

Turn = Callable[[], Awaitable[None]]


def far_sides(pipe: Connection) -> None:
    """Entra ID and the connector, until the pipe closes."""

    async def serve() -> None:
        seen: dict[str, set[Any]] = {"token": set(), "connector": set()}
        calls = {"token": 0, "connector": 0}

        def note(name: str, request: web.Request) -> None:
            calls[name] += 1
            seen[name].add(request.transport.get_extra_info("peername") if request.transport else 0)

        async def token(request: web.Request) -> web.Response:
            note("token", request)
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
            note("connector", request)
            return web.json_response({"id": "1"}, status=201)

        async def count(_: web.Request) -> web.Response:
            return web.json_response(
                {name: [calls[name], len(peers)] for name, peers in seen.items()}
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
    """The longest time for which the event loop did nothing else, in milliseconds."""

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
    """One proactive turn of the SDK's own adapter, which sends one message."""
    settings = SimpleNamespace(
        APP_ID=APP_ID, APP_PASSWORD="secret", APP_TYPE="SingleTenant", APP_TENANTID=TENANT
    )
    adapter = CloudAdapter(ConfigurationBotFrameworkAuthentication(settings))
    reference = ConversationReference(
        activity_id="1",
        user=ChannelAccount(id="29:x"),
        bot=ChannelAccount(id="28:y"),
        conversation=ConversationAccount(id="a:chat"),
        channel_id="msteams",
        service_url=f"{base}/connector/",
    )

    async def say(context: TurnContext) -> None:
        await context.send_activity(Activity(type="message", text="x"))

    async def turn() -> None:
        await adapter.continue_conversation(reference, say, APP_ID)

    return turn


def our_turn(base: str, session: aiohttp.ClientSession) -> Turn:
    settings = Settings(
        _env_file=None,  # pyright: ignore[reportCallIssue]
        authority_url=base,
        app_id=APP_ID,
        app_password="secret",  # pyright: ignore[reportArgumentType]
        tenant_ids=(TENANT,),
    )
    tokens = AppTokens(Credentials(settings, session).app())
    scope = f"{settings.hosts.bot}/.default"
    messenger = ConnectorMessenger(session, lambda: tokens.token(scope))
    reference = {"service_url": f"{base}/connector/", "bot_id": "28:y", "bot_name": "Offhook"}
    address = Address(TENANT, "a:chat", "personal", reference)

    async def turn() -> None:
        await messenger.send(address, Message(text="x"))

    return turn


async def counted(session: aiohttp.ClientSession, base: str) -> dict[str, list[int]]:
    async with session.get(f"{base}/count") as answer:
        return await answer.json()


async def measured(base: str, turn: Turn) -> tuple[float, float, dict[str, tuple[int, int]]]:
    """Stall of the first turn and of the ones after it (ms), and (calls, connections) of the latter."""
    async with aiohttp.ClientSession() as asking:
        async with Stall() as first:
            await turn()
        before = await counted(asking, base)
        async with Stall() as steady:
            for _ in range(TURNS):
                await turn()
        after = await counted(asking, base)
    new = {
        name: (after[name][0] - before[name][0], after[name][1] - before[name][1]) for name in after
    }
    return first.longest, steady.longest, new


def redirected(base: str) -> Any:
    """MSAL's authority is built in; its requests go to the loopback instead."""
    plain = requests.Session.request

    def request(self: requests.Session, method: str, url: str, **options: Any) -> Any:
        return plain(self, method, url.replace(MICROSOFT, base), **options)

    return patch.object(requests.Session, "request", request)


async def main(port: int) -> int:
    base = f"http://127.0.0.1:{port}"
    with redirected(base):
        sdk = await measured(base, sdk_turn(base))
    async with aiohttp.ClientSession() as session:
        ours = await measured(base, our_turn(base, session))
    table = Table(title=f"token endpoint {TOKEN_SECONDS * 1000:.0f} ms, {TURNS} steady turns")
    for column in ("", "stall, first turn", "stall, steady", "tokens fetched", "new connections"):
        table.add_column(column, justify="right")
    for name, (first, steady, new) in (("the SDK", sdk), ("Offhook", ours)):
        opened = sum(connections for _, connections in new.values())
        fetched = str(new["token"][0])
        table.add_row(name, f"{first:.1f} ms", f"{steady:.1f} ms", fetched, str(opened))
    Console().print(table)
    first, steady, new = ours
    good = max(first, steady) < MOST_MS and not any(opened for _, opened in new.values())
    sys.stdout.write(
        json.dumps({"sdk_ms": sdk[0], "ours_ms": max(first, steady), "ok": good}) + "\n"
    )
    return 0 if good else 1


if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    server = context.Process(target=far_sides, args=(there,), daemon=True)
    server.start()
    try:
        code = asyncio.run(main(here.recv()))
    finally:
        here.close()
        server.kill()
    sys.exit(code)
