"""The sign-in log in chat: what the results card, the list of phones and the export show of it."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.runner.sightings import Sightings
from bot.simulator.connector import Posted
from bot.simulator.scenario import Scenario
from bot.simulator.tenant import PERMISSIONS, GraphApi, SignInLog
from tests.integration.app.conftest import MakeBot
from tests.support.running_bot import ALEX, RunningBot, phones_csv, text_of
from tests.support.worker_harness import FAST

BLOCKED = 53003
SOON = replace(FAST, sighting_seconds=0.2)


@pytest.fixture(autouse=True)
def begin_however_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks are planned for batches whose last look could still be due, which is half an hour: here, it
    would be a second, and a busy machine may not plan them by then."""

    def half_an_hour(_: Sightings) -> timedelta:
        return timedelta(minutes=30)

    monkeypatch.setattr(Sightings, "_patience", half_an_hour)


async def results(make_bot: MakeBot, **scenario: Any) -> tuple[RunningBot, Posted]:
    """The results of a job of four phones."""
    bot = await make_bot(
        started=False,
        gateway=Scenario(batch_seconds=0.1, **scenario),
        preflight="on",
        exports="link",
    )
    await bot.start(SOON)
    since = bot.now
    await bot.send_files(("phones.csv", phones_csv(4)))
    card = await bot.wait_for(lambda each: "were checked" in text_of(each), since=since)
    await bot.approve(await bot.request_approval(card))
    return bot, await bot.wait_for_results(since=since)


async def shown(bot: RunningBot, card: Posted, text: str) -> str:
    await bot.wait_for(lambda each: each is card and text in text_of(each))
    return text_of(card)


async def exported(bot: RunningBot, card: Posted) -> list[dict[str, str]]:
    since = bot.now
    await bot.click(ALEX, card, "export", what="results")
    link = await bot.wait_for(lambda each: "/exports/" in str(each.card), since=since)
    url = next(
        action["url"]
        for action in (link.card or {})["actions"]
        if action["type"] == "Action.OpenUrl"
    )
    async with bot.session.get(url) as response:
        assert response.status == 200
        content = (await response.read()).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(content)))


async def test_results_show_which_phones_the_log_shows(make_bot: MakeBot) -> None:
    log = SignInLog(missing=("lobby1@contoso.com",))
    bot, card = await results(make_bot, sign_in_log=log)

    await shown(bot, card, "Sign-in log: the accounts of 3 of 4 phones signed in.")

    answer = await bot.click(ALEX, card, "page", panel="phones")
    text = str(answer.card)
    assert text.count("Its account signed in at") == 3
    assert text.count("Its account is not in the sign-in log.") == 1
    rows = await exported(bot, card)
    seen = [row["SeenSignedIn"] for row in rows]
    assert seen[1] == "not-seen"
    assert all(each.startswith("20") and each.endswith("Z") for each in (seen[0], *seen[2:]))
    assert {row["Status"] for row in rows} == {"signed_in"}


async def test_results_show_a_failed_sign_in_with_its_explanation(make_bot: MakeBot) -> None:
    log = SignInLog(errors={"lobby2@contoso.com": BLOCKED})
    bot, card = await results(make_bot, sign_in_log=log)

    text = await shown(bot, card, "it shows only a failed sign-in")

    assert "AADSTS53003. A Conditional Access policy blocks it." in text
    rows = await exported(bot, card)
    assert rows[2]["SeenSignedIn"].startswith("AADSTS53003 20")
    assert rows[2]["Status"] == "signed_in"


async def test_results_say_what_to_consent_to_where_nothing_can_be_seen(
    make_bot: MakeBot,
) -> None:
    graph = GraphApi(permissions=PERMISSIONS - {"AuditLog.Read.All"})
    bot, card = await results(make_bot, graph=graph)

    text = await shown(bot, card, "Offhook can't read the sign-in log")

    assert text.count("consent to AuditLog.Read.All") == 1
    assert {row["SeenSignedIn"] for row in await exported(bot, card)} == {"cannot-be-seen"}


async def test_results_say_nothing_of_the_log_while_account_checks_are_off(
    make_bot: MakeBot,
) -> None:
    bot = await make_bot(started=False, exports="link")
    await bot.start(SOON)

    card = await bot.run_job(phones_csv(4))

    assert "sign-in log" not in text_of(card)
    assert {row["SeenSignedIn"] for row in await exported(bot, card)} == {""}
    assert bot.gateway.graph.received == 1  # the requester's profile
