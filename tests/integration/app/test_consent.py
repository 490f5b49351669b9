"""File consent: an answer counts once, for a card that was sent, from the person who was asked, where they
were asked; and files and links go to allowed hosts only."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from bot.simulator.client import CONSENT, Chat, attachments, has_attachment
from bot.simulator.connector import Posted
from bot.simulator.scenario import Person
from tests.integration.app.conftest import MakeBot
from tests.support.running_bot import (
    ALEX,
    CHANNEL,
    CHAT,
    MEGAN,
    RunningBot,
    phones_csv,
    request_id_of,
)
from tests.support.waiting import PATIENCE

INFO = "application/vnd.microsoft.teams.card.file.info"
NOT_VALID = "This offer to save a file is no longer valid."
THREAD = Chat(f"{CHANNEL.id};messageid=1", "channel")
GROUP = Chat("19:group@thread.v2", "groupChat")


async def offered(bot: RunningBot) -> Posted:
    """A file consent card in Alex's chat."""
    validation = await bot.submit_file(phones_csv(1))
    since = bot.now
    data = {"request": request_id_of(validation), "what": "results"}
    await bot.send_action(ALEX, "export", data)
    return await bot.wait_for(lambda message: has_attachment(message, CONSENT), since=since)


def context_of(card: Posted) -> dict[str, Any]:
    return attachments(card)[0]["content"]["acceptContext"]


async def answer(
    bot: RunningBot,
    context: Any,
    *,
    by: Person = ALEX,
    chat: Chat = CHAT,
    upload: dict[str, Any] | None = None,
) -> str:
    """Accept a consent card, or none; returns the ID of the upload."""
    info = bot.teams.files.accept("Phones to approve today.xlsx") | (upload or {})
    value = {"type": "fileUpload", "action": "accept", "context": context, "uploadInfo": info}
    status, _ = await bot.client.post(
        bot.client.activity(by, chat, type="invoke", name="fileConsent/invoke", value=value)
    )
    assert status == 200
    return str(info["uniqueId"])


def exports_in_audit(bot: RunningBot) -> list[tuple[str, Any]]:
    """Who exported, and what, in order."""
    engine = create_engine(f"sqlite:///{bot.database}")
    with engine.connect() as connection:
        lines = connection.execute(
            text("SELECT actor_id, detail FROM events WHERE action = 'exported' ORDER BY id")
        ).all()
    engine.dispose()
    return [(line.actor_id, json.loads(line.detail)) for line in lines]


def files_shown(bot: RunningBot) -> list[Posted]:
    return [each for each in bot.teams.connector.messages if has_attachment(each, INFO)]


async def test_consent_is_refused_when_no_card_was_sent(bot: RunningBot) -> None:
    """Whatever its context says; with a link of the sender's choice, in the approvers' channel."""
    validation = await bot.submit_file(phones_csv(1))
    contexts: list[Any] = [
        {},
        {"consent": ""},
        {"consent": "A" * 22},
        {"consent": ["A"]},
        {"consent": {"a": 1}},
        {"request": request_id_of(validation), "what": "results"},
    ]
    for context in contexts:
        await answer(bot, context, by=MEGAN, chat=THREAD)
        await answer(bot, context, by=MEGAN, chat=GROUP)
        since = bot.now
        await answer(bot, context)
        await bot.wait_for_text(NOT_VALID, chat=CHAT, since=since)
    assert await bot.received(THREAD, by=MEGAN) == []
    assert await bot.received(GROUP, by=MEGAN) == []
    assert files_shown(bot) == []


@pytest.mark.parametrize(
    ("by", "chat"),
    [(MEGAN, CHAT), (MEGAN, Chat("a:megan")), (ALEX, Chat("a:other")), (ALEX, THREAD)],
)
async def test_consent_is_refused_from_another_person_or_conversation(
    bot: RunningBot, by: Person, chat: Chat
) -> None:
    card = await offered(bot)
    await answer(bot, context_of(card), by=by, chat=chat)
    await bot.received(chat, by=by)
    assert files_shown(bot) == []
    upload = await answer(bot, context_of(card))
    assert await bot.teams.files.uploaded(upload, PATIENCE), "the offer still stands"


