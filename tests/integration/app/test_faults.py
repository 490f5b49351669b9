"""Faults of our own side: told with a reference that is in the log, and nothing is lost."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import AsyncGenerator, MutableMapping
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from bot.commands import intake
from bot.runner.projection import Projection
from bot.simulator.client import Chat
from bot.simulator.scenario import Call, Fault, FaultKind, Scenario
from bot.store import requests
from tests.integration.app.conftest import MakeOffice
from tests.support.running_bot import ALEX, CHANNEL, CHAT, MEGAN, Office, content, csv_of

REFERENCE = re.compile(r"Something went wrong on my side, .* this reference: ([0-9a-f]{8})")
Logs = list[MutableMapping[str, Any]]


def reference(said: str) -> str:
    found = REFERENCE.fullmatch(said)
    assert found, said
    return found[1]


def logged(logs: Logs, event: str) -> list[str]:
    return [str(each.get("reference")) for each in logs if each["event"] == event]


@asynccontextmanager
async def locked(path: Path) -> AsyncGenerator[None]:
    """Another process writes to the database, and takes its time."""
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        await asyncio.to_thread(other.execute, "BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


# -- what nobody foresaw -------------------------------------------------------------------------


async def test_a_fault_in_a_message(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret detail")

    with capture_logs(processors=[merge_contextvars]) as logs, monkeypatch.context() as patch:
        patch.setattr(intake.roster, "read", broken)
        await office.drop(("phones.csv", csv_of(1)))
        told = await office.until_says("Something went wrong", chat=CHAT)
    assert logged(logs, "turn.failed") == [reference(told.text)]
    assert "secret detail" not in told.text
    await office.hand_in(csv_of(1))
    assert len(await office.heard()) == 2


async def test_a_fault_in_a_click(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise KeyError("secret detail")

    approval = await office.waiting(csv_of(1))
    with capture_logs(processors=[merge_contextvars]) as logs, monkeypatch.context() as patch:
        patch.setattr(requests, "approve", broken)
        answer = await office.approve(approval)
    assert logged(logs, "turn.failed") == [reference(answer.text)]
    assert office.gateway.configapi.submits == []
    await office.approve(approval)
    await office.results()
    assert len(office.gateway.configapi.submits) == 1


async def test_a_card_that_cannot_be_made_holds_up_nothing_else(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Projection, "card", None)
        await office.drop(("phones.csv", csv_of(1)))
        elsewhere = office.heard(Chat("a:megan"), by=MEGAN)
        after = office.heard()  # nor what comes after it in the same chat
        assert await asyncio.gather(elsewhere, after) == [[], []]
    assert (await office.until_offers("request_approval")).conversation_id == CHAT.id


async def test_rows_that_were_changed_behind_our_back_are_not_sent(office: Office) -> None:
    """The approval is bound to what the approver was shown."""
    approval = await office.waiting(csv_of(2))

    def change() -> None:
        with closing(sqlite3.connect(office.database)) as database, database:
            database.execute("UPDATE phones SET username = 'ceo@contoso.com' WHERE number = 2")

    await asyncio.to_thread(change)
    answer = await office.approve(approval)
    assert answer.text.startswith("The rows don't match the ones that approval was requested for")
    await office.heard()
    assert office.gateway.configapi.submits == []


# -- the database --------------------------------------------------------------------------------


@pytest.fixture
async def impatient(make_office: MakeOffice) -> Office:
    """A service that waits for a locked database only shortly."""
    office = await make_office(started=False)
    await office.start(busy_seconds=0.1)
    return office


async def test_a_locked_database_is_told_to_whoever_asks(impatient: Office) -> None:
    office = impatient
    approval = await office.waiting(csv_of(2))
    with capture_logs(processors=[merge_contextvars]) as logs:
        async with locked(office.database):
            answer = await office.approve(approval)
            since = office.now
            await office.drop(("phones.csv", csv_of(1, start=5)))
            told = await office.until_says("Something went wrong", chat=CHAT, since=since)
            async with office.session.get(f"{office.url}/readyz") as ready:
                assert ready.status == 200  # it can be read, and what cards show is true
    assert logged(logs, "turn.failed") == [reference(answer.text), reference(told.text)]
    assert office.gateway.configapi.submits == []
    await office.approve(approval)
    await office.results()
    assert len(office.gateway.configapi.submits) == 1


async def test_a_database_that_is_locked_during_a_run(impatient: Office) -> None:
    """What the service answers while nothing can be written is found out afterwards: nothing is sent
    twice, and no message either."""
    office = impatient
    approval = await office.waiting(csv_of(350))
    await office.approve(approval)
    await office.gateway.configapi.wait_for_submits(1, 10)
    async with locked(office.database):
        for _ in range(3):  # time goes by, in which what is on its way arrives
            since = office.now
            await office.say("help", chat=Chat("a:megan"), by=MEGAN)
            await office.until_says("Something went wrong", since=since)
    results = await office.results()
    await office.until_says("has finished")
    await office.all_settled()
    assert "350 phones are signed in" in content(results)
    assert not office.gateway.configapi.run_twice
    assert len(office.gateway.configapi.submits) == 4
    there = office.teams.connector.messages
    assert len([each for each in there if each.conversation_id == CHAT.id]) == 3
    assert len([each for each in there if each.conversation_id.startswith(CHANNEL.id)]) == 3


async def test_a_message_that_was_sent_while_it_could_not_be_written_down(
    impatient: Office,
) -> None:
    """It is not sent again."""
    office = impatient
    office.teams.faults.add(Fault(call=Call.SEND, fault=FaultKind.BAD_GATEWAY))
    await office.say("urls EMEA")  # is tried again, while the database is locked
    async with locked(office.database):
        await office.until_says("emea.ipp.sdg", chat=CHAT)
        sends = office.teams.connector.calls[Call.SEND]
        await office.say("help")  # cannot be taken, and says so by itself
        await office.until_says("Something went wrong", chat=CHAT)
    heard = await office.heard()
    assert sends == 2
    assert len(heard) == 2


async def test_a_service_that_is_stopped_while_the_database_is_locked(impatient: Office) -> None:
    """It ends, and the next one goes on."""
    office = impatient
    await office.approve(await office.waiting(csv_of(350)))
    await office.gateway.configapi.wait_for_submits(1, 10)
    async with locked(office.database), asyncio.timeout(10):
        await office.say("help", chat=Chat("a:megan"), by=MEGAN)
        await office.stop()
    await office.start()
    assert "350 phones are signed in" in content(await office.results())
    assert not office.gateway.configapi.run_twice


async def test_a_service_that_starts_while_the_database_is_locked(make_office: MakeOffice) -> None:
    """It begins to work when it can."""
    office = await make_office(gateway=Scenario(batch_seconds=0.5))
    await office.approve(await office.waiting(csv_of(350)))
    await office.gateway.configapi.wait_for_submits(1, 10)
    await office.stop()
    async with locked(office.database):
        await office.start(busy_seconds=0.1)
        calls = office.gateway.configapi.calls[Call.BATCH_STATUS]
        async with office.session.get(f"{office.url}/livez") as alive:
            assert alive.status == 200
        assert office.gateway.configapi.calls[Call.BATCH_STATUS] == calls
    assert "350 phones are signed in" in content(await office.results())
    assert not office.gateway.configapi.run_twice


# -- the directory -------------------------------------------------------------------------------


async def test_whoami_without_a_directory(office: Office) -> None:
    office.gateway.faults.add(Fault(call=Call.USERS, fault=FaultKind.SERVER_ERROR, times=0))
    await office.say("whoami")
    told = await office.until_says("You are Alex Wilber.", chat=CHAT)
    assert "is unavailable right now" in content(told)
    assert ALEX.object_id in content(told)
