"""Facts about 100 and 20,000 accounts from a simulated Graph, at 100 ms a call.

    python bench/preflight.py [--accounts N ...] [--latency SECONDS] [--plans N]

The simulator runs in a process of its own, so that memory and the event loop's stalls are the reader's.
Each account has as many service plans as a Microsoft 365 E5 license. Exit code 1 if a goal is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import aiohttp
import psutil
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))

from bot import logs
from bot.directory import tenant
from bot.directory.accounts import AccountReader
from bot.directory.client import GraphClient
from bot.gateway import policies
from bot.gateway.configapi import ConfigApiGateway
from bot.identity.tokens import FixedToken
from bot.preflight.facts import AccountFacts, TenantFacts, Unknown
from bot.simulator.scenario import Scenario
from bot.simulator.server import Simulator
from bot.simulator.tenant import AccessPolicy, Account, GraphApi

ALLOWED, ADMINS = (f"10000000-0000-0000-0000-{number:012}" for number in range(2))
LATENCY = 0.1
PLANS = 40
GOAL_CALLS = 12  # for 100 accounts
GOAL_CALLS_PER_ACCOUNT = 0.12  # at 20,000
GOAL_SECONDS = 60.0  # at 20,000
GOAL_STALL = 0.25  # seconds
TICK = 0.005


@dataclass(frozen=True)
class Figures:
    """What one run measured."""

    accounts: int
    filters: bool
    calls: int
    seconds: float
    cpu_seconds: float
    #: The most CPU time between two ticks of the event loop, in seconds. Unlike wall time, it does not
    #: grow with what else the machine runs.
    stall: float
    #: MiB above the process before the run.
    memory: float
    unknown: Counter[str]


def names(accounts: int) -> list[str]:
    return [f"lobby.berlin.{number:05}@contoso.com" for number in range(accounts)]


def simulate(accounts: int, filters: bool, latency: float, plans: int, pipe: Connection) -> None:
    """Run the simulator until the pipe closes."""
    scenario = Scenario(
        latency=latency,
        accounts={"admin@contoso.com": Account(roles=("Global Administrator",))},
        groups={ALLOWED: tuple(names(accounts)), ADMINS: ("admin@contoso.com",)},
        group_roles={ADMINS: ("Teams Administrator",)},
        conditional_access=(AccessPolicy(name="Require MFA", exclude=(ALLOWED,)),),
        graph=GraphApi(filters_configurations=filters, more_plans=plans),
    )

    async def serve() -> None:
        async with Simulator(scenario) as simulator:
            pipe.send((simulator.graph_url, simulator.configapi_url))
            await asyncio.to_thread(pipe.poll, None)

    asyncio.run(serve())


@asynccontextmanager
async def simulated(
    accounts: int, filters: bool, latency: float, plans: int
) -> AsyncGenerator[tuple[str, str], None]:
    ours, theirs = multiprocessing.Pipe()
    arguments = (accounts, filters, latency, plans, theirs)
    process = multiprocessing.get_context("spawn").Process(target=simulate, args=arguments)
    process.start()
    try:
        yield await asyncio.to_thread(ours.recv)
    finally:
        ours.send("stop")
        await asyncio.to_thread(process.join)


class Watch:
    """The event loop's longest stall and the process's peak memory."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._before = self._process.memory_info().rss
        self._peak = self._before
        self.stall = 0.0

    @property
    def memory(self) -> float:
        return (self._peak - self._before) / 2**20

    async def run(self) -> None:
        while True:
            started = time.thread_time()
            await asyncio.sleep(TICK)
            self.stall = max(self.stall, time.thread_time() - started)
            self._peak = max(self._peak, self._process.memory_info().rss)


async def measure(accounts: int, filters: bool, latency: float, plans: int) -> Figures:
    async with (
        simulated(accounts, filters, latency, plans) as (graph_url, configapi_url),
        aiohttp.ClientSession() as session,
    ):
        client = GraphClient(session, graph_url, FixedToken())
        watch = Watch()
        watching = asyncio.create_task(watch.run())
        started, cpu = time.perf_counter(), time.process_time()
        unknown: Counter[str] = Counter()
        done = 0
        reader = AccountReader(client)
        # A consumer that persists each chunk keeps none of them.
        async for chunk in reader.read(names(accounts), scope=(ALLOWED,), seconds=600):
            done += len(chunk)
            unknown.update(_unknown(chunk))
        seconds, calls = time.perf_counter() - started, client.calls
        cpu_seconds = time.process_time() - cpu
        configapi = ConfigApiGateway(session, configapi_url, FixedToken())
        facts = await policies.read(configapi, await tenant.read(client, TenantFacts()))
        watching.cancel()
        unknown.update(name for name in TenantFacts.__slots__ if _is_unknown(facts, name))
        assert done == accounts
        return Figures(
            accounts, filters, calls, seconds, cpu_seconds, watch.stall, watch.memory, unknown
        )


def _unknown(chunk: object) -> list[str]:
    assert isinstance(chunk, list)
    return [name for facts in chunk for name in AccountFacts.__slots__ if _is_unknown(facts, name)]


def _is_unknown(facts: object, name: str) -> bool:
    return isinstance(getattr(facts, name), Unknown)


def goals(figures: Figures) -> list[tuple[str, bool]]:
    """What was to be reached, and whether it was."""
    limits: list[tuple[str, float, float]] = [("stall", figures.stall, GOAL_STALL)]
    if figures.accounts <= 100 and figures.filters:
        limits.append(("calls", figures.calls, GOAL_CALLS))
    if figures.accounts >= 20_000:
        limits.append(("seconds", figures.seconds, GOAL_SECONDS))
    if figures.accounts >= 20_000 and figures.filters:
        per_account = figures.calls / figures.accounts
        limits.append(("calls per account", per_account, GOAL_CALLS_PER_ACCOUNT))
    return [(name, value <= limit) for name, value, limit in limits]


def main(show: Callable[[Table], None]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, nargs="+", default=[100, 20_000])
    parser.add_argument("--latency", type=float, default=LATENCY)
    parser.add_argument("--plans", type=int, default=PLANS)
    options = parser.parse_args()
    table = Table(title=f"Pre-flight at {options.latency * 1000:.0f} ms a call")
    for column in (
        "accounts",
        "id filters",
        "calls",
        "per account",
        "s",
        "CPU s",
        "stall ms",
        "MiB",
        "goals",
    ):
        table.add_column(column, justify="right")
    logs.configure(level="warning")
    missed = 0
    for accounts in options.accounts:
        for filters in (True, False):
            figures = asyncio.run(measure(accounts, filters, options.latency, options.plans))
            failed = [name for name, reached in goals(figures) if not reached]
            failed += [f"unknown {name}: {number}" for name, number in figures.unknown.items()]
            missed += len(failed)
            table.add_row(
                f"{accounts:,}",
                "yes" if filters else "no",
                f"{figures.calls:,}",
                f"{figures.calls / accounts:.4f}",
                f"{figures.seconds:.1f}",
                f"{figures.cpu_seconds:.1f}",
                f"{figures.stall * 1000:.0f}",
                f"{figures.memory:.0f}",
                ", ".join(failed) or "reached",
            )
    show(table)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(Console().print))
