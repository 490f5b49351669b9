"""SIP Gateway client through Microsoft's PowerShell module, one `pwsh` process per action.

The process runs `powershell.ps1`, which writes marked events to stdout. Once connected, it waits for the
go-ahead on stdin, so that it calls nothing after Offhook has died or given up. It writes an event just
before it calls the cmdlet: a process that ends without that event changed nothing; after it, only the
result tells. A process per action costs seconds and about 300 MB, but sessions, and so tokens, are never
shared.

Problems that an administrator has to fix (no `pwsh`, no module, a refused connection) raise
`AccessDeniedError`: its text is shown to users, and the action is retried until it works. The
correlation ID is the SIP Gateway's where the response has one, otherwise the process's run ID in
Offhook's log.
"""

from __future__ import annotations

import asyncio
import csv
import os
import re
import secrets
import tempfile
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar
from uuid import uuid4

import structlog

from bot.gateway import (
    AccessDeniedError,
    BatchReport,
    BatchSummary,
    BeforeSending,
    GatewayError,
    OutcomeUnknownError,
    UnavailableError,
    UnknownBatchError,
    UnreachableError,
    unrecorded,
    wire,
)
from bot.gateway.configapi import SCOPE as TEAMS_SCOPE
from bot.gateway.failure import Failure
from bot.gateway.process import Process, ProcessStartError, start_process
from bot.gateway.redact import redacted
from bot.gateway.retry import call_with_retries
from bot.gateway.transcript import Transcript
from bot.identity.tokens import Tokens
from bot.phones.region import Region
from bot.signin.request import Phone

SCRIPT = Path(__file__).with_name("powershell.ps1")
GO_AHEAD = b"go\n"  # as powershell.ps1 expects it
PHONES_FILE = "devices.csv"  # as powershell.ps1 names it, in the process's working directory
GRAPH_SCOPE = "https://graph.microsoft.com/.default"  # public cloud
MAX_PROCESSES = 2  # at about 300 MB each

_EXIT_SECONDS = 2.0  # for the process to disconnect and exit after its last event
_BATCH_ID = re.compile(r"[!-~]{1,128}")
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

Result = TypeVar("Result")
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Action:
    """One run of `powershell.ps1`."""

    #: The script's `-Action`: submit, status or summaries.
    name: str
    #: Submit only.
    region: Region | None = None
    #: Submit only.
    phones: Sequence[Phone] = ()
    #: Submit only: awaited before the go-ahead.
    before_sending: BeforeSending = unrecorded
    #: Status only.
    remote_batch_id: str = ""


