"""The SIP Gateway backends, each in front of a simulator.

The contract tests run against all of them; add a new backend to `BACKENDS`.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

import aiohttp

from bot.gateway import SipGateway
from bot.gateway.administration import Administrator, ConfigApiAdministration
from bot.gateway.configapi import ConfigApiGateway
from bot.gateway.powershell import PowerShellGateway
from bot.gateway.powershell_administration import PowerShellAdministrator
from bot.gateway.pwsh import Pwsh
from bot.identity.tokens import FixedToken
from bot.simulator.scenario import Call, Scenario
from bot.simulator.server import Simulator
from tests.support import fake_pwsh
from tests.support.waiting import Clock, until

TIMEOUT = 60.0  # seconds, of all calls
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class SimulatedBackend:
    gateway: SipGateway
    administrator: Administrator
    simulator: Simulator

    async def timed_out(self, clock: Clock, call: Call, work: Awaitable[Result]) -> Result:
        """What comes of `work` when its time is up after the SIP Gateway has got another `call`."""
        calls = self.simulator.configapi.calls
        before = calls[call]
        pending = asyncio.ensure_future(work)
        await until(lambda: calls[call] > before or pending.done())
        clock.advance(TIMEOUT)
        return await pending


Backend = Callable[[Scenario], AbstractAsyncContextManager[SimulatedBackend]]


@asynccontextmanager
async def configapi(scenario: Scenario) -> AsyncGenerator[SimulatedBackend, None]:
    async with Simulator(scenario) as simulator, aiohttp.ClientSession() as session:
        gateway = ConfigApiGateway(
            session,
            simulator.configapi_url,
            FixedToken(),
            submit_timeout=TIMEOUT,
            read_timeout=TIMEOUT,
            pauses=(0.01, 0.02),
        )
        yield SimulatedBackend(gateway, ConfigApiAdministration(gateway), simulator)


@asynccontextmanager
async def powershell(scenario: Scenario) -> AsyncGenerator[SimulatedBackend, None]:
    """The cmdlets, in a fake `pwsh` that acts out the script."""
    with tempfile.TemporaryDirectory() as folder:
        async with Simulator(scenario) as simulator:
            pwsh = str(fake_pwsh.install(Path(folder), simulator.configapi_url))
            gateway = PowerShellGateway(
                FixedToken(),
                pwsh=pwsh,
                submit_timeout=TIMEOUT,
                read_timeout=TIMEOUT,
                pauses=(0.01, 0.02),
            )
            administrator = PowerShellAdministrator(Pwsh(FixedToken(), program=pwsh))
            yield SimulatedBackend(gateway, administrator, simulator)


BACKENDS: Mapping[str, Backend] = MappingProxyType(
    {"configapi": configapi, "powershell": powershell}
)
