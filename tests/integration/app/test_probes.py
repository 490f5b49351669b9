"""Endpoints for operators: liveness, readiness, metrics, and export links."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.integration.app.conftest import MakeBot
from tests.support.running_bot import ALEX, CHAT, RunningBot, phones_csv
from tests.support.waiting import PATIENCE


async def get(bot: RunningBot, path: str) -> tuple[int, str, str]:
    async with bot.session.get(f"{bot.url}{path}") as response:
        return response.status, response.content_type, await response.text()


def execute(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        for statement in statements:
            database.execute(statement)


async def test_probes_answer_when_service_is_ready(bot: RunningBot) -> None:
    assert await get(bot, "/livez") == (200, "text/plain", "alive")
    assert await get(bot, "/readyz") == (200, "text/plain", "ready")


async def test_probes_answer_503_while_database_is_unusable(bot: RunningBot) -> None:
    tables = ("requests", "batches", "posts")
    remove = [f"ALTER TABLE {table} RENAME TO {table}_gone" for table in tables]
    restore = [f"ALTER TABLE {table}_gone RENAME TO {table}" for table in tables]
    await asyncio.to_thread(execute, bot.database, *remove)
    for path in ("/readyz", "/metrics"):
        status, _, text = await get(bot, path)
        assert (status, text) == (503, "the database does not answer")
    assert (await get(bot, "/livez"))[0] == 200
    await asyncio.to_thread(execute, bot.database, *restore)
    async with asyncio.timeout(PATIENCE):
        while (await get(bot, "/readyz"))[0] != 200:
            await asyncio.sleep(0.05)  # answers may be a second old
    assert await bot.run_job(phones_csv(1))


async def scrape(bot: RunningBot) -> dict[tuple[str, str], float]:
    status, content_type, text = await get(bot, "/metrics")
    assert (status, content_type) == (200, "text/plain")
    families = list(text_string_to_metric_families(text))
    assert all(family.documentation for family in families)
    return {
        (sample.name, sample.labels.get("state", "")): sample.value
        for family in families
        for sample in family.samples
    }


async def test_metrics_count_requests_batches_and_undelivered_posts(bot: RunningBot) -> None:
    assert set((await scrape(bot)).values()) == {0}
    await bot.run_job(phones_csv(150))
    await bot.wait_for_text("has finished")
    await bot.submit_for_approval(phones_csv(1, start=150))
    async with asyncio.timeout(PATIENCE):
        # A post is recorded as delivered a moment after it arrives, and metrics may be a second old.
        while (metrics := await scrape(bot))["offhook_outbox", ""] or not metrics[
            "offhook_requests", "waiting"
        ]:
            await asyncio.sleep(0.05)
    assert metrics["offhook_requests", "finished"] == 1
    assert metrics["offhook_requests", "waiting"] == 1
    assert metrics["offhook_requests", "running"] == 0
    assert metrics["offhook_batches", "done"] == 2
    await bot.teams.__aexit__(None, None, None)
    await bot.say("help", chat=CHAT)
    async with asyncio.timeout(PATIENCE):
        while (await scrape(bot))["offhook_outbox", ""] != 1:
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("path", ["/", "/api/messages", "/exports/x", "/metrics/../api"])
async def test_server_answers_404_or_405_for_other_paths(bot: RunningBot, path: str) -> None:
    status, _, text = await get(bot, path)
    assert status in (404, 405)
    assert "Traceback" not in text


async def test_export_link_serves_csv_until_request_is_deleted(make_bot: MakeBot) -> None:
    bot = await make_bot(exports="link")
    results = await bot.run_job(phones_csv(2))
    since = bot.now
    await bot.click(ALEX, results, "export", what="results")
    card = await bot.wait_for_text("results.csv is ready", chat=CHAT, since=since)
    (action,) = (card.card or {})["actions"]
    async with bot.session.get(action["url"]) as response:
        assert response.status == 200
        assert response.content_type == "text/csv"
        assert "attachment" in response.headers["Content-Disposition"]
        assert (await response.read()).startswith(b"\xef\xbb\xbfUsername,HardwareId")
    async with bot.session.get(f"{action['url']}x") as response:
        assert response.status == 404
        assert "Select the export button on the card again" in await response.text()
    sentence = "This link is no longer valid. Select the export button on the card again."
    await asyncio.to_thread(execute, bot.database, "DELETE FROM requests")
    async with bot.session.get(action["url"]) as response:
        assert (response.status, await response.text()) == (404, sentence)
