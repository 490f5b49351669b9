"""An activity that is delivered twice has one effect."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from bot.commands import intake
from bot.commands.context import Context, Turn
from bot.simulator.client import Chat, button, texts
from bot.simulator.connector import Posted
from bot.simulator.scenario import Person
from bot.store import drafts as store
from bot.store.database import Database, Transaction
from tests.support.running_bot import (
    ALEX,
    CHAT,
    MEGAN,
    RunningBot,
    chat_of,
    has_button,
    phones_csv,
    request_id_of,
)
from tests.support.waiting import PATIENCE

TABLE = phones_csv(1).decode()


def message(bot: RunningBot, **changes: Any) -> dict[str, Any]:
    return bot.client.activity(ALEX, CHAT, type="message", text=TABLE, **changes)


def click(
    bot: RunningBot, by: Person, chat: Chat, verb: str, data: Any, activity_id: str
) -> dict[str, Any]:
    action = {"type": "Action.Execute", "verb": verb, "data": data}
    return bot.client.activity(
        by,
        chat,
        type="invoke",
        name="adaptiveCard/action",
        value={"action": action, "trigger": "manual"},
        replyToId=activity_id,
    )


def drafts(messages: list[Posted]) -> list[Posted]:
    return [each for each in messages if has_button(each, "withdraw")]


async def test_message_makes_one_draft_when_delivered_repeatedly(bot: RunningBot) -> None:
    activity = message(bot)
    assert [(await bot.client.post(activity))[0] for _ in range(3)] == [200] * 3
    assert len(drafts(await bot.received())) == 1


@pytest.mark.database_thread
async def test_message_makes_one_draft_when_delivered_at_the_same_time(bot: RunningBot) -> None:
    activity = message(bot)
    answers = await asyncio.gather(*(bot.client.post(activity) for _ in range(5)))
    assert [status for status, _ in answers] == [200] * 5
    assert len(drafts(await bot.received())) == 1


async def test_message_makes_one_draft_when_delivered_again_after_restart(bot: RunningBot) -> None:
    activity = message(bot)
    await bot.client.post(activity)
    await bot.stop()
    await bot.start()
    assert (await bot.client.post(activity))[0] == 200
    assert len(drafts(await bot.received())) == 1


async def test_same_activity_id_in_another_conversation_has_its_own_effect(
    bot: RunningBot,
) -> None:
    activity = message(bot)
    other = {**activity, "conversation": {**activity["conversation"], "id": "a:another"}}
    await bot.client.post(activity)
    await bot.client.post(other)
    assert len(drafts(await bot.received())) == 1
    assert len(drafts(await bot.received(Chat("a:another")))) == 1


@pytest.mark.parametrize("missing", [{"id": ""}, {"id": None}])
async def test_activities_without_id_are_all_handled(
    bot: RunningBot, missing: dict[str, Any]
) -> None:
    for _ in range(2):
        assert (await bot.client.post(message(bot, **missing)))[0] == 200
    assert len(drafts(await bot.received())) == 2


@pytest.mark.parametrize("named", [True, False])
async def test_repeated_click_is_answered_with_the_current_card(
    bot: RunningBot, named: bool
) -> None:
    """Whether or not the client named the card's message."""
    approval = await bot.submit_for_approval(phones_csv(1))
    data = {**button(approval.card, "approve")["data"], "acknowledge": "true"}
    activity = click(
        bot, MEGAN, chat_of(approval), "approve", data, approval.activity_id if named else ""
    )
    for _ in range(2):
        status, body = await bot.client.post(activity)
        assert status == 200
        assert body["type"] == "application/vnd.microsoft.card.adaptive"
        assert "Megan Bowen approved the sign-in" in texts(body["value"])
    await bot.wait_for_results()
    assert len(bot.gateway.configapi.submits) == 1


async def test_repeated_click_does_not_export_again(bot: RunningBot) -> None:
    """A verb without a state of its own: nothing but the activity's ID makes it happen once."""
    validation = await bot.submit_file(phones_csv(1))
    data = {"request": request_id_of(validation), "what": "results"}
    activity = click(bot, ALEX, CHAT, "export", data, validation.activity_id)
    for _ in range(2):
        assert (await bot.client.post(activity))[0] == 200
    offers = [each for each in await bot.received() if "file.consent" in str(each.activity)]
    assert len(offers) == 1


@pytest.mark.parametrize(
    ("module", "name"), [(intake, "take_text"), (store, "complete")], ids=["at_once", "on_the_way"]
)
async def test_activity_can_be_delivered_again_when_it_failed_without_effect(
    bot: RunningBot, monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str
) -> None:
    """Also where rows of its draft are stored already, which nobody sees."""
    activity = message(bot)
    with monkeypatch.context() as patched:
        patched.setattr(module, name, _fail)
        assert (await bot.client.post(activity))[0] == 200
    await bot.wait_for_text("Something went wrong")
    assert (await bot.client.post(activity))[0] == 200
    assert len(drafts(await bot.received())) == 1


async def test_activity_has_no_second_effect_when_it_failed_after_the_first(
    bot: RunningBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    activity = message(bot)
    take_text = intake.take_text

    async def take_and_fail(context: Context, turn: Turn, content: str) -> None:
        await take_text(context, turn, content)
        raise RuntimeError("after the draft")

    with monkeypatch.context() as patched:
        patched.setattr(intake, "take_text", take_and_fail)
        await bot.client.post(activity)
    await bot.client.post(activity)
    assert len(drafts(await bot.received())) == 1


async def test_activity_can_be_delivered_again_when_its_receipt_could_not_be_stored(
    bot: RunningBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    activity = message(bot)
    with monkeypatch.context() as patched:
        patched.setattr(Database, "write", _locked)
        await bot.client.post(activity)
    await bot.client.post(activity)
    assert len(drafts(await bot.received())) == 1


async def test_received_activities_are_forgotten_after_a_day(bot: RunningBot) -> None:
    activity = message(bot)
    await bot.client.post(activity)
    await bot.stop()
    engine = create_engine(f"sqlite:///{bot.database}")
    old = "UPDATE received_activities SET received_at = datetime(received_at, '-25 hours')"
    count = "SELECT count(*) FROM received_activities"
    with engine.begin() as connection:
        connection.execute(text(old))
        assert connection.execute(text(count)).scalar_one() == 1
    await bot.start()
    async with asyncio.timeout(PATIENCE):
        connection = engine.connect()
        while connection.execute(text(count)).scalar_one():
            connection.rollback()
            await asyncio.sleep(0.01)
    connection.close()
    engine.dispose()


async def _fail(*_: object) -> None:
    raise RuntimeError("before any effect")


@asynccontextmanager
async def _locked(self: Database) -> AsyncGenerator[Transaction]:
    raise OperationalError("BEGIN IMMEDIATE", {}, Exception("database is locked"))
    yield
