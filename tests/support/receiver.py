"""A receiver of webhooks on loopback, as a SIEM's collector: it checks the signature of each message."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from bot.simulator.waiting import Signal

KEY = b"0123456789abcdef0123456789abcdef"
KEY_TEXT = base64.b64encode(KEY).decode()


@dataclass(slots=True)
class Receiver:
    url: str = ""  #: with a secret, as some services' have
    #: how the next messages are answered: a status, with headers; then all with 204
    answers: list[tuple[int, dict[str, str]]] = field(
        default_factory=list[tuple[int, dict[str, str]]]
    )
    max_lines: int = 1000  #: of a message; longer ones are too large
    #: accepted messages, by arrival: ID and lines
    accepted: list[tuple[str, list[str]]] = field(default_factory=list[tuple[str, list[str]]])
    calls: int = 0
    _signal: Signal = field(default_factory=Signal)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for _, lines in self.accepted for line in lines]

    async def until(self, action: str, timeout: float) -> None:
        """Wait for an event."""

        def find() -> bool | None:
            return any(event["activity_name"] == action for event in self.events) or None

        await self._signal.until(find, timeout)

    async def receive(self, request: web.Request) -> web.Response:
        if request.method == "HEAD":
            return web.Response(status=405)
        self.calls += 1
        body = await request.read()
        message_id, timestamp = (request.headers[f"webhook-{name}"] for name in ("id", "timestamp"))
        signed = b".".join((message_id.encode(), timestamp.encode(), body))
        expected = base64.b64encode(hmac.digest(KEY, signed, hashlib.sha256)).decode()
        if request.headers["webhook-signature"] != f"v1,{expected}":
            return web.Response(status=401)
        lines = body.decode().splitlines()
        if self.answers:
            status, headers = self.answers.pop(0)
            return web.Response(status=status, headers=headers)
        if len(lines) > self.max_lines:
            return web.Response(status=413)
        self.accepted.append((message_id, lines))
        self._signal.notify()
        return web.Response(status=204)


@asynccontextmanager
async def receiving() -> AsyncGenerator[Receiver]:
    receiver = Receiver()
    application = web.Application()
    application.router.add_route("*", "/collect", receiver.receive)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    receiver.url = f"http://{host}:{port}/collect?code=hunter2"
    try:
        yield receiver
    finally:
        await runner.cleanup()
