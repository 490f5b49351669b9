"""A batch size of one's own, over HTTP: asked for, checked, approved, sent, and proposed by a retry."""

from __future__ import annotations

import pytest

from bot.simulator.client import elements
from bot.simulator.scenario import Scenario
from tests.integration.app.conftest import MakeBot
from tests.support.running_bot import ALEX, RunningBot, phones_csv, text_of


async def test_phones_are_sent_in_batches_of_the_size_that_was_asked_for(bot: RunningBot) -> None:
    since = bot.now
    validation = await bot.submit_file(phones_csv(5))
    approval = await bot.request_approval(validation, batch_size="2")
    assert "5 phones in 3 batches" in text_of(approval)
    await bot.approve(approval)
    await bot.wait_for_results(since=since)
    assert sorted(len(submit.items) for submit in bot.gateway.configapi.submits) == [1, 2, 2]


@pytest.mark.parametrize("size", ["0", "101", "-1", "1.5", "many", "1e9"])
async def test_batch_size_is_refused_when_it_is_not_from_1_to_100(
    bot: RunningBot, size: str
) -> None:
    validation = await bot.submit_file(phones_csv(1))
    inputs = {"reason": "New lobby", "batch_size": size}
    answer = await bot.click(ALEX, validation, "request_approval", inputs)
    assert answer.text == "Enter the phones per batch as a number from 1 to 100."


async def test_batch_size_is_100_when_the_input_is_empty(bot: RunningBot) -> None:
    validation = await bot.submit_file(phones_csv(1))
    approval = await bot.request_approval(validation, batch_size=" ")
    facts = {
        fact["title"]: fact["value"]
        for element in elements(approval.card)
        for fact in element.get("facts", ())
    }
    assert facts["Phones per batch, at most"] == "100"


async def test_retry_proposes_a_smaller_batch_after_throttling(make_bot: MakeBot) -> None:
    scenario = Scenario(
        batch_seconds=0.1, outcomes={"lobby0@contoso.com": ("ad-throttling", "success")}
    )
    bot = await make_bot(gateway=scenario)
    results = await bot.run_job(phones_csv(2))
    since = bot.now
    await bot.click(ALEX, results, "retry_failed")
    draft = await bot.wait_for_button("request_approval", since=since)
    (size,) = (each for each in elements(draft.card) if each.get("id") == "batch_size")
    assert size["value"] == 20
    assert "This retry proposes at most 20 phones per batch." in text_of(draft)
