"""The check of PowerShell and module versions, with a fake `pwsh`."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from bot.doctor import FindingState
from bot.doctor.powershell import mending, versions
from bot.settings.values import Environment, Gateway
from bot.simulator.scenario import Call, Fault, FaultKind, Scenario
from tests.integration.doctor.conftest import MakeHarness


def pwsh(folder: Path, stdout: str, *, stderr: str = "", code: int = 0) -> str:
    """A fake `pwsh` that checks its arguments and environment and prints the given output."""
    program = folder / "pwsh"
    program.write_text(
        '#!/bin/sh\n[ "$1 $2 $3" = "-NoProfile -NonInteractive -Command" ] || exit 99\n'
        f"[ -z \"$SECRET\" ] || exit 98\nprintf '%b' {shlex.quote(stdout)}\n"
        f"printf '%s' {shlex.quote(stderr)} >&2\nexit {code}\n"
    )
    program.chmod(0o755)
    return str(program)


@pytest.mark.parametrize(
    ("stdout", "state", "message"),
    [
        ("offhook-versions 7.6.1 7.7.0\n", FindingState.OK, "found-powershell"),
        (
            "WARNING: update\r\noffhook-versions 7.4.0-rc.1 6.3.0\r\n",
            FindingState.OK,
            "found-powershell",
        ),
        ("offhook-versions 5.1.19041.4648 7.7.0\n", FindingState.OK, "found-powershell"),
        ("offhook-versions 7.0.3 5.6.0\n", FindingState.OK, "found-powershell"),
        ("offhook-versions 7.6.1 \n", FindingState.FAILED, "found-powershell-no-module"),
        ("offhook-versions 7.6.1 5.5.9\n", FindingState.FAILED, "found-powershell-old-module"),
        ("offhook-versions 7.1.0 6.3.0\n", FindingState.FAILED, "found-powershell-old"),
        ("", FindingState.UNKNOWN, "found-powershell-unclear"),
        ("offhook-versions x y\n", FindingState.UNKNOWN, "found-powershell-unclear"),
    ],
)
async def test_versions_are_compared_with_minimum(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stdout: str, state: FindingState, message: str
) -> None:
    monkeypatch.setenv("SECRET", "hidden")
    found = await versions(pwsh(tmp_path, stdout))
    assert (found.check, found.state, found.message) == ("powershell", state, message)


async def test_finding_quotes_stderr_when_there_are_no_versions(tmp_path: Path) -> None:
    found = await versions(pwsh(tmp_path, "", stderr="no .NET\nhere", code=1))
    assert found.arguments == {"message": "no .NET here"}


async def test_check_fails_when_powershell_is_not_installed() -> None:
    found = await versions("pwsh-that-is-not-there")
    assert found.message == "found-powershell-missing"
    assert "pwsh-that-is-not-there" in str(found.arguments["message"])


async def test_check_runs_only_for_the_powershell_gateway(
    make_harness: MakeHarness, tmp_path: Path
) -> None:
    program = pwsh(tmp_path, "offhook-versions 7.6.1 7.7.0\n")
    opened = await make_harness(gateway=Gateway.POWERSHELL, pwsh=program)
    found = await opened.examine()
    assert found["powershell"].state is found["mending"].state is FindingState.OK
    assert found["mending"].arguments["policies"] == 4
    assert opened.doctor.settings.environment is Environment.LOCAL
    other = await (await make_harness(pwsh=program)).examine()
    assert not {"powershell", "mending"} & other.keys()


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (FaultKind.FORBIDDEN, "found-mending-denied"),
        (FaultKind.SERVER_ERROR, "found-mending-no-answer"),
    ],
)
async def test_mending_is_checked_with_reads(
    make_harness: MakeHarness, kind: FaultKind, message: str
) -> None:
    denied = Scenario(faults=(Fault(call=Call.POLICIES, fault=kind, times=0),))
    found = await mending((await make_harness(denied)).access.administrator)
    assert (found.check, found.state, found.message) == ("mending", FindingState.FAILED, message)
