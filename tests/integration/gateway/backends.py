"""The SIP Gateway backends, each in front of a simulator.

The contract tests run against all of them; add a new backend to `BACKENDS`.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import aiohttp

from bot.gateway import SipGateway
from bot.gateway.configapi import ConfigApiGateway
from bot.gateway.powershell import PowerShellGateway
from bot.identity.tokens import FixedToken
from bot.simulator.scenario import Scenario
from bot.simulator.server import Simulator
from tests.support import fake_pwsh


@dataclass(frozen=True, slots=True)
class SimulatedBackend:
    gateway: SipGateway
    simulator: Simulator


Backend = Callable[[Scenario], AbstractAsyncContextManager[SimulatedBackend]]


@asynccontextmanager
async def configapi(scenario: Scenario) -> AsyncGenerator[SimulatedBackend, None]:
    async with Simulator(scenario) as simulator, aiohttp.ClientSession() as session:
        gateway = ConfigApiGateway(
            session,
            simulator.configapi_url,
            FixedToken(),
            submit_timeout=0.4,
            read_timeout=0.4,
            pauses=(0.01, 0.02),
        )
        yield SimulatedBackend(gateway, simulator)


@asynccontextmanager
async def powershell(scenario: Scenario) -> AsyncGenerator[SimulatedBackend, None]:
    """The cmdlets, in a fake `pwsh` that acts out the script.

    Starting it can take long on a busy machine, so timeouts are short only where a call never returns.
    """
    hangs = any("timeout" in rule.fault for rule in scenario.faults)
    with tempfile.TemporaryDirectory() as folder:
        async with Simulator(scenario) as simulator:
            gateway = PowerShellGateway(
                FixedToken(),
                pwsh=str(fake_pwsh.install(Path(folder), simulator.configapi_url)),
                submit_timeout=3.0 if hangs else 60.0,
                read_timeout=1.0 if hangs else 60.0,
                pauses=(0.01, 0.02),
            )
            yield SimulatedBackend(gateway, simulator)


BACKENDS: Mapping[str, Backend] = MappingProxyType(
    {"configapi": configapi, "powershell": powershell}
)
