"""kill -9 at random moments of mends and their undos: each change is recorded once, and the undo gives
back what was there.

`OFFHOOK_CHAOS_MEND_KILLS` sets the number of kills per case (default 2), `OFFHOOK_CHAOS_SEED` their times.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlalchemy import select

from bot.preflight.facts import POLICY_NAME
from bot.simulator.client import Chat, TeamsClient, verbs
from bot.simulator.connector import Posted
from bot.simulator.scenario import PEOPLE, Scenario
from bot.simulator.server import Simulator
from bot.simulator.tenant import Account, CallingPolicy
from bot.store.database import Database
from bot.store.models.accounts import MendChangeRow
from bot.store.models.audit import EventRow
from tests.support import fake_pwsh, service
from tests.support.running_bot import text_of

FACTOR = 0.02
ADMIN, APPROVER = PEOPLE[0], PEOPLE[1]
CHAT = Chat("a:admin")
KILLS = int(os.environ.get("OFFHOOK_CHAOS_MEND_KILLS", "2"))
KILLS_PER_JOB = 10
SEED = int(os.environ.get("OFFHOOK_CHAOS_SEED", "1"))
TIMEOUT_SECONDS = 300.0
ACCOUNTS = 24
BEFORE = [("", ""), ("Desk", "NoSip"), ("", "NoSip"), ("Desk", "")]  # by turns


def name(number: int) -> str:
    return f"lobby{number}@contoso.com"


def scenario() -> Scenario:
    defaults = Scenario()
    return Scenario(
        latency=0.01,
        policy_lag=0.3,
        bulk_sign_in=False,
        ip_phone_policies={**defaults.ip_phone_policies, "Desk": "UserSignIn"},
        calling_policies={
            **defaults.calling_policies,
            "NoSip": CallingPolicy(sip_devices=False),
        },
        accounts={
            name(number): Account(
                ip_phone_policy=BEFORE[number % 4][0], calling_policy=BEFORE[number % 4][1]
            )
            for number in range(ACCOUNTS)
        },
    )


def roster() -> bytes:
    lines = ["Username,HardwareId,Region"]
    lines += [f"{name(n)},80-5E-C0-00-00-{n:02X},EMEA" for n in range(ACCOUNTS)]
    return "\r\n".join(lines).encode()


@dataclass
class Mend:
    """One mend from the file to its undo, during which the service is killed."""

    simulator: Simulator
    session: aiohttp.ClientSession
    settings: dict[str, str]
    rng: random.Random
    kills: int = 0
    running: service.Process | None = None

    @property
    def client(self) -> TeamsClient:
        assert self.running is not None
        return TeamsClient(self.session, self.running.url, self.simulator)

    async def run(self, kills: int) -> None:
        self.running = await service.start(self.settings, FACTOR)
        try:
            link = self.simulator.files.add("phones.csv", roster())
            await self.client.drop(ADMIN, CHAT, ("phones.csv", link))
            await self._click(ADMIN, await self._with("mend"), "mend")
            card = await self._with("mend_request")
            await self._click(ADMIN, card, "mend_request", {"reason": "chaos"})
            card = await self._with("mend_approve")
            await self._click(APPROVER, card, "mend_approve", {"acknowledge": "true"})
            await self._killed_until("were checked again", kills // 2)
            self._assert_everywhere(lambda _: (POLICY_NAME, POLICY_NAME))
            card = await self._with("mend_undo")
            inputs = {"acknowledge": "true", "switch_off": "true"}
            await self._click(APPROVER, card, "mend_undo", inputs)
            await self._killed_until("Undoing the mend for request", kills - kills // 2)
        finally:
            await self.running.stop()
        self._assert_everywhere(lambda number: BEFORE[number % 4])
        assert not self.simulator.accounts.policies.bulk_sign_in

    async def _with(self, verb: str) -> Posted:
        return await self.simulator.connector.wait_for(
            lambda message: verb in verbs(message.card), TIMEOUT_SECONDS
        )

    async def _click(self, by: Any, card: Posted, verb: str, inputs: Any = None) -> None:
        status, response = await self.client.click(by, CHAT, card, verb, inputs)
        assert (status, response["statusCode"]) == (200, 200), response

    async def _killed_until(self, text: str, kills: int) -> None:
        """Kill and restart the service while it works, then wait for the message that tells the end."""
        for _ in range(kills):
            assert self.running is not None
            # Between nothing and everything done; a kill after the end does no harm either.
            await asyncio.sleep(self.rng.uniform(0, 0.25))
            await self.running.kill()
            self.kills += 1
            self.running = await service.start(self.settings, FACTOR)
        await self.simulator.connector.wait_for(
            lambda message: text in text_of(message), TIMEOUT_SECONDS
        )

    def _assert_everywhere(self, expected: Callable[[int], tuple[str, str]]) -> None:
        for number in range(ACCOUNTS):
            entry = self.simulator.accounts.find(name(number))
            assert entry is not None
            found = (entry.account.ip_phone_policy, entry.account.calling_policy)
            assert found == expected(number), name(number)


async def _assert_recorded_once(url: str) -> None:
    database = Database(url)
    await database.open()
    try:
        async with database.read() as tx:
            events = (await tx.execute(select(EventRow.action, EventRow.detail))).all()
            changes = (await tx.execute(select(MendChangeRow.__table__))).all()
    finally:
        await database.close()
    for action, expected in (
        ("mend changed", 2 * ACCOUNTS + 3),
        ("mend restored", 2 * ACCOUNTS + 1),
    ):
        times = Counter(
            (event.detail["kind"], event.detail["account"])
            for event in events
            if event.action == action
        )
        assert set(times.values()) == {1}, action
        assert len(times) == expected
    grants = [change for change in changes if change.account]
    assert len(grants) == 2 * ACCOUNTS
    for change in grants:
        ip_phone, calling = BEFORE[int(change.account[5:].partition("@")[0]) % 4]
        assert (change.before or "") == (ip_phone if change.kind == "ip-phone-policy" else calling)


@pytest.mark.parametrize(
    ("kind", "powershell"),
    [("sqlite", True), ("postgresql", False)],
    ids=["sqlite-powershell", "postgresql-configapi"],
)
async def test_killed_mends_change_nothing_twice_and_their_undo_is_complete(
    tmp_path: Path, new_database_url: Callable[[], str], powershell: bool
) -> None:
    kills, number = 0, 0
    while kills < KILLS:
        number += 1
        folder, url = tmp_path / f"mend{number}", new_database_url()
        folder.mkdir()
        async with Simulator(scenario()) as simulator, aiohttp.ClientSession() as session:
            settings = service.environment(
                simulator, folder, OFFHOOK_DATABASE_URL=url, OFFHOOK_PREFLIGHT="on"
            )
            if powershell:
                pwsh = fake_pwsh.install(folder, simulator.configapi_url)
                settings |= {"OFFHOOK_GATEWAY": "powershell", "OFFHOOK_PWSH": str(pwsh)}
                settings["TMPDIR"] = str(folder)  # nobody removes a killed process's files
            mend = Mend(simulator, session, settings, random.Random(SEED + number))
            await mend.run(min(KILLS_PER_JOB, KILLS - kills))
            kills += mend.kills
        await _assert_recorded_once(url)
        print(f"{kills} kills over {number} mends of {ACCOUNTS} accounts, each with its undo")
