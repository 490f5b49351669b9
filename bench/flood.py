"""A flood from clients without a token: how long `/livez` takes meanwhile, and the service's memory.

    python bench/flood.py [--seconds S] [--tree PATH]

Two attacks, each on a service of its own in `production`: gzip bombs, four at once (1.2 KB that inflate to
a megabyte of JSON in which every item is an error), and 150 bodies of which only half is sent. `--tree`
measures the service in another directory, such as an older version. Exit code 1 if a goal is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import math
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import psutil
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.support.service import ROOT, production

BOMBS_AT_ONCE = 4
HALF_SENT = 150
BODY_BYTES = 1_000_000
PROBE_PAUSE_SECONDS = 0.02
PROBE_TIMEOUT_SECONDS = 60.0
START_SECONDS = 60.0
GOAL_LIVEZ_MS = 100.0
GOAL_MEMORY_MB = 64.0  # above idle

Flood = Callable[[str, Counter[str]], Awaitable[None]]


@dataclass(frozen=True)
class Figures:
    """What one attack did to the service."""

    #: Milliseconds that each `/livez` took.
    livez: list[float]
    #: Memory before, in MiB.
    idle_mb: float
    #: Its highest memory during the attack, in MiB.
    peak_mb: float
    #: How many of the attacker's requests ended how: by HTTP status, or `cut`.
    ended: Mapping[str, int]

    @property
    def p99(self) -> float:
        return sorted(self.livez)[math.ceil(0.99 * len(self.livez)) - 1]


@asynccontextmanager
async def service(tree: Path, folder: Path) -> AsyncGenerator[tuple[str, psutil.Process]]:
    """The service of `tree` in `production`; nothing that it would call is reached without a token."""
    environment = production(folder, tree) | {"PYTHONUNBUFFERED": "1"}
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot", "serve"),
            cwd=folder,
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )
        assert process.stdout is not None
        try:
            async with asyncio.timeout(START_SECONDS):
                url = await _listening(process.stdout)
            drain = asyncio.create_task(_drain(process.stdout))
            yield url, psutil.Process(process.pid)
            drain.cancel()
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def _listening(output: asyncio.StreamReader) -> str:
    while line := await output.readline():
        _, found, url = line.decode().partition("listening on ")
        if found:
            return url.strip()
    raise RuntimeError("the service did not start")


async def _drain(output: asyncio.StreamReader) -> None:
    while await output.read(2**16):
        pass


async def bombs(url: str, ended: Counter[str]) -> None:
    """Gzip bombs, `BOMBS_AT_ONCE` at any time."""
    items = [1] * (BODY_BYTES // 2)
    bomb = gzip.compress(json.dumps({"entities": items}, separators=(",", ":")).encode(), 9)
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}

    async def one(session: aiohttp.ClientSession) -> None:
        while True:
            try:
                async with session.post(url, data=bomb, headers=headers) as response:
                    ended[str(response.status)] += 1
            except aiohttp.ClientError:
                ended["cut"] += 1

    timeout = aiohttp.ClientTimeout(total=PROBE_TIMEOUT_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout) as session, asyncio.TaskGroup() as group:
        for _ in range(BOMBS_AT_ONCE):
            group.create_task(one(session))


async def half_sent(url: str, ended: Counter[str]) -> None:
    """`HALF_SENT` connections that send most of a body and then wait; each is opened again once closed."""
    parts = urlsplit(url)
    head = (
        f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {BODY_BYTES}\r\n\r\n"
    ).encode()

    async def one() -> None:
        while True:
            with suppress(OSError):
                reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
                with suppress(OSError):
                    writer.write(head + b"{" + b" " * (BODY_BYTES - 200_000))
                    answer = await reader.readline()
                    ended[answer.decode().split(" ")[1] if answer else "cut"] += 1
                    while await reader.read(2**16):
                        pass
                writer.close()
            await asyncio.sleep(0.1)

    async with asyncio.TaskGroup() as group:
        for _ in range(HALF_SENT):
            group.create_task(one())


async def attacked(tree: Path, flood: Flood, seconds: float) -> Figures:
    with tempfile.TemporaryDirectory() as folder:
        async with (
            service(tree, Path(folder)) as (url, process),
            aiohttp.ClientSession() as session,
        ):
            await _probe(session, url)  # loads what is loaded lazily
            idle = process.memory_info().rss
            ended = Counter[str]()
            peak = asyncio.create_task(_peak(process))
            attack = asyncio.create_task(_attack(flood, f"{url}/api/messages", ended))
            livez: list[float] = []
            end = time.perf_counter() + seconds
            while time.perf_counter() < end:
                livez.append(await _probe(session, url))
                await asyncio.sleep(PROBE_PAUSE_SECONDS)
            attack.cancel()
            await attack
            peak.cancel()
            return Figures(livez, idle / 2**20, await peak / 2**20, dict(ended))


async def _attack(flood: Flood, url: str, ended: Counter[str]) -> None:
    with suppress(asyncio.CancelledError):
        await flood(url, ended)


async def _probe(session: aiohttp.ClientSession, url: str) -> float:
    started = time.perf_counter()
    timeout = aiohttp.ClientTimeout(total=PROBE_TIMEOUT_SECONDS)
    async with session.get(f"{url}/livez", timeout=timeout) as response:
        await response.read()
        assert response.status == 200
    return (time.perf_counter() - started) * 1000


async def _peak(process: psutil.Process) -> int:
    highest = 0
    try:
        while True:
            highest = max(highest, process.memory_info().rss)
            await asyncio.sleep(0.05)
    except asyncio.CancelledError:
        return highest


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--tree", type=Path, default=ROOT)
    options = parser.parse_args()
    table = Table(
        "Attack", "/livez p99, ms", "worst, ms", "memory above idle, MiB", "peak, MiB", ""
    )
    missed = 0
    for name, flood in (("gzip bombs", bombs), ("half-sent bodies", half_sent)):
        figures = await attacked(options.tree.resolve(), flood, options.seconds)
        above = figures.peak_mb - figures.idle_mb
        met = figures.p99 <= GOAL_LIVEZ_MS and above <= GOAL_MEMORY_MB
        missed += not met
        table.add_row(
            f"{name} {dict(figures.ended)}",
            f"{figures.p99:.0f}",
            f"{max(figures.livez):.0f}",
            f"{above:.0f}",
            f"{figures.peak_mb:.0f}",
            "✓" if met else "✕ missed",
        )
    console = Console()
    console.print(table)
    console.print(
        f"Goals: p99 at most {GOAL_LIVEZ_MS:g} ms, memory at most {GOAL_MEMORY_MB:g} MiB."
    )
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main()))
