"""The service as a process with scaled timing: `python -m tests.support.service FACTOR`.

Everything else is as in `python -m bot serve`. For tests that kill the service, and for benchmarks. Tests
have it forked (`start`), which is quicker; benchmarks measure a process of its own (`started`).
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from bot import logs
from bot.app import running
from bot.settings.model import Settings
from bot.signin.timing import Timing
from bot.simulator.client import TENANT
from bot.simulator.server import Simulator
from tests.support import processes
from tests.support.processes import ROOT
from tests.support.waiting import PATIENCE

_MIN_IDLE_SECONDS = 1.0


async def serve(factor: float, announce: Callable[[str], object]) -> None:
    """Serve until SIGTERM. `announce` gets the URL once it listens."""
    settings = Settings()  # pyright: ignore[reportCallIssue]
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    scaled = Timing().scaled(factor)
    # Eight loops that look at the database many times a second would keep a core busy.
    timing = replace(scaled, idle_seconds=max(scaled.idle_seconds, _MIN_IDLE_SECONDS))
    async with running(settings, timing=timing, submit_timeout=60 * factor) as service:
        gc.freeze()
        announce(service.url)
        await stop.wait()


def _print(url: str) -> None:
    print(f"listening on {url}", flush=True)


def _configure_logs() -> None:
    logs.configure(level=os.environ.get("LOG_LEVEL", "error"))


def _environment(folder: Path) -> dict[str, str]:
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith("OFFHOOK_")
    }
    return {**inherited, "OFFHOOK_PORT": "0", "OFFHOOK_DATA_DIR": str(folder)}


def production(folder: Path, tree: Path = ROOT) -> dict[str, str]:
    """Environment variables with which the service of `tree` starts in production. It reaches nobody."""
    return {
        **_environment(folder),
        "PYTHONPATH": str(tree),
        "OFFHOOK_ENVIRONMENT": "production",
        "OFFHOOK_GATEWAY": "configapi",
        "OFFHOOK_APP_ID": "99999999-0000-0000-0000-000000000009",
        "OFFHOOK_APP_PASSWORD": "none",
        "OFFHOOK_TENANT_IDS": TENANT,
        "OFFHOOK_REQUESTERS": "*",
        "OFFHOOK_APPROVERS": "22222222-2222-4333-8444-555555555555",
    }


def environment(simulator: Simulator, folder: Path, **more: str) -> dict[str, str]:
    """Environment variables that point the service at the simulator; `more` are further settings."""
    return {
        **_environment(folder),
        "OFFHOOK_CONFIGAPI_URL": simulator.configapi_url,
        "OFFHOOK_GRAPH_URL": simulator.graph_url,
        "OFFHOOK_TENANT_IDS": TENANT,
        # Tests that kill the service here are about batches; those of checks have their own.
        "OFFHOOK_PREFLIGHT": "off",
        **more,
    }


class Process:
    """A running service. `url` is where it listens."""

    def __init__(self, process: BaseProcess, url: str) -> None:
        assert process.pid is not None
        self.pid = process.pid
        self.url = url
        self._process = process

    async def kill(self) -> None:
        """kill -9: without handlers or cleanup."""
        self._process.kill()
        await asyncio.to_thread(self._process.join)

    async def stop(self) -> int | None:
        """Stop it as an operator does; returns the exit code."""
        self._process.terminate()
        await asyncio.to_thread(self._process.join)
        return self._process.exitcode


async def start(settings: Mapping[str, str], factor: float) -> Process:
    """Start the service with this environment and wait until it listens."""
    context = processes.context()
    announced, announces = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(dict(settings), factor, announces))
    process.start()
    announces.close()
    try:
        async with asyncio.timeout(PATIENCE):
            url = await asyncio.to_thread(announced.recv)
    except EOFError as error:
        await asyncio.to_thread(process.join)
        raise AssertionError(f"it did not start: exit code {process.exitcode}") from error
    finally:
        announced.close()
    return Process(process, url)


def _run(environment: Mapping[str, str], factor: float, announces: Connection[str, Any]) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(ROOT)
    _configure_logs()
    asyncio.run(serve(factor, announces.send))


@dataclass(frozen=True, slots=True)
class Started:
    """A service that runs in a process of its own."""

    pid: int
    url: str


@asynccontextmanager
async def started(
    settings: Mapping[str, str], factor: float, tree: Path = ROOT
) -> AsyncGenerator[Started]:
    """The service of `tree`, from its start to the end of the block."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.service", str(factor)),
        env=dict(settings),
        cwd=tree,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE):
            line = (await process.stdout.readline()).decode()
        _, found, url = line.strip().partition("listening on ")
        assert found, "the service did not start"
        yield Started(process.pid, url)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


if __name__ == "__main__":
    _configure_logs()
    asyncio.run(serve(float(sys.argv[1]), _print))
