"""Memory when idle and time until ready, relative to a bare echo bot on Microsoft's SDK.

    python bench/idle.py [--rounds N]

The echo bot is botbuilder's `CloudAdapter` behind aiohttp and nothing else. Offhook is `python -m bot serve`
in `production`, on a database whose schema is current. Both have answered one request when the memory is
read. Time is CPU time until a line says that it listens, since other work on the machine does not
count in that. Medians of interleaved rounds. Exit code 1 if a goal is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import aiohttp
import psutil
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.support import service

GOAL_MEMORY = 1.5
GOAL_START = 2.0
START_SECONDS = 120.0

ECHO = """
import asyncio
from types import SimpleNamespace

from aiohttp import web
from botbuilder.core import TurnContext
from botbuilder.integration.aiohttp import CloudAdapter, ConfigurationBotFrameworkAuthentication

adapter = CloudAdapter(
    ConfigurationBotFrameworkAuthentication(
        SimpleNamespace(APP_ID="x", APP_PASSWORD="x", APP_TYPE="SingleTenant", APP_TENANTID="x")
    )
)


class Echo:
    async def on_turn(self, context: TurnContext) -> None:
        await context.send_activity(context.activity.text)


async def messages(request: web.Request) -> web.Response:
    return await adapter.process(request, Echo())


async def livez(request: web.Request) -> web.Response:
    return web.Response(text="ok")


async def main() -> None:
    application = web.Application()
    application.router.add_post("/api/messages", messages)
    application.router.add_get("/livez", livez)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(f"listening on http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
"""


async def measure(
    command: Sequence[str], env: Mapping[str, str], folder: Path
) -> tuple[float, float]:
    """Returns MiB when idle and CPU seconds until ready."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env=dict(env),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(START_SECONDS):
            while "listening on " not in (line := (await process.stdout.readline()).decode()):
                if not line:
                    raise RuntimeError(f"{command} did not start")
        running = psutil.Process(process.pid)
        times = running.cpu_times()
        url = line.partition("listening on ")[2].strip()
        async with aiohttp.ClientSession() as session, session.get(f"{url}/livez") as response:
            assert response.status == 200
        return running.memory_info().rss / 2**20, times.user + times.system
    finally:
        process.kill()
        await process.wait()


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    commands = {
        "echo bot": (sys.executable, "-c", ECHO),
        "Offhook": (sys.executable, "-m", "bot", "serve"),
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        await measure(commands["Offhook"], service.production(folder), folder)  # makes the tables
        rounds = {
            each: [
                await measure(command, service.production(folder), folder)
                for _ in range(options.rounds)
            ]
            for each, command in commands.items()
        }
    table = Table("", "idle, MiB", "CPU until ready, s")
    medians: list[tuple[float, float]] = []
    for each, figures in rounds.items():
        memory, seconds = (statistics.median(column) for column in zip(*figures, strict=True))
        medians.append((memory, seconds))
        table.add_row(each, f"{memory:.0f}", f"{seconds:.2f}")
    (bare_memory, bare_seconds), (memory, seconds) = medians
    memory, seconds = memory / bare_memory, seconds / bare_seconds
    table.add_row("ratio", f"{memory:.2f}", f"{seconds:.2f}")
    table.add_row("goal", f"at most {GOAL_MEMORY:g}", f"at most {GOAL_START:g}")
    Console().print(table)
    return int(memory > GOAL_MEMORY or seconds > GOAL_START)


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main()))
