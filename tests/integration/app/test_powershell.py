"""The main job through PowerShell: what `OFFHOOK_GATEWAY=powershell` starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.phones.region import Region
from tests.integration.app.conftest import MakeOffice
from tests.support import fake_pwsh
from tests.support.running_bot import content, csv_of


async def test_the_main_job(
    make_office: MakeOffice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OFFHOOK_GATEWAY", "powershell")
    monkeypatch.setenv("OFFHOOK_PWSH", str(tmp_path / "pwsh"))
    office = await make_office(started=False)
    fake_pwsh.install(tmp_path, office.gateway.configapi_url)
    await office.start()

    results = await office.finished(csv_of(3))

    assert "All 3 phones are signed in." in content(results)
    (submit,) = office.gateway.configapi.submits
    assert submit.region is Region.EMEA
    assert len(submit.items) == 3
    actions = [run["arguments"][5] for run in fake_pwsh.runs(tmp_path) if run["what"] == "started"]
    assert actions[0] == "submit"
    assert set(actions[1:]) == {"status"}
