"""The simulated SIP Gateway, over HTTP."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from bot.phones.region import Region
from bot.simulator.scenario import Call, Fault, FaultKind, Scenario, Summaries
from bot.simulator.server import Simulator
from tests.support.waiting import PATIENCE

AUTH = {"Authorization": "Bearer local"}
SERVICE = "/Teams.SipDevicesGatewayManagement/v1"


def phone(number: int, account: str = "") -> dict[str, str]:
    return {
        "Username": account or f"lobby-{number}@contoso.com",
        "HardwareId": f"00-04-F2-00-{number // 256:02X}-{number % 256:02X}",
    }


class Caller:
    def __init__(self, session: aiohttp.ClientSession, simulator: Simulator) -> None:
        self._session = session
        self._base = simulator.configapi_url

    async def create(
        self, phones: Any, region: str = "EMEA", headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        url = f"{self._base}{SERVICE}/createbatch?TargetRegion={region}"
        async with self._session.post(
            url, json=phones, headers=AUTH if headers is None else headers
        ) as answer:
            return answer.status, await answer.json()

    async def get(self, path: str, headers: dict[str, str] | None = None) -> tuple[int, Any]:
        headers = AUTH if headers is None else headers
        async with self._session.get(f"{self._base}{path}", headers=headers) as answer:
            return answer.status, await answer.json()

    async def outcomes(self, phones: list[dict[str, str]]) -> list[str]:
        """Run a batch to its end. Returns the error of each phone; "" for success."""
        _, created = await self.create(phones)
        _, report = await self.get(f"{SERVICE}/batchstatus?batchid={created['batchId']}")
        assert report["batchStatus"] == "Completed"
        return [item["error"] for item in report["batchItem"]]


@pytest.mark.parametrize(
    "phones",
    [
        *([], {}, "x", None, [1], [{}]),
        [{"Username": "a@b.c"}],
        [{"Username": 1, "HardwareId": "x"}],
        [{"Username": " ", "HardwareId": "x"}],
    ],
)
async def test_createbatch_is_rejected_when_malformed(
    session: aiohttp.ClientSession, phones: Any
) -> None:
    async with Simulator() as far:
        status, answer = await Caller(session, far).create(phones)
        assert status == 400
        assert answer["error"]["message"]
        assert [submit.batch_id for submit in far.configapi.submits] == [""]


@pytest.mark.parametrize("region", ["", "emea", "MARS"])
async def test_createbatch_is_rejected_when_region_is_unknown_or_lowercase(
    session: aiohttp.ClientSession, region: str
) -> None:
    async with Simulator() as far:
        assert (await Caller(session, far).create([phone(1)], region))[0] == 400


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer "}, {"Authorization": "Basic x"}]
)
async def test_configapi_requires_a_token(
    session: aiohttp.ClientSession, headers: dict[str, str]
) -> None:
    async with Simulator() as far:
        caller = Caller(session, far)
        assert (await caller.create([phone(1)], headers=headers))[0] == 401
        assert (await caller.get(f"{SERVICE}/batchsummaries", headers))[0] == 401
        assert not far.configapi.batches


async def test_batch_progresses_phone_by_phone(session: aiohttp.ClientSession) -> None:
    async with Simulator(Scenario(batch_seconds=6000)) as far:
        caller = Caller(session, far)
        _, created = await caller.create([phone(number) for number in range(30)])
        seen: list[tuple[str, int]] = []
        batch = far.configapi.batches[created["batchId"]]
        for elapsed in (0, 1500, 3000, 4500, 6000):
            far.configapi.batches[batch.id] = replace(batch, started=batch.started - elapsed)
            for _ in range(2):
                _, report = await caller.get(f"{SERVICE}/batchstatus?batchid={created['batchId']}")
                done = sum(item["status"] == "success" for item in report["batchItem"])
                seen.append((report["batchStatus"], done))
        assert [done for _, done in seen] == sorted(done for _, done in seen)
        assert [status for status, _ in seen[:1]] == ["Queued"]
        assert "InProgress" in {status for status, _ in seen}
        assert seen[-1] == ("Completed", 30)


async def test_result_reports_what_is_wrong_with_a_phone(
    session: aiohttp.ClientSession,
) -> None:
    scenario = Scenario(
        batch_seconds=0,
        outcomes={
            "LOBBY-1@contoso.com": ("no-phone-number",),
            "00-04-f2-00-00-02": ("Some text.",),
            "00-04-F2-00-00-03": ("device-offline", "success"),
        },
    )
    async with Simulator(scenario) as far:
        caller = Caller(session, far)
        phones = [phone(1), phone(2), phone(3), {"Username": "x@y.z", "HardwareId": "0004F2000004"}]
        phones += [phone(5, "a@b.c"), phone(5, "d@e.f")]
        duplicate = "Duplicate devices found for bulk sign-in. 203.0.113.7, 203.0.113.8"
        assert await caller.outcomes(phones) == [
            "User missing phone number assignment.",
            "Some text.",
            "Device is offline.",
            "Input hardware-ID is of wrong format",
            duplicate,
            duplicate,
        ]
        assert await caller.outcomes([phone(3)]) == [""]
        assert await caller.outcomes([phone(3)]) == [""]
        assert far.configapi.run_twice == [("lobby-3@contoso.com", "00-04-F2-00-00-03")]


@pytest.mark.parametrize("port", ["001", "025", "288", "000", "289", "1"])
async def test_port_is_accepted_only_from_001_to_288(
    session: aiohttp.ClientSession, port: str
) -> None:
    async with Simulator(Scenario(batch_seconds=0)) as far:
        item = {"Username": "fax@contoso.com", "HardwareId": f"00-90-8F-6B-7B-A5:{port}"}
        (error,) = await Caller(session, far).outcomes([item])
    assert (error == "") is (port in {"001", "025", "288"})


async def test_random_outcomes_depend_only_on_the_seed(
    session: aiohttp.ClientSession,
) -> None:
    async def failures(seed: int, phones: list[dict[str, str]]) -> dict[str, str]:
        scenario = Scenario(
            seed=seed,
            batch_seconds=0,
            shares={"device-offline": 0.3, "ad-throttling": 0.1},
            max_devices=1000,
        )
        async with Simulator(scenario) as far:
            errors = await Caller(session, far).outcomes(phones)
            return {each["HardwareId"]: text for each, text in zip(phones, errors, strict=True)}

    phones = [phone(number) for number in range(1000)]
    first = await failures(1, phones)
    assert await failures(1, phones[::-1]) == first
    assert await failures(2, phones) != first
    texts = list(first.values())
    assert 250 <= texts.count("Device is offline.") <= 350
    assert 70 <= texts.count("On-premises AD throttling detected") <= 130


async def test_account_on_several_ports_has_one_password_reset(
    session: aiohttp.ClientSession,
) -> None:
    async with Simulator() as far:
        ports = [
            {"Username": "Fax@contoso.com", "HardwareId": f"00-90-8F-00-00-01:00{port}"}
            for port in (1, 2, 3)
        ]
        assert (await Caller(session, far).create(ports))[0] == 200
        assert far.configapi.password_resets == {"fax@contoso.com": 1}


async def test_slot_is_free_again_when_a_batch_has_ended(
    session: aiohttp.ClientSession,
) -> None:
    async with Simulator(Scenario(batch_seconds=6000, max_per_region=1)) as far:
        caller = Caller(session, far)
        assert (await caller.create([phone(1)]))[0] == 200
        assert (await caller.create([phone(2)]))[0] == 429
        assert (await caller.create([phone(2)], "NOAM"))[0] == 200
        far.configapi.finish()
        assert (await caller.create([phone(2)]))[0] == 200
        assert far.configapi.peak == {Region.EMEA: 1, Region.NOAM: 1}
        assert far.configapi.run_twice == [("lobby-2@contoso.com", "00-04-F2-00-00-02")]


async def test_batch_limits_can_be_disabled(session: aiohttp.ClientSession) -> None:
    async with Simulator(Scenario(enforce_limits=False)) as far:
        for _ in range(5):
            phones = [phone(number % 256) for number in range(150)]
            assert (await Caller(session, far).create(phones))[0] == 200


async def test_stuck_batch_stays_half_done(session: aiohttp.ClientSession) -> None:
    async with Simulator(Scenario(batch_seconds=0, stuck=(1,))) as far:
        caller = Caller(session, far)
        _, created = await caller.create([phone(number) for number in range(4)])
        _, report = await caller.get(f"{SERVICE}/batchstatus?batchid={created['batchId']}")
        assert report["batchStatus"] == "InProgress"
        assert [item["status"] for item in report["batchItem"]] == [
            "success",
            "success",
            "InProgress",
            "InProgress",
        ]


async def test_summaries_can_lag_or_stay_empty(session: aiohttp.ClientSession) -> None:
    for summaries in (Summaries(lag=60), Summaries(listed=False)):
        async with Simulator(Scenario(summaries=summaries)) as far:
            caller = Caller(session, far)
            await caller.create([phone(1)])
            assert await caller.get(f"{SERVICE}/batchsummaries") == (200, [])


async def test_faults_apply_to_configured_calls(
    session: aiohttp.ClientSession,
) -> None:
    rules = (
        Fault(call=Call.CREATE_BATCH, region=Region.NOAM, fault=FaultKind.UNAVAILABLE),
        Fault(call=Call.CREATE_BATCH, nth=2, times=2, fault=FaultKind.FORBIDDEN),
    )
    async with Simulator(Scenario(faults=rules, enforce_limits=False)) as far:
        caller = Caller(session, far)
        regions = ["EMEA", "EMEA", "NOAM", "NOAM", "EMEA"]
        statuses = [(await caller.create([phone(1)], region))[0] for region in regions]
        assert statuses == [200, 403, 503, 200, 200]
        far.faults.add(Fault(call=Call.CREATE_BATCH, fault=FaultKind.BAD_REQUEST))
        assert (await caller.create([phone(1)]))[0] == 400
        assert (await caller.create([phone(1)]))[0] == 200


async def test_policies_can_be_read(session: aiohttp.ClientSession) -> None:
    async with Simulator() as far:
        caller = Caller(session, far)
        _, policies = await caller.get("/Skype.Policy/configurations/TeamsIPPhonePolicy")
        assert {each["Identity"] for each in policies} == {"Global", "Tag:CommonAreaPhone"}
        _, switch = await caller.get("/Skype.Policy/configurations/TeamsSipDevicesConfiguration")
        assert switch[0]["BulkSignIn"] == "Enabled"
        assert (await caller.get("/Skype.Policy/configurations/Nonsense"))[0] == 404
        assert (await caller.get("/Teams.Tenant/tenants"))[0] == 200


async def test_wait_for_submits_returns_after_a_submit(session: aiohttp.ClientSession) -> None:
    async with Simulator() as far:
        waiting = asyncio.create_task(far.configapi.wait_for_submits(2, PATIENCE))
        for number in range(2):
            assert not waiting.done()
            await Caller(session, far).create([phone(number)])
        await waiting
        with pytest.raises(TimeoutError):
            await far.configapi.wait_for_submits(3, 0.01)


async def test_state_survives_a_restart(session: aiohttp.ClientSession) -> None:
    far = Simulator(Scenario(batch_seconds=0))
    async with far:
        url = far.configapi_url
        _, created = await Caller(session, far).create([phone(1)])
    with pytest.raises(aiohttp.ClientConnectionError):
        await Caller(session, far).get(f"{SERVICE}/batchsummaries")
    async with far:
        assert far.configapi_url == url
        _, summaries = await Caller(session, far).get(f"{SERVICE}/batchsummaries")
        assert [each["batchId"] for each in summaries] == [created["batchId"]]
