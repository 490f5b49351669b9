"""The policy file while the service runs: read again, and never replaced by a wrong one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from structlog.testing import capture_logs

from bot.lifecycle.policy import load
from bot.runner.policy_watch import PolicyWatch
from bot.signin.policy.model import group
from bot.signin.policy.settings import PolicySettings
from bot.store.database import Database
from tests.support import jobs, rows

ID = "aaaaaaaa-0000-4000-8000-00000000000a"
FIRST = f'requesters = ["*"]\napprovers = ["{ID}"]\n'
NO_SETTINGS = PolicySettings()
SECOND = FIRST + "limits = { accounts_per_day = 5 }\n"


def watching(
    path: Path,
    database: Database,
    changed: Callable[[], None],
    settings: PolicySettings = NO_SETTINGS,
) -> PolicyWatch:
    return PolicyWatch(
        load(path, settings),
        path,
        database,
        settings=settings,
        clock=jobs.utc_now,
        changed=changed,
    )


async def loaded(database: Database) -> list[str]:
    events = (await rows.dump(database))["events"]
    return [each["detail"]["content"] for each in events if each["action"] == "policy loaded"]


async def test_new_file_is_in_force_and_a_wrong_one_is_said_once(
    database: Database, tmp_path: Path
) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(FIRST)
    changes: list[str] = []
    watch = watching(path, database, lambda: changes.append(watch.current().hash))
    first = watch.current()
    await watch.check()
    path.write_text(SECOND)
    await watch.check()
    second = watch.current()
    assert second.accounts_per_day == 5
    with capture_logs() as logs:
        for text in (SECOND.replace("5", "0"), SECOND.replace("5", "0"), ""):
            path.write_text(text)
            await watch.check()
        path.unlink()
        await watch.check()
        await watch.check()
    assert watch.current() is second
    reasons = [line["reason"] for line in logs if line["event"] == "policy.invalid"]
    assert len(reasons) == 3
    assert "line 3, limits.accounts_per_day" in reasons[0]
    assert "cannot be read: No such file" in reasons[2]
    path.write_text(FIRST)
    await watch.check()
    assert watch.current() == first
    assert await loaded(database) == [FIRST, SECOND, FIRST]
    assert changes == [first.hash, second.hash, first.hash]


async def test_correction_is_said_even_if_it_is_the_policy_in_force(
    database: Database, tmp_path: Path
) -> None:
    """It ends the alert; and the same mistake is said again."""
    path = tmp_path / "policy.toml"
    path.write_text(FIRST)
    watch = watching(path, database, lambda: None)
    await watch.check()
    with capture_logs() as logs:
        for text in ("", FIRST, FIRST, "", FIRST):
            path.write_text(text)
            await watch.check()
    events = [line["event"] for line in logs if line["event"].startswith("policy.")]
    assert events == ["policy.invalid", "policy.loaded"] * 2
    assert await loaded(database) == [FIRST]


async def test_replicas_record_a_change_once(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(FIRST)
    other = Database(database.url)
    try:
        replicas = [watching(path, each, lambda: None) for each in (database, other)]
        for text in (FIRST, SECOND):
            path.write_text(text)
            for watch in replicas:
                await watch.check()
    finally:
        await other.close()
    assert await loaded(database) == [FIRST, SECOND]


async def test_reloaded_file_may_change_break_glass_but_not_contradict_a_setting(
    database: Database, tmp_path: Path
) -> None:
    path = tmp_path / "policy.toml"
    glass = FIRST + f'[break_glass]\npeople = ["{ID}"]\n'
    path.write_text(FIRST)
    watch = watching(path, database, lambda: None)
    assert not watch.current().break_glass
    path.write_text(glass)
    await watch.check()
    assert watch.current().breaks_glass(ID)
    set_too = PolicySettings((group("bbbbbbbb-0000-4000-8000-00000000000b"),))
    path.write_text(FIRST)
    watch = watching(path, database, lambda: None, set_too)
    before = watch.current()
    path.write_text(glass)
    with capture_logs() as logs:
        await watch.check()
    assert watch.current() is before
    assert any("OFFHOOK_BREAK_GLASS is set" in line.get("reason", "") for line in logs)
    assert await loaded(database) == [glass, FIRST]
