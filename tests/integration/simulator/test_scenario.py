"""Scenario files: all settings, and one clear sentence for each invalid file."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.phones.region import Region
from bot.signin.outcome import CAUSES, UNKNOWN, explain
from bot.simulator.scenario import (
    MESSAGES,
    PEOPLE,
    Call,
    Fault,
    FaultKind,
    Scenario,
    ScenarioError,
)
from bot.simulator.tenant import Account

EVERYTHING = """
seed = 7
latency = 0.01
batch_seconds = 3
stuck = [2]
anyone = false
max_per_region = 5

[outcomes]
"lobby-1@contoso.com" = "device-offline"
"00-04-F2-00-00-01" = ["ad-throttling", "success"]
"lobby-2@contoso.com" = "A text of its own."

[shares]
device-offline = 0.03
"Another text." = 0.1

[[faults]]
call = "createbatch"
region = "EMEA"
nth = 2
times = 3
fault = "429"
retry_after = 5

[[faults]]
call = "update"
fault = "gone"

[accounts."lobby-4@contoso.com"]
number = false
roles = ["Reader"]

[ip_phone_policies]
Global = "CommonAreaPhoneSignIn"

[calling_policies.Global]
sip_devices = false

[[conditional_access]]
name = "Require MFA"
exclude = ["lobby-5@contoso.com"]

[graph]
permissions = ["User.Read.All"]
absent = ["admin/teams"]

[statuses]
running = "Läuft"

[wire]
casing = "pascal"
plural = true

[summaries]
lag = 2.5

[connector]
scale = 0.1
blocked = ["19:gone@thread.v2"]

[[people]]
object_id = "00000000-0000-0000-0000-000000000001"
name = "Ada Adler"
principal = "ada@contoso.com"

[groups]
"00000000-0000-0000-0000-0000000000ff" = ["00000000-0000-0000-0000-000000000001"]
"""


def test_scenario_file_can_set_everything(tmp_path: Path) -> None:
    path = tmp_path / "scenario.toml"
    path.write_text(EVERYTHING, "utf-8")
    scenario = Scenario.load(path)
    assert scenario.outcomes["lobby-1@contoso.com"] == ("device-offline",)
    assert scenario.outcomes["00-04-F2-00-00-01"] == ("ad-throttling", "success")
    assert scenario.faults == (
        Fault(
            call=Call.CREATE_BATCH,
            region=Region.EMEA,
            nth=2,
            times=3,
            fault=FaultKind.THROTTLED,
            retry_after=5,
        ),
        Fault(call=Call.UPDATE, fault=FaultKind.GONE),
    )
    assert scenario.statuses.running == "Läuft"
    assert scenario.connector.blocked == ("19:gone@thread.v2",)
    assert scenario.people[0].name == "Ada Adler"
    assert scenario.accounts["lobby-4@contoso.com"] == Account(number=False, roles=("Reader",))
    assert scenario.ip_phone_policies == {"Global": "CommonAreaPhoneSignIn"}
    assert not scenario.calling_policies["Global"].sip_devices
    assert scenario.conditional_access[0].exclude == ("lobby-5@contoso.com",)
    assert scenario.graph.permissions == {"User.Read.All"}


def test_empty_scenario_file_gives_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "scenario.toml"
    path.touch()
    assert Scenario.load(path) == Scenario()
    assert Scenario().people == PEOPLE


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("seed = ", "is not TOML: Invalid value (at end of document)"),
        (
            "batch_seconds = -1",
            "batch_seconds: Input should be greater than or equal to 0",
        ),
        ("sed = 1", "sed: Extra inputs are not permitted"),
        (
            "seed = 'x'\nanyone = 7",
            "seed: Input should be a valid integer, unable to parse string as "
            "an integer (and 1 more)",
        ),
        ("[shares]\ndevice-offline = 0.6\nad-throttling = 0.6", "the shares add up to more than 1"),
        ("[[faults]]\ncall = 'createbatch'", "faults.0.fault: Field required"),
    ],
)
def test_invalid_scenario_file_is_explained_in_one_sentence(
    tmp_path: Path, content: str, sentence: str
) -> None:
    path = tmp_path / "scenario.toml"
    path.write_text(content, "utf-8")
    with pytest.raises(ScenarioError) as raised:
        Scenario.load(path)
    assert str(raised.value) == f"{path}: {sentence}"


def test_unknown_cause_error_lists_all_causes(tmp_path: Path) -> None:
    path = tmp_path / "scenario.toml"
    path.write_text('[outcomes]\n"a@b.c" = "device-ofline"', "utf-8")
    with pytest.raises(ScenarioError) as raised:
        Scenario.load(path)
    assert "outcomes.a@b.c.0: 'device-ofline' is not one of: success, user-not-found" in str(
        raised.value
    )


def test_scenario_error_is_raised_when_file_is_missing_or_binary(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"cannot be read: No such file"):
        Scenario.load(tmp_path / "missing.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ScenarioError, match=r"is not UTF-8 text"):
        Scenario.load(tmp_path / "binary.toml")


def test_every_simulated_error_text_is_explained() -> None:
    explained = {code: explain(text).cause for code, text in MESSAGES.items()}
    assert UNKNOWN not in explained.values()
    named = explained.pop("ip-not-trusted-named")
    assert named is CAUSES["ip-not-trusted"]
    assert {code: cause.code for code, cause in explained.items()} == {
        code: code for code in explained
    }
    assert explain(MESSAGES["ip-not-trusted-named"]).address == "203.0.113.7"
