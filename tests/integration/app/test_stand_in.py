"""An approver hands over their role for a time: who then decides on what, and what grants nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from bot.simulator.client import Chat, texts
from bot.simulator.connector import Posted
from bot.simulator.scenario import PEOPLE, Call, Fault, FaultKind, Person, Scenario
from bot.store.models.approvals import StandInRow
from bot.store.models.audit import EventRow
from tests.integration.app.conftest import MakeBot
from tests.support.running_bot import (
    ADELE,
    ALEX,
    CHANNEL,
    ISAIAH,
    MEGAN,
    RunningBot,
    has_button,
    phones_csv,
    text_of,
)

GUEST = PEOPLE[4].model_copy(update={"guest": True})
GROUP = "aaaaaaaa-0000-4000-8000-00000000000a"
GROUP_CHAT = Chat("19:group@thread.v2", "groupChat")
MEGANS, ADELES = Chat("a:megan"), Chat("a:adele")
NO_APPROVER = "You can't approve or reject sign-ins."


@pytest.fixture
async def bot(make_bot: MakeBot) -> RunningBot:
    """Only Megan is an approver."""
    people = (*PEOPLE[:4], GUEST)
    scenario = Scenario(people=people, anyone=False, batch_seconds=0.1, groups={GROUP: ()})
    return await make_bot(gateway=scenario, approvers=(MEGAN.object_id,))


def mention(name: str, account_id: str, **mentioned: str) -> dict[str, Any]:
    return {
        "type": "mention",
        "text": f"<at>{name}</at>",
        "mentioned": {"id": account_id, "name": name, **mentioned},
    }


async def say(
    bot: RunningBot, by: Person, text: str, *entities: dict[str, Any], chat: Chat = GROUP_CHAT
) -> str:
    """Mention Offhook and send it `text`; returns what it answers."""
    since = bot.now
    activity = bot.client.activity(
        by,
        chat,
        type="message",
        text=f"<at>Offhook</at> {text}",
        entities=[mention("Offhook", "28:offhook"), *entities],
    )
    assert (await bot.client.post(activity))[0] == 200
    answer = await bot.wait_for(lambda posted: posted.conversation_id == chat.id, since=since)
    return text_of(answer)


async def hand_over(bot: RunningBot, to: Person = ADELE, until: str = "until tomorrow") -> None:
    """Megan mentions somebody; the client sends who they are to the chat, and no object ID."""
    entity = mention(to.name, f"29:{to.object_id}")
    answer = await say(bot, MEGAN, f"delegate <at>{to.name}</at> {until}", entity)
    assert f"{to.name} stands in for you until" in answer, answer


async def stand_ins(bot: RunningBot) -> list[tuple[str, str]]:
    rows = await bot.sql(select(StandInRow.approver_id, StandInRow.stand_in_id))
    return [(row[0], row[1]) for row in rows]


async def audited(bot: RunningBot, action: str) -> list[dict[str, Any]]:
    columns = (EventRow.actor_id, EventRow.actor_name, EventRow.detail)
    found = select(*columns).where(EventRow.action == action).order_by(EventRow.id)
    return [{"actor_id": row[0], "actor_name": row[1], **row[2]} for row in await bot.sql(found)]


async def test_stand_in_approves_with_both_names_on_card_and_in_audit(bot: RunningBot) -> None:
    await hand_over(bot)
    notice = await bot.wait_for_text("stands in for Megan Bowen as an approver until")
    assert notice.conversation_id.startswith(CHANNEL.id)
    await bot.say("whoami", chat=ADELES, by=ADELE)
    assert "Megan Bowen" in text_of(await bot.wait_for_text("Stands in for", chat=ADELES))

    approval = await bot.submit_for_approval(phones_csv(2))
    answer = await bot.approve(approval, by=ADELE)
    assert "Adele Vance for Megan Bowen approved the sign-in of 2 phones." in texts(answer.card)
    await bot.wait_for_results()

    (event,) = await audited(bot, "approved")
    assert (event["actor_id"], event["for_id"]) == (ADELE.object_id, MEGAN.object_id)
    assert (event["actor_name"], event["for_name"]) == (
        "Adele Vance for Megan Bowen",
        "Megan Bowen",
    )
    (named,) = await audited(bot, "stand-in named")
    assert (named["actor_id"], named["stand_in_id"]) == (MEGAN.object_id, ADELE.object_id)


async def test_what_is_no_mention_of_a_member_grants_nothing(bot: RunningBot) -> None:
    """Names in the text, entities for nobody, guests, groups, oneself, and times out of bounds."""
    adele = mention("Adele Vance", f"29:{ADELE.object_id}")
    tries = [
        ("delegate Adele Vance until tomorrow", (), "I go by mentions"),
        ("delegate <at>Adele Vance</at> until tomorrow", (), "I go by mentions"),
        # An entity that the text does not have.
        ("delegate Adele until tomorrow", (adele,), "I go by mentions"),
        ("delegate <at>X</at> until tomorrow", (mention("X", "29:nobody"),), "I can't find"),
        ("delegate <at>X</at> until tomorrow", (mention("X", "29:x", aadObjectId=GROUP),), "I can"),
        (
            "delegate <at>Adele Vance</at> until tomorrow",
            (mention("Adele Vance", f"29:{GUEST.object_id}"),),
            "Patti Fernandez is a guest",
        ),
        (
            "delegate <at>Megan Bowen</at> for 1 day",
            (mention("Megan Bowen", f"29:{MEGAN.object_id}"),),
            "You can't stand in for yourself",
        ),
        (
            "delegate <at>Adele Vance</at> <at>Isaiah</at> for 1 day",
            (adele, mention("Isaiah", f"29:{ISAIAH.object_id}")),
            "I go by mentions",
        ),
        ("delegate <at>Adele Vance</at> for 31 days", (adele,), "at most 30 days"),
        ("delegate <at>Adele Vance</at> until 2020-01-01", (adele,), "That time is over"),
        ("delegate <at>Adele Vance</at> for ever", (adele,), 'don\'t understand "for ever"'),
        ("delegate <at>Adele Vance</at>", (adele,), "I understand, for example: until Friday"),
        ("delegate stop", (), "Nobody stands in for you"),
    ]
    for text, entities, expected in tries:
        assert expected in await say(bot, MEGAN, text, *entities), text
    assert await stand_ins(bot) == []
    denied = {event["reason"] for event in await audited(bot, "denied")}
    assert {"stand-in-not-a-member", "stand-in-guest", "stand-in-yourself"} <= denied


@pytest.mark.parametrize(
    ("side", "fault", "expected"),
    [
        ("teams", Fault(call=Call.MEMBERS, fault=FaultKind.UNAVAILABLE), "Teams does not answer"),
        (
            "gateway",
            Fault(call=Call.USERS, fault=FaultKind.UNAVAILABLE),
            "the directory does not answer",
        ),
    ],
)
async def test_nobody_stands_in_while_it_cannot_be_told_who_that_is(
    bot: RunningBot, side: str, fault: Fault, expected: str
) -> None:
    getattr(bot, side).faults.add(fault)
    entity = mention("Adele Vance", f"29:{ADELE.object_id}")
    answer = await say(bot, MEGAN, "delegate <at>Adele Vance</at> for 1 day", entity)
    assert expected in answer
    assert await stand_ins(bot) == []


async def test_stand_in_passes_nothing_on(bot: RunningBot) -> None:
    await hand_over(bot)
    entity = mention("Isaiah Langer", f"29:{ISAIAH.object_id}")
    answer = await say(bot, ADELE, "delegate <at>Isaiah Langer</at> for 1 day", entity)
    assert "a stand-in can't pass it on" in answer
    assert await stand_ins(bot) == [(MEGAN.object_id, ADELE.object_id)]
    # Neither by a click on somebody else's card.
    data = {"to": ISAIAH.object_id, "until": f"{datetime.now(UTC):%Y-%m-%d}"}
    answer = await bot.send_action(ADELE, "stand_in", data, chat=GROUP_CHAT)
    assert "a stand-in can't pass it on" in answer.text
    approval = await bot.submit_for_approval(phones_csv(1))
    assert NO_APPROVER in (await bot.approve(approval, by=ISAIAH)).text


async def test_stand_in_decides_neither_on_own_request_nor_for_its_requester(
    make_bot: MakeBot,
) -> None:
    """Not even without four eyes."""
    bot = await make_bot(approvers=(MEGAN.object_id,), four_eyes=False)
    await hand_over(bot)
    for requester, chat, expected in (
        (ADELE, ADELES, "You can't decide on your own request."),
        (MEGAN, MEGANS, "You stand in for the person who made this request"),
    ):
        start = 100 * (requester is MEGAN)
        validation = await bot.submit_file(phones_csv(2, start=start), chat=chat, by=requester)
        approval = await bot.request_approval(validation, by=requester)
        for verb in ("approve", "reject"):
            answer = await bot.click(ADELE, approval, verb, {"acknowledge": "true"})
            assert expected in answer.text
        assert has_button(approval, "approve")
    assert bot.gateway.configapi.submits == []


async def test_stand_in_ends_by_stop_by_time_and_with_the_role(bot: RunningBot) -> None:
    approval = await bot.submit_for_approval(phones_csv(2))

    async def assert_no_approver() -> None:
        assert NO_APPROVER in (await bot.approve(approval, by=ADELE)).text

    await assert_no_approver()
    await hand_over(bot)
    assert "no longer stands in for you" in await say(bot, MEGAN, "delegate stop")
    await assert_no_approver()

    since = bot.now
    await hand_over(bot)
    await bot.sql(update(StandInRow).values(until=datetime.now(UTC)))
    await assert_no_approver()
    # Whether or not anybody clicks, its end is written.
    await bot.wait_for_text("no longer stands in for Megan Bowen", since=since)
    assert await stand_ins(bot) == []
    assert (await audited(bot, "stand-in ended"))[-1]["actor_id"] == ""

    values = {
        "tenant_id": bot.settings.home_tenant,
        "approver_id": ISAIAH.object_id,  # who has lost the role
        "approver_name": "Isaiah Langer",
        "stand_in_id": ADELE.object_id,
        "stand_in_name": "Adele Vance",
        "until": datetime.now(UTC) + timedelta(days=1),
    }
    await bot.sql(insert(StandInRow).values(**values))
    await assert_no_approver()
    await bot.sql(update(StandInRow).values(tenant_id="elsewhere", approver_id=MEGAN.object_id))
    await assert_no_approver()
    assert has_button(approval, "approve")


async def card_of(bot: RunningBot, by: Person, chat: Chat) -> Posted:
    since = bot.now
    await bot.say("delegate", chat=chat, by=by)
    return await bot.wait_for_text("Who approves for whom", chat=chat, since=since)


async def test_card_hands_over_once_and_stops(bot: RunningBot) -> None:
    card = await card_of(bot, MEGAN, MEGANS)
    picker = next(
        node for node in (card.card or {})["body"] if node.get("type") == "Input.ChoiceSet"
    )
    assert picker["choices.data"] == {"type": "Data.Query", "dataset": "graph.microsoft.com/users"}
    tomorrow = f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%d}"

    for to, until, expected in (
        (GROUP, tomorrow, "I can't find that person"),
        ("not a GUID", tomorrow, "I can't find that person"),
        (f"{ADELE.object_id},{ISAIAH.object_id}", tomorrow, "I can't find that person"),
        ("", tomorrow, "Select a person."),
        (ADELE.object_id, "", "Select a day"),
        (ADELE.object_id, "2099-01-01", "at most 30 days"),
    ):
        answer = await bot.click(MEGAN, card, "stand_in", {"to": to, "until": until})
        assert expected in answer.text
    assert await stand_ins(bot) == []

    chosen = {"to": ADELE.object_id, "until": tomorrow}
    answer = await bot.click(MEGAN, card, "stand_in", chosen)
    assert "Adele Vance stands in for you until" in texts(answer.card)
    await bot.click(MEGAN, card, "stand_in", chosen)  # a double click
    assert len(await audited(bot, "stand-in named")) == 1
    await bot.click(MEGAN, card, "stand_in", {**chosen, "to": ISAIAH.object_id})
    assert await stand_ins(bot) == [(MEGAN.object_id, ISAIAH.object_id)]  # in her place

    isaiahs = await card_of(bot, ISAIAH, Chat("a:isaiah"))
    assert "You stand in for Megan Bowen until" in text_of(isaiahs)
    assert not has_button(isaiahs, "stand_in")
    current = await card_of(bot, MEGAN, MEGANS)
    answer = await bot.click(MEGAN, current, "stand_in_stop")
    assert "nobody stands in for you" in texts(answer.card)
    assert "Nobody stands in" in (await bot.click(MEGAN, current, "stand_in_stop")).text
    assert await stand_ins(bot) == []


async def test_card_of_nobody_lets_requesters_hand_over_nothing(bot: RunningBot) -> None:
    card = await card_of(bot, ALEX, Chat("a:alex"))
    assert "You stand in for nobody" in text_of(card)
    assert not has_button(card, "stand_in")
    answer = await bot.send_action(ALEX, "stand_in", {"to": ADELE.object_id, "until": "2026-12-01"})
    assert "Only approvers can hand over their role" in answer.text
    assert (await audited(bot, "denied"))[-1]["what"] == "delegate"
