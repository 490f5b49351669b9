"""`python -m bot doctor` and `diagnostics`: exit codes, JSON, and what a bundle must not contain."""

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
from bot.cli import main
from bot.cli.diagnostics import masked, masked_settings
from bot.settings.model import Settings
from bot.store import conversations
from bot.store.conversations import ConversationKind, ConversationReference
from bot.store.database import Database
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
        captured = capsys.readouterr()
        return ended.value.code, captured.out, captured.err

    return run


@pytest.fixture
def scenario(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    def write(content: str) -> None:
        (tmp_path / "scenario.toml").write_text(content)
        monkeypatch.setenv("OFFHOOK_SCENARIO", str(tmp_path / "scenario.toml"))

    return write


def as_json(run: Run) -> tuple[int | str | None, dict[str, Any]]:
    code, output, errors = run("doctor", "--json")
    assert errors == ""
    return code, json.loads(output)


def test_doctor_exits_0_when_nothing_failed(run: Run, tmp_path: Path) -> None:
    code, output, _ = run("doctor")
    assert code == 0
    assert "✓" in output
    assert "Nothing failed." in output
    assert list(tmp_path.iterdir()) == []


def test_doctor_exits_1_when_a_check_failed(run: Run, scenario: Callable[[str], None]) -> None:
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


def test_doctor_reports_a_misspelled_variable(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
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
def test_doctor_exits_2_when_settings_are_unusable(
    run: Run, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    code, output, errors = run("doctor", "--json")
    assert (code, output) == (2, "")
    assert name in errors


def _fill_database(folder: Path) -> None:
    async def fill() -> None:
        database = Database(f"sqlite:///{folder / 'offhook.db'}")
        await database.open(alone=False)
        await jobs.approved(database, 3)
        await jobs.draft(database, 2)
        async with database.write() as tx:
            reference = ConversationReference(
                jobs.TENANT, CHANNEL, ConversationKind.CHANNEL, "", "", "", channel_id=CHANNEL
            )
            await conversations.remember(tx, reference, jobs.utc_now())
        await database.close()

    asyncio.run(fill())


def test_diagnostics_bundle_contains_no_personal_data_or_secrets(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scenario: Callable[[str], None]
) -> None:
    _fill_database(tmp_path)
    personal = f"{jobs.ADMIN.object_id} lobby1@contoso.com +4930123456789 80-5E-C0-00-00-01 "
    personal += f"{unsigned(upn='lobby1@contoso.com')} {SECRET}"
    scenario(
        "[[faults]]\ncall = 'batchsummaries'\nfault = '403'\ntimes = 0\n"
        f"message = {json.dumps(personal)}\n"
    )
    for name, value in (
        ("TENANT_IDS", jobs.TENANT),
        ("APPROVERS", jobs.APPROVER.object_id),
        ("APPROVALS", CHANNEL),
        ("APP_PASSWORD", SECRET),
    ):
        monkeypatch.setenv(f"OFFHOOK_{name}", value)
    file = tmp_path / "bundle.zip"
    code, output, _ = run("diagnostics", "--output", str(file))
    assert code == 0
    assert str(file) in output
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


def test_diagnostics_does_not_overwrite_a_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bundle.zip").write_text("mine")
    code, _, errors = run("diagnostics", "--output", str(tmp_path / "bundle.zip"))
    assert code == 2
    assert "bundle.zip cannot be written: File exists." in errors
    assert (tmp_path / "bundle.zip").read_text() == "mine"


# Settings that are text and accept only some.
CHECKED = {
    *("approvers_time_zone", "step_up", "configapi_url", "graph_url", "authority_url", "host"),
    "metrics",
}


def test_settings_are_masked_when_they_could_identify_someone() -> None:
    words = {name for name, field in Settings.model_fields.items() if field.annotation is str}
    values: dict[str, Any] = {
        **dict.fromkeys(words - CHECKED, SECRET),
        "approvals": CHANNEL,
        "tenant_ids": (jobs.TENANT,),
    }
    output = json.dumps(masked_settings(Settings(**values)))
    assert SECRET not in output
    assert jobs.TENANT not in output
    assert CHANNEL not in output


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
def test_masked_hides_personal_data(text: str) -> None:
    result = masked(f"before {text}, after")
    assert result.startswith("before ")
    assert result.endswith("after")
    for part in re.findall(r"[\w.]{5,}", text):
        assert part not in result or part in ("offhook", "postgresql", "mailto")
