"""What reaches the chats, and how often: the publisher through the whole service."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest

from bot.runner import publisher
from bot.runner.rate_limit import APP, CONVERSATION
from bot.simulator.client import Chat, verbs
from bot.simulator.connector import Posted
from bot.simulator.scenario import Call, Fault, FaultKind, Scenario
from tests.integration.app.conftest import MakeOffice
from tests.support.running_bot import (
    ADELE,
    CHANNEL,
    CHAT,
    MEGAN,
    PACE,
    PATIENCE,
    Office,
    content,
    csv_of,
    settled,
)


async def test_every_message_is_sent_once_and_in_order(office: Office) -> None:
    chats = [Chat(f"a:chat-{n}") for n in range(4)]

    async def talk(chat: Chat) -> None:
        for number in range(25):
            await office.say(f"status {number:08}", chat=chat)

    await asyncio.gather(*map(talk, chats))
    for chat in chats:
        said = [content(each) for each in await office.heard(chat)]
        expected = [f'I can\'t find request "{number:08}".' for number in range(25)]
        assert [text.partition(" Send")[0] for text in said] == expected


async def test_updates_are_coalesced(
    make_office: MakeOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """20 batches, Teams' own limits: no more updates than the timing allows, none refused, the last shown."""
    monkeypatch.setattr(publisher, "CONVERSATION", CONVERSATION)
    monkeypatch.setattr(publisher, "APP", APP)
    office = await make_office(
        teams=Scenario(), gateway=Scenario(batch_seconds=0.15), started=False
    )
    card = 0.2
    await office.start(replace(PACE, card_seconds=card))
    approval = await office.waiting(csv_of(2000, "EMEA", "NOAM"))
    began = time.monotonic()
    await office.approve(approval)
    results = await office.results()
    await office.all_settled()
    elapsed = time.monotonic() - began
    assert "2,000 phones are signed in" in content(results)
    assert len(office.gateway.configapi.submits) == 20
    for chat in (CHAT.id, approval.conversation_id):
        there = office.teams.connector.in_conversation(chat)
        updates = sum(len(each.versions) - 1 for each in there)
        assert 1 <= updates <= elapsed / card + 2
    progress = office.teams.connector.in_conversation(CHAT.id)[1]
    assert len(progress.versions) >= 3
    done = [content(version) for version in snapshots_of(progress)]
    assert done == sorted(set(done), key=done.index)  # no state is shown twice
    assert office.teams.connector.answers[429] == 0
    assert office.teams.connector.answers[412] == 0


def snapshots_of(posted: Posted) -> list[Posted]:
    """A message as it was after each change."""
    return [
        Posted(posted.conversation_id, posted.activity_id, "", posted.versions[: n + 1], 0)
        for n in range(len(posted.versions))
    ]


TROUBLE = (
    (FaultKind.THROTTLED, None),
    (FaultKind.THROTTLED, "soon"),
    (FaultKind.PRECONDITION_FAILED, None),
    (FaultKind.BAD_GATEWAY, None),
    (FaultKind.GATEWAY_TIMEOUT, None),
    (FaultKind.UNAUTHORIZED, None),
    (FaultKind.DROP_LOST, None),
)


@pytest.mark.parametrize("call", [Call.SEND, Call.UPDATE, Call.CREATE_CONVERSATION])
async def test_trouble_with_teams_passes(office: Office, call: Call) -> None:
    """Whatever it answers now and then, everything reaches everybody in the end, once."""
    for at, (kind, retry_after) in enumerate(TROUBLE):
        nth = 1 + 2 * at
        office.teams.faults.add(Fault(call=call, fault=kind, nth=nth, retry_after=retry_after))
    await all_is_told(office)
    assert [len(of) for of in by_place(office)] == [3, 3]


async def test_a_throttled_conversation_is_left_alone_for_as_long_as_teams_says(
    office: Office,
) -> None:
    office.teams.faults.add(Fault(call=Call.SEND, fault=FaultKind.THROTTLED, retry_after=1))
    began = time.monotonic()
    elsewhere = asyncio.create_task(office.heard(Chat("a:megan"), by=MEGAN))
    await office.say("urls EMEA")
    await asyncio.gather(
        elsewhere, office.until_says("emea.ipp.sdg.teams.microsoft.com", chat=CHAT)
    )
    assert time.monotonic() - began >= 1
    assert office.teams.connector.calls[Call.SEND] == 3


