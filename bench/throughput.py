"""20,000 phones in 3 regions through the whole service, with time running 20 times as fast.

    python bench/throughput.py [--phones N] [--factor F] [--spread S] [--at-once]

A batch takes 60 s, give or take the share S, the first poll interval is 5 s, the longest 30 s, all times
multiplied by F; with `--at-once`, the phones of a batch end together with it. The old tool's loop (one
batch at a time, polled every second) runs on the same simulated SIP Gateway for comparison. Chat is not
scaled: the connector enforces Teams' real limits. The optimum starts each batch the moment that a slot is
free. Exit code 1 if a goal is missed. `bench/polling.py` measures the choice of polls alone.
"""

from __future__ import annotations

import argparse
import asyncio
import heapq
import json
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import psutil
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))

from bot import logs
from bot.gateway.configapi import ConfigApiGateway
from bot.identity.tokens import FixedToken
from bot.phones.region import Region
from bot.signin.batch import MAX_BATCHES_PER_REGION, MAX_PHONES_PER_BATCH
from bot.signin.request import Phone
from bot.simulator.client import Chat, TeamsClient, acknowledgment, verbs
from bot.simulator.connector import Posted
from bot.simulator.scenario import PEOPLE, Call, Scenario
from bot.simulator.server import Simulator
from tests.support import service

BATCH_SECONDS = 60.0
OLD_BATCHES = 12  # measured of the old tool's loop, which takes the same time for each
CHAT = Chat("a:admin")
REGIONS = tuple(Region)
TIMEOUT_SECONDS = 1800.0  # for any single card


@dataclass(frozen=True)
class Figures:
    """What one run of the service measured."""

    #: Seconds from the approval to the end of the request.
    makespan: float
    #: By batch, seconds from the end of the work to its detection.
    lags: Sequence[float]
    #: Seconds of the shortest schedule for batches as long as these.
    optimum: float
    #: Seconds that all batches took together.
    work: float
    #: CPU seconds of the service from the file to the end.
    cpu_seconds: float
    #: Polls of the SIP Gateway.
    status_calls: int
    #: Responses 429 of the connector.
    throttled: int
    #: Bytes of JSON.
    largest_card: int
    #: Memory of the service before the file.
    idle_mb: float
    #: Its highest memory during the run.
    peak_mb: float
    #: Seconds to answer the file.
    validation_seconds: float
    #: Seconds to answer the approval.
    approval_seconds: float
    #: Phones that are signed in at the end.
    signed_in: int
    #: Phones that the SIP Gateway signed in more than once.
    submitted_twice: int


def file(phones: int) -> bytes:
    lines = ["Username,HardwareId,Region"]
    for n in range(phones):
        mac = f"80-5E-C0-{n >> 16:02X}-{n >> 8 & 255:02X}-{n & 255:02X}"
        lines.append(f"lobby-{n:05}@contoso.com,{mac},{REGIONS[n % len(REGIONS)]}")
    return "\r\n".join(lines).encode()


async def whole_service(phones: int, factor: float, *, spread: float, at_once: bool) -> Figures:
    scenario = Scenario(
        batch_seconds=BATCH_SECONDS * factor,
        batch_spread=spread,
        at_once=at_once,
        shares={"device-offline": 0.02},
    )
    with tempfile.TemporaryDirectory() as folder:
        async with Simulator(scenario) as simulator, aiohttp.ClientSession() as session:
            settings = service.environment(simulator, Path(folder))
            async with service.started(settings, factor) as running:
                process = psutil.Process(running.pid)
                client = TeamsClient(session, running.url, simulator)
                await client.say(PEOPLE[0], CHAT, "help")  # loads what is loaded lazily
                idle = process.memory_info().rss
                peak_task = asyncio.create_task(_peak(process))
                cpu_before = _cpu_seconds(process)
                validation_seconds, approval_seconds = await _play(simulator, client, phones)
                cpu_seconds = _cpu_seconds(process) - cpu_before
                peak_task.cancel()
                peak = await peak_task
            with closing(sqlite3.connect(Path(folder) / "offhook.db")) as database:
                makespan, lags, signed_in = _read(database, simulator)
    batches = list(simulator.configapi.batches.values())
    return Figures(
        makespan=makespan,
        lags=lags,
        optimum=max(
            _schedule(batch.seconds for batch in batches if batch.region is region)
            for region in REGIONS
        ),
        work=sum(batch.seconds for batch in batches),
        cpu_seconds=cpu_seconds,
        status_calls=simulator.configapi.calls[Call.BATCH_STATUS],
        throttled=simulator.connector.answers[429],
        largest_card=max(map(_largest, simulator.connector.messages)),
        idle_mb=idle / 2**20,
        peak_mb=peak / 2**20,
        validation_seconds=validation_seconds,
        approval_seconds=approval_seconds,
        signed_in=signed_in,
        submitted_twice=len(simulator.configapi.run_twice),
    )


def _schedule(lengths: Iterable[float]) -> float:
    """Seconds until all batches of a region have ended, each started when a slot becomes free."""
    ends = [0.0] * MAX_BATCHES_PER_REGION
    for length in lengths:
        heapq.heapreplace(ends, ends[0] + length)
    return max(ends)


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


async def _peak(process: psutil.Process) -> int:
    highest = 0
    try:
        while True:
            highest = max(highest, process.memory_info().rss)
            await asyncio.sleep(0.1)
    except asyncio.CancelledError:
        return highest


