"""What people can ask in words, and the welcome."""

from __future__ import annotations

from typing import Any

import pytest

from bot.phones.vendor import DeviceKind
from bot.simulator.client import TENANT, Chat, elements, verbs
from bot.simulator.scenario import Person, Scenario
from tests.integration.app.conftest import MakeOffice
from tests.support.running_bot import (
    ADELE,
    ALEX,
    CHANNEL,
    CHAT,
    MEGAN,
    Office,
    content,
    csv_of,
    offers,
    request_of,
)


async def only(office: Office, text: str, chat: Chat = CHAT, by: Person = ALEX) -> str:
    """The one answer to a command."""
    before = len(await office.heard(chat, by=by))
    await office.say(text, chat=chat, by=by)
    (answer,) = (await office.heard(chat, by=by))[before:]
    return content(answer)


async def test_help(office: Office) -> None:
    for text in ("help", "HELP", "  Help \n", "hElP me"):
        said = await only(office, text)
        for command in ("template", "urls EMEA", "status", "history", "cancel", "retry", "whoami"):
            assert command in said


async def test_help_in_a_channel_with_a_mention(office: Office) -> None:
    chat = Chat("19:team@thread.tacv2;messageid=17", "channel")
    mention = {"type": "mention", "text": "<at>Offhook</at>", "mentioned": {"id": "28:offhook"}}
    for text in ("<at>Offhook</at> HELP", "<at>Offhook</at>&nbsp;help", "<at>Offhook</at>\nhelp\n"):
        since = office.now
        await office.client.post(
            office.client.activity(ADELE, chat, type="message", text=text, entities=[mention])
        )
        assert await office.until_says("What I can do for you", chat=chat, since=since)


async def test_anything_else_gets_help(office: Office) -> None:
    await office.say("make me a <b>sandwich</b> [now](https://evil.example.com)\u202e " + "x" * 500)
    told, helped = await office.heard()
    assert told.text.startswith("I don't know the command \"make me a <b>sandwich</b>")
    assert told.activity["textFormat"] == "plain"
    assert len(told.text) < 200
    assert "\u202e" not in told.text
    assert "What I can do for you" in content(helped)


async def test_welcome_on_install(office: Office) -> None:
    status, _ = await office.client.install(ALEX, CHAT)
    assert status == 200
    (welcome,) = await office.heard()
    assert "Offhook signs in your Teams SIP phones" in content(welcome)
    assert "resets the password" in content(welcome)


async def test_urls(office: Office) -> None:
    said = await only(office, "urls")
    for region in ("noam", "emea", "apac"):
        assert f"http://{region}.ipp.sdg.teams.microsoft.com/tenantid/{TENANT}" in said
    said = await only(office, "URLs  emea")
    assert "noam" not in said
    assert said.count(f"/tenantid/{TENANT}") >= len(DeviceKind)
    for suffix in ("/$PSN.xml", "/mac.ini", "/mac.cfg", "/$mac.cfg"):
        assert f"{TENANT}{suffix}" in said
    told = await only(office, "urls MARS <b>")
    assert told == 'There is no region "MARS <b>". The regions are NOAM, EMEA, and APAC.'


async def test_the_template_is_never_ready_as_it_stands(office: Office) -> None:
    await office.say("template")
    card = await office.until_says("Copy these lines into a file", chat=CHAT)
    (code,) = [each["codeSnippet"] for each in elements(card.card) if each["type"] == "CodeBlock"]
    since = office.now
    await office.say(code)
    validation = await office.until_offers("withdraw", since=since)
    assert "None of the 2 rows are ready." in content(validation)
    assert not offers(validation, "request_approval")


async def test_whoami(make_office: MakeOffice) -> None:
    office = await make_office(requesters=(ALEX.object_id,), approvers=(MEGAN.object_id,))
    said = await only(office, "whoami")
    for needed in (ALEX.name, ALEX.principal, ALEX.object_id, TENANT, "you can request sign-ins"):
        assert needed in said
    said = await only(office, "whoami", Chat("a:megan"), MEGAN)
    assert "approve sign-ins" in said
    said = await only(office, "whoami", Chat("a:adele"), ADELE)
    assert "None: you can't request or approve sign-ins" in said


