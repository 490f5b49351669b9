"""Text commands, and the welcome message."""

from __future__ import annotations

from typing import Any

import pytest

from bot.phones.vendor import DeviceKind
from bot.simulator.client import TENANT, Chat, elements, verbs
from bot.simulator.scenario import Person, Scenario
from bot.store import audit, conversations
from bot.store.database import Database
from tests.integration.app.conftest import MakeBot
from tests.support.running_bot import (
    ADELE,
    ALEX,
    CHANNEL,
    CHAT,
    MEGAN,
    RunningBot,
    has_button,
    phones_csv,
    request_id_of,
    text_of,
)


async def answer_to(bot: RunningBot, text: str, chat: Chat = CHAT, by: Person = ALEX) -> str:
    """The one answer to a command."""
    before = len(await bot.received(chat, by=by))
    await bot.say(text, chat=chat, by=by)
    (answer,) = (await bot.received(chat, by=by))[before:]
    return text_of(answer)


async def test_help_lists_commands_in_any_case(bot: RunningBot) -> None:
    for command in ("help", "HELP", "  Help \n", "hElP me"):
        text = await answer_to(bot, command)
        for name in ("template", "urls EMEA", "status", "history", "cancel", "retry", "whoami"):
            assert name in text


async def test_help_is_posted_in_channel_when_bot_is_mentioned(bot: RunningBot) -> None:
    chat = Chat("19:team@thread.tacv2;messageid=17", "channel")
    mention = {"type": "mention", "text": "<at>Offhook</at>", "mentioned": {"id": "28:offhook"}}
    for text in ("<at>Offhook</at> HELP", "<at>Offhook</at>&nbsp;help", "<at>Offhook</at>\nhelp\n"):
        since = bot.now
        await bot.client.post(
            bot.client.activity(ADELE, chat, type="message", text=text, entities=[mention])
        )
        assert await bot.wait_for_text("What I can do for you", chat=chat, since=since)
    ids = {chat.id, "19:team@thread.tacv2", "19:other@thread.tacv2"}
    database = Database(bot.settings.database)
    async with database.read() as tx:
        remembered = await conversations.known(tx, ids)
    await database.close()
    assert remembered == {chat.id, "19:team@thread.tacv2"}


async def test_unknown_text_is_answered_with_help(bot: RunningBot) -> None:
    await bot.say("make me a <b>sandwich</b> [now](https://evil.example.com)\u202e " + "x" * 500)
    unknown, help_card = await bot.received()
    assert unknown.text.startswith("I don't know the command \"make me a <b>sandwich</b>")
    assert unknown.activity["textFormat"] == "plain"
    assert len(unknown.text) < 200
    assert "\u202e" not in unknown.text
    assert "What I can do for you" in text_of(help_card)


async def test_welcome_is_posted_on_installation(bot: RunningBot) -> None:
    status, _ = await bot.client.install(ALEX, CHAT)
    assert status == 200
    (welcome,) = await bot.received()
    assert "Offhook signs in your Teams SIP phones" in text_of(welcome)
    assert "resets the password" in text_of(welcome)


async def test_urls_lists_provisioning_urls_of_all_or_one_region(bot: RunningBot) -> None:
    text = await answer_to(bot, "urls")
    for region in ("noam", "emea", "apac"):
        assert f"http://{region}.ipp.sdg.teams.microsoft.com/tenantid/{TENANT}" in text
    text = await answer_to(bot, "URLs  emea")
    assert "noam" not in text
    assert text.count(f"/tenantid/{TENANT}") >= len(DeviceKind)
    for suffix in ("/$PSN.xml", "/mac.ini", "/mac.cfg", "/$mac.cfg"):
        assert f"{TENANT}{suffix}" in text
    text = await answer_to(bot, "urls MARS <b>")
    assert text == 'There is no region "MARS <b>". The regions are NOAM, EMEA, and APAC.'


async def test_template_has_no_ready_rows_when_sent_unchanged(bot: RunningBot) -> None:
    await bot.say("template")
    card = await bot.wait_for_text("Copy these lines into a file", chat=CHAT)
    (code,) = [
        element["codeSnippet"] for element in elements(card.card) if element["type"] == "CodeBlock"
    ]
    since = bot.now
    await bot.say(code)
    validation = await bot.wait_for_button("withdraw", since=since)
    assert "None of the 2 rows are ready." in text_of(validation)
    assert not has_button(validation, "request_approval")


async def test_whoami_shows_identity_and_roles(make_bot: MakeBot) -> None:
    bot = await make_bot(requesters=(ALEX.object_id,), approvers=(MEGAN.object_id,))
    text = await answer_to(bot, "whoami")
    for expected in (ALEX.name, ALEX.principal, ALEX.object_id, TENANT, "you can request sign-ins"):
        assert expected in text
    text = await answer_to(bot, "whoami", Chat("a:megan"), MEGAN)
    assert "approve sign-ins" in text
    text = await answer_to(bot, "whoami", Chat("a:adele"), ADELE)
    assert "None: you can't request or approve sign-ins" in text


