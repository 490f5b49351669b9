"""kill -9 while accounts are checked, before the approval and after it: no account is missed, none passes
without an answer, and nothing is sent before the second check is over.

`OFFHOOK_CHAOS_CHECK_KILLS` sets the number of kills per database (default 2), half of them during each
check; `OFFHOOK_CHAOS_SEED` their times.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
from sqlalchemy import func, select, update

from bot.simulator.client import Chat, TeamsClient, acknowledgment, verbs
from bot.simulator.connector import Posted
from bot.simulator.scenario import PEOPLE, Scenario
from bot.simulator.server import Simulator
from bot.simulator.tenant import Account
from bot.store.database import Database
from bot.store.models.accounts import AccountCheckRow
from bot.store.models.batches import BatchRow
from bot.store.models.requests import RequestRow
from tests.support import service

FACTOR = 0.02
ACCOUNTS = 1500  # five reads of 300
ADMIN, APPROVER = PEOPLE[0], PEOPLE[1]
CHAT = Chat("a:admin")
KILLS = int(os.environ.get("OFFHOOK_CHAOS_CHECK_KILLS", "2"))
KILLS_PER_CHECK = 10
SEED = int(os.environ.get("OFFHOOK_CHAOS_SEED", "1"))
TIMEOUT_SECONDS = 600.0
#: What is wrong with some accounts, and the result that tells it.
FAULTS: Mapping[str, Account] = {
    "failed": Account(enabled=False),
    "guarded": Account(mailbox=True),
    "refused": Account(roles=("User Administrator",)),
}


def name(number: int) -> str:
    return f"lobby{number}@contoso.com"


def some(first: int) -> dict[str, str]:
    """Every 30th account from `first` on, with the results that are to be found."""
    results = list(FAULTS)
    return {name(n): results[n // 30 % 3] for n in range(first, ACCOUNTS, 30)}


def roster() -> bytes:
    lines = ["Username,HardwareId,Region"]
    lines += [f"{name(n)},80-5E-C0-00-{n // 256:02X}-{n % 256:02X},EMEA" for n in range(ACCOUNTS)]
    return "\r\n".join(lines).encode()


@dataclass
class Job:
    """One request from the file to the end of its second check, during which the service is killed."""

    simulator: Simulator
    session: aiohttp.ClientSession
    settings: Mapping[str, str]
    database: Database
    rng: random.Random
    kills_left: int  #: for each of both checks
    kills: int = 0
    running: service.Process | None = None

    async def run(self) -> None:
        self.running = await service.start(self.settings, FACTOR)
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                validation = await self._first_check()
                await self._second_check(validation)
        finally:
            await self.running.stop()

    @property
    def client(self) -> TeamsClient:
        assert self.running is not None
        return TeamsClient(self.session, self.running.url, self.simulator)

    async def _until(self, verb: str) -> Posted:
        return await self.simulator.connector.wait_for(
            lambda message: verb in verbs(message.card), TIMEOUT_SECONDS
        )

    async def _state(self) -> tuple[str, str]:
        """How far the first check is, and what holds the request."""
        async with self.database.read() as tx:
            row = (await tx.execute(select(RequestRow.preflight, RequestRow.hold))).one()
        return row.preflight, row.hold

    async def _kill_while(self, checking: tuple[str, str]) -> None:
        """Kill and start the service while the request is in this state, and as often as is wanted."""
        assert self.running is not None
        left = self.kills_left
        while await self._state() == checking:
            await asyncio.sleep(self.rng.uniform(0, 0.5) if left else 0.05)
            if left and await self._state() == checking:
                await self.running.kill()
                left -= 1
                self.kills += 1
                await self._assert_nothing_sent()
                self.running = await service.start(self.settings, FACTOR)

    async def _first_check(self) -> Posted:
        link = self.simulator.files.add("phones.csv", roster())
        status, _ = await self.client.drop(ADMIN, CHAT, ("phones.csv", link))
        assert status == 200
        await self._until("withdraw")
        await self._kill_while(("checking", ""))
        assert await self._results() == some(0) | dict.fromkeys(self._others(some(0)), "passed")
        return await self._until("request_approval")

    async def _second_check(self, validation: Posted) -> None:
        inputs = {"reason": "chaos", "acknowledge": "true"}
        await self.client.click(ADMIN, CHAT, validation, "request_approval", inputs)
        approval = await self._until("approve")
        async with self.database.write() as tx:
            await tx.execute(
                update(AccountCheckRow).values(checked_at=datetime.now(UTC) - timedelta(hours=1))
            )
        for account, result in some(1).items():
            self.simulator.accounts.set(account, FAULTS[result])
        inputs = {"acknowledge": acknowledgment(approval.card)}
        await self.client.click(APPROVER, CHAT, approval, "approve", inputs)
        await self._kill_while(("checked", "checking"))
        assert await self._state() == ("checked", "held")
        known = some(0) | some(1)
        assert await self._results() == known | dict.fromkeys(self._others(known), "passed")
        await self._assert_nothing_sent()
        held = await self._until("continue_without")
        await self.client.click(APPROVER, CHAT, held, "continue_without")
        await self.simulator.connector.wait_for(
            lambda message: "retry_failed" in verbs(message.card), TIMEOUT_SECONDS
        )
        batches = self.simulator.configapi.batches.values()
        sent = sorted(item.username for batch in batches for item in batch.items)
        assert sent == sorted(self._others(known))

    def _others(self, known: Mapping[str, str]) -> list[str]:
        return [each for each in map(name, range(ACCOUNTS)) if each not in known]

    async def _results(self) -> dict[str, str]:
        async with self.database.read() as tx:
            rows = await tx.execute(select(AccountCheckRow.username, AccountCheckRow.result))
            return {row.username: row.result for row in rows}

    async def _assert_nothing_sent(self) -> None:
        async with self.database.read() as tx:
            assert (await tx.execute(select(func.count(BatchRow.id)))).scalar_one() == 0
        assert self.simulator.configapi.submits == []


async def _job(folder: Path, database_url: str, kills: int, seed: int) -> Job:
    accounts = {account: FAULTS[result] for account, result in some(0).items()}
    scenario = Scenario(seed=7, latency=0.08, batch_seconds=0.2, accounts=accounts)
    folder.mkdir()
    database = Database(database_url)
    try:
        async with Simulator(scenario) as simulator, aiohttp.ClientSession() as session:
            settings = service.environment(
                simulator, folder, OFFHOOK_DATABASE_URL=database_url, OFFHOOK_PREFLIGHT="on"
            )
            job = Job(simulator, session, settings, database, random.Random(seed), kills)
            await job.run()
            return job
    finally:
        await database.close()


async def test_killed_checks_miss_no_account_and_pass_none_without_an_answer(
    tmp_path: Path, new_database_url: Callable[[], str]
) -> None:
    kills = number = 0
    while kills < KILLS:
        number += 1
        left = min(KILLS_PER_CHECK, -(-(KILLS - kills) // 2))
        job = await _job(tmp_path / f"job{number}", new_database_url(), left, SEED + number)
        assert job.kills, "no kill met a check"
        kills += job.kills
    print(f"{kills} kills -9 over {number} requests of {ACCOUNTS} accounts")
