"""Opens the chat edge: the bot's credentials, a session for the connector, and what uses them."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, NamedTuple

import aiohttp
from botbuilder.integration.aiohttp import ConfigurationServiceClientCredentialFactory
from botframework.connector.auth import AuthenticationConstants as Constants

from bot.commands.chat import Chat
from bot.settings import Settings
from bot.teams.gate import Gate
from bot.teams.messenger import ConnectorMessenger
from bot.teams.route import Route
from bot.words import Words


class Edge(NamedTuple):
    gate: Gate
    messenger: ConnectorMessenger

    def route(self, chat: Chat, words: Words) -> Route:
        return Route(self.gate, chat, self.messenger, words)


@asynccontextmanager
async def open_edge(settings: Settings) -> AsyncGenerator[Edge]:
    """Without an app id, which `Settings` allows in `local` only, no signature is asked for or given.

    Raises at once if the settings lack what their type of bot needs.
    """
    factory = token = None
    if settings.app_id:
        names = {
            "APP_ID": settings.app_id,
            "APP_PASSWORD": settings.app_password.get_secret_value(),
            "APP_TYPE": settings.app_type,
            "APP_TENANTID": next(iter(settings.tenant_ids), None),
        }
        factory = ConfigurationServiceClientCredentialFactory(SimpleNamespace(**names))
        scope = Constants.TO_CHANNEL_FROM_BOT_OAUTH_SCOPE
        login = Constants.TO_CHANNEL_FROM_BOT_LOGIN_URL_PREFIX
        credentials: Any = await factory.create_credentials(settings.app_id, scope, login, True)
        token = credentials.get_access_token
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield Edge(Gate(settings, factory), ConnectorMessenger(session, token))
