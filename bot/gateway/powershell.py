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
import re
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TypeVar

from bot.gateway import (
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
from bot.gateway.failure import Failure
from bot.gateway.process import Process
from bot.gateway.pwsh import GO_AHEAD, GRAPH_SCOPE, TOOK_TOO_LONG, Pwsh
from bot.gateway.retry import call_with_retries
from bot.gateway.transcript import Transcript
from bot.identity.tokens import Tokens
from bot.phones.region import Region
from bot.signin.request import Phone

MAX_PROCESSES = 2  # at about 300 MB each

_EXIT_SECONDS = 2.0  # for the process to disconnect and exit after its last event
_BATCH_ID = re.compile(r"[!-~]{1,128}")

Result = TypeVar("Result")


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
        self._pwsh = Pwsh(tokens, program=pwsh, graph_scope=graph_scope)
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
        region = () if action.region is None else ("-Region", action.region.value)
        batch_id = action.remote_batch_id
        async with (
            self._slot(ready_by),
            self._pwsh.running(
                action.name,
                *region,
                ready_by=ready_by,
                refresh=refresh,
                phones=action.phones,
                variables={"OFFHOOK_BATCH_ID": batch_id} if batch_id else {},
            ) as (process, transcript),
        ):
            await _read_transcript(process, transcript, action.before_sending, ready_by, deadline)
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
        transcript.exit_message = TOOK_TOO_LONG
        process.kill()
    with suppress(TimeoutError):
        async with asyncio.timeout(_EXIT_SECONDS):
            # Events written before the kill tell whether the cmdlet was called.
            while not transcript.finished and (line := await process.read_line()):
                transcript.feed(line)
            await process.wait()
    transcript.process_exited(process.returncode, process.stderr_tail)
