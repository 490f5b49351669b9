"""Before a retry, phones that ended without a result are looked up once more."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from bot.gateway import BatchReport
from bot.gateway.configapi import ConfigApiGateway
from bot.lifecycle import batches as lifecycle
from bot.signin.outcome import PhoneStatus
from bot.signin.request import RequestState
from bot.signin.snapshot import RequestSnapshot
from bot.simulator.scenario import Call, Fault, FaultKind, Scenario
from bot.store import asked_retries, drafts
from bot.store.batches import Batch
from bot.store.database import Database
from bot.store.models.requests import PhoneRow
from tests.support import jobs, rows, worker_harness
from tests.support.waiting import until
from tests.support.worker_harness import PATIENCE, World

#: The first phone of a request fails; what the SIP Gateway says of the others is that they signed in.
SCENARIO = Scenario.model_validate(
    {"batch_seconds": 0.1, "outcomes": {"lobby0@contoso.com": "device-offline"}}
)


async def without_results(world: World, phones: int) -> str:
    """A finished request none of whose phones got its result, although the SIP Gateway has them all."""
    request_id = await jobs.approved(world.database, phones)
    async with world.working():
        await world.until(request_id, lambda each: each.state is RequestState.FINISHED)
    async with world.database.write() as tx:
        await tx.execute(
            update(PhoneRow)
            .where(PhoneRow.request_id == request_id)
            .values(status=PhoneStatus.UNCONFIRMED.value, cause="no-result", message="")
        )
    return request_id


async def ask(world: World, request_id: str, *, seconds: float = 60.0) -> int:
    now = jobs.utc_now()
    async with world.database.write() as tx:
        return await asked_retries.ask(
            tx,
            jobs.new_request(),
            request_id,
            until=now + timedelta(seconds=seconds),
            now=now,
        )


async def drafted(world: World, request_id: str) -> RequestSnapshot | None:
    """The retry, once the worker is done with it; None if nothing was left to retry."""
    async with asyncio.timeout(PATIENCE):
        while True:
            world.changed.clear()
            async with world.database.read() as tx:
                waiting = await asked_retries.phones_of(tx, request_id)
                retry = await drafts.retry_of(tx, request_id)
            if not waiting:
                return None if retry is None else await world.snapshot(retry)
            await world.changed.wait()


def notices(snapshot: RequestSnapshot) -> dict[str, dict[str, str | int]]:
    return {each.code: dict(each.arguments) for each in snapshot.roster.notices}


async def usernames(world: World, request_id: str) -> Sequence[str]:
    async with world.database.read() as tx:
        found = await tx.execute(select(PhoneRow.username).where(PhoneRow.request_id == request_id))
        return found.scalars().all()


async def test_retry_leaves_out_phones_that_turn_out_to_be_signed_in(database: Database) -> None:
    async with worker_harness.opened(database, SCENARIO) as here:
        request_id = await without_results(here, 120)
        assert await ask(here, request_id) == 120
        async with here.working():
            retry = await drafted(here, request_id)
        assert retry is not None
        assert await usernames(here, retry.id) == ["lobby0@contoso.com"]
        assert retry.retry_of == request_id
        assert notices(retry)["looked-up"] == {
            "phones": 120,
            "signed_in": 119,
            "failed": 1,
            "open": 0,
        }
        assert "not-looked-up" not in notices(retry)
        before = (await here.snapshot(request_id)).phones_by_status
    assert (before.signed_in, before.failed, before.unconfirmed) == (119, 1, 0)
    assert len(here.simulator.configapi.submits) == 2
    dump = await rows.dump(database)
    assert dump["asked_retries"] == []
    assert {row["due_at"] for row in dump["batches"]} == {None}
    looked_up = [row["detail"] for row in dump["events"] if row["action"] == "looked up"]
    assert sum(detail["signed_in"] for detail in looked_up) == 119


async def test_retry_counts_what_was_looked_up_while_the_round_claimed(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A claim may wait for a lock. Meanwhile the look-ups end, and so does the time for them."""
    status, claim = ConfigApiGateway.status, lifecycle.claim
    claiming = asyncio.Event()
    asked, date = 0, worker_harness.Date()

    async def held_status(gateway: ConfigApiGateway, remote_batch_id: str) -> BatchReport:
        nonlocal asked
        asked += 1
        await claiming.wait()
        return await status(gateway, remote_batch_id)

    async def slow_claim(*arguments: Any, **more: Any) -> list[Batch]:
        claiming.set()
        await until(lambda: not tasks)  # both are looked up
        date.advance(61)
        return await claim(*arguments, **more)

    async with worker_harness.opened(database, SCENARIO) as here:
        request_id = await without_results(here, 120)
        assert await ask(here, request_id) == 120
        monkeypatch.setattr(ConfigApiGateway, "status", held_status)
        worker = replace(here, clock=date).worker()
        tasks = worker._tasks  # pyright: ignore[reportPrivateUsage]
        await worker._round()  # pyright: ignore[reportPrivateUsage]
        await until(lambda: asked == 2)
        await jobs.approved(database, 1, first=200)
        monkeypatch.setattr(lifecycle, "claim", slow_claim)
        await worker._round()  # pyright: ignore[reportPrivateUsage]
        await until(lambda: not tasks)
        retry = await drafted(here, request_id)
    assert retry is not None
    assert "not-looked-up" not in notices(retry)
    assert notices(retry)["looked-up"]["phones"] == 120


async def test_nothing_is_drafted_when_every_phone_turns_out_to_be_signed_in(
    database: Database,
) -> None:
    async with worker_harness.opened(database, Scenario(batch_seconds=0.1)) as here:
        request_id = await without_results(here, 5)
        await ask(here, request_id)
        async with here.working():
            assert await drafted(here, request_id) is None
    last = (await rows.dump(database))["posts"][-1]
    assert "There is nothing to retry" in last["content"]["text"]


async def test_retry_says_which_phones_could_not_be_looked_up(database: Database) -> None:
    async with worker_harness.opened(database, SCENARIO) as here:
        request_id = await without_results(here, 120)
        here.simulator.faults.add(Fault(call=Call.BATCH_STATUS, fault=FaultKind.NOT_FOUND, times=0))
        await ask(here, request_id)
        async with here.working():
            retry = await drafted(here, request_id)
    assert retry is not None
    assert retry.roster.ready == 120
    assert notices(retry)["not-looked-up"] == {"phones": 120}
    assert notices(retry)["passwords"] == {"reset": 0, "maybe": 120, "not_reset": 0}


async def test_retry_is_drafted_in_time_when_status_is_not_answered(database: Database) -> None:
    async with worker_harness.opened(database, SCENARIO) as here:
        request_id = await without_results(here, 5)
        here.simulator.faults.add(
            Fault(call=Call.BATCH_STATUS, fault=FaultKind.TIMEOUT_LOST, times=0)
        )
        await ask(here, request_id, seconds=0.0)
        async with here.working():
            retry = await drafted(here, request_id)
    assert retry is not None
    assert notices(retry)["not-looked-up"] == {"phones": 5}


async def test_asked_retry_survives_a_stop_of_the_worker(database: Database) -> None:
    async with worker_harness.opened(database, SCENARIO) as here:
        request_id = await without_results(here, 5)
        await ask(here, request_id)
        retry = None
        for _ in range(2):
            async with here.working():
                retry = await drafted(here, request_id)
    assert retry is not None
    assert retry.roster.ready == 1
    requests = (await rows.dump(database))["requests"]
    assert [row["retry_of"] for row in requests].count(request_id) == 1
