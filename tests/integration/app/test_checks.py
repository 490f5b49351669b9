"""The command `checks`: for approvers, acknowledged immediately, answered with a card."""

from __future__ import annotations

import asyncio

from bot.simulator.scenario import Call, Fault, FaultKind, Scenario
from tests.integration.app.conftest import MakeBot
from tests.support import reading
from tests.support.running_bot import ALEX, CHAT, MEGAN, RunningBot, text_of


async def test_checks_show_findings_to_approver(bot: RunningBot) -> None:
    await bot.say("checks")
    acknowledgement = await bot.wait_for_text("I am running the checks.")
    card = await bot.wait_for_text("Permission to use bulk sign-in")
    assert acknowledgement.conversation_id == card.conversation_id == CHAT.id
    assert card.card is not None
    reading.assert_valid(card.card)
    assert "This identity can use bulk sign-in." in text_of(card)
    assert "Nothing was changed: these checks are read-only." in text_of(card)
    assert "✕ Failed" not in text_of(card)
    assert bot.gateway.configapi.submits == []


async def test_checks_list_failures_first_with_fix(make_bot: MakeBot) -> None:
    fault = Fault(call=Call.BATCH_SUMMARIES, fault=FaultKind.FORBIDDEN, times=0)
    bot = await make_bot(gateway=Scenario(faults=(fault,)))
    await bot.say("checks")
    text = text_of(await bot.wait_for_text("Permission to use bulk sign-in"))
    assert "This identity can't use bulk sign-in." in text
    assert "It needs one of these roles" in text
    assert text.index("✕ Failed") < text.index("✓ Passed")


async def test_checks_are_denied_to_non_approvers(make_bot: MakeBot) -> None:
    bot = await make_bot(approvers=(MEGAN.object_id,))
    await bot.say("checks", by=ALEX)
    await bot.wait_for_text("Only approvers can run checks.")
    assert len(await bot.received()) == 1
    assert bot.gateway.configapi.calls == {}


async def test_checks_are_acknowledged_while_gateway_is_slow(
    make_bot: MakeBot,
) -> None:
    bot = await make_bot(gateway=Scenario(latency=0.5))
    command = asyncio.create_task(bot.say("checks"))
    await bot.wait_for_text("I am running the checks.")
    assert bot.gateway.configapi.calls[Call.BATCH_SUMMARIES] == 0
    await bot.wait_for_text("Permission to use bulk sign-in")
    await command
