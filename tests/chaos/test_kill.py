"""kill -9 at random moments of whole jobs: nothing is submitted twice or lost, and the results are those
of an undisturbed run.

`OFFHOOK_CHAOS_KILLS` sets the number of kills per database (default 2), `OFFHOOK_CHAOS_SEED` their times.
Batches that reconciliation does not find are answered as an approver would: they did not run.
"""

from __future__ import annotations

import asyncio
import csv
import io
import os
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from bot.signin.batch import BatchState
from bot.simulator.client import (
    Chat,
    NoSuchButtonError,
    TeamsClient,
    acknowledgment,
    button,
    verbs,
)
from bot.simulator.connector import Posted
from bot.simulator.scenario import PEOPLE, Scenario
from bot.simulator.server import Simulator
from bot.store import audit_reading
from bot.store.database import Database
from tests.support import service
from tests.support.rows import dump

FACTOR = 0.02
BATCH_SECONDS = 0.8
ADMIN, APPROVER = PEOPLE[0], PEOPLE[1]
CHAT = Chat("a:admin")
KILLS = int(os.environ.get("OFFHOOK_CHAOS_KILLS", "2"))
KILLS_PER_JOB = 4
SEED = int(os.environ.get("OFFHOOK_CHAOS_SEED", "1"))
TIMEOUT_SECONDS = 600.0
FIELDS = ("Username", "HardwareId", "Region", "Status", "Error")


def roster() -> bytes:
    lines = ["Username,HardwareId,Region"]
    for number in range(720):
        region = ("EMEA", "NOAM")[number % 2]
        lines.append(
            f"lobby{number}@contoso.com,80-5E-C0-00-{number // 256:02X}-{number % 256:02X},{region}"
        )
    return "\r\n".join(lines).encode()


@dataclass
class Job:
    """One job from the file to the results, during which the service is killed."""

    simulator: Simulator
    session: aiohttp.ClientSession
    settings: dict[str, str]
    rng: random.Random
    kills_left: int
    kills: int = 0
    running: service.Process | None = None

    async def run(self) -> list[dict[str, str]]:
        self.running = await service.start(self.settings, FACTOR)
        try:
            await self._begin()
            results = await self._follow()
            return await self._export(results)
        finally:
            await self.running.stop()

    @property
    def client(self) -> TeamsClient:
        assert self.running is not None
        return TeamsClient(self.session, self.running.url, self.simulator)

    async def _until(self, predicate: Callable[[Posted], bool]) -> Posted:
        return await self.simulator.connector.wait_for(predicate, TIMEOUT_SECONDS)

    async def _begin(self) -> None:
        link = self.simulator.files.add("phones.csv", roster())
        status, _ = await self.client.drop(ADMIN, CHAT, ("phones.csv", link))
        assert status == 200
        validation = await self._until(lambda message: "request_approval" in verbs(message.card))
        inputs = {"reason": "chaos", "acknowledge": "true"}
        await self.client.click(ADMIN, CHAT, validation, "request_approval", inputs)
        approval = await self._until(lambda message: "approve" in verbs(message.card))
        status, response = await self.client.click(
            APPROVER, CHAT, approval, "approve", {"acknowledge": acknowledgment(approval.card)}
        )
        assert (status, response["statusCode"]) == (200, 200)

    async def _follow(self) -> Posted:
        """Kill and restart as often as wanted, reconcile batches, wait for the end."""
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while True:
                if self.kills_left:
                    await asyncio.sleep(self.rng.uniform(0, 1.2))
                    await self._kill()
                for posted in list(self.simulator.connector.messages):
                    if "retry_failed" in verbs(posted.card) or _is_end(posted):
                        return posted
                await self._reconcile()
                await asyncio.sleep(0.05)

    async def _kill(self) -> None:
        assert self.running is not None
        await self.running.kill()
        self.kills += 1
        self.kills_left -= 1
        self.running = await service.start(self.settings, FACTOR)

    async def _reconcile(self) -> None:
        for posted in list(self.simulator.connector.messages):
            try:
                data = button(posted.card, "reconcile", answer="not_run")["data"]
            except NoSuchButtonError:
                continue
            # The summaries list every batch that ran, so a batch that was not found there did not run.
            status, _ = await self.client.act(APPROVER, CHAT, "reconcile", data, posted.activity_id)
            assert status == 200

    async def _export(self, results: Posted) -> list[dict[str, str]]:
        await self.client.click(ADMIN, CHAT, results, "export", what="results")
        consent = await self._until(
            lambda message: any(
                "file.consent" in str(attachment.get("contentType"))
                for attachment in message.activity.get("attachments", [])
            )
        )
        _, upload = await self.client.answer_consent(ADMIN, CHAT, consent, accept=True)
        content = await self.simulator.files.uploaded(upload, TIMEOUT_SECONDS)
        rows = csv.DictReader(io.StringIO(content.decode("utf-8-sig")))
        return [{name: row[name] for name in FIELDS} for row in rows]


def _is_end(posted: Posted) -> bool:
    try:
        button(posted.card, "export", what="results")
    except NoSuchButtonError:
        return False
    return "cancel" not in verbs(posted.card)


async def _job(
    folder: Path, database_url: str, kills: int, seed: int
) -> tuple[Job, list[dict[str, str]]]:
    scenario = Scenario(
        seed=7,
        latency=0.04,
        batch_seconds=BATCH_SECONDS,
        shares={"device-offline": 0.05, "no-phone-number": 0.03},
    )
    folder.mkdir()
    async with Simulator(scenario) as simulator, aiohttp.ClientSession() as session:
        settings = service.environment(simulator, folder, OFFHOOK_DATABASE_URL=database_url)
        job = Job(simulator, session, settings, random.Random(seed), kills)
        return job, await job.run()


async def _assert_audit_has_no_gap(database_url: str) -> None:
    """Whatever was done is in the audit, and the chain is whole."""
    database = Database(database_url)
    async with database.read() as tx:
        verifier, broken = await audit_reading.verify(tx)
        tables = await dump(database)
    await database.close()
    assert broken is None
    assert verifier.links == len(tables["events"])
    told = Counter((row["request_id"], row["action"]) for row in tables["events"])
    for row in tables["requests"]:
        for happened, action in (
            (True, "drafted"),
            (row["asked_at"], "asked"),
            (row["decided_at"], "approved"),
            (row["finished_at"], row["state"]),
        ):
            assert told[row["id"], action] == bool(happened), (row["id"], action)
    done = Counter(
        row["request_id"] for row in tables["batches"] if row["state"] == BatchState.DONE.value
    )
    for request_id, batches in done.items():
        assert told[request_id, "batch ended"] == batches
        assert told[request_id, "batch sent"] + told[request_id, "batch ran"] >= batches


async def test_killed_jobs_end_like_undisturbed_ones(
    tmp_path: Path, new_database_url: Callable[[], str]
) -> None:
    undisturbed, expected = await _job(tmp_path / "undisturbed", new_database_url(), 0, SEED)
    assert len(expected) == 720
    assert undisturbed.simulator.configapi.run_twice == []
    kills = 0
    number = 0
    while kills < KILLS:
        number += 1
        database_url = new_database_url()
        job, rows = await _job(
            tmp_path / f"job{number}",
            database_url,
            min(KILLS_PER_JOB, KILLS - kills),
            SEED + number,
        )
        kills += job.kills
        assert job.simulator.configapi.run_twice == [], "a phone was submitted twice"
        assert rows == expected
        assert max(job.simulator.configapi.peak.values()) <= 3
        await _assert_audit_has_no_gap(database_url)
    print(f"{kills} kills over {number} jobs of 720 phones")
