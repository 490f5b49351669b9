"""A variable that no setting reads stops the command line, with the nearest name."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bot.settings import Settings
from bot.spelling import given, strangers

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("OFFHOOK_APROVERS", "OFFHOOK_APPROVERS"),
        ("OFFHOOK_TENANT_ID", "OFFHOOK_TENANT_IDS"),
        ("OFFHOOK_DATABASEURL", "OFFHOOK_DATABASE_URL"),
        ("OFFHOOK_XYZZY", ""),
    ],
)
def test_the_nearest_name_is_given(name: str, nearest: str) -> None:
    assert strangers([name, "OFFHOOK_PORT"]) == {name: nearest}


def test_every_setting_is_known() -> None:
    assert strangers(f"OFFHOOK_{field}".upper() for field in Settings.model_fields) == {}


@pytest.mark.parametrize(
    "name", ["OFFHOOK_TEST_BROWSER", "OFFHOOK_CHAOS_SEED", "OFFHOOK_PREFLIGHT"]
)
def test_others_of_ours_are_accepted(name: str) -> None:
    assert strangers([name]) == {}


def test_names_come_from_the_environment_and_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("offhook_host", "127.0.0.1")
    (tmp_path / ".env").write_text("OFFHOOK_PROT=1\nPATH_OF_ANOTHER=2\n")
    assert {"OFFHOOK_HOST", "OFFHOOK_PROT"} <= given()
    assert "PATH_OF_ANOTHER" not in given()


@pytest.mark.parametrize("where", ["environment", "file"])
def test_serve_refuses_to_start(tmp_path: Path, where: str) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OFFHOOK_")}
    if where == "file":
        (tmp_path / ".env").write_text("OFFHOOK_APROVERS=secret-value\n")
    else:
        kept["OFFHOOK_APROVERS"] = "secret-value"
    ended = subprocess.run(
        [sys.executable, "-m", "bot", "serve"],
        check=False,
        cwd=tmp_path,
        env={**kept, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 2
    assert "OFFHOOK_APROVERS" in ended.stderr
    assert "OFFHOOK_APPROVERS" in ended.stderr
    assert "secret-value" not in ended.stderr + ended.stdout
