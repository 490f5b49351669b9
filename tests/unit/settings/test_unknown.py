"""An OFFHOOK_* variable that is not a setting stops the service, which suggests the nearest name."""

from __future__ import annotations

import sys
from pathlib import Path
from unittest.mock import MagicMock

import pytest

from bot import logs
from bot.cli import main
from bot.settings.model import Settings
from bot.settings.unknown import unknown_settings, variable_names


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("OFFHOOK_APROVERS", "OFFHOOK_APPROVERS"),
        ("OFFHOOK_TENANT_ID", "OFFHOOK_TENANT_IDS"),
        ("OFFHOOK_DATABASEURL", "OFFHOOK_DATABASE_URL"),
        ("OFFHOOK_XYZZY", ""),
    ],
)
def test_unknown_settings_suggests_nearest_name(name: str, nearest: str) -> None:
    assert unknown_settings([name, "OFFHOOK_PORT"]) == {name: nearest}


def test_unknown_settings_accepts_every_setting() -> None:
    names = [f"OFFHOOK_{field}".upper() for field in Settings.model_fields]
    assert unknown_settings(names) == {}


@pytest.mark.parametrize(
    "name",
    [
        "OFFHOOK_TEST_BROWSER",
        "OFFHOOK_CHAOS_SEED",
        "OFFHOOK_STATEFUL_EXAMPLES",
        "OFFHOOK_PREFLIGHT",
    ],
)
def test_unknown_settings_accepts_test_and_reserved_variables(name: str) -> None:
    assert unknown_settings([name]) == {}


def test_variable_names_come_from_environment_and_env_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("offhook_host", "127.0.0.1")
    (tmp_path / ".env").write_text("OFFHOOK_PROT=1\nPATH_OF_ANOTHER=2\n")
    assert {"OFFHOOK_HOST", "OFFHOOK_PROT"} <= variable_names()
    assert "PATH_OF_ANOTHER" not in variable_names()


@pytest.mark.parametrize("source", ["environment", "file"])
def test_serve_exits_with_suggestion_when_setting_is_misspelled(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    source: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    if source == "file":
        (tmp_path / ".env").write_text("OFFHOOK_APROVERS=secret-value\n")
    else:
        monkeypatch.setenv("OFFHOOK_APROVERS", "secret-value")
    monkeypatch.setattr(sys, "argv", ["offhook", "serve"])
    monkeypatch.setattr(logs, "configure", MagicMock())  # its effect would outlive this test
    with pytest.raises(SystemExit) as exit_info:
        main()
    output = capsys.readouterr()
    assert exit_info.value.code == 2
    assert "OFFHOOK_APROVERS" in output.err
    assert "OFFHOOK_APPROVERS" in output.err
    assert "secret-value" not in output.err + output.out
