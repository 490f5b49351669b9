"""The service as a process with scaled timing: `python -m tests.support.service FACTOR`.

Everything else is as in `python -m bot serve`. For tests that kill the service, and for benchmarks.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from bot import logs
from bot.app import running
from bot.settings.model import Settings
from bot.signin.timing import Timing
from bot.simulator.client import TENANT
from bot.simulator.server import Simulator
from tests.support.waiting import PATIENCE

ROOT = Path(__file__).parents[2]
_MIN_IDLE_SECONDS = 1.0


async def serve(factor: float) -> None:
    settings = Settings()  # pyright: ignore[reportCallIssue]
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    scaled = Timing().scaled(factor)
    # Eight loops that look at the database many times a second would keep a core busy.
    timing = replace(scaled, idle_seconds=max(scaled.idle_seconds, _MIN_IDLE_SECONDS))
    async with running(settings, timing=timing, submit_timeout=60 * factor) as service:
        sys.stdout.write(f"listening on {service.url}\n")
        sys.stdout.flush()
        await stop.wait()


def environment(simulator: Simulator, folder: Path, **more: str) -> dict[str, str]:
    """Environment variables that point the service at the simulator; `more` are further settings."""
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith("OFFHOOK_")
    }
    return {
        **inherited,
        "OFFHOOK_PORT": "0",
        "OFFHOOK_DATA_DIR": str(folder),
        "OFFHOOK_CONFIGAPI_URL": simulator.configapi_url,
        "OFFHOOK_GRAPH_URL": simulator.graph_url,
        "OFFHOOK_TENANT_IDS": TENANT,
        # Tests that kill the service here are about batches; those of checks have their own.
        "OFFHOOK_PREFLIGHT": "off",
        **more,
    }


class Process:
    """A running service. `url` is where it listens."""

    def __init__(self, process: asyncio.subprocess.Process, url: str) -> None:
        self.process = process
        self.url = url

    async def kill(self) -> None:
        """kill -9: without handlers or cleanup."""
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()

    async def stop(self) -> int:
        """Stop it as an operator does; returns the exit code."""
        if self.process.returncode is None:
            self.process.terminate()
        return await self.process.wait()


async def start(settings: Mapping[str, str], factor: float, tree: Path = ROOT) -> Process:
    """Start the service of `tree` and wait until it listens."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.support.service",
        str(factor),
        env=dict(settings),
        cwd=tree,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE):
        line = (await process.stdout.readline()).decode()
    _, found, url = line.strip().partition("listening on ")
    if not found:
        await process.wait()
        raise AssertionError(f"the service did not start: exit code {process.returncode}")
    return Process(process, url)


@asynccontextmanager
async def started(
    settings: Mapping[str, str], factor: float, tree: Path = ROOT
) -> AsyncGenerator[Process]:
    service = await start(settings, factor, tree)
    try:
        yield service
    finally:
        await service.stop()


if __name__ == "__main__":
    logs.configure(level=os.environ.get("LOG_LEVEL", "error"))
    asyncio.run(serve(float(sys.argv[1])))