async def test_status_and_history_list_requests_by_role(make_bot: MakeBot) -> None:
    bot = await make_bot(approvers=(MEGAN.object_id,))
    assert "There are no open requests." in await answer_to(bot, "status")
    assert "There are no requests yet." in await answer_to(bot, "history")
    finished = request_id_of(await bot.run_job(phones_csv(2)))
    approval = await bot.submit_for_approval(phones_csv(2, start=5))
    waiting = request_id_of(approval)
    text = await answer_to(bot, "status")
    assert waiting in text
    assert finished not in text
    text = await answer_to(bot, "history")
    assert text.index(waiting) < text.index(finished)  # newest first
    assert "2 of 2 signed in" in text
    assert "Megan Bowen" in text
    # Approvers see all requests, others only their own.
    assert waiting in await answer_to(bot, "history", Chat("a:megan"), MEGAN)
    assert waiting not in await answer_to(bot, "history", Chat("a:adele"), ADELE)


async def test_history_says_who_signed_in_a_phone_when_and_who_approved(make_bot: MakeBot) -> None:
    bot = await make_bot(approvers=(MEGAN.object_id,))
    request = request_id_of(await bot.run_job(phones_csv(2)))
    other = request_id_of(await bot.submit_for_approval(phones_csv(1, start=9)))
    megan = Chat("a:megan")
    phone = "80-5E-C0-00-00-01"
    for asked in (phone.replace("-", ":").lower(), f"by Megan {phone} last 2 days"):
        text = await answer_to(bot, f"history {asked}", megan, MEGAN)
        for expected in (
            request,
            phone,
            "✓ Signed in, sent",
            ALEX.name,
            "Decided by Megan Bowen",
        ):
            assert expected in text
        assert other not in text
    assert request not in await answer_to(bot, f"history {phone}", Chat("a:adele"), ADELE)
    assert "No request found" in await answer_to(bot, "history until 2026-01-01", megan, MEGAN)
    text = await answer_to(bot, "history since Friday", megan, MEGAN)
    assert text.startswith('I can\'t read "Friday" as a time.')
    database = Database(bot.settings.database)
    async with database.read() as tx:
        read = await audit.newest_detail(tx, "list read")
    await database.close()
    assert read is not None
    assert read["asked"] == "until 2026-01-02T00:00:00Z"


async def test_status_posts_card_that_stays_current(bot: RunningBot) -> None:
    approval = await bot.submit_for_approval(phones_csv(2))
    request = request_id_of(approval)
    chat = Chat("a:megan")
    for command in ("status {}", "STATUS {}", "status  #{}", "status\t{}", "status {}\n"):
        await bot.say(command.format(request.lower()), chat=chat, by=MEGAN)
    cards = await bot.received(chat, by=MEGAN)
    assert len(cards) == 5
    assert all({"approve", "reject"} <= set(verbs(card.card)) for card in cards)
    await bot.click(MEGAN, approval, "reject")
    await bot.wait_until_settled()
    assert all("Megan Bowen rejected this request." in text_of(card) for card in cards)


@pytest.mark.parametrize("command", ["status", "cancel", "retry"])
async def test_command_says_request_is_unknown_for_invalid_id(
    bot: RunningBot, command: str
) -> None:
    for name in ("ZZZZZZZZ", "nonsense", "' OR 1=1"):
        text = await answer_to(bot, f"{command} {name}")
        assert text.startswith(f'I can\'t find request "{name}".')


@pytest.mark.parametrize("command", ["cancel", "retry"])
async def test_command_asks_for_request_without_id(bot: RunningBot, command: str) -> None:
    assert (await answer_to(bot, command)).startswith("Tell me which request")


async def test_retry_is_denied_before_request_has_ended(bot: RunningBot) -> None:
    approval = await bot.submit_for_approval(phones_csv(2))
    text = await answer_to(bot, f"retry {request_id_of(approval)}")
    assert text == "The request has not ended yet. Retry once it has."


async def test_results_card_pages_through_all_and_failed_phones(make_bot: MakeBot) -> None:
    outcomes: dict[str, Any] = {f"lobby{n}@contoso.com": ("device-offline",) for n in range(12)}
    bot = await make_bot(gateway=Scenario(batch_seconds=0.1, outcomes=outcomes))
    results = await bot.run_job(phones_csv(25))
    assert "13 of 25 phones are signed in." in text_of(results)
    await bot.click(ALEX, results, "page", panel="failed")
    await bot.wait_for(lambda message: message is results and "1 to 10 of 12" in text_of(message))
    assert "lobby12@" not in text_of(results)
    await bot.click(ALEX, results, "page", page=2)
    await bot.wait_for(lambda message: message is results and "11 to 12 of 12" in text_of(message))
    await bot.click(ALEX, results, "page", panel="phones")
    await bot.wait_for(lambda message: message is results and "1 to 10 of 25" in text_of(message))
    answer = await bot.turn_page(ALEX, results, "phones", 3)
    assert "21 to 25 of 25" in str(answer.card)
    await bot.click(ALEX, results, "page", panel="")
    await bot.wait_for(
        lambda message: message is results and " of 25" not in text_of(message)[200:]
    )
    assert has_button(results, "retry_failed")


async def test_export_is_denied_outside_personal_chat(bot: RunningBot) -> None:
    results = await bot.run_job(phones_csv(2))
    request, since = request_id_of(results), bot.now
    chat = Chat("19:group@thread.v2", "groupChat")
    await bot.say(f"status {request}", chat=chat, by=ADELE)
    card = await bot.wait_for(lambda message: message.conversation_id == chat.id, since=since)
    data = {"request": request, "what": "results"}
    answer = await bot.send_action(ADELE, "export", data, chat=chat, activity_id=card.activity_id)
    assert answer.text.startswith("I can send files only in our 1:1 chat.")
    assert request in answer.text
    assert CHANNEL.id != chat.id
