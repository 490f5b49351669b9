"""`python -m bot doctor` and `diagnostics`: exit codes, JSON, and what a bundle must not hold."""

from __future__ import annotations

import asyncio
import json
import re
import stat
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
from structlog.testing import capture_logs

from bot import logs
from bot.__main__ import main
from bot.cli.doctor import masked, settings_told
from bot.settings.model import Settings
from bot.store import posts
from bot.store.database import Database
from bot.store.posts import Conversation
from tests.support import jobs
from tests.support.tokens import unsigned

SECRET = "Zt8~very.secret-client-password_1234567"
APP = "9a3c1f0e-5b7d-4c2a-8e61-0d4f7b2a6c95"
CHANNEL = "19:0a1b2c3d4e5f@thread.tacv2"
Run = Callable[..., tuple[int | str | None, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setattr(logs, "configure", MagicMock())  # it would outlive this test
    monkeypatch.setenv("OFFHOOK_DATA_DIR", str(tmp_path))

    def run(*arguments: str) -> tuple[int | str | None, str, str]:
        monkeypatch.setattr(sys, "argv", ["offhook", *arguments])
        with capture_logs(), pytest.raises(SystemExit) as ended:
            main()
        told = capsys.readouterr()
        return ended.value.code, told.out, told.err

    return run


@pytest.fixture
def scenario(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    def write(content: str) -> None:
        (tmp_path / "scenario.toml").write_text(content)
        monkeypatch.setenv("OFFHOOK_SCENARIO", str(tmp_path / "scenario.toml"))

    return write


def as_json(run: Run) -> tuple[int | str | None, dict[str, Any]]:
    code, told, errors = run("doctor", "--json")
    assert errors == ""
    return code, json.loads(told)


def test_nothing_failed(run: Run, tmp_path: Path) -> None:
    code, told, _ = run("doctor")
    assert code == 0
    assert "✓" in told
    assert "Nothing failed." in told
    assert list(tmp_path.iterdir()) == []


def test_something_failed(run: Run, scenario: Callable[[str], None]) -> None:
    scenario("bulk_sign_in = false")
    code, document = as_json(run)
    assert code == 1
    assert [each["step"] for each in document["findings"] if each["state"] == "failed"] == [
        "tenant-switch"
    ]
    assert {*document} == {"format", "version", "checked_at", "counts", "findings"}
    assert all(
        {*each} == {"step", "state", "code", "message", "fix"} for each in document["findings"]
    )
    assert all(bool(each["fix"]) == (each["state"] != "ok") for each in document["findings"])
    assert sum(document["counts"].values()) == len(document["findings"])


def test_a_misspelled_variable_is_a_finding(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OFFHOOK_APROVERS", "*")
    code, document = as_json(run)
    assert code == 1
    assert document["findings"][0]["code"] == "found-settings-strangers"
    assert "OFFHOOK_APPROVERS?" in document["findings"][0]["message"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OFFHOOK_PORT", "many"),
        ("OFFHOOK_DATABASE_URL", "mysql://localhost/x"),
        ("OFFHOOK_SCENARIO", "/nowhere.toml"),
    ],
)
def test_it_could_not_look(
    run: Run, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    code, told, errors = run("doctor", "--json")
    assert (code, told) == (2, "")
    assert name in errors


def _lived_in(folder: Path) -> None:
    async def live() -> None:
        database = Database(f"sqlite:///{folder / 'offhook.db'}")
        await database.open(alone=False)
        await jobs.approved(database, 3)
        await jobs.draft(database, 2)
        async with database.write() as tx:
            await posts.remember(
                tx, Conversation(CHANNEL, jobs.TENANT, "channel", {}), jobs.utc_now()
            )
        await database.close()

    asyncio.run(live())


def test_a_bundle_says_what_support_needs_and_no_more(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scenario: Callable[[str], None]
) -> None:
    _lived_in(tmp_path)
    told = f"{jobs.ADMIN.object_id} lobby1@contoso.com +4930123456789 80-5E-C0-00-00-01 "
    told += f"{unsigned(upn='lobby1@contoso.com')} {SECRET}"
    scenario(
        "[[faults]]\ncall = 'batchsummaries'\nfault = '403'\ntimes = 0\n"
        f"message = {json.dumps(told)}\n"
    )
    for name, value in (
        ("TENANT_IDS", jobs.TENANT),
        ("APPROVERS", jobs.APPROVER.object_id),
        ("APPROVALS", CHANNEL),
        ("APP_PASSWORD", SECRET),
    ):
        monkeypatch.setenv(f"OFFHOOK_{name}", value)
    file = tmp_path / "bundle.zip"
    code, said, _ = run("diagnostics", "--output", str(file))
    assert code == 0
    assert str(file) in said
    assert stat.S_IMODE(file.stat().st_mode) == 0o600

    with zipfile.ZipFile(file) as archive:
        parts = {name: archive.read(name).decode() for name in archive.namelist()}
    everything = "\n".join(parts.values())
    for hidden in (
        *(SECRET, jobs.TENANT, CHANNEL, "0a1b2c3d4e5f", "contoso", "lobby", "4930123456789"),
        *(jobs.ADMIN.name, jobs.APPROVER.name, jobs.ADMIN.object_id, jobs.APPROVER.object_id),
        *("80-5E-C0", "eyJ", "phones.csv", "new lobby", str(tmp_path)),
    ):
        assert hidden not in everything
    for pattern in (r"\w@\w", r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}", r"\+\d{7}", r"Bearer"):
        assert not re.search(pattern, everything)

    database = json.loads(parts["database.json"])
    assert database["schema"] == "current"
    assert database["requests"] == {"draft": 1, "running": 1}
    assert sum(database["batches"].values()) == 1
    assert {each["action"] for each in database["actions"]} >= {"drafted", "asked", "approved"}
    findings = {each["step"]: each for each in json.loads(parts["findings.json"])["findings"]}
    assert findings["bulk-sign-in"]["code"] == "found-summaries-denied"
    about = json.loads(parts["about.json"])
    assert about["packages"]["aiohttp"]
    settings = json.loads(parts["settings.json"])
    assert settings["approvers"] == {"set": True, "value": "1 values"}
    assert settings["app_password"] == {"set": True, "value": "(set)"}
    assert settings["poll_seconds"] == {"set": False, "value": 5.0}


def test_a_bundle_replaces_no_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bundle.zip").write_text("mine")
    code, _, errors = run("diagnostics", "--output", str(tmp_path / "bundle.zip"))
    assert code == 2
    assert "bundle.zip cannot be written: File exists." in errors
    assert (tmp_path / "bundle.zip").read_text() == "mine"


def test_every_setting_is_masked_unless_it_says_nothing_of_anybody() -> None:
    words = {name for name, field in Settings.model_fields.items() if field.annotation is str}
    given: dict[str, Any] = {
        **dict.fromkeys(words - {"configapi_url", "graph_url", "authority_url", "host"}, SECRET),
        "approvals": CHANNEL,
        "tenant_ids": (jobs.TENANT,),
    }
    told = json.dumps(settings_told(Settings(**given)))
    assert SECRET not in told
    assert jobs.TENANT not in told
    assert CHANNEL not in told


@pytest.mark.parametrize(
    "text",
    [
        "anna.lee@contoso.com",
        "mailto:anna@contoso.com",
        "+49 30 123456-78",
        "(030) 12345678",
        jobs.TENANT.upper(),
        "80:5e:c0:00:00:01",
        "80-5E-C0-00-00-01:001",
        unsigned(oid="x"),
        CHANNEL,
        "postgresql://bot:pa55word@db/offhook",
        "203.0.113.77",
    ],
)
def test_masks(text: str) -> None:
    said = masked(f"before {text}, after")
    assert said.startswith("before ")
    assert said.endswith("after")
    for part in re.findall(r"[\w.]{5,}", text):
        assert part not in said or part in ("offhook", "postgresql", "mailto")