async def test_status_and_history(make_office: MakeOffice) -> None:
    office = await make_office(approvers=(MEGAN.object_id,))
    assert "There are no open requests." in await only(office, "status")
    assert "There are no requests yet." in await only(office, "history")
    done = request_of(await office.finished(csv_of(2)))
    approval = await office.waiting(csv_of(2, start=5))
    waiting = request_of(approval)
    said = await only(office, "status")
    assert waiting in said
    assert done not in said
    said = await only(office, "history")
    assert said.index(waiting) < said.index(done)  # the newest first
    assert "2 of 2 signed in" in said
    assert "Megan Bowen" in said
    # an approver sees everybody's, others their own
    assert waiting in await only(office, "history", Chat("a:megan"), MEGAN)
    assert waiting not in await only(office, "history", Chat("a:adele"), ADELE)


async def test_status_of_a_request_is_a_live_card(office: Office) -> None:
    approval = await office.waiting(csv_of(2))
    request = request_of(approval)
    chat = Chat("a:megan")
    for text in ("status {}", "STATUS {}", "status  #{}", "status\t{}", "status {}\n"):
        await office.say(text.format(request.lower()), chat=chat, by=MEGAN)
    cards = await office.heard(chat, by=MEGAN)
    assert len(cards) == 5
    assert all({"approve", "reject"} <= set(verbs(card.card)) for card in cards)
    await office.click(MEGAN, approval, "reject")
    await office.all_settled()
    assert all("Megan Bowen rejected this request." in content(card) for card in cards)


@pytest.mark.parametrize("command", ["status", "cancel", "retry"])
async def test_a_request_that_is_not_there(office: Office, command: str) -> None:
    for name in ("ZZZZZZZZ", "nonsense", "' OR 1=1"):
        told = await only(office, f"{command} {name}")
        assert told.startswith(f'I can\'t find request "{name}".')


@pytest.mark.parametrize("command", ["cancel", "retry"])
async def test_which_request(office: Office, command: str) -> None:
    assert (await only(office, command)).startswith("Tell me which request")


async def test_retry_before_the_end(office: Office) -> None:
    approval = await office.waiting(csv_of(2))
    told = await only(office, f"retry {request_of(approval)}")
    assert told == "The request has not ended yet. Retry once it has."


async def test_pages_of_phones_and_of_what_failed(make_office: MakeOffice) -> None:
    outcomes: dict[str, Any] = {f"lobby{n}@contoso.com": ("device-offline",) for n in range(12)}
    office = await make_office(gateway=Scenario(batch_seconds=0.1, outcomes=outcomes))
    results = await office.finished(csv_of(25))
    assert "13 of 25 phones are signed in." in content(results)
    await office.click(ALEX, results, "page", panel="failed")
    await office.until(lambda each: each is results and "1 to 10 of 12" in content(each))
    assert "lobby12@" not in content(results)
    await office.click(ALEX, results, "page", page=2)
    await office.until(lambda each: each is results and "11 to 12 of 12" in content(each))
    await office.click(ALEX, results, "page", panel="phones")
    await office.until(lambda each: each is results and "1 to 10 of 25" in content(each))
    answer = await office.turn(ALEX, results, "phones", 3)
    assert "21 to 25 of 25" in str(answer.card)
    await office.click(ALEX, results, "page", panel="")
    await office.until(lambda each: each is results and " of 25" not in content(each)[200:])
    assert offers(results, "retry_failed")


async def test_files_reach_people_in_the_one_to_one_chat_only(office: Office) -> None:
    results = await office.finished(csv_of(2))
    request, since = request_of(results), office.now
    chat = Chat("19:group@thread.v2", "groupChat")
    await office.say(f"status {request}", chat=chat, by=ADELE)
    card = await office.until(lambda each: each.conversation_id == chat.id, since=since)
    data = {"request": request, "what": "results"}
    answer = await office.act(ADELE, "export", data, chat=chat, activity_id=card.activity_id)
    assert answer.text.startswith("I can send files only in our 1:1 chat.")
    assert request in answer.text
    assert CHANNEL.id != chat.id
