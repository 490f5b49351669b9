"""Endpoints for operators: liveness, readiness, metrics, and export links."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.integration.app.conftest import MakeOffice
from tests.support.running_bot import ALEX, CHAT, PATIENCE, Office, csv_of


async def get(office: Office, path: str) -> tuple[int, str, str]:
    async with office.session.get(f"{office.url}{path}") as response:
        return response.status, response.content_type, await response.text()


def execute(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        for statement in statements:
            database.execute(statement)


async def test_probes_answer_when_service_is_ready(office: Office) -> None:
    assert await get(office, "/livez") == (200, "text/plain", "alive")
    assert await get(office, "/readyz") == (200, "text/plain", "ready")


async def test_probes_answer_503_while_database_is_unusable(office: Office) -> None:
    tables = ("requests", "batches", "posts")
    remove = [f"ALTER TABLE {table} RENAME TO {table}_gone" for table in tables]
    restore = [f"ALTER TABLE {table}_gone RENAME TO {table}" for table in tables]
    await asyncio.to_thread(execute, office.database, *remove)
    for path in ("/readyz", "/metrics"):
        status, _, text = await get(office, path)
        assert (status, text) == (503, "the database does not answer")
    assert (await get(office, "/livez"))[0] == 200
    await asyncio.to_thread(execute, office.database, *restore)
    assert (await get(office, "/readyz"))[0] == 200
    assert await office.finished(csv_of(1))


async def scrape(office: Office) -> dict[tuple[str, str], float]:
    status, content_type, text = await get(office, "/metrics")
    assert (status, content_type) == (200, "text/plain")
    families = list(text_string_to_metric_families(text))
    assert all(family.documentation for family in families)
    return {
        (sample.name, sample.labels.get("state", "")): sample.value
        for family in families
        for sample in family.samples
    }


async def test_metrics_count_requests_batches_and_undelivered_posts(office: Office) -> None:
    assert set((await scrape(office)).values()) == {0}
    await office.finished(csv_of(150))
    await office.until_says("has finished")
    await office.waiting(csv_of(1, start=150))
    async with asyncio.timeout(PATIENCE):
        while (metrics := await scrape(office))["offhook_outbox", ""]:
            pass  # a post is recorded as delivered a moment after it arrives
    assert metrics["offhook_requests", "finished"] == 1
    assert metrics["offhook_requests", "waiting"] == 1
    assert metrics["offhook_requests", "running"] == 0
    assert metrics["offhook_batches", "done"] == 2
    await office.teams.__aexit__(None, None, None)
    await office.say("help", chat=CHAT)
    assert (await scrape(office))["offhook_outbox", ""] == 1


@pytest.mark.parametrize("path", ["/", "/api/messages", "/exports/x", "/metrics/../api"])
async def test_server_answers_404_or_405_for_other_paths(office: Office, path: str) -> None:
    status, _, text = await get(office, path)
    assert status in (404, 405)
    assert "Traceback" not in text


async def test_export_link_serves_csv_until_request_is_deleted(make_office: MakeOffice) -> None:
    office = await make_office(exports="link")
    results = await office.finished(csv_of(2))
    since = office.now
    await office.click(ALEX, results, "export", what="results")
    card = await office.until_says("results.csv is ready", chat=CHAT, since=since)
    (action,) = (card.card or {})["actions"]
    async with office.session.get(action["url"]) as response:
        assert response.status == 200
        assert response.content_type == "text/csv"
        assert "attachment" in response.headers["Content-Disposition"]
        assert (await response.read()).startswith(b"\xef\xbb\xbfUsername,HardwareId")
    async with office.session.get(f"{action['url']}x") as response:
        assert response.status == 404
        assert "Select Export on the card again" in await response.text()
    sentence = "This link is no longer valid. Select Export on the card again."
    await asyncio.to_thread(execute, office.database, "DELETE FROM requests")
    async with office.session.get(action["url"]) as response:
        assert (response.status, await response.text()) == (404, sentence)
