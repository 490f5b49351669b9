"""Opens the chat edge: a session for the connector, and what uses it."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple

import aiohttp

from bot.commands.chat import Chat
from bot.connector import ConnectorMessenger
from bot.settings import Settings
from bot.teams.gate import Gate
from bot.teams.route import Route
from bot.words import Words


class Edge(NamedTuple):
    gate: Gate
    messenger: ConnectorMessenger

    def route(self, chat: Chat, words: Words) -> Route:
        return Route(self.gate, chat, self.messenger, words)


@asynccontextmanager
async def open_edge(
    settings: Settings, token: Callable[[], Awaitable[str]] | None = None
) -> AsyncGenerator[Edge]:
    """`token` gives the bot's token for the connector; None in `local`, where none is asked for."""
    async with aiohttp.ClientSession(
        cookie_jar=aiohttp.DummyCookieJar(), trust_env=not settings.local
    ) as session:
        yield Edge(Gate(settings), ConnectorMessenger(session, token))
