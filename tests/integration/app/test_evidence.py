"""What an approver sees before deciding, over HTTP: evidence, the whole list, and their own buttons."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.simulator.client import (
    CONSENT,
    Chat,
    acknowledgment,
    attachments,
    button,
    has_attachment,
    texts,
    verbs,
)
from tests.integration.app.conftest import MakeBot
from tests.integration.app.test_overlap import audited
from tests.support.running_bot import (
    ADELE,
    ALEX,
    MEGAN,
    RunningBot,
    chat_of,
    has_button,
    phones_csv,
    request_id_of,
    text_of,
)

INFO = "application/vnd.microsoft.teams.card.file.info"
MEGANS = Chat("a:megan-and-offhook")


async def test_card_shows_who_asks_why_and_that_it_is_the_first_time(bot: RunningBot) -> None:
    validation = await bot.submit_file(phones_csv(2))
    approval = await bot.request_approval(validation, ticket="CHG0042")
    request_id = request_id_of(approval)
    text = json.dumps(approval.card)
    assert "never requested an approval here before" in text
    assert "CHG0042" in text
    assert ALEX.principal in text
    assert ALEX.object_id in text
    [(_, _, detail)] = audited(bot, "asked")
    assert detail["ticket"] == "CHG0042"
    since = bot.now
    await bot.approve(approval)
    await bot.wait_for_results(since=since)

    # The same file again, with a phone swapped and one added.
    changed = phones_csv(3).replace(b"80-5E-C0-00-00-01", b"80-5E-C0-00-77-01")
    again = json.dumps((await bot.request_approval(await bot.submit_file(changed))).card)
    assert "never requested" not in again
    assert f"Not the same as request {request_id}" in again
    assert "1 account added, 0 gone, 1 on other phones." in again
    assert "2 passwords were reset by Offhook in the last 30 days" in again


@pytest.mark.parametrize(
    ("entered", "told"),
    [
        ("true", "This resets 3 passwords, so type 3. Nothing was approved."),
        ("", "This resets 3 passwords, so type 3. Nothing was approved."),
        ("30", "This resets 3 passwords, so type 3. You typed 30, so nothing was approved."),
    ],
)
async def test_wrong_number_approves_nothing(make_bot: MakeBot, entered: str, told: str) -> None:
    bot = await make_bot(typed_above=2)
    approval = await bot.submit_for_approval(phones_csv(3))
    answer = await bot.click(MEGAN, approval, "approve", {"acknowledge": entered})
    assert answer.text.startswith(told)
    assert bot.gateway.configapi.submits == []
    answer = await bot.click(MEGAN, approval, "approve", {"acknowledge": " 3 "})
    assert "approved" in texts(answer.card)


async def test_card_whose_box_will_not_do_any_more_gets_the_field(make_bot: MakeBot) -> None:
    """It was posted before an upgrade, or before the setting was lowered."""
    bot = await make_bot()
    approval = await bot.submit_for_approval(phones_csv(3))
    await bot.stop()
    bot.settings = bot.settings.model_copy(update={"typed_above": 2})
    await bot.start()
    since = bot.now
    answer = await bot.approve(approval)
    assert answer.text.startswith("This resets 3 passwords, so type 3. Nothing was approved.")
    await bot.wait_for(
        lambda each: each is approval and acknowledgment(each.card) == "3", since=since
    )
    answer = await bot.approve(approval)
    assert "approved" in texts(answer.card)


async def test_list_is_paged_for_the_viewer_and_looks_are_audited_once(bot: RunningBot) -> None:
    approval = await bot.submit_for_approval(phones_csv(23, "EMEA", "NOAM"))
    posted = len(approval.versions)
    first = await bot.click(MEGAN, approval, "page", panel="phones")
    assert "1 to 10 of 23" in texts(first.card)
    assert "approve" in verbs(first.card)
    data = button(first.card, "page", page=2)["data"]
    where: dict[str, Any] = {"chat": chat_of(approval), "activity_id": approval.activity_id}
    second = await bot.send_action(MEGAN, "page", data, **where)
    assert "11 to 20 of 23" in texts(second.card)
    chosen = {**data, "filter": "NOAM", "prefix": "LOBBY1", "page": 1}
    some = await bot.send_action(MEGAN, "page", chosen, **where)
    assert "6 of 23 phones" in texts(some.card)  # 1, 11, 13, … 19
    await bot.send_action(ADELE, "page", data, **where)
    await bot.received()
    assert len(approval.versions) == posted  # others see the card as it was posted
    assert "1 to 10" not in text_of(approval)
    looks = [(actor, detail["filter"]) for _, actor, detail in audited(bot, "looked")]
    assert looks == [
        (MEGAN.object_id, "all"),
        (MEGAN.object_id, "NOAM lobby1"),
        (ADELE.object_id, "all"),
    ]
    digest = button(approval.card, "approve")["data"]["digest"]
    assert {detail["digest"] for _, _, detail in audited(bot, "looked")} == {digest}


async def test_approver_exports_the_list_before_deciding(bot: RunningBot) -> None:
    approval = await bot.submit_for_approval(phones_csv(3))
    request_id = request_id_of(approval)
    answer = await bot.click(MEGAN, approval, "export", what="phones")
    assert f"send status {request_id}" in answer.text
    since = bot.now
    await bot.say(f"status {request_id}", chat=MEGANS, by=MEGAN)
    card = await bot.wait_for_button("approve", since=since)
    await bot.client.click(MEGAN, MEGANS, card, "export", what="phones")
    offered = await bot.wait_for(lambda each: has_attachment(each, CONSENT), since=since)
    _, upload = await bot.client.answer_consent(MEGAN, MEGANS, offered, accept=True)
    content = (await bot.teams.files.uploaded(upload, 60)).decode("utf-8-sig").splitlines()
    assert [line.split(",")[0] for line in content[1:]] == [
        f"lobby{n}@contoso.com" for n in range(3)
    ]
    saved = await bot.wait_for(lambda each: has_attachment(each, INFO), since=since)
    assert attachments(saved)[0]["name"] == f"offhook-{request_id}-phones.csv"
    assert [
        (actor, detail["what"], detail["step"]) for _, actor, detail in audited(bot, "exported")
    ] == [(MEGAN.object_id, "phones", "offered"), (MEGAN.object_id, "phones", "delivered")]


async def test_each_viewer_gets_the_buttons_that_they_may_use(make_bot: MakeBot) -> None:
    bot = await make_bot(approvers=(MEGAN.object_id,))
    approval = await bot.submit_for_approval(phones_csv(2))
    assert has_button(approval, "approve")  # for clients that do not refresh
    assert approval.card is not None
    assert approval.card["refresh"]["userIds"] == [f"29:{ALEX.object_id}"]
    data = approval.card["refresh"]["action"]["data"]
    where: dict[str, Any] = {"chat": chat_of(approval), "activity_id": approval.activity_id}
    own, approver, stranger = [
        (await bot.send_action(person, "refresh", data, **where)).card
        for person in (ALEX, MEGAN, ADELE)
    ]
    assert {"withdraw"} == set(verbs(own)) - {"export"}
    assert {"approve", "reject"} == set(verbs(approver)) - {"export"}
    assert verbs(stranger) == []
    # What a card shows grants nothing.
    forged = button(approval.card, "approve")["data"] | {"acknowledge": "true"}
    answer = await bot.send_action(ALEX, "approve", forged, **where)
    assert answer.text.startswith("You can't")
    answer = await bot.click(ALEX, approval, "reject")
    assert answer.text.startswith("You can't")
    answer = await bot.send_action(ALEX, "withdraw", button(own, "withdraw")["data"], **where)
    assert "Withdrawn" in texts(answer.card)
