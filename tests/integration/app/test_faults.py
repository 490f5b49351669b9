"""Offhook's own faults: reported with a reference that is in the log, and nothing is lost."""

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

from bot import app
from bot.commands import intake
from bot.lifecycle import requests
from bot.runner.projection import Projection
from bot.simulator.client import Chat
from bot.simulator.scenario import Call, Fault, FaultKind, Scenario
from tests.integration.app.conftest import MakeBot
from tests.support.running_bot import ALEX, CHANNEL, CHAT, MEGAN, RunningBot, phones_csv, text_of
from tests.support.waiting import PATIENCE
from tests.support.worker_harness import Date

REFERENCE = re.compile(r"Something went wrong on my side, .* this reference ID: ([0-9a-f]{8})")
Logs = list[MutableMapping[str, Any]]


def reference_in(text: str) -> str:
    match = REFERENCE.fullmatch(text)
    assert match, text
    return match[1]


def logged_references(logs: Logs, event: str) -> list[str]:
    return [str(entry.get("reference")) for entry in logs if entry["event"] == event]


@asynccontextmanager
async def locked(path: Path) -> AsyncGenerator[None]:
    """Holds the write lock, as another process does that writes to the database."""
    with closing(
        sqlite3.connect(path, PATIENCE, isolation_level=None, check_same_thread=False)
    ) as other:
        await asyncio.to_thread(other.execute, "BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


# -- unexpected exceptions ----------------------------------------------------------------------


async def test_message_fault_is_reported_with_logged_reference(
    bot: RunningBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret detail")

    with capture_logs(processors=[merge_contextvars]) as logs, monkeypatch.context() as patch:
        patch.setattr(intake.roster, "read", broken)
        await bot.send_files(("phones.csv", phones_csv(1)))
        message = await bot.wait_for_text("Something went wrong", chat=CHAT)
    assert logged_references(logs, "turn.failed") == [reference_in(message.text)]
    assert "secret detail" not in message.text
    await bot.submit_file(phones_csv(1))
    assert len(await bot.received()) == 2


async def test_click_fault_is_reported_with_logged_reference(
    bot: RunningBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise KeyError("secret detail")

    approval = await bot.submit_for_approval(phones_csv(1))
    with capture_logs(processors=[merge_contextvars]) as logs, monkeypatch.context() as patch:
        patch.setattr(requests, "approve", broken)
        answer = await bot.approve(approval)
    assert logged_references(logs, "turn.failed") == [reference_in(answer.text)]
    assert bot.gateway.configapi.submits == []
    await bot.approve(approval)
    await bot.wait_for_results()
    assert len(bot.gateway.configapi.submits) == 1


async def test_render_failure_delays_only_its_own_card(
    bot: RunningBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Projection, "card", None)
        await bot.send_files(("phones.csv", phones_csv(1)))
        fallback = await bot.wait_for_text("could not draw a card", chat=CHAT)
        elsewhere = bot.received(Chat("a:megan"), by=MEGAN)
        same_chat = bot.received()
        assert await asyncio.gather(elsewhere, same_chat) == [[], [fallback]]
    assert (await bot.wait_for_button("request_approval")).conversation_id == CHAT.id


async def test_approval_is_refused_when_rows_were_tampered_with(bot: RunningBot) -> None:
    """The approval is bound to the rows that the approver was shown."""
    approval = await bot.submit_for_approval(phones_csv(2))

    def tamper() -> None:
        with closing(sqlite3.connect(bot.database)) as database, database:
            database.execute("UPDATE phones SET username = 'ceo@contoso.com' WHERE number = 2")

    await asyncio.to_thread(tamper)
    answer = await bot.approve(approval)
    assert answer.text.startswith("The rows don't match the ones that approval was requested for")
    await bot.received()
    assert bot.gateway.configapi.submits == []


# -- the database --------------------------------------------------------------------------------


@pytest.fixture
def date(monkeypatch: pytest.MonkeyPatch) -> Date:
    """What the service takes for the date, if it starts afterwards."""
    made = Date()
    monkeypatch.setattr(app, "utc_now", made)
    return made


@pytest.fixture
async def impatient_bot(date: Date, make_bot: MakeBot) -> RunningBot:
    """A service that waits only 0.1 seconds for a locked database."""
    bot = await make_bot(started=False)
    await bot.start(busy_seconds=0.1)
    return bot


async def test_fault_is_reported_while_database_is_locked(impatient_bot: RunningBot) -> None:
    bot = impatient_bot
    approval = await bot.submit_for_approval(phones_csv(2))
    with capture_logs(processors=[merge_contextvars]) as logs:
        async with locked(bot.database):
            answer = await bot.approve(approval)
            since = bot.now
            await bot.send_files(("phones.csv", phones_csv(1, start=5)))
            message = await bot.wait_for_text("Something went wrong", chat=CHAT, since=since)
            async with bot.session.get(f"{bot.url}/readyz") as response:
                assert response.status == 200  # the database can still be read
    assert logged_references(logs, "turn.failed") == [
        reference_in(answer.text),
        reference_in(message.text),
    ]
    assert bot.gateway.configapi.submits == []
    await bot.approve(approval)
    await bot.wait_for_results()
    assert len(bot.gateway.configapi.submits) == 1


async def test_job_submits_each_batch_once_when_database_is_locked_meanwhile(
    impatient_bot: RunningBot, date: Date
) -> None:
    """The SIP Gateway answers while nothing can be recorded; that is reconciled afterwards."""
    bot = impatient_bot
    approval = await bot.submit_for_approval(phones_csv(350))
    await bot.approve(approval)
    await bot.gateway.configapi.wait_for_submits(1, PATIENCE)
    async with locked(bot.database):
        for _ in range(3):  # meanwhile the answers in flight arrive
            since = bot.now
            await bot.say("help", chat=Chat("a:megan"), by=MEGAN)
            await bot.wait_for_text("Something went wrong", since=since)
    date.advance(2 * PATIENCE)  # until the leases end of what could not be sent
    results = await bot.wait_for_results()
    await bot.wait_for_text("has finished")
    await bot.wait_until_settled()
    assert "350 phones are signed in" in text_of(results)
    assert not bot.gateway.configapi.run_twice
    assert len(bot.gateway.configapi.submits) == 4
    places = [message.conversation_id for message in bot.teams.connector.messages]
    assert len([place for place in places if place == CHAT.id]) == 3
    assert len([place for place in places if place.startswith(CHANNEL.id)]) == 3


async def test_message_is_not_resent_when_delivery_could_not_be_recorded(
    impatient_bot: RunningBot,
) -> None:
    bot = impatient_bot
    bot.teams.faults.add(Fault(call=Call.SEND, fault=FaultKind.BAD_GATEWAY))
    await bot.say("urls EMEA")  # retried while the database is locked
    async with locked(bot.database):
        await bot.wait_for_text("emea.ipp.sdg", chat=CHAT)
        sends = bot.teams.connector.calls[Call.SEND]
        await bot.say("help")  # cannot be processed: the fault is sent directly
        await bot.wait_for_text("Something went wrong", chat=CHAT)
    messages = await bot.received()
    assert sends == 2
    assert len(messages) == 2


async def test_job_finishes_after_service_stops_while_database_is_locked(
    impatient_bot: RunningBot,
) -> None:
    bot = impatient_bot
    await bot.approve(await bot.submit_for_approval(phones_csv(350)))
    await bot.gateway.configapi.wait_for_submits(1, PATIENCE)
    async with locked(bot.database), asyncio.timeout(PATIENCE):
        await bot.say("help", chat=Chat("a:megan"), by=MEGAN)
        await bot.stop()
    await bot.start()
    assert "350 phones are signed in" in text_of(await bot.wait_for_results())
    assert not bot.gateway.configapi.run_twice


async def test_job_finishes_after_service_starts_while_database_is_locked(
    make_bot: MakeBot,
) -> None:
    bot = await make_bot(gateway=Scenario(batch_seconds=0.5))
    await bot.approve(await bot.submit_for_approval(phones_csv(350)))
    await bot.gateway.configapi.wait_for_submits(1, PATIENCE)
    await bot.stop()
    async with locked(bot.database):
        await bot.start(busy_seconds=0.1)
        calls = bot.gateway.configapi.calls[Call.BATCH_STATUS]
        async with bot.session.get(f"{bot.url}/livez") as response:
            assert response.status == 200
        assert bot.gateway.configapi.calls[Call.BATCH_STATUS] == calls
    assert "350 phones are signed in" in text_of(await bot.wait_for_results())
    assert not bot.gateway.configapi.run_twice


# -- the directory -------------------------------------------------------------------------------


async def test_whoami_shows_identity_while_directory_is_unavailable(bot: RunningBot) -> None:
    bot.gateway.faults.add(Fault(call=Call.USERS, fault=FaultKind.SERVER_ERROR, times=2))
    with capture_logs() as logs:
        for _ in range(2):
            since = bot.now
            await bot.say("whoami")
            message = await bot.wait_for_text("You are Alex Wilber.", chat=CHAT, since=since)
            assert "is unavailable right now" in text_of(message)
            assert ALEX.object_id in text_of(message)
        await bot.say("whoami")
        await bot.wait_for_text(ALEX.principal, chat=CHAT)
    outages = [
        (entry["event"], entry["log_level"])
        for entry in logs
        if entry["event"].startswith("directory.") and entry["log_level"] != "debug"
    ]
    assert outages == [("directory.unavailable", "warning"), ("directory.recovered", "info")]
