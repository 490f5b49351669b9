"""A job and a mend through PowerShell, with `OFFHOOK_GATEWAY=powershell`."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.phones.region import Region
from bot.preflight.facts import POLICY_NAME
from tests.integration.app.conftest import MakeBot
from tests.integration.app.test_mend import LOBBY, YES, audit, mended, policies, tenant
from tests.support import fake_pwsh
from tests.support.fake_pwsh import Behavior
from tests.support.running_bot import MEGAN, has_button, phones_csv, text_of


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


async def test_mend_and_its_undo_run_through_powershell_that_keeps_dying(
    make_bot: MakeBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each process dies before the answer to its ninth order, which has taken effect."""
    monkeypatch.setenv("OFFHOOK_GATEWAY", "powershell")
    monkeypatch.setenv("OFFHOOK_PWSH", str(tmp_path / "pwsh"))
    lobby = LOBBY[:6]
    bot = await make_bot(gateway=tenant(*lobby, bulk_sign_in=False), preflight="on", started=False)
    dying = Behavior(fault="kill", at="done", order=9)
    fake_pwsh.install(tmp_path, bot.gateway.configapi_url, dying)
    await bot.start()

    card = await mended(bot, phones_csv(7))

    assert {policies(bot, each) for each in lobby} == {(POLICY_NAME, POLICY_NAME)}
    assert policies(bot, LOBBY[6]) == ("CommonAreaPhone", "SIPDevices")
    assert bot.gateway.accounts.policies.bulk_sign_in
    await bot.wait_for(lambda message: message is card and has_button(message, "mend_undo"))
    since = bot.now
    await bot.click(MEGAN, card, "mend_undo", {**YES, "switch_off": "true"})
    await bot.wait_for_text("Undoing the mend for request", since=since)

    assert {policies(bot, each) for each in lobby} == {("", "")}
    assert not bot.gateway.accounts.policies.bulk_sign_in
    for action, changes in (("mend changed", 15), ("mend restored", 13)):
        audited = [(each["account"], each["kind"]) for each in audit(bot, action)]
        assert len(audited) == len(set(audited)) == changes
    runs = fake_pwsh.runs(tmp_path)
    started = [run["arguments"][5] for run in runs if run["what"] == "started"]
    assert set(started) == {"administer"}
    assert len(started) < sum(run["what"] == "ordered" for run in runs) / 4
