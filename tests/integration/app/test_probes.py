"""What those ask who run the service: is it alive, can it work, how much is there to do."""

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
    async with office.session.get(f"{office.url}{path}") as answer:
        return answer.status, answer.content_type, await answer.text()


def change(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        for statement in statements:
            database.execute(statement)


async def test_alive_and_ready(office: Office) -> None:
    assert await get(office, "/livez") == (200, "text/plain", "alive")
    assert await get(office, "/readyz") == (200, "text/plain", "ready")


async def test_a_database_that_cannot_be_used(office: Office) -> None:
    tables = ("requests", "batches", "posts")
    away = [f"ALTER TABLE {table} RENAME TO {table}_gone" for table in tables]
    back = [f"ALTER TABLE {table}_gone RENAME TO {table}" for table in tables]
    await asyncio.to_thread(change, office.database, *away)
    for path in ("/readyz", "/metrics"):
        status, _, text = await get(office, path)
        assert (status, text) == (503, "the database does not answer")
    assert (await get(office, "/livez"))[0] == 200
    await asyncio.to_thread(change, office.database, *back)
    assert (await get(office, "/readyz"))[0] == 200
    assert await office.finished(csv_of(1))


async def measured(office: Office) -> dict[tuple[str, str], float]:
    status, kind, text = await get(office, "/metrics")
    assert (status, kind) == (200, "text/plain")
    families = list(text_string_to_metric_families(text))
    assert all(family.documentation for family in families)
    return {
        (sample.name, sample.labels.get("state", "")): sample.value
        for family in families
        for sample in family.samples
    }


async def test_metrics(office: Office) -> None:
    assert set((await measured(office)).values()) == {0}
    await office.finished(csv_of(150))
    await office.until_says("has finished")
    await office.waiting(csv_of(1, start=150))
    async with asyncio.timeout(PATIENCE):
        while (found := await measured(office))["offhook_outbox", ""]:
            pass  # what has arrived is written down a moment later
    assert found["offhook_requests", "finished"] == 1
    assert found["offhook_requests", "waiting"] == 1
    assert found["offhook_requests", "running"] == 0
    assert found["offhook_batches", "done"] == 2
    await office.teams.__aexit__(None, None, None)
    await office.say("help", chat=CHAT)
    assert (await measured(office))["offhook_outbox", ""] == 1


@pytest.mark.parametrize("path", ["/", "/api/messages", "/exports/x", "/metrics/../api"])
async def test_what_is_not_served(office: Office, path: str) -> None:
    status, _, text = await get(office, path)
    assert status in (404, 405)
    assert "Traceback" not in text


async def test_an_export_as_a_link(make_office: MakeOffice) -> None:
    """For chat clients that know no files, in `local` only."""
    office = await make_office(exports="link")
    results = await office.finished(csv_of(2))
    since = office.now
    await office.click(ALEX, results, "export", what="results")
    card = await office.until_says("results.csv is ready", chat=CHAT, since=since)
    (action,) = (card.card or {})["actions"]
    async with office.session.get(action["url"]) as answer:
        assert answer.status == 200
        assert answer.content_type == "text/csv"
        assert "attachment" in answer.headers["Content-Disposition"]
        assert (await answer.read()).startswith(b"\xef\xbb\xbfUsername,HardwareId")
    async with office.session.get(f"{action['url']}x") as answer:
        assert answer.status == 404
        assert "Select Export on the card again" in await answer.text()
    sentence = "This link is no longer valid. Select Export on the card again."
    await asyncio.to_thread(change, office.database, "DELETE FROM requests")
    async with office.session.get(action["url"]) as answer:
        assert (answer.status, await answer.text()) == (404, sentence)