async def all_is_told(office: Office) -> None:
    """A whole job, at the end of which every card shows the end."""
    approval = await office.waiting(csv_of(2))
    await office.approve(approval)
    await office.results()
    await office.until_says("has finished: 2 of 2 phones")
    await office.all_settled()


def by_place(office: Office) -> tuple[list[Posted], list[Posted]]:
    """What was posted in the 1:1 chat, and in the channel."""
    there = [each for each in office.teams.connector.messages if not each.deleted]
    chat = [each for each in there if each.conversation_id == CHAT.id]
    return chat, [each for each in there if each.conversation_id.startswith(CHANNEL.id)]


@pytest.mark.parametrize("kind", [FaultKind.GARBAGE, FaultKind.BAD_GATEWAY_ACCEPTED])
async def test_a_send_that_was_done_but_not_said_so(office: Office, kind: FaultKind) -> None:
    """There may be one more of it, never one after the other."""
    office.teams.faults.add(Fault(call=Call.SEND, fault=kind, times=1))
    results = await office.finished(csv_of(2))
    heard = await office.heard()
    assert results in heard
    assert 3 <= len(heard) <= 4


async def test_a_card_that_somebody_deleted_is_sent_anew(office: Office) -> None:
    approval = await office.waiting(csv_of(2))
    before = office.teams.connector.messages.copy()
    office.teams.faults.add(Fault(call=Call.UPDATE, fault=FaultKind.GONE))
    await office.approve(approval)
    await office.results()
    await office.until_says("has finished: 2 of 2 phones")
    await office.all_settled()
    (gone,) = [each for each in office.teams.connector.messages if each.deleted]
    assert gone in before  # the request's own card, or the approvers'
    assert [len(of) for of in by_place(office)] == [3, 3]  # as many as ever: one took its place


@pytest.mark.parametrize("how", ["blocked", "missing"])
async def test_a_conversation_that_is_closed_to_us_holds_up_nobody(
    office: Office, how: str
) -> None:
    approval = await office.waiting(csv_of(2))
    closed: set[str] = getattr(office.teams.connector, how)
    closed.update((approval.conversation_id, CHANNEL.id))
    await office.approve(approval)
    assert "2 phones are signed in" in content(await office.results())
    chat = office.teams.connector.in_conversation(CHAT.id)
    await office.until(lambda each: all(map(settled, chat)))
    calls = office.teams.connector.calls.copy()
    await office.heard()
    assert office.teams.connector.calls[Call.UPDATE] == calls[Call.UPDATE]  # it was given up
    closed.clear()
    # what comes next reaches the channel again
    since = office.now
    assert await office.ask(await office.hand_in(csv_of(1, start=9)))
    assert since < office.now


async def test_a_restart_brings_every_card_up_to_date(make_office: MakeOffice) -> None:
    """Stopped in the middle of a job: the next one goes on with the same cards, and sends nothing twice."""
    office = await make_office(gateway=Scenario(batch_seconds=0.5))
    approval = await office.waiting(csv_of(500))
    await office.approve(approval)
    await office.gateway.configapi.wait_for_submits(3, PATIENCE)
    progress = await office.until_offers("cancel")
    await office.stop()
    sent = len(office.gateway.configapi.submits)
    assert sent < 5
    await office.start()
    results = await office.results()
    assert "500 phones are signed in" in content(results)
    await office.all_settled()
    assert settled(progress)
    assert len(office.gateway.configapi.submits) == 5
    assert not office.gateway.configapi.run_twice
    assert [len(of) for of in by_place(office)] == [3, 3]


async def test_a_restart_delivers_what_could_not_be_sent(office: Office) -> None:
    await office.heard()
    await office.teams.__aexit__(None, None, None)  # Teams takes no messages now
    await office.say("urls EMEA")
    await office.stop()
    await office.start()
    async with office.teams:
        card = await office.until_says("emea.ipp.sdg.teams.microsoft.com", chat=CHAT)
        assert await office.heard() == [card]


async def test_a_page_is_turned_for_everybody(office: Office) -> None:
    approval = await office.waiting(csv_of(23))
    await office.click(MEGAN, approval, "page", panel="phones")
    await office.until(lambda each: each is approval and "1 to 10 of 23" in content(each))
    await office.click(ADELE, approval, "page", page=2)
    await office.until(lambda each: each is approval and "11 to 20 of 23" in content(each))
    assert "approve" in verbs(approval.card)
