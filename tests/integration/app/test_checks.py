"""`checks` in chat: for those who may approve, acknowledged at once, answered on a card."""

from __future__ import annotations

import asyncio

from bot.simulator.scenario import Call, Fault, FaultKind, Scenario
from tests.integration.app.conftest import MakeOffice
from tests.support import reading
from tests.support.running_bot import ALEX, CHAT, MEGAN, Office, content


async def test_an_approver_is_told_how_it_stands(office: Office) -> None:
    await office.say("checks")
    begun = await office.until_says("I am running the checks.")
    card = await office.until_says("Permission to use bulk sign-in")
    assert begun.conversation_id == card.conversation_id == CHAT.id
    assert card.card is not None
    reading.assert_valid(card.card)
    assert "This identity can use bulk sign-in." in content(card)
    assert "Nothing was changed: these checks are read-only." in content(card)
    assert "✕ Failed" not in content(card)
    assert office.gateway.configapi.submits == []


async def test_what_is_wrong_comes_first_with_what_to_do(make_office: MakeOffice) -> None:
    fault = Fault(call=Call.BATCH_SUMMARIES, fault=FaultKind.FORBIDDEN, times=0)
    office = await make_office(gateway=Scenario(faults=(fault,)))
    await office.say("checks")
    told = content(await office.until_says("Permission to use bulk sign-in"))
    assert "This identity can't use bulk sign-in." in told
    assert "It needs Teams Administrator" in told
    assert told.index("✕ Failed") < told.index("✓ Passed")


async def test_others_are_told_kindly(make_office: MakeOffice) -> None:
    office = await make_office(approvers=(MEGAN.object_id,))
    await office.say("checks", by=ALEX)
    await office.until_says("Only approvers can run checks.")
    assert len(await office.heard()) == 1
    assert office.gateway.configapi.calls == {}


async def test_it_is_acknowledged_while_the_service_takes_its_time(
    make_office: MakeOffice,
) -> None:
    office = await make_office(gateway=Scenario(latency=0.5))
    asked = asyncio.create_task(office.say("checks"))
    await office.until_says("I am running the checks.")
    assert office.gateway.configapi.calls[Call.BATCH_SUMMARIES] == 0
    await office.until_says("Permission to use bulk sign-in")
    await asked