async def _play(simulator: Simulator, client: TeamsClient, phones: int) -> tuple[float, float]:
    """Plays the whole job; returns the seconds that the bot took to answer the file and the approval."""
    link = simulator.files.add("phones.csv", file(phones))
    started = time.perf_counter()
    await client.drop(PEOPLE[0], CHAT, ("phones.csv", link))
    validation = await _until(simulator, "request_approval")
    validation_seconds = time.perf_counter() - started
    inputs = {"reason": "benchmark", "acknowledge": "true"}
    await client.click(PEOPLE[0], CHAT, validation, "request_approval", inputs)
    approval = await _until(simulator, "approve")
    started = time.perf_counter()
    entered = {"acknowledge": acknowledgment(approval.card)}
    await client.click(PEOPLE[1], CHAT, approval, "approve", entered)
    approval_seconds = time.perf_counter() - started
    await _until(simulator, "export", without="cancel")
    return validation_seconds, approval_seconds


async def _until(simulator: Simulator, verb: str, *, without: str = "") -> Posted:
    return await simulator.connector.wait_for(
        lambda each: (
            verb in verbs(each.card)
            and without not in verbs(each.card)
            and (verb != "export" or "retry_failed" in verbs(each.card))
        ),
        TIMEOUT_SECONDS,
    )


def _largest(posted: Posted) -> int:
    sizes = [
        len(json.dumps(attachment.get("content"), separators=(",", ":")).encode())
        for activity in posted.versions
        for attachment in activity.get("attachments", [])
    ]
    return max(sizes, default=0)


def _read(database: sqlite3.Connection, simulator: Simulator) -> tuple[float, list[float], int]:
    ((decided, finished),) = database.execute("SELECT decided_at, finished_at FROM requests")
    lags: list[float] = []
    for remote_id, done in database.execute("SELECT remote_batch_id, done_at FROM batches"):
        batch = simulator.configapi.batches[remote_id]
        seen = datetime.fromisoformat(done).replace(tzinfo=UTC)
        lags.append((seen - batch.created_at).total_seconds() - batch.seconds)
    (signed_in,) = database.execute(
        "SELECT count(*) FROM phones WHERE status = 'signed_in'"
    ).fetchone()
    return _seconds(decided, finished), lags, signed_in


def _seconds(begin: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds()


async def old_loop(factor: float) -> float:
    """Returns the old tool's seconds per batch: one batch at a time, polled every second."""
    scenario = Scenario(batch_seconds=BATCH_SECONDS * factor)
    async with Simulator(scenario) as simulator, aiohttp.ClientSession() as session:
        gateway = ConfigApiGateway(session, simulator.configapi_url, FixedToken())
        started = time.perf_counter()
        for batch in range(OLD_BATCHES):
            old_phones = [
                Phone(f"old{n}@contoso.com", f"80-5E-C0-01-{batch:02X}-{n:02X}", Region.EMEA)
                for n in range(MAX_PHONES_PER_BATCH)
            ]
            batch_id = await gateway.submit(Region.EMEA, old_phones)
            while (await gateway.status(batch_id)).status != "Completed":
                await asyncio.sleep(1 * factor)
        return (time.perf_counter() - started) / OLD_BATCHES


async def main() -> int:
    logs.configure(level="warning")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--phones", type=int, default=20_000)
    parser.add_argument("--factor", type=float, default=1 / 20)
    parser.add_argument("--spread", type=float, default=0.0)
    parser.add_argument("--at-once", action="store_true")
    options = parser.parse_args()
    phones, factor = options.phones, options.factor

    old = await old_loop(factor)
    new = await whole_service(phones, factor, spread=options.spread, at_once=options.at_once)

    batches = len(new.lags)
    lag = statistics.mean(new.lags) / (BATCH_SECONDS * factor)
    goals = [
        (
            "makespan / optimum",
            new.makespan / new.optimum,
            "at most",
            1.03 if factor >= 0.2 else 1.06,
        ),
        ("old loop / makespan", old * batches / new.makespan, "at least", 8.0),
        ("status calls / one per second", new.status_calls * factor / new.work, "at most", 0.30),
        ("mean lag / batch length", lag, "at most", 0.10),
        ("largest card, KB", new.largest_card / 1024, "at most", 28.0),
        ("429 from the connector", new.throttled, "at most", 0),
        ("memory above idle, MB", new.peak_mb - new.idle_mb, "at most", 120.0),
        ("phones submitted twice", new.submitted_twice, "at most", 0),
    ]
    table = Table("Figure", "Measured", "Goal", "")
    missed = 0
    for name, measured, direction, goal in goals:
        met = measured <= goal if direction == "at most" else measured >= goal
        missed += not met
        table.add_row(name, f"{measured:.3f}", f"{direction} {goal:g}", "✓" if met else "✕ missed")
    console = Console()
    console.print(table)
    console.print(
        f"{phones} phones, {batches} batches, {len(REGIONS)} regions; optimum {new.optimum:.1f} s, "
        f"makespan {new.makespan:.1f} s; old loop {old:.2f} s per batch; {new.status_calls} status "
        f"calls; {1000 * new.cpu_seconds / batches:.0f} ms of CPU per batch; {new.signed_in} signed "
        f"in; idle {new.idle_mb:.0f} MB, peak {new.peak_mb:.0f} MB; file answered in "
        f"{new.validation_seconds:.2f} s, approval in {new.approval_seconds:.2f} s",
        soft_wrap=True,
    )
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main()))
