"""A variable that no setting reads stops the command line, with the nearest name."""

from __future__ import annotations

import sys
from pathlib import Path
from unittest.mock import MagicMock

import pytest

from bot import logs
from bot.__main__ import main
from bot.settings.model import Settings
from bot.settings.unknown import given, strangers


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
def test_serve_refuses_to_start(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    where: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    if where == "file":
        (tmp_path / ".env").write_text("OFFHOOK_APROVERS=secret-value\n")
    else:
        monkeypatch.setenv("OFFHOOK_APROVERS", "secret-value")
    monkeypatch.setattr(sys, "argv", ["offhook", "serve"])
    monkeypatch.setattr(logs, "configure", MagicMock())  # it would outlive this test
    with pytest.raises(SystemExit) as ended:
        main()
    told = capsys.readouterr()
    assert ended.value.code == 2
    assert "OFFHOOK_APROVERS" in told.err
    assert "OFFHOOK_APPROVERS" in told.err
    assert "secret-value" not in told.err + told.out
