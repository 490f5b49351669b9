"""Start, stop, and changes of settings in the audit."""

from __future__ import annotations

from bot.lifecycle import service
from bot.settings.model import Settings
from bot.store.database import Database
from tests.support import jobs, rows


async def start(database: Database, version: str, secret: str = "", **settings: str) -> None:
    async with database.write() as tx:
        await service.started(
            tx,
            version=version,
            settings=settings,
            secret_settings={"app_password": secret} if secret else {},
            owner="one",
            now=jobs.utc_now(),
        )


async def test_start_tells_its_version_and_which_settings_have_changed(database: Database) -> None:
    await start(database, "1.0", port="1", host="a")
    await start(database, "1.1", port="1", host="a")
    await start(database, "1.1", port="2", environment="local")
    async with database.write() as tx:
        await service.stopped(
            tx, version="1.1", settings={"port": "2"}, owner="one", now=jobs.utc_now()
        )
    events = (await rows.dump(database))["events"]
    assert rows.column(events, "action") == [
        "started",
        "started",
        "started",
        "settings changed",
        "stopped",
    ]
    assert [event["detail"].get("version") for event in events] == [
        "1.0",
        "1.1",
        "1.1",
        None,
        "1.1",
    ]
    assert events[3]["detail"] == {
        "before": {"port": "1", "host": "a"},
        "after": {"port": "2", "environment": "local"},
    }


async def test_change_of_a_secret_is_told_without_the_secret(database: Database) -> None:
    for secret in ("hunter2", "hunter2", "hunter3", "hunter3"):
        await start(database, "1.0", secret, app_password="**********")
    tables = await rows.dump(database)
    changes = [
        event["detail"] for event in tables["events"] if event["action"] == "settings changed"
    ]
    assert changes == [
        {"before": {"app_password": "(secret)"}, "after": {"app_password": "(changed)"}}
    ]
    started = [event["detail"] for event in tables["events"] if event["action"] == "started"]
    assert len({each["settings_hash"] for each in started}) == 1
    assert len({each["fingerprints"]["app_password"] for each in started}) == 2
    assert "hunter" not in str(tables)
    for each in started:
        assert each["fingerprints"]["app_password"] not in str(tables["audit_chain"])


def test_settings_are_told_without_secrets() -> None:
    settings = Settings(  # pyright: ignore[reportCallIssue]
        database_url="postgresql://offhook:hunter2@db.example:5432/offhook?password=hunter3",
        digest_key="hunter4" * 6,  # pyright: ignore[reportArgumentType]
        approvers="ada",  # pyright: ignore[reportArgumentType]
    )
    told = settings.told()
    assert told["database_url"] == "postgresql://db.example/offhook"
    assert "ada" in told["approvers"]
    assert "hunter" not in str(told)
    assert set(settings.secrets) == {"database_url", "digest_key"}
