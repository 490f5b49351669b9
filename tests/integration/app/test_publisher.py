"""The publisher in the whole service: which messages arrive, and how often."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from bot.runner import publisher
from bot.runner.rate_limit import APP, CONVERSATION
from bot.simulator.client import Chat
from bot.simulator.connector import Posted
from bot.simulator.scenario import Call, Fault, FaultKind, Scenario
from tests.integration.app.conftest import MakeBot
from tests.support.running_bot import (
    ADELE,
    CHANNEL,
    CHAT,
    MEGAN,
    RunningBot,
    is_settled,
    phones_csv,
    text_of,
)
from tests.support.waiting import PATIENCE, until
from tests.support.worker_harness import FAST

#: Of the request, in the data of a card's buttons.
_VERSION = re.compile(r"'version': (\d+)")


async def test_publisher_sends_every_message_once_and_in_order(bot: RunningBot) -> None:
    chats = [Chat(f"a:chat-{n}") for n in range(4)]

    async def send_commands(chat: Chat) -> None:
        for number in range(25):
            await bot.say(f"status {number:08}", chat=chat)

    await asyncio.gather(*map(send_commands, chats))
    for chat in chats:
        answers = [text_of(message) for message in await bot.received(chat)]
        expected = [f'I can\'t find request "{number:08}".' for number in range(25)]
        assert [text.partition(" Send")[0] for text in answers] == expected


async def test_publisher_coalesces_card_updates_within_rate_limits(
    make_bot: MakeBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """20 batches under Teams' rate limits: few updates, none refused, and the newest state is shown."""
    monkeypatch.setattr(publisher, "CONVERSATION", CONVERSATION)
    monkeypatch.setattr(publisher, "APP", APP)
    bot = await make_bot(teams=Scenario(), gateway=Scenario(batch_seconds=0.15), started=False)
    card_seconds = 0.2
    await bot.start(replace(FAST, card_seconds=card_seconds))
    started_at = time.monotonic()
    approval = await bot.submit_for_approval(phones_csv(2000, "EMEA", "NOAM"))
    await bot.approve(approval)
    results = await bot.wait_for_results()
    await bot.wait_until_settled()
    elapsed = time.monotonic() - started_at
    assert "2,000 phones are signed in" in text_of(results)
    assert len(bot.gateway.configapi.submits) == 20
    for chat in (CHAT.id, approval.conversation_id):
        messages = bot.teams.connector.in_conversation(chat)
        updates = sum(len(message.versions) - 1 for message in messages)
        assert 1 <= updates <= elapsed / card_seconds + 2
    progress = bot.teams.connector.in_conversation(CHAT.id)[1]
    assert len(progress.versions) >= 3
    shown = [int(found[1]) for each in progress.versions if (found := _VERSION.search(str(each)))]
    assert shown == sorted(set(shown))  # none is shown twice, and none after a newer one
    assert bot.teams.connector.answers[429] == 0
    assert bot.teams.connector.answers[412] == 0


FAILURES = (
    (FaultKind.THROTTLED, None),
    (FaultKind.THROTTLED, "soon"),
    (FaultKind.PRECONDITION_FAILED, None),
    (FaultKind.BAD_GATEWAY, None),
    (FaultKind.GATEWAY_TIMEOUT, None),
    (FaultKind.UNAUTHORIZED, None),
    (FaultKind.DROP_LOST, None),
)


@pytest.mark.parametrize("call", [Call.SEND, Call.UPDATE, Call.CREATE_CONVERSATION])
async def test_publisher_delivers_everything_once_despite_connector_failures(
    bot: RunningBot, call: Call
) -> None:
    """Each kind of failure occurs once, at every other call."""
    for at, (kind, retry_after) in enumerate(FAILURES):
        nth = 1 + 2 * at
        bot.teams.faults.add(Fault(call=call, fault=kind, nth=nth, retry_after=retry_after))
    await run_job_until_settled(bot)
    assert [len(messages) for messages in messages_by_place(bot)] == [3, 3]


async def test_publisher_waits_for_retry_after_in_throttled_conversation_only(
    bot: RunningBot,
) -> None:
    bot.teams.faults.add(Fault(call=Call.SEND, fault=FaultKind.THROTTLED, retry_after=1))
    started_at = time.monotonic()
    elsewhere = asyncio.create_task(bot.received(Chat("a:megan"), by=MEGAN))
    await bot.say("urls EMEA")
    await asyncio.gather(
        elsewhere, bot.wait_for_text("emea.ipp.sdg.teams.microsoft.com", chat=CHAT)
    )
    assert time.monotonic() - started_at >= 1
    assert bot.teams.connector.calls[Call.SEND] == 3


async def run_job_until_settled(bot: RunningBot) -> None:
    """Run a job until every card shows its end."""
    approval = await bot.submit_for_approval(phones_csv(2))
    await bot.approve(approval)
    await bot.wait_for_results()
    await bot.wait_for_text("has finished: 2 of 2 phones")
    await bot.wait_until_settled()