@pytest.mark.parametrize("restarted", [False, True])
async def test_consent_counts_once_also_after_restart(bot: RunningBot, restarted: bool) -> None:
    card = await offered(bot)
    if restarted:
        await bot.stop()
        await bot.start()
    first = await answer(bot, context_of(card))
    assert await bot.teams.files.uploaded(first, PATIENCE)
    await bot.wait_for(lambda message: has_attachment(message, INFO))
    if restarted:
        await bot.stop()
        await bot.start()
    since = bot.now
    await answer(bot, context_of(card))
    await bot.wait_for_text(NOT_VALID, since=since)
    assert len(files_shown(bot)) == 1


async def test_consent_is_refused_when_it_was_declined_before(bot: RunningBot) -> None:
    card = await offered(bot)
    since = bot.now
    await bot.client.answer_consent(ALEX, CHAT, card, accept=False)
    await bot.wait_for_text("I did not save a file", since=since)
    await answer(bot, context_of(card))
    await bot.wait_for_text(NOT_VALID, since=since)


async def test_consent_is_refused_when_offer_is_older_than_a_day(bot: RunningBot) -> None:
    card = await offered(bot)
    engine = create_engine(f"sqlite:///{bot.database}")
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE file_consents SET created_at = datetime(created_at, '-1 day')")
        )
    engine.dispose()
    since = bot.now
    await answer(bot, context_of(card))
    await bot.wait_for_text(NOT_VALID, since=since)


@pytest.mark.parametrize(
    "upload",
    [
        {"contentUrl": "https://evil.example/Phones.xlsx"},
        {"contentUrl": "http://contoso.sharepoint.com/x"},
        {"contentUrl": "https://contoso.sharepoint.com.evil.example/x"},
        {"contentUrl": "javascript:alert(1)"},
        {"contentUrl": ["https://contoso.sharepoint.com/x"]},
        {"contentUrl": None},
        {"uploadUrl": "https://evil.example/x"},
        {"uploadUrl": 7},
    ],
)
async def test_export_is_not_saved_or_linked_outside_allowed_hosts(
    bot: RunningBot, upload: dict[str, Any]
) -> None:
    card = await offered(bot)
    since = bot.now
    await answer(bot, context_of(card), upload=upload)
    await bot.wait_for_text("I couldn't save the file", chat=CHAT, since=since)
    assert files_shown(bot) == []


async def test_saved_file_is_shown_under_its_own_name(bot: RunningBot) -> None:
    """Not under the one that the client sent."""
    await answer(bot, context_of(await offered(bot)))
    shown = await bot.wait_for(lambda message: has_attachment(message, INFO))
    assert attachments(shown)[0]["name"].endswith("-results.csv")
    assert shown.conversation_id == CHAT.id


async def test_consent_card_carries_nothing_but_its_offer(make_bot: MakeBot) -> None:
    card = await offered(await make_bot())
    assert set(context_of(card)) == {"consent"}
    assert len(context_of(card)["consent"]) == 22


async def test_audit_names_who_was_offered_and_who_saved_an_export(bot: RunningBot) -> None:
    card = await offered(bot)
    offer = (ALEX.object_id, {"what": "results", "step": "offered"})
    assert exports_in_audit(bot) == [offer]
    await answer(bot, context_of(card))
    await bot.wait_for(lambda message: has_attachment(message, INFO))
    delivery = (ALEX.object_id, {"what": "results", "step": "delivered"})
    assert exports_in_audit(bot) == [offer, delivery]


async def test_audit_names_who_was_given_a_link_to_an_export(make_bot: MakeBot) -> None:
    bot = await make_bot(exports="link")
    validation = await bot.submit_file(phones_csv(1))
    since = bot.now
    data = {"request": request_id_of(validation), "what": "issues"}
    await bot.send_action(ALEX, "export", data)
    posted = await bot.wait_for(
        lambda message: "/exports/" in json.dumps(message.card), since=since
    )
    (link,) = set(re.findall(r"http://[^\s\"]+/exports/[\w-]+", json.dumps(posted.card)))
    offer = (ALEX.object_id, {"what": "issues", "step": "offered"})
    assert exports_in_audit(bot) == [offer]
    async with bot.session.get(link) as response:
        assert response.status == 200
    delivery = (ALEX.object_id, {"what": "issues", "step": "delivered"})
    assert exports_in_audit(bot) == [offer, delivery]
