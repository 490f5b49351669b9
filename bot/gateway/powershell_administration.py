"""Changes to accounts and to the tenant with the cmdlets of Microsoft's module.

A process connects once and then carries out one order after the other: a line of JSON to `powershell.ps1`,
a line of JSON from it. So nothing is written before its caller recorded what was there, each answer can be
recorded as it comes, and Offhook's death ends the orders. For 3,000 accounts, 15 processes read and write,
and 15 more read back.

Each order sets a value or reads one, so it may be given again. One without an answer raises
`UnavailableError`, its process is killed, and whether it took effect has to be read.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from uuid import UUID

import structlog

from bot.gateway import ChangeRefusedError, GatewayError, UnavailableError, wire
from bot.gateway.administration import Administration, Assigned, by_name
from bot.gateway.failure import Failure
from bot.gateway.policies import SWITCH
from bot.gateway.process import Process
from bot.gateway.pwsh import GO_AHEAD, TOOK_TOO_LONG, Pwsh
from bot.gateway.transcript import Transcript
from bot.mending.change import OFF, ON
from bot.mending.content import CONTENT
from bot.preflight.facts import PolicyType

ACCOUNTS = 200  #: that one process reads; the next connects anew, so that none grows or gets old
SECONDS = 900.0  #: after which a process gets no more orders; tokens last for an hour
MAX_SESSIONS = 1  #: processes at a time, besides those of sign-ins, at about 300 MB each
CONNECT_SECONDS = 120.0  #: to load the module and to connect
ANSWER_SECONDS = 60.0  #: for one order

_EXIT_SECONDS = 2.0  # for a process to exit by itself after it has closed its output
_READ_ACCOUNT = "Get-CsOnlineUser"

log = structlog.get_logger()


@dataclass(slots=True)
class _Connected:
    """A process that waits for orders."""

    process: Process
    transcript: Transcript  #: up to where it was connected
    accounts_left: int
    ends_at: float  #: event loop time

    @property
    def usable(self) -> bool:
        return self.transcript.called and not self.transcript.finished


class PowerShellAdministrator:
    """Implements `Administrator`. `slots` caps concurrent processes; times are in seconds."""

    def __init__(
        self,
        pwsh: Pwsh,
        *,
        slots: asyncio.Semaphore | None = None,
        accounts: int = ACCOUNTS,
        connect_timeout: float = CONNECT_SECONDS,
        answer_timeout: float = ANSWER_SECONDS,
    ) -> None:
        self.pwsh = pwsh
        self.slots = slots or asyncio.Semaphore(MAX_SESSIONS)
        self.accounts = accounts
        self.connect_timeout = connect_timeout
        self.answer_timeout = answer_timeout

    @asynccontextmanager
    async def session(self) -> AsyncGenerator[Administration]:
        session = PowerShellAdministration(self)
        try:
            yield session
        finally:
            await session.close()


class PowerShellAdministration:
    """Implements `Administration`, with one process after the other. Orders wait for each other."""

    def __init__(self, administrator: PowerShellAdministrator) -> None:
        self._administrator = administrator
        self._one_at_a_time = asyncio.Lock()
        self._connected: _Connected | None = None
        self._open = AsyncExitStack()

    async def instances(self, kind: str) -> Mapping[str, Mapping[str, object]]:
        output = await self._order(f"Get-Cs{kind}", Failure.of_read)
        try:
            return by_name(wire.instances(output))
        except wire.UnreadableResponseError as error:
            raise UnavailableError(str(error)) from error

    async def assigned(self, account: str) -> Assigned:
        output = await self._order(_READ_ACCOUNT, Failure.of_change, account=account)
        found = json.loads(output)
        if found is None:
            raise ChangeRefusedError("Teams does not know this account.")
        for policy in PolicyType:
            if not isinstance(found, dict) or policy.value not in found:
                # Not the same as a policy that is not assigned.
                raise UnavailableError(f"{_READ_ACCOUNT} returned no {policy.value}")
        object_id, policies = wire.assigned(output)
        return Assigned(object_id if _is_object_id(object_id) else "", policies)

    async def grant(self, account: str, policy: PolicyType, name: str | None) -> None:
        await self._order(f"Grant-Cs{policy.value}", Failure.of_change, account=account, name=name)

    async def create(self, policy: PolicyType, name: str) -> None:
        await self._order(
            f"New-Cs{policy.value}", Failure.of_change, name=name, content=dict(CONTENT[policy])
        )

    async def switch(self, value: str) -> None:
        if value not in (ON, OFF):
            raise ValueError(value)
        await self._order(f"Set-Cs{SWITCH}", Failure.of_change, value=value)

    async def close(self) -> None:
        """Kill the process, if there is one."""
        self._connected = None
        await self._open.aclose()

    async def _order(
        self, call: str, error_of: Callable[[Failure], GatewayError], **values: object
    ) -> bytes:
        """The answer as JSON. Once more with new tokens if the first ones were refused."""
        async with self._one_at_a_time:
            transcript = await self._answer(call, values, refresh=False)
            if transcript.failure is not None and transcript.failure.unauthorized:
                await self.close()
                transcript = await self._answer(call, values, refresh=True)
        if not transcript.called:
            raise transcript.error_before_call()
        if transcript.output is None:
            raise transcript.error_after_call(error_of)
        return transcript.output

    async def _answer(
        self, call: str, values: Mapping[str, object], *, refresh: bool
    ) -> Transcript:
        """A transcript with the answer or a failure; that of the connection if there is none."""
        connected = await self._connection(reads_account=call == _READ_ACCOUNT, refresh=refresh)
        if not connected.usable:
            return connected.transcript
        transcript = connected.transcript.following()
        transcript.called = True  # from now on, only the answer tells
        started_at = _now()
        line = json.dumps({"call": call, **values}) + "\n"
        try:
            async with asyncio.timeout(self._administrator.answer_timeout):
                await connected.process.write(line.encode("ascii"))
                await _read(connected.process, transcript)
        except TimeoutError:
            transcript.exit_message = TOOK_TOO_LONG
        except BaseException:  # a late answer must not be taken for that to the next order
            await self.close()
            raise
        if not transcript.finished:
            await self._end(connected.process, transcript)
        log.debug(
            "powershell.ordered",
            call=call,
            run_id=transcript.run_id,
            answered=transcript.finished,
            seconds=round(_now() - started_at, 3),
        )
        return transcript

    async def _connection(self, *, reads_account: bool, refresh: bool) -> _Connected:
        connected = self._connected
        if connected is not None:
            used_up = reads_account and connected.accounts_left == 0
            if not used_up and _now() < connected.ends_at:
                connected.accounts_left -= reads_account
                return connected
            await self.close()
        try:
            connected = await self._connect(refresh=refresh)
        except BaseException:
            await self.close()
            raise
        connected.accounts_left -= reads_account
        if connected.usable:
            self._connected = connected
        return connected

    async def _connect(self, *, refresh: bool) -> _Connected:
        administrator = self._administrator
        # Whoever has the slot gives it back in time, since processes get old.
        await administrator.slots.acquire()
        self._open.callback(administrator.slots.release)
        now = _now()
        ready_by = now + administrator.connect_timeout
        process, transcript = await self._open.enter_async_context(
            administrator.pwsh.running("administer", ready_by=ready_by, refresh=refresh)
        )
        try:
            async with asyncio.timeout_at(ready_by):
                await _read(process, transcript, until_called=True)
        except TimeoutError:
            transcript.exit_message = TOOK_TOO_LONG
        connected = _Connected(process, transcript, administrator.accounts, now + SECONDS)
        if not connected.usable:
            await self._end(process, transcript)
        return connected

    async def _end(self, process: Process, transcript: Transcript) -> None:
        """Kill a process that did not answer, and record how it ended."""
        if transcript.exit_message:
            process.kill()
        with suppress(TimeoutError):
            async with asyncio.timeout(_EXIT_SECONDS):
                await process.wait()
        transcript.process_exited(process.returncode, process.stderr_tail)
        await self.close()


async def _read(process: Process, transcript: Transcript, *, until_called: bool = False) -> None:
    """Read events until the answer, or with `until_called` until orders can be given; or the end."""
    go_given = False
    while not transcript.finished and (line := await process.read_line()):
        transcript.feed(line)
        if until_called and transcript.called:
            return
        if until_called and transcript.ready and not go_given:
            go_given = True
            await process.write(GO_AHEAD)


def _is_object_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _now() -> float:
    return asyncio.get_running_loop().time()
