"""Provisioning URLs carry the tenant of the person who asked, wherever Offhook shows them."""

from __future__ import annotations

import csv
import io
import json

import pytest

from bot.settings.values import REQUESTER_CHAT
from bot.simulator.client import TENANT, TeamsClient, button
from bot.simulator.scenario import Scenario
from tests.integration.app.conftest import MakeBot
from tests.support.running_bot import ALEX, CHAT, RunningBot, phones_csv

FOREIGN = "99999999-2222-4333-8444-555555555555"


def _of_second_tenant(bot: RunningBot) -> TeamsClient:
    return TeamsClient(bot.session, bot.url, bot.teams, tenant_id=FOREIGN)


@pytest.fixture
async def bot(make_bot: MakeBot, monkeypatch: pytest.MonkeyPatch) -> RunningBot:
    """A bot of two tenants; everyone who uses it is of the second."""
    monkeypatch.setattr(RunningBot, "client", property(_of_second_tenant))
    gateway = Scenario(batch_seconds=0.1, outcomes={"lobby0@contoso.com": ("no-tenant-tag",)})
    return await make_bot(
        gateway=gateway,
        tenant_ids=(TENANT, FOREIGN),
        approvals=REQUESTER_CHAT,
        notifications=REQUESTER_CHAT,
        exports="link",
    )


async def test_urls_in_chat_have_the_askers_tenant(bot: RunningBot) -> None:
    await bot.say("urls EMEA")
    card = json.dumps((await bot.wait_for_text("ipp.sdg.teams.microsoft.com", chat=CHAT)).card)
    assert f"tenantid/{FOREIGN}" in card
    assert TENANT not in card


async def test_results_card_and_export_have_the_requesters_tenant(bot: RunningBot) -> None:
    results = await bot.run_job(phones_csv(2))
    card = json.dumps(results.card)
    assert f"tenantid/{FOREIGN}" in card
    assert TENANT not in card
    since = bot.now
    await bot.click(ALEX, results, "export", what="results")
    link = await bot.wait_for_text("results.csv is ready", chat=CHAT, since=since)
    (action,) = (link.card or {})["actions"]
    assert button(results.card, "export", what="results")
    async with bot.session.get(action["url"]) as response:
        rows = list(csv.DictReader(io.StringIO((await response.read()).decode("utf-8-sig"))))
    assert [f"tenantid/{FOREIGN}" in row["ProvisioningUrl"] for row in rows] == [True, True]
