"""How long a click takes while the service is busy, relative to the same click while it is idle.

    python bench/clicks.py [--clicks N] [--tree PATH]

Busy: nine batches are polled, 20 times as often as in production, while somebody else's file of 20,000 rows
is read, again and again. Somebody clicks Refresh on a card of their own. `--tree` measures the service in
another directory, such as an older version. Exit code 1 if the goal is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import statistics
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import aiohttp
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))

from bot import logs
from bot.simulator.client import Chat, TeamsClient, acknowledgment, button, verbs
from bot.simulator.connector import Posted
from bot.simulator.scenario import PEOPLE, Scenario
from bot.simulator.server import Simulator
from tests.support import service

FACTOR = 1 / 20
BATCH_SECONDS = 600.0  # nine batches last longer than the measurement
ROWS = 20_000
PAUSE_SECONDS = 0.05
TIMEOUT_SECONDS = 300.0
GOAL = 3.0
REGIONS = ("EMEA", "NOAM", "APAC")
FILE_CHAT, JOB_CHAT, CLICK_CHAT = Chat("a:file"), Chat("a:job"), Chat("a:click")


def file(rows: int, name: str) -> bytes:
    lines = ["Username,HardwareId,Region"]
    for n in range(rows):
        mac = f"80-5E-C0-{n >> 16:02X}-{n >> 8 & 255:02X}-{n & 255:02X}"
        lines.append(f"{name}-{n:05}@contoso.com,{mac},{REGIONS[n % 3]}")
    return "\r\n".join(lines).encode()


async def clicks(client: TeamsClient, card: Posted, count: int) -> list[float]:
    """Milliseconds that each click took."""
    data = button(card.card, "request_approval")["data"]
    taken: list[float] = []
    for _ in range(count):
        started = time.perf_counter()
        status, _ = await client.act(PEOPLE[2], CLICK_CHAT, "refresh", data, card.activity_id)
        taken.append((time.perf_counter() - started) * 1000)
        assert status == 200
        await asyncio.sleep(PAUSE_SECONDS)
    return taken


async def posted(simulator: Simulator, verb: str, known: set[str]) -> Posted:
    """The first card with a button of this verb that is not one of the `known`, which it joins."""
    card = await simulator.connector.wait_for(
        lambda each: verb in verbs(each.card) and each.activity_id not in known, TIMEOUT_SECONDS
    )
    known.add(card.activity_id)
    return card


async def files(simulator: Simulator, client: TeamsClient, known: set[str]) -> None:
    """Drops one file after the other, until cancelled."""
    content = file(ROWS, "lobby")
    while True:
        link = simulator.files.add("phones.csv", content)
        await client.drop(PEOPLE[3], FILE_CHAT, ("phones.csv", link))
        await posted(simulator, "request_approval", known)


async def job(simulator: Simulator, client: TeamsClient, known: set[str]) -> None:
    """Starts a request of nine batches."""
    link = simulator.files.add("job.csv", file(900, "kitchen"))
    await client.drop(PEOPLE[0], JOB_CHAT, ("job.csv", link))
    inputs = {"reason": "benchmark", "acknowledge": "true"}
    draft = await posted(simulator, "request_approval", known)
    await client.click(PEOPLE[0], JOB_CHAT, draft, "request_approval", inputs)
    waiting = await simulator.connector.wait_for(
        lambda each: "approve" in verbs(each.card), TIMEOUT_SECONDS
    )
    entered = {"acknowledge": acknowledgment(waiting.card)}
    await client.click(PEOPLE[1], JOB_CHAT, waiting, "approve", entered)


async def measure(tree: Path, count: int) -> tuple[list[float], list[float]]:
    """Returns the milliseconds of clicks while idle and while busy."""
    scenario = Scenario(batch_seconds=BATCH_SECONDS)
    with tempfile.TemporaryDirectory() as folder:
        async with Simulator(scenario) as simulator, aiohttp.ClientSession() as session:
            settings = service.environment(simulator, Path(folder), PYTHONPATH=str(tree))
            async with service.started(settings, FACTOR, tree) as running:
                client = TeamsClient(session, running.url, simulator)
                known = set[str]()
                link = simulator.files.add("mine.csv", file(10, "mine"))
                await client.drop(PEOPLE[2], CLICK_CHAT, ("mine.csv", link))
                card = await posted(simulator, "request_approval", known)
                await clicks(client, card, 20)  # loads what is loaded lazily
                idle = await clicks(client, card, count)
                await job(simulator, client, known)
                load = asyncio.create_task(files(simulator, client, known))
                busy = await clicks(client, card, count)
                load.cancel()
                with suppress(asyncio.CancelledError):
                    await load
                return idle, busy


def p99(taken: list[float]) -> float:
    return sorted(taken)[math.ceil(0.99 * len(taken)) - 1]


async def main() -> int:
    logs.configure(level="error")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clicks", type=int, default=200)
    parser.add_argument("--tree", type=Path, default=service.ROOT)
    options = parser.parse_args()
    idle, busy = await measure(options.tree.resolve(), options.clicks)
    table = Table("Click", "p50, ms", "p99, ms", "worst, ms")
    for name, taken in (("idle", idle), ("busy", busy)):
        figures = (statistics.median(taken), p99(taken), max(taken))
        table.add_row(name, *(f"{figure:.0f}" for figure in figures))
    ratio = p99(busy) / p99(idle)
    console = Console()
    console.print(table)
    console.print(f"p99 busy / idle: {ratio:.1f}; goal: at most {GOAL:g}")
    return int(ratio > GOAL)


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main()))
