"""Opens the Teams edge: an HTTP session for the connector and its keys, and what uses it."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple

import aiohttp

from bot.commands.chat import Chat
from bot.settings.model import Settings
from bot.teams.auth import RequestAuth
from bot.teams.connector import ConnectorMessenger
from bot.teams.endpoint import Endpoint
from bot.words import Words


class Edge(NamedTuple):
    auth: RequestAuth
    messenger: ConnectorMessenger

    def endpoint(self, chat: Chat, words: Words) -> Endpoint:
        return Endpoint(self.auth, chat, self.messenger, words)


@asynccontextmanager
async def open_edge(
    settings: Settings, token: Callable[[], Awaitable[str]] | None = None
) -> AsyncGenerator[Edge]:
    """`token` returns the bot's token for the connector; None in `local`, where none is needed."""
    async with aiohttp.ClientSession(
        cookie_jar=aiohttp.DummyCookieJar(), trust_env=not settings.local
    ) as session:
        auth = RequestAuth(settings, session)
        try:
            yield Edge(auth, ConnectorMessenger(session, token))
        finally:
            await auth.aclose()
