"""A job through PowerShell, with `OFFHOOK_GATEWAY=powershell`."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.phones.region import Region
from tests.integration.app.conftest import MakeBot
from tests.support import fake_pwsh
from tests.support.running_bot import phones_csv, text_of


async def test_job_runs_through_powershell(
    make_bot: MakeBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OFFHOOK_GATEWAY", "powershell")
    monkeypatch.setenv("OFFHOOK_PWSH", str(tmp_path / "pwsh"))
    bot = await make_bot(started=False)
    fake_pwsh.install(tmp_path, bot.gateway.configapi_url)
    await bot.start()

    results = await bot.run_job(phones_csv(3))

    assert "All 3 phones are signed in." in text_of(results)
    (submit,) = bot.gateway.configapi.submits
    assert submit.region is Region.EMEA
    assert len(submit.items) == 3
    actions = [run["arguments"][5] for run in fake_pwsh.runs(tmp_path) if run["what"] == "started"]
    assert actions[0] == "submit"
    assert set(actions[1:]) == {"status"}