class PowerShellGateway:
    """Implements `bot.gateway.SipGateway`.

    `pwsh` is the program's name or path. `slots` caps concurrent processes and can be shared between
    gateways. `submit_timeout` and `read_timeout` are in seconds and cover the whole call, from waiting
    for a slot to the result. A submit whose cmdlet has not been called after two thirds of its time is
    abandoned, which leaves the SIP Gateway time to respond. Reads are retried after each of `pauses`
    (seconds) within their time; submits are never retried, except after a refused token.
    """

    def __init__(
        self,
        tokens: Tokens,
        *,
        pwsh: str = "pwsh",
        graph_scope: str = GRAPH_SCOPE,
        submit_timeout: float = 180.0,
        read_timeout: float = 120.0,
        slots: asyncio.Semaphore | None = None,
        pauses: Sequence[float] = (1.0, 5.0),
    ) -> None:
        self._tokens = tokens
        self._pwsh = pwsh
        self._graph_scope = graph_scope
        self._submit_timeout = submit_timeout
        self._read_timeout = read_timeout
        self._slots = slots or asyncio.Semaphore(MAX_PROCESSES)
        self._pauses = tuple(pauses)

    @property
    def submit_timeout(self) -> float:
        return self._submit_timeout

    async def submit(
        self, region: Region, phones: Sequence[Phone], before_sending: BeforeSending = unrecorded
    ) -> str:
        now = asyncio.get_running_loop().time()
        ready_by, deadline = now + self._submit_timeout * 2 / 3, now + self._submit_timeout
        try:
            transcript = await self._run_action(
                _Action("submit", region=region, phones=phones, before_sending=before_sending),
                ready_by,
                deadline,
            )
            if not transcript.called:
                raise transcript.error_before_call()
        except UnavailableError as error:
            raise UnreachableError(error.message, correlation_id=error.correlation_id) from error
        if transcript.failure is not None:
            raise transcript.failure.of_submit()
        if transcript.output is None:
            raise OutcomeUnknownError(transcript.exit_message, correlation_id=transcript.run_id)
        try:
            return wire.batch_id(transcript.output)
        except wire.UnreadableResponseError as error:
            raise OutcomeUnknownError(str(error), correlation_id=transcript.run_id) from error

    async def status(self, remote_batch_id: str) -> BatchReport:
        if not _BATCH_ID.fullmatch(remote_batch_id):
            raise UnknownBatchError("not a batch id")
        return await self._read(
            _Action("status", remote_batch_id=remote_batch_id),
            lambda output: wire.report(output, remote_batch_id),
            Failure.of_status,
        )

    async def summaries(self) -> Sequence[BatchSummary]:
        return await self._read(
            _Action("summaries"), lambda output: wire.summaries(output)[0], Failure.of_read
        )

    async def _read(
        self,
        action: _Action,
        read: Callable[[bytes], Result],
        error_of: Callable[[Failure], GatewayError],
    ) -> Result:
        deadline = asyncio.get_running_loop().time() + self._read_timeout

        async def attempt() -> Result:
            transcript = await self._run_action(action, deadline, deadline)
            if not transcript.called:
                raise transcript.error_before_call()
            if transcript.failure is not None:
                raise error_of(transcript.failure)
            if transcript.output is None:
                raise UnavailableError(transcript.exit_message, correlation_id=transcript.run_id)
            try:
                return read(transcript.output)
            except wire.UnreadableResponseError as error:
                raise UnavailableError(str(error), correlation_id=transcript.run_id) from error

        return await call_with_retries(attempt, pauses=self._pauses, deadline=deadline)

    async def _run_action(self, action: _Action, ready_by: float, deadline: float) -> Transcript:
        """Run `action`, and once more with new tokens if the first ones were refused.

        The cmdlet must be called by `ready_by` and finish by `deadline` (event loop time).
        Raises `UnavailableError` or `AccessDeniedError` when no process was started.
        """
        transcript = await self._run_once(action, ready_by, deadline, refresh=False)
        if transcript.failure is not None and transcript.failure.unauthorized:
            transcript = await self._run_once(action, ready_by, deadline, refresh=True)
        return transcript

    async def _run_once(
        self, action: _Action, ready_by: float, deadline: float, *, refresh: bool
    ) -> Transcript:
        async with self._slot(ready_by):
            tokens = await self._both_tokens(refresh, ready_by)
            # Random, so that no other text on stdout can pass for an event.
            mark, started_at = secrets.token_hex(16), asyncio.get_running_loop().time()
            transcript = Transcript(str(uuid4()), mark, tokens)
            try:
                with _working_directory(action.phones) as folder:
                    environment = _environment(folder, mark, tokens, action.remote_batch_id)
                    async with start_process(
                        self._command(action), folder=folder, environment=environment
                    ) as process:
                        await _read_transcript(
                            process, transcript, action.before_sending, ready_by, deadline
                        )
            except ProcessStartError as error:
                message = f"PowerShell cannot be started on this host: {self._pwsh}: {error}"
                raise AccessDeniedError(message, correlation_id=transcript.run_id) from error
            finally:
                log.debug(
                    "powershell.finished",
                    action=action.name,
                    run_id=transcript.run_id,
                    called=transcript.called,
                    output=None if transcript.output is None else redacted(transcript.output),
                    seconds=round(asyncio.get_running_loop().time() - started_at, 3),
                )
        return transcript

    @asynccontextmanager
    async def _slot(self, ready_by: float) -> AsyncGenerator[None]:
        try:
            async with asyncio.timeout_at(ready_by):
                await self._slots.acquire()
        except TimeoutError as error:
            raise UnavailableError("all PowerShell slots are in use") from error
        try:
            yield
        finally:
            self._slots.release()

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

    def _command(self, action: _Action) -> Sequence[str]:
        region = () if action.region is None else ("-Region", action.region.value)
        return (
            *(self._pwsh, "-NoProfile", "-NonInteractive", "-File", str(SCRIPT)),
            *("-Action", action.name, *region),
        )


async def _read_transcript(
    process: Process,
    transcript: Transcript,
    before_sending: BeforeSending,
    ready_by: float,
    deadline: float,
) -> None:
    """Read events into `transcript` until the script has reported its result or time is up.

    Gives the go-ahead once, after `before_sending`, and never after `ready_by`.
    """
    go_given = False
    try:
        async with asyncio.timeout_at(ready_by) as limit:
            while not transcript.finished and (line := await process.read_line()):
                transcript.feed(line)
                if transcript.ready and not go_given:
                    await before_sending()
                    # After a pause of this process, the event may be handled before the timeout.
                    if asyncio.get_running_loop().time() >= ready_by:
                        raise TimeoutError
                    go_given = True
                    await process.write(GO_AHEAD)
                if transcript.called:
                    limit.reschedule(deadline)
    except TimeoutError:
        transcript.exit_message = "PowerShell was stopped because it took too long"
        process.kill()
    with suppress(TimeoutError):
        async with asyncio.timeout(_EXIT_SECONDS):
            # Events written before the kill tell whether the cmdlet was called.
            while not transcript.finished and (line := await process.read_line()):
                transcript.feed(line)
            await process.wait()
    transcript.process_exited(process.returncode, process.stderr_tail)


def base_environment(folder: Path) -> dict[str, str]:
    """The environment for any `pwsh` process, with `folder` for its temporary files."""
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return {**inherited, **_QUIET, "TMPDIR": str(folder)}


def _environment(
    folder: Path, mark: str, tokens: tuple[str, str], remote_batch_id: str
) -> dict[str, str]:
    graph, teams = tokens
    environment = base_environment(folder) | {
        "OFFHOOK_MARK": mark,
        "OFFHOOK_GRAPH_TOKEN": graph,
        "OFFHOOK_TEAMS_TOKEN": teams,
    }
    if remote_batch_id:
        environment["OFFHOOK_BATCH_ID"] = remote_batch_id
    return environment


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
