"""PowerShell and Microsoft's module on this host, where sign-ins go through them."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from bot.doctor import Finding, failed, ok, unknown
from bot.gateway.powershell import surroundings
from bot.gateway.process import ProcessStartError, started

_MARK = "offhook-versions"
_COMMAND = (
    f"'{_MARK} ' + $PSVersionTable.PSVersion + ' ' + (Get-Module -Name MicrosoftTeams -ListAvailable"
    " | Sort-Object -Property Version -Descending | Select-Object -First 1).Version"
)
_SAID = re.compile(rf"{_MARK} (\d+\.\d+[^\s]{{0,40}}) ?(\d+\.\d+[.\d]{{0,40}})?")
# The module's release notes: the cmdlets came with 5.6.0; from 6.3.0 on it needs PowerShell 7.2, or 5.1
# on Windows.
_MODULE, _MODULE_OF_7, _POWERSHELL = (5, 6), (6, 3), (7, 2)


async def versions(pwsh: str) -> Finding:
    step = "powershell"
    try:
        complaint, found = await _asked(pwsh)
    except ProcessStartError as error:
        return failed(step, "found-powershell-missing", message=f"{pwsh}: {error}")
    if found is None:
        return unknown(step, "found-powershell-unclear", message=complaint or "–")
    version, module = found[1], found[2]
    if not module:
        return failed(step, "found-powershell-no-module", version=version)
    if _number(module) < _MODULE:
        return failed(step, "found-powershell-old-module", module=module)
    of_windows = _number(version) == (5, 1)
    if _number(module) >= _MODULE_OF_7 and _number(version) < _POWERSHELL and not of_windows:
        return failed(step, "found-powershell-old", version=version, module=module)
    return ok(step, "found-powershell", version=version, module=module)


async def _asked(pwsh: str) -> tuple[str, re.Match[str] | None]:
    """What it complained about, and what it said of the versions. Raises `NotStarted`."""
    command = (pwsh, "-NoProfile", "-NonInteractive", "-Command", _COMMAND)
    with tempfile.TemporaryDirectory(prefix="offhook-", ignore_cleanup_errors=True) as folder:
        environment = surroundings(Path(folder))
        async with started(command, folder=Path(folder), environment=environment) as process:
            found = None
            while found is None and (line := await process.line()):
                found = _SAID.search(line.decode("utf-8", "replace"))
            if found is None:
                await process.ended()
            return " ".join(process.complaint.split())[-200:], found


def _number(version: str) -> tuple[int, int]:
    major, minor = version.split(".")[:2]
    return int(major), int(re.match(r"\d*", minor)[0] or 0)  # pyright: ignore[reportOptionalSubscript]