def messages_by_place(bot: RunningBot) -> tuple[list[Posted], list[Posted]]:
    """The messages that still exist in the personal chat, and those in the channel."""
    messages = [message for message in bot.teams.connector.messages if not message.deleted]
    return (
        [message for message in messages if message.conversation_id == CHAT.id],
        [message for message in messages if message.conversation_id.startswith(CHANNEL.id)],
    )


@pytest.mark.parametrize("kind", [FaultKind.GARBAGE, FaultKind.BAD_GATEWAY_ACCEPTED])
async def test_publisher_sends_at_most_one_duplicate_when_outcome_is_unknown(
    bot: RunningBot, kind: FaultKind
) -> None:
    """A message may arrive twice, but not again and again."""
    bot.teams.faults.add(Fault(call=Call.SEND, fault=kind, times=1))
    results = await bot.run_job(phones_csv(2))
    messages = await bot.received()
    assert results in messages
    assert 3 <= len(messages) <= 4


async def test_publisher_resends_card_when_deleted(bot: RunningBot) -> None:
    approval = await bot.submit_for_approval(phones_csv(2))
    before = bot.teams.connector.messages.copy()
    bot.teams.faults.add(Fault(call=Call.UPDATE, fault=FaultKind.GONE))
    await bot.approve(approval)
    await bot.wait_for_results()
    await bot.wait_for_text("has finished: 2 of 2 phones")
    await bot.wait_until_settled()
    (deleted,) = [message for message in bot.teams.connector.messages if message.deleted]
    assert deleted in before  # the requester's card or the approval card
    assert [len(messages) for messages in messages_by_place(bot)] == [
        3,
        3,
    ]  # as many as usual: one was replaced


def dead_letters(logs: Sequence[Mapping[str, Any]]) -> set[int]:
    return {line["post"] for line in logs if line["event"] == "publisher.dead_lettered"}


def refusals(bot: RunningBot) -> int:
    """How often a conversation was tried that is blocked or missing."""
    answers = bot.teams.connector.answers
    return answers[403] + answers[404]


@pytest.mark.parametrize("fault", ["blocked", "missing"])
async def test_publisher_gives_up_on_unreachable_conversation_only(
    bot: RunningBot, fault: str
) -> None:
    approval = await bot.submit_for_approval(phones_csv(2))
    unreachable: set[str] = getattr(bot.teams.connector, fault)
    unreachable.update((approval.conversation_id, CHANNEL.id))
    with capture_logs() as logs:
        await bot.approve(approval)
        assert "2 phones are signed in" in text_of(await bot.wait_for_results())
        chat = bot.teams.connector.in_conversation(CHAT.id)
        await bot.wait_for(lambda message: all(map(is_settled, chat)))
        # The approval card, and that the job has started and has finished.
        await until(lambda: len(dead_letters(logs)) == 3)
    refused = refusals(bot)
    await bot.received()
    assert refusals(bot) == refused  # they are dead letters
    unreachable.clear()
    # Later messages reach the channel again.
    since = bot.now
    assert await bot.request_approval(await bot.submit_file(phones_csv(1, start=9)))
    assert since < bot.now


async def test_publisher_updates_every_card_after_restart(make_bot: MakeBot) -> None:
    """Stopped in the middle of a job, the service continues with the same cards."""
    bot = await make_bot(gateway=Scenario(batch_seconds=600))
    approval = await bot.submit_for_approval(phones_csv(500))
    await bot.approve(approval)
    await bot.gateway.configapi.wait_for_submits(3, PATIENCE)
    progress = await bot.wait_for_button("cancel")
    await bot.stop()
    assert len(bot.gateway.configapi.submits) == 3
    bot.gateway.configapi.finish()
    await bot.start()
    results = await bot.wait_for_results()
    assert "500 phones are signed in" in text_of(results)
    await bot.wait_until_settled()
    assert is_settled(progress)
    assert len(bot.gateway.configapi.submits) == 5
    assert not bot.gateway.configapi.run_twice
    await until(lambda: sum(map(len, messages_by_place(bot))) >= 6)  # the channel is told last
    assert [len(messages) for messages in messages_by_place(bot)] == [3, 3]


async def test_publisher_delivers_undelivered_message_after_restart(bot: RunningBot) -> None:
    await bot.received()
    await bot.teams.__aexit__(None, None, None)  # Teams is unavailable
    await bot.say("urls EMEA")
    await bot.stop()
    await bot.start()
    async with bot.teams:
        card = await bot.wait_for_text("emea.ipp.sdg.teams.microsoft.com", chat=CHAT)
        assert await bot.received() == [card]


async def test_publisher_turns_page_for_everyone(bot: RunningBot) -> None:
    results = await bot.run_job(phones_csv(23))
    await bot.click(MEGAN, results, "page", panel="phones")
    await bot.wait_for(lambda message: message is results and "1 to 10 of 23" in text_of(message))
    await bot.click(ADELE, results, "page", page=2)
    await bot.wait_for(lambda message: message is results and "11 to 20 of 23" in text_of(message))
