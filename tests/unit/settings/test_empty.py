"""Empty variables: Compose and Azure pass on every setting, also those that nobody has set."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.settings.model import Settings


def test_empty_variables_leave_the_defaults(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for field in Settings.model_fields:
        monkeypatch.delenv(f"OFFHOOK_{field.upper()}", raising=False)
    defaults = Settings.model_validate({})
    for field in Settings.model_fields:
        monkeypatch.setenv(f"OFFHOOK_{field.upper()}", "")
    settings = Settings.model_validate({})
    assert settings == defaults
    assert settings.model_fields_set == set()


def test_empty_variable_hides_the_env_file_no_more_than_a_missing_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("OFFHOOK_TYPED_ABOVE=7\nOFFHOOK_POLICY=\n")
    monkeypatch.setenv("OFFHOOK_TYPED_ABOVE", "")
    settings = Settings.model_validate({})
    assert settings.typed_above == 7
    assert settings.policy is None
