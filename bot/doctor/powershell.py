"""Checks PowerShell, its module, and what a mend reads with it. Only for `OFFHOOK_GATEWAY=powershell`."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from bot.doctor import Finding, failed, ok, unknown
from bot.gateway import AccessDeniedError, GatewayError
from bot.gateway.administration import Administrator
from bot.gateway.policies import SWITCH
from bot.gateway.process import ProcessStartError, start_process
from bot.gateway.pwsh import base_environment
from bot.preflight.facts import PolicyType

_MARK = "offhook-versions"
_COMMAND = (
    f"'{_MARK} ' + $PSVersionTable.PSVersion + ' ' + (Get-Module -Name MicrosoftTeams -ListAvailable"
    " | Sort-Object -Property Version -Descending | Select-Object -First 1).Version"
)
_VERSIONS = re.compile(rf"{_MARK} (\d+\.\d+[^\s]{{0,40}}) ?(\d+\.\d+[.\d]{{0,40}})?")
# From the module's release notes: 5.6.0 introduced the cmdlets; 6.3.0 and later need PowerShell 7.2, or
# Windows PowerShell 5.1.
_MIN_MODULE, _FIRST_MODULE_FOR_7, _MIN_POWERSHELL = (5, 6), (6, 3), (7, 2)


async def versions(pwsh: str) -> Finding:
    """Check the versions of PowerShell and the MicrosoftTeams module."""
    check = "powershell"
    try:
        stderr, match = await _run_pwsh(pwsh)
    except ProcessStartError as error:
        return failed(check, "found-powershell-missing", message=f"{pwsh}: {error}")
    if match is None:
        return unknown(check, "found-powershell-unclear", message=stderr or "–")
    version, module = match[1], match[2]
    if not module:
        return failed(check, "found-powershell-no-module", version=version)
    if _version_tuple(module) < _MIN_MODULE:
        return failed(check, "found-powershell-old-module", module=module)
    is_windows_powershell = _version_tuple(version) == (5, 1)
    if (
        _version_tuple(module) >= _FIRST_MODULE_FOR_7
        and _version_tuple(version) < _MIN_POWERSHELL
        and not is_windows_powershell
    ):
        return failed(check, "found-powershell-old", version=version, module=module)
    return ok(check, "found-powershell", version=version, module=module)


async def mending(administrator: Administrator) -> Finding:
    """Check the cmdlets that a mend uses, with those that only read the tenant; one process."""
    check = "mending"
    try:
        async with administrator.session() as administration:
            await administration.instances(SWITCH)
            policies = [await administration.instances(policy.value) for policy in PolicyType]
    except AccessDeniedError as error:
        return failed(check, "found-mending-denied", **_arguments(error))
    except GatewayError as error:
        return failed(check, "found-mending-no-answer", **_arguments(error))
    return ok(check, "found-mending", policies=sum(map(len, policies)))


def _arguments(error: GatewayError) -> dict[str, str]:
    return {"message": error.message, "correlation": error.correlation_id or "–"}


async def _run_pwsh(pwsh: str) -> tuple[str, re.Match[str] | None]:
    """The end of stderr, and the versions printed (None if none were). Raises `ProcessStartError`."""
    command = (pwsh, "-NoProfile", "-NonInteractive", "-Command", _COMMAND)
    with tempfile.TemporaryDirectory(prefix="offhook-", ignore_cleanup_errors=True) as folder:
        environment = base_environment(Path(folder))
        async with start_process(command, folder=Path(folder), environment=environment) as process:
            match = None
            while match is None and (line := await process.read_line()):
                match = _VERSIONS.search(line.decode("utf-8", "replace"))
            if match is None:
                await process.wait()
            return " ".join(process.stderr_tail.split())[-200:], match


def _version_tuple(version: str) -> tuple[int, int]:
    major, minor = version.split(".")[:2]
    return int(major), int(re.match(r"\d*", minor)[0] or 0)  # pyright: ignore[reportOptionalSubscript]
