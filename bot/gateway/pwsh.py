"""Starts `pwsh` with `powershell.ps1`, in a private folder and an environment without other secrets."""

from __future__ import annotations

import asyncio
import csv
import os
import secrets
import tempfile
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from types import MappingProxyType
from uuid import uuid4

import structlog

from bot.gateway import AccessDeniedError, UnavailableError, wire
from bot.gateway.configapi import SCOPE as TEAMS_SCOPE
from bot.gateway.process import Process, ProcessStartError, start_process
from bot.gateway.redact import redacted
from bot.gateway.transcript import Transcript
from bot.identity.tokens import Tokens
from bot.signin.request import Phone

SCRIPT = Path(__file__).with_name("powershell.ps1")
GO_AHEAD = b"go\n"  # as powershell.ps1 expects it
PHONES_FILE = "devices.csv"  # as powershell.ps1 names it, in the process's working directory
GRAPH_SCOPE = "https://graph.microsoft.com/.default"  # public cloud
TOOK_TOO_LONG = "PowerShell was stopped because it took too long"

# Needed by .NET, PowerShell and corporate networks. Offhook's own variables hold secrets and stay out.
_INHERITED = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TZ",
    "PSModulePath",
    "DOTNET_ROOT",
    "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
)
_QUIET = MappingProxyType(
    {
        "DOTNET_EnableDiagnostics": "0",
        "NO_COLOR": "1",
        "POWERSHELL_TELEMETRY_OPTOUT": "1",
        "POWERSHELL_UPDATECHECK": "Off",
        "TERM": "dumb",
    }
)

log = structlog.get_logger()


class Pwsh:
    """Runs the script with one identity. `program` is the name or path of PowerShell."""

    def __init__(
        self, tokens: Tokens, *, program: str = "pwsh", graph_scope: str = GRAPH_SCOPE
    ) -> None:
        self._tokens = tokens
        self._program = program
        self._graph_scope = graph_scope

    @asynccontextmanager
    async def running(
        self,
        action: str,
        *arguments: str,
        ready_by: float,
        refresh: bool = False,
        phones: Sequence[Phone] = (),
        variables: Mapping[str, str] = MappingProxyType({}),
    ) -> AsyncGenerator[tuple[Process, Transcript]]:
        """A process that runs `action`, and an empty transcript of it; kills the process on exit.

        The tokens must be there by `ready_by` (event loop time); `refresh`: new ones. `variables` are added
        to the environment.
        Raises `UnavailableError` or `AccessDeniedError` when no process was started.
        """
        tokens = await self._both_tokens(refresh, ready_by)
        # Random, so that no other text on stdout can pass for an event.
        mark, started_at = secrets.token_hex(16), asyncio.get_running_loop().time()
        transcript = Transcript(str(uuid4()), mark, tokens)
        command = (
            *(self._program, "-NoProfile", "-NonInteractive", "-File", str(SCRIPT)),
            *("-Action", action, *arguments),
        )
        graph, teams = tokens
        try:
            with _working_directory(phones) as folder:
                environment = base_environment(folder) | {
                    "OFFHOOK_MARK": mark,
                    "OFFHOOK_GRAPH_TOKEN": graph,
                    "OFFHOOK_TEAMS_TOKEN": teams,
                    **variables,
                }
                async with start_process(
                    command, folder=folder, environment=environment
                ) as process:
                    yield process, transcript
        except ProcessStartError as error:
            message = f"PowerShell cannot be started on this host: {self._program}: {error}"
            raise AccessDeniedError(message, correlation_id=transcript.run_id) from error
        finally:
            log.debug(
                "powershell.finished",
                action=action,
                run_id=transcript.run_id,
                called=transcript.called,
                output=None if transcript.output is None else redacted(transcript.output),
                seconds=round(asyncio.get_running_loop().time() - started_at, 3),
            )

    async def _both_tokens(self, refresh: bool, ready_by: float) -> tuple[str, str]:
        try:
            async with asyncio.timeout_at(ready_by):
                return (
                    await self._tokens.token(self._graph_scope, refresh=refresh),
                    await self._tokens.token(TEAMS_SCOPE, refresh=refresh),
                )
        except PermissionError as error:
            raise AccessDeniedError(wire.clean(str(error))) from error
        except TimeoutError as error:
            raise UnavailableError("no access token in time") from error
        except ConnectionError as error:
            raise UnavailableError(wire.clean(str(error))) from error


def base_environment(folder: Path) -> dict[str, str]:
    """The environment for any `pwsh` process, with `folder` for its temporary files."""
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return {**inherited, **_QUIET, "TMPDIR": str(folder)}


@contextmanager
def _working_directory(phones: Sequence[Phone]) -> Generator[Path]:
    """A private temporary directory with the phones in it, deleted on exit.

    Also serves as the process's TMPDIR, since a killed `pwsh` leaves files behind.
    Raises `UnavailableError` when it cannot be created.
    """
    with ExitStack() as stack:
        try:
            temporary = tempfile.TemporaryDirectory(prefix="offhook-", ignore_cleanup_errors=True)
            folder = Path(stack.enter_context(temporary))
            if phones:
                _write_csv(folder / PHONES_FILE, phones)
        except OSError as error:
            raise UnavailableError(f"no temporary file can be written: {error.strerror}") from error
        yield folder


def _write_csv(file: Path, phones: Sequence[Phone]) -> None:
    """Write the CSV that the cmdlet reads. The byte order mark tells PowerShell 5.1 that it is UTF-8."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="utf-8-sig", newline="") as stream:  # noqa: PTH123
        writer = csv.writer(stream, quoting=csv.QUOTE_ALL)
        writer.writerow(("Username", "HardwareId"))
        writer.writerows((phone.username, phone.hardware_id) for phone in phones)
