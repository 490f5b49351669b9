"""The ways to reach the SIP Gateway, each as a client in front of a simulator. The contract is tested
against all of them: a further backend joins by its function in `BACKENDS`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from types import MappingProxyType

import aiohttp

from bot.gateway import SipGateway
from bot.gateway.configapi import ConfigApiGateway
from bot.gateway.identity import FixedToken
from bot.simulator.scenario import Scenario
from bot.simulator.server import Simulator


@dataclass(frozen=True, slots=True)
class FarSide:
    gateway: SipGateway
    simulator: Simulator


Backend = Callable[[Scenario], AbstractAsyncContextManager[FarSide]]


@asynccontextmanager
async def configapi(scenario: Scenario) -> AsyncGenerator[FarSide, None]:
    async with Simulator(scenario) as simulator, aiohttp.ClientSession() as session:
        gateway = ConfigApiGateway(
            session,
            simulator.configapi_url,
            FixedToken(),
            submit_timeout=0.4,
            read_timeout=0.4,
            pauses=(0.01, 0.02),
        )
        yield FarSide(gateway, simulator)


BACKENDS: Mapping[str, Backend] = MappingProxyType({"configapi": configapi})
