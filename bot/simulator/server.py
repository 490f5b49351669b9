"""Runs all simulated remote services on one loopback port."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from aiohttp import web

from bot.simulator.accounts import Accounts
from bot.simulator.configapi import ConfigApi
from bot.simulator.connector import Connector
from bot.simulator.entra import Entra
from bot.simulator.faults import Faults
from bot.simulator.files import Files
from bot.simulator.graph import Graph
from bot.simulator.scenario import Scenario

_HOST = "127.0.0.1"
_MAX_BODY = 64 * 1024 * 1024


class Simulator:
    """The remote services of one tenant. Listens inside its context; `port` 0 picks a free one.

    Can be exited and entered again, which keeps the port and all state, like an outage.
    """

    def __init__(self, scenario: Scenario | None = None, *, port: int = 0) -> None:
        self.scenario = scenario or Scenario()
        self.faults = Faults(self.scenario.faults)
        self.accounts = Accounts(self.scenario)
        self.configapi = ConfigApi(self.scenario, self.faults, self.accounts)
        self.graph = Graph(self.scenario, self.faults, self.accounts, self.configapi.batches)
        self.connector = Connector(self.scenario, self.faults)
        self.files = Files()
        self.entra = Entra(self.scenario, self.faults)
        self._port = port
        self._runner: web.AppRunner | None = None

    @property
    def configapi_url(self) -> str:
        return f"{self._url}/configapi"

    @property
    def graph_url(self) -> str:
        return f"{self._url}/graph"

    @property
    def connector_url(self) -> str:
        """The `serviceUrl` for activities."""
        return f"{self._url}/connector"

    @property
    def entra_url(self) -> str:
        """Base URL of Entra ID and the Bot Framework token service.

        Has no path, because Entra ID clients take the first path segment for the tenant.
        """
        return self._url

    @property
    def files_url(self) -> str:
        return f"{self._url}/files"

    @property
    def _url(self) -> str:
        return f"http://{_HOST}:{self._port}"

    async def __aenter__(self) -> Self:
        app = web.Application()
        for path, *servers in (
            ("/configapi/", self.configapi, self.configapi.administration),
            ("/graph/", self.graph),
            ("/connector/", self.connector),
            ("/files/", self.files),
        ):
            subapp = web.Application(client_max_size=_MAX_BODY)
            for server in servers:
                subapp.add_routes(server.routes())
            app.add_subapp(path, subapp)
        app.add_routes(self.entra.routes())
        self.faults.open()
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, _HOST, self._port)
        await site.start()
        self._port = self._runner.addresses[0][1]
        self.connector.base_url = self.connector_url
        self.files.base_url = self.files_url
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.faults.close()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
