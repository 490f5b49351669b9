"""The SIP Gateway through Microsoft's PowerShell module: one `pwsh` process per action.

The process runs the script beside this file, which says what it does in marked lines on stdout. It
writes one before it calls the service, so a process that ended without it has asked for nothing;
after it, only an answer tells. A process for each action costs seconds and some 300 MB, but no
session, and so nobody's token, is ever shared.

What a host or its administrator must put right (no `pwsh`, no module, a connection refused) is
`Denied`: its text is shown to people, and the action is tried again until it works. A correlation id
is the service's own where its answer carries one, else the id of the process in our log.
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
    GatewayError,
    OutcomeUnknownError,
    UnavailableError,
    UnknownBatchError,
    UnreachableError,
    wire,
)
from bot.gateway.configapi import SCOPE as TEAMS_SCOPE
from bot.gateway.failure import Failure
from bot.gateway.process import Process, ProcessStartError, started
from bot.gateway.redact import redacted
from bot.gateway.retry import repeated
from bot.gateway.transcript import Transcript
from bot.identity.tokens import Tokens
from bot.phones.region import Region
from bot.signin.request import Phone

SCRIPT = Path(__file__).with_name("powershell.ps1")
DEVICES = "devices.csv"  # the script's name for it, in the process's working directory
GRAPH_SCOPE = "https://graph.microsoft.com/.default"  # of the public cloud
AT_ONCE = 2  # processes of some 300 MB each

_EXIT_SECONDS = 2.0  # for the process to disconnect and end once it has answered
_BATCH_ID = re.compile(r"[!-~]{1,128}")
# What .NET, PowerShell and a company's network need. Nothing of ours: least of all its secrets.
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
    name: str
    region: Region | None = None
    devices: Sequence[Phone] = ()
    batch_id: str = ""


class PowerShellGateway:
    """Implements `bot.gateway.SipGateway`. `pwsh` is the program's name or path; `places` are the
    processes that may run at once, in common with whoever else is given them.

    `submit_timeout` and `read_timeout` bound a whole call in seconds, from waiting for a place to the
    answer. A submit that is not under way after two thirds of its time is
    given up, so that the service is left time to answer. Reads are repeated after each of `pauses`
    (seconds) while their time lasts; a submit never is, except after a refused token.
    """

    def __init__(
        self,
        tokens: Tokens,
        *,
        pwsh: str = "pwsh",
        graph_scope: str = GRAPH_SCOPE,
        submit_timeout: float = 180.0,
        read_timeout: float = 120.0,
        places: asyncio.Semaphore | None = None,
        pauses: Sequence[float] = (1.0, 5.0),
    ) -> None:
        self._tokens = tokens
        self._pwsh = pwsh
        self._graph_scope = graph_scope
        self._submit_timeout = submit_timeout
        self._read_timeout = read_timeout
        self._places = places or asyncio.Semaphore(AT_ONCE)
        self._pauses = tuple(pauses)

    @property
    def submit_timeout(self) -> float:
        return self._submit_timeout

    async def submit(self, region: Region, devices: Sequence[Phone]) -> str:
        now = asyncio.get_running_loop().time()
        ready_by, deadline = now + self._submit_timeout * 2 / 3, now + self._submit_timeout
        try:
            heard = await self._ask(
                _Action("submit", region=region, devices=devices), ready_by, deadline
            )
            if not heard.asked:
                raise heard.unasked()
        except UnavailableError as error:
            raise UnreachableError(error.message, correlation_id=error.correlation_id) from error
        if heard.failure is not None:
            raise heard.failure.of_submit()
        if heard.answer is None:
            raise OutcomeUnknownError(heard.ending, correlation_id=heard.run)
        try:
            return wire.batch_id(heard.answer)
        except wire.UnreadableResponseError as error:
            raise OutcomeUnknownError(str(error), correlation_id=heard.run) from error

    async def status(self, batch_id: str) -> BatchReport:
        if not _BATCH_ID.fullmatch(batch_id):
            raise UnknownBatchError("this is no batch id")
        return await self._read(
            _Action("status", batch_id=batch_id),
            lambda answer: wire.report(answer, batch_id),
            Failure.of_status,
        )

    async def summaries(self) -> Sequence[BatchSummary]:
        return await self._read(
            _Action("summaries"), lambda answer: wire.summaries(answer)[0], Failure.of_read
        )

    async def _read(
        self,
        action: _Action,
        read: Callable[[bytes], Result],
        error_of: Callable[[Failure], GatewayError],
    ) -> Result:
        deadline = asyncio.get_running_loop().time() + self._read_timeout

        async def once() -> Result:
            heard = await self._ask(action, deadline, deadline)
            if not heard.asked:
                raise heard.unasked()
            if heard.failure is not None:
                raise error_of(heard.failure)
            if heard.answer is None:
                raise UnavailableError(heard.ending, correlation_id=heard.run)
            try:
                return read(heard.answer)
            except wire.UnreadableResponseError as error:
                raise UnavailableError(str(error), correlation_id=heard.run) from error

        return await repeated(once, pauses=self._pauses, deadline=deadline)

    async def _ask(self, action: _Action, ready_by: float, deadline: float) -> Transcript:
        """Run `action`, and once more with newer tokens if these were refused.

        The service must be called by `ready_by` and answer by `deadline` (the loop's time).
        Raises `Unavailable` or `Denied` if no process was started.
        """
        heard = await self._run(action, ready_by, deadline, refresh=False)
        if heard.failure is not None and heard.failure.unauthorised:
            heard = await self._run(action, ready_by, deadline, refresh=True)
        return heard

    async def _run(
        self, action: _Action, ready_by: float, deadline: float, *, refresh: bool
    ) -> Transcript:
        async with self._place(ready_by):
            tokens = await self._both_tokens(refresh, ready_by)
            # Nobody whose words reach stdout can guess the mark, and so speak for the script.
            mark, began = secrets.token_hex(16), asyncio.get_running_loop().time()
            heard = Transcript(str(uuid4()), mark, tokens)
            try:
                with _folder(action.devices) as folder:
                    environment = _environment(folder, mark, tokens, action.batch_id)
                    async with started(
                        self._command(action), folder=folder, environment=environment
                    ) as process:
                        await _follow(process, heard, ready_by, deadline)
            except ProcessStartError as error:
                why = f"PowerShell cannot be started on this host: {self._pwsh}: {error}"
                raise AccessDeniedError(why, correlation_id=heard.run) from error
            finally:
                log.debug(
                    "gateway.ran",
                    action=action.name,
                    run=heard.run,
                    asked=heard.asked,
                    answer=None if heard.answer is None else redacted(heard.answer),
                    seconds=round(asyncio.get_running_loop().time() - began, 3),
                )
        return heard

    @asynccontextmanager
    async def _place(self, ready_by: float) -> AsyncGenerator[None]:
        try:
            async with asyncio.timeout_at(ready_by):
                await self._places.acquire()
        except TimeoutError as error:
            raise UnavailableError("too many PowerShell processes are at work") from error
        try:
            yield
        finally:
            self._places.release()

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
            raise UnavailableError("no token came in time") from error
        except ConnectionError as error:
            raise UnavailableError(wire.clean(str(error))) from error

    def _command(self, action: _Action) -> Sequence[str]:
        region = () if action.region is None else ("-Region", action.region.value)
        return (
            *(self._pwsh, "-NoProfile", "-NonInteractive", "-File", str(SCRIPT)),
            *("-Action", action.name, *region),
        )


async def _follow(process: Process, heard: Transcript, ready_by: float, deadline: float) -> None:
    """Take in what the process says until it has said how it went, or time is up."""
    try:
        async with asyncio.timeout_at(ready_by) as limit:
            while not heard.over and (line := await process.line()):
                heard.take(line)
                if heard.asked:
                    limit.reschedule(deadline)
    except TimeoutError:
        heard.ending = "PowerShell was ended, since it took too long"
        process.kill()
    with suppress(TimeoutError):
        async with asyncio.timeout(_EXIT_SECONDS):
            # What it wrote before it was killed tells whether the service was asked.
            while not heard.over and (line := await process.line()):
                heard.take(line)
            await process.ended()
    heard.end(process.returncode, process.complaint)


def surroundings(folder: Path) -> dict[str, str]:
    """The environment of any `pwsh`, with `folder` for its temporary files."""
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return {**inherited, **_QUIET, "TMPDIR": str(folder)}


def _environment(folder: Path, mark: str, tokens: tuple[str, str], batch_id: str) -> dict[str, str]:
    graph, teams = tokens
    environment = surroundings(folder) | {
        "OFFHOOK_MARK": mark,
        "OFFHOOK_GRAPH_TOKEN": graph,
        "OFFHOOK_TEAMS_TOKEN": teams,
    }
    if batch_id:
        environment["OFFHOOK_BATCH_ID"] = batch_id
    return environment


@contextmanager
def _folder(devices: Sequence[Phone]) -> Generator[Path]:
    """A folder that only we can enter, with the phones in it; gone with all that is in it when left.

    It is the process's folder for temporary files too: when killed it leaves some behind.
    Raises `Unavailable`.
    """
    with ExitStack() as stack:
        try:
            made = tempfile.TemporaryDirectory(prefix="offhook-", ignore_cleanup_errors=True)
            folder = Path(stack.enter_context(made))
            if devices:
                _write(folder / DEVICES, devices)
        except OSError as error:
            raise UnavailableError(f"no temporary file can be written: {error.strerror}") from error
        yield folder


def _write(file: Path, devices: Sequence[Phone]) -> None:
    """The CSV that the cmdlet reads. The mark at its start lets PowerShell 5.1 see that it is UTF-8."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="utf-8-sig", newline="") as stream:  # noqa: PTH123
        writer = csv.writer(stream, quoting=csv.QUOTE_ALL)
        writer.writerow(("Username", "HardwareId"))
        writer.writerows((device.username, device.hardware_id) for device in devices)
