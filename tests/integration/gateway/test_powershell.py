"""Behavior specific to PowerShell: the process, its output, its files, and how it ends."""

from __future__ import annotations

import asyncio
import os
import re
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from bot.gateway import (
    AccessDeniedError,
    GatewayError,
    OutcomeUnknownError,
    ThrottledError,
    UnavailableError,
    UnknownBatchError,
    UnreachableError,
)
from bot.gateway.powershell import PowerShellGateway
from bot.gateway.process import Process
from bot.gateway.pwsh import GRAPH_SCOPE, SCRIPT, TEAMS_SCOPE
from bot.gateway.transcript import Transcript
from bot.phones.region import Region
from bot.signin.request import Phone
from bot.simulator.scenario import Call, Fault, FaultKind, Scenario
from tests.support import fake_pwsh
from tests.support.fake_pwsh import Behavior
from tests.support.powershell_bench import GRAPH_TOKEN, TEAMS_TOKEN, Bench, lives
from tests.support.powershell_script import Step, read
from tests.support.waiting import PATIENCE, Clock

BATCH = "7d0b1f9e-53a1-4c55-9d5c-0123456789ab"
PHONES = [Phone("lobby@contoso.com", "00-04-F2-00-00-01", Region.EMEA)]


class NoTokens:
    def __init__(self, error: Exception) -> None:
        self.error = error

    async def token(self, scope: str, *, refresh: bool = False) -> str:
        raise self.error


async def submitted(gateway: PowerShellGateway) -> str:
    return await gateway.submit(Region.EMEA, PHONES)


# -- the script ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def script() -> list[Step]:
    return read(SCRIPT.read_text("ascii"))


def commands(steps: list[Step], block: str) -> list[str]:
    return [step.name for step in steps if step.kind == "command" and step.path[:1] == (block,)]


def test_script_checks_connects_reports_then_calls(script: list[Step]) -> None:
    order = [
        step.name
        for step in script
        if step.kind == "command"
        and step.path[:1] == ("try",)
        and step.name != "Get-Text"
        and fake_pwsh.ORDERS not in step.path
    ]
    assert order == [
        *("Get-Module", "Sort-Object", "Select-Object", "Import-Module"),
        *("Connect-MicrosoftTeams", "Out-Null"),
        *("Write-Event", "Write-Event"),
        "New-CsSdgBulkSignInRequest",
        "Get-CsSdgBulkSignInRequestStatus",
        "Get-CsSdgBulkSignInRequestsSummary",
        "Write-Event",
    ]
    throws = [
        step.path[-1]
        for step in script
        if step.kind == "throw" and fake_pwsh.ORDERS not in step.path
    ]
    assert throws == [
        "if $null -eq $module",
        "if $module .Version -lt [ version ] '5.6.0'",
        "if $order -ne 'go'",
    ]


def test_script_always_disconnects(script: list[Step]) -> None:
    assert commands(script, "finally") == ["Disconnect-MicrosoftTeams", "Out-Null"]
    assert "Get-Failure" in commands(script, "catch")


@pytest.mark.parametrize(
    ("cmdlet", "parameters"),
    [
        (
            "Connect-MicrosoftTeams",
            {"AccessTokens": "$tokens", "LogLevel": "None", "ErrorAction": "Stop"},
        ),
        (
            "New-CsSdgBulkSignInRequest",
            {
                "DeviceDetailsFilePath": "./devices.csv",
                "Region": "$Region",
                "ErrorAction": "Stop",
            },
        ),
        (
            "Get-CsSdgBulkSignInRequestStatus",
            {"Batchid": "$env:OFFHOOK_BATCH_ID", "ErrorAction": "Stop"},
        ),
        ("Get-CsSdgBulkSignInRequestsSummary", {"ErrorAction": "Stop"}),
        ("ConvertTo-Json", {"InputObject": "$content", "Depth": "10", "Compress": ""}),
    ],
)
def test_script_calls_each_cmdlet_once_with_documented_parameters(
    script: list[Step], cmdlet: str, parameters: dict[str, str]
) -> None:
    text = SCRIPT.read_text("ascii")
    assert len(re.findall(rf"(?<![\w-]){cmdlet}(?![\w-])", text)) == 1
    calls = [step for step in script if step.kind == "command" and step.name == cmdlet]
    if cmdlet == "ConvertTo-Json":  # in a function
        (call,) = re.findall(r"ConvertTo-Json (.*)", text)
        assert call == "-InputObject $content -Depth 10 -Compress"
    else:
        assert [step.parameters for step in calls] == [parameters]


def test_script_runs_no_text_as_code_and_is_quiet(script: list[Step]) -> None:
    text = SCRIPT.read_text("ascii")
    assert not re.search(
        r"Invoke-Expression|\biex\b|ScriptBlock\]|Add-Type|Start-Process|& \$", text
    )
    settings = {step.name: step.value for step in script if step.kind == "set" and not step.path}
    assert settings["$ErrorActionPreference"] == "'Stop'"
    for stream in ("Progress", "Warning", "Information"):
        assert settings[f"${stream}Preference"] == "'SilentlyContinue'"


def test_script_uses_only_syntax_of_powershell_5_1() -> None:
    """Nothing newer than 5.1: no ternary, no ??, no ?., no &&, no -AsHashtable, no clean block."""
    code = re.sub(
        r"<#.*?#>|#[^\n]*|'[^']*'|\"[^\"]*\"", "", SCRIPT.read_text("ascii"), flags=re.DOTALL
    )
    assert not re.search(
        r"\?\?|\?\.|&&|\|\||\s\?\s|-AsHashtable|-EnumsAsStrings|-EscapeHandling|clean \{", code
    )


# -- without PowerShell, module or connection ------------------------------------------------------------


async def assert_both_raise(
    gateway: PowerShellGateway, kind: type[GatewayError], message: str
) -> None:
    for call in (submitted, PowerShellGateway.summaries):
        with pytest.raises(GatewayError, match=message) as raised:
            await call(gateway)
        assert type(raised.value) is kind


async def test_access_is_denied_when_powershell_is_not_installed(bench: Bench) -> None:
    gateway = PowerShellGateway(bench.tokens, pwsh=str(bench.folder / "none"), pauses=())
    await assert_both_raise(
        gateway, AccessDeniedError, "cannot be started on this host: .*none: No such file"
    )


async def test_access_is_denied_when_powershell_is_not_executable(bench: Bench) -> None:
    (bench.folder / "pwsh.txt").write_text("text", "utf-8")
    gateway = PowerShellGateway(bench.tokens, pwsh=str(bench.folder / "pwsh.txt"), pauses=())
    await assert_both_raise(gateway, AccessDeniedError, "Permission denied")


@pytest.mark.parametrize(
    ("modules", "words"),
    [
        ((), "MicrosoftTeams is not installed. Offhook needs 5.6.0 or later"),
        (("4.9.1", "5.5.0"), "MicrosoftTeams is 5.5.0. Offhook needs 5.6.0 or later"),
    ],
)
async def test_access_is_denied_when_module_is_missing_or_old(
    bench: Bench, modules: tuple[str, ...], words: str
) -> None:
    await assert_both_raise(bench.gateway(Behavior(modules=modules)), AccessDeniedError, words)
    assert bench.did() == ["started", "failed"] * 2
    assert not bench.simulator.configapi.calls


@pytest.mark.parametrize("modules", [("5.6.0",), ("4.0.0", "10.0.0", "7.9.0")])
async def test_newest_installed_module_is_used(bench: Bench, modules: tuple[str, ...]) -> None:
    assert await submitted(bench.gateway(Behavior(modules=modules)))


@pytest.mark.parametrize(
    ("message", "kind", "status", "of_submit", "of_read"),
    [
        (
            "AADSTS50173: the grant has expired",
            "AuthenticationException",
            None,
            AccessDeniedError,
            AccessDeniedError,
        ),
        ("Forbidden", "HttpRequestException", 403, AccessDeniedError, AccessDeniedError),
        ("No such host is known", "HttpRequestException", None, UnreachableError, UnavailableError),
        ("A task was canceled.", "TaskCanceledException", None, UnreachableError, UnavailableError),
        ("Bad gateway", "HttpRequestException", 502, UnreachableError, UnavailableError),
        ("Slow down", "RestException", 429, ThrottledError, ThrottledError),
    ],
)
async def test_cmdlet_is_not_called_when_connecting_fails(
    bench: Bench,
    message: str,
    kind: str,
    status: int | None,
    of_submit: type[GatewayError],
    of_read: type[GatewayError],
) -> None:
    gateway = bench.gateway(
        Behavior(connect_error=message, connect_kind=kind, connect_status=status)
    )
    for call, expected in ((submitted, of_submit), (PowerShellGateway.summaries, of_read)):
        with pytest.raises(GatewayError, match=f"^{re.escape(message)}$") as raised:
            await call(gateway)
        assert type(raised.value) is expected
    assert "asking" not in bench.did()
    assert bench.did().count("disconnected") == 2
    assert not bench.simulator.configapi.submits


@pytest.mark.parametrize(
    ("error", "of_submit", "of_read"),
    [
        (
            PermissionError("AADSTS700016: no such application"),
            AccessDeniedError,
            AccessDeniedError,
        ),
        (ConnectionError("the token endpoint is down"), UnreachableError, UnavailableError),
    ],
)
async def test_no_process_starts_when_there_is_no_token(
    bench: Bench, error: Exception, of_submit: type[GatewayError], of_read: type[GatewayError]
) -> None:
    gateway = bench.gateway(tokens=NoTokens(error))
    with pytest.raises(of_submit, match=str(error)):
        await submitted(gateway)
    with pytest.raises(of_read, match=str(error)):
        await gateway.summaries()
    assert not bench.runs


# -- unexpected output -----------------------------------------------------------------------------------


async def test_noise_on_stdout_is_ignored(bench: Bench) -> None:
    gateway = bench.gateway(Behavior(noise=True))
    batch_id = await submitted(gateway)
    assert [item.status for item in (await gateway.status(batch_id)).items] == ["success"]
    assert [each.remote_batch_id for each in await gateway.summaries()] == [batch_id]


async def test_overlong_line_is_skipped(bench: Bench) -> None:
    assert await submitted(bench.gateway(Behavior(fault="long-line", at="asking")))


@pytest.mark.parametrize("fault", ["exit", "crash", "garbage", "forge", "flood", "kill"])
@pytest.mark.parametrize(
    ("at", "of_submit", "ran"),
    [
        ("start", UnreachableError, False),
        ("connecting", UnreachableError, False),
        ("asking", OutcomeUnknownError, False),
        ("asked", OutcomeUnknownError, True),
    ],
)
async def test_submit_error_depends_on_stage_when_process_ends_early(
    bench: Bench, fault: str, at: str, of_submit: type[GatewayError], ran: bool
) -> None:
    gateway = bench.gateway(Behavior(fault=fault, at=at))
    with pytest.raises(GatewayError, match="PowerShell exited") as raised:
        await submitted(gateway)
    assert type(raised.value) is of_submit
    assert raised.value.correlation_id
    assert len(bench.simulator.configapi.batches) == ran
    with pytest.raises(UnavailableError, match="PowerShell exited"):
        await gateway.summaries()


@pytest.mark.parametrize("fault", ["exit", "crash", "flood", "kill"])
async def test_submit_succeeds_when_process_fails_after_its_result(
    bench: Bench, fault: str
) -> None:
    assert await submitted(bench.gateway(Behavior(fault=fault, at="answered")))


async def test_exit_message_is_one_line(bench: Bench) -> None:
    with pytest.raises(UnreachableError) as raised:
        await submitted(bench.gateway(Behavior(fault="crash", at="start")))
    assert raised.value.message == (
        "PowerShell exited with code 134 without a result. Unhandled exception. … at Main()"
    )


# -- timeouts, cancellation and cleanup ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "seconds", "of_submit"),
    [
        ("start", PATIENCE * 2 / 3, UnreachableError),
        ("connecting", PATIENCE * 2 / 3, UnreachableError),
        ("asking", PATIENCE, OutcomeUnknownError),
    ],
)
async def test_process_and_children_are_killed_on_timeout(
    bench: Bench, at: str, seconds: float, of_submit: type[GatewayError], clock: Clock
) -> None:
    submit = asyncio.create_task(submitted(bench.gateway(Behavior(fault="hang", at=at))))
    await bench.until("hanging")
    clock.advance(seconds)
    with pytest.raises(GatewayError, match="took too long") as raised:
        await submit
    assert type(raised.value) is of_submit
    assert not any(lives(run["pid"]) for run in bench.runs)
    await bench.nothing_left()


async def test_gateway_gets_the_whole_timeout_once_the_cmdlet_was_called(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    called = asyncio.Event()
    feed = Transcript.feed

    def feed_and_notify(transcript: Transcript, line: bytes) -> None:
        feed(transcript, line)
        if transcript.called:
            called.set()

    monkeypatch.setattr(Transcript, "feed", feed_and_notify)
    submit = asyncio.create_task(submitted(bench.gateway(Behavior(fault="hang", at="asking"))))
    await called.wait()
    clock.advance(PATIENCE * 2 / 3)
    assert not (await asyncio.wait([submit], timeout=0.1))[0]
    clock.advance(PATIENCE / 3)
    with pytest.raises(OutcomeUnknownError):
        await submit


async def test_unread_asking_event_counts_after_timeout(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    """The cmdlet was called, but the gateway was too busy to read the event in time."""
    killed = asyncio.Event()
    read_line, kill, write = Process.read_line, Process.kill, Process.write
    go_given = False

    async def read_line_after_kill(process: Process) -> bytes:
        if go_given:
            await killed.wait()
        return await read_line(process)

    async def write_and_notify(process: Process, text: bytes) -> None:
        nonlocal go_given
        go_given = True
        await write(process, text)

    def kill_and_notify(process: Process) -> None:
        kill(process)
        killed.set()

    monkeypatch.setattr(Process, "read_line", read_line_after_kill)
    monkeypatch.setattr(Process, "write", write_and_notify)
    monkeypatch.setattr(Process, "kill", kill_and_notify)
    submit = asyncio.create_task(submitted(bench.gateway(Behavior(fault="hang", at="asking"))))
    await bench.until("hanging")
    clock.advance(PATIENCE)
    with pytest.raises(OutcomeUnknownError):
        await submit


async def test_submit_waits_until_it_may_be_sent(bench: Bench) -> None:
    """A process whose Offhook was killed gets no answer, and so never calls the cmdlet."""
    asked, may_send = asyncio.Event(), asyncio.Event()

    async def before_sending() -> None:
        asked.set()
        await may_send.wait()

    submit = bench.gateway().submit(Region.EMEA, PHONES, before_sending)
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as tasks:
        submitting = tasks.create_task(submit)
        await asked.wait()
        assert bench.did() == ["started", "ready"]
        may_send.set()
    assert submitting.result() == bench.simulator.configapi.submits[0].batch_id
    assert bench.did()[2] == "asking"


async def test_submit_is_not_sent_when_permission_comes_too_late(
    bench: Bench, clock: Clock
) -> None:
    asked = asyncio.Event()

    async def never() -> None:
        asked.set()
        await asyncio.Event().wait()

    submit = asyncio.create_task(bench.gateway().submit(Region.EMEA, PHONES, never))
    await asked.wait()
    clock.advance(PATIENCE)
    with pytest.raises(UnreachableError, match="took too long"):
        await submit
    assert "asking" not in bench.did()
    assert bench.simulator.configapi.submits == []


async def test_child_is_killed_when_it_outlives_a_successful_run(bench: Bench) -> None:
    gateway = bench.gateway(Behavior(fault="hang", at="answered"))
    assert await submitted(gateway)
    assert "child" in await bench.until("hanging")


@pytest.mark.parametrize("at", ["start", "connecting", "asking", "asked"])
async def test_cancellation_leaves_no_process_and_no_file(bench: Bench, at: str) -> None:
    task = asyncio.create_task(submitted(bench.gateway(Behavior(fault="hang", at=at))))
    await bench.until("hanging")
    assert len(list(bench.temporary.glob("offhook-*/devices.csv"))) == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await bench.nothing_left()


@asynccontextmanager
async def killed_while_submitting(bench: Bench, behavior: Behavior) -> AsyncGenerator[None]:
    """kill -9 of a process that submits, once its `pwsh` hangs."""
    launcher = fake_pwsh.install(bench.folder, bench.simulator.configapi_url, behavior)
    (bench.folder / "killed").mkdir()  # nobody removes its files
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.submit_by_powershell", str(launcher)),
        cwd=fake_pwsh.ROOT,
        env={**os.environ, "TMPDIR": str(bench.folder / "killed")},
    )
    try:
        await bench.until("hanging")
        assert lives(bench.runs[0]["pid"])
    finally:
        process.kill()
        await process.wait()
    yield


@pytest.mark.parametrize("at", ["start", "connecting"])
async def test_nothing_is_submitted_after_kill_9_when_powershell_outlives_it(
    bench: Bench, at: str
) -> None:
    async with killed_while_submitting(bench, Behavior(fault="outlive", at=at)):
        await bench.until("disconnected")
    await bench.nothing_left()
    assert "asking" not in bench.did()
    assert not bench.simulator.configapi.submits


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux kills a process with its parent")
@pytest.mark.parametrize("at", ["start", "connecting", "ready", "asking"])
async def test_powershell_dies_with_kill_9_of_its_parent(bench: Bench, at: str) -> None:
    async with killed_while_submitting(bench, Behavior(fault="wait", at=at)):
        await bench.nothing_left()
    assert bench.did()[-1] == "hanging"
    assert not bench.simulator.configapi.submits


async def test_go_ahead_is_never_given_after_its_time(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gateway was paused for so long that the event and the timeout are there together."""
    read_line, loop = Process.read_line, asyncio.get_running_loop()

    async def read_line_and_pause(process: Process) -> bytes:
        line = await read_line(process)
        monkeypatch.setattr(loop, "time", lambda: time.monotonic() + 1.5 * PATIENCE)
        return line

    monkeypatch.setattr(Process, "read_line", read_line_and_pause)
    with pytest.raises(UnreachableError, match="took too long"):
        await submitted(bench.gateway())
    assert "asking" not in bench.did()
    assert not bench.simulator.configapi.submits


async def test_read_timeout_leaves_no_process_and_no_file(bench: Bench, clock: Clock) -> None:
    gateway = bench.gateway(Behavior(fault="hang", at="start"))
    read = asyncio.create_task(gateway.status(BATCH))
    await bench.until("hanging")
    clock.advance(PATIENCE)
    with pytest.raises(UnavailableError, match="took too long"):
        await read


async def test_slots_cap_concurrent_processes(bench: Bench) -> None:
    gateway = bench.gateway(Behavior(fault="hang", at="start"), at_once=2)
    calls = [asyncio.create_task(gateway.status(BATCH)) for _ in range(4)]
    for index, call in enumerate(calls):
        started = min(2 + index, len(calls))
        await bench.until("hanging", started)
        assert bench.did().count("started") == started
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call


async def test_slots_are_shared_between_gateways(bench: Bench) -> None:
    """Each approver has their own gateway, but all share the cap on processes."""
    slots = asyncio.Semaphore(1)
    launcher = fake_pwsh.install(
        bench.folder, bench.simulator.configapi_url, Behavior(fault="hang", at="start")
    )
    first, second = (
        PowerShellGateway(bench.tokens, pwsh=str(launcher), slots=slots, submit_timeout=timeout)
        for timeout in (PATIENCE, 0.3)
    )
    reading = asyncio.create_task(first.summaries())
    await bench.until("hanging")
    with pytest.raises(UnreachableError, match="all PowerShell slots are in use"):
        await submitted(second)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading


async def test_slot_is_released_after_failure(bench: Bench) -> None:
    gateway = bench.gateway(Behavior(fault="kill", at="asking"), at_once=1)
    for _ in range(3):
        with pytest.raises(OutcomeUnknownError):
            await submitted(gateway)
    fake_pwsh.install(bench.folder, bench.simulator.configapi_url)
    assert await submitted(gateway)


async def test_submit_is_unreachable_when_disk_is_full(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(bench.folder / "gone"))
    with pytest.raises(UnreachableError, match="no temporary file can be written"):
        await submitted(bench.gateway())


# -- responses of the SIP Gateway ------------------------------------------------------------------------


def fault(call: Call, kind: FaultKind, message: str = "", **more: Any) -> Scenario:
    return Scenario(faults=(Fault(call=call, fault=kind, message=message, times=0, **more),))


@pytest.mark.parametrize(
    ("scenario", "error"),
    [
        (fault(Call.CREATE_BATCH, FaultKind.FORBIDDEN, "Access Denied"), AccessDeniedError),
        (
            fault(Call.CREATE_BATCH, FaultKind.THROTTLED, "Too many concurrent batches"),
            ThrottledError,
        ),
        (fault(Call.CREATE_BATCH, FaultKind.BAD_REQUEST, "Something else"), OutcomeUnknownError),
        (fault(Call.CREATE_BATCH, FaultKind.SERVER_ERROR, "Something broke"), OutcomeUnknownError),
    ],
)
async def test_submit_error_follows_from_text_when_status_is_missing(
    bench: Bench, error: type[GatewayError]
) -> None:
    with pytest.raises(GatewayError) as raised:
        await submitted(bench.gateway(Behavior(plain_errors=True)))
    assert type(raised.value) is error
    assert len(bench.simulator.configapi.submits) == 1


@pytest.mark.parametrize(
    ("scenario", "error"),
    [
        (fault(Call.BATCH_STATUS, FaultKind.FORBIDDEN, "Access Denied"), AccessDeniedError),
        (fault(Call.BATCH_STATUS, FaultKind.NOT_FOUND, "Batch not found."), UnknownBatchError),
        (fault(Call.BATCH_STATUS, FaultKind.THROTTLED, "Too many requests"), ThrottledError),
        (fault(Call.BATCH_STATUS, FaultKind.SERVER_ERROR, "Something broke"), UnavailableError),
    ],
)
async def test_read_error_follows_from_text_when_status_is_missing(
    bench: Bench, error: type[GatewayError]
) -> None:
    with pytest.raises(GatewayError) as raised:
        await bench.gateway(Behavior(plain_errors=True)).status(BATCH)
    assert type(raised.value) is error


@pytest.mark.parametrize(
    "scenario", [Scenario(faults=(Fault(call=Call.CREATE_BATCH, fault=FaultKind.UNAUTHORIZED),))]
)
@pytest.mark.parametrize("plain", [True, False])
async def test_submit_renews_tokens_once_when_refused(bench: Bench, plain: bool) -> None:
    assert await submitted(bench.gateway(Behavior(plain_errors=plain)))
    assert bench.tokens.calls == [
        (GRAPH_SCOPE, False),
        (TEAMS_SCOPE, False),
        (GRAPH_SCOPE, True),
        (TEAMS_SCOPE, True),
    ]
    assert len(bench.simulator.configapi.batches) == 1


@pytest.mark.parametrize(
    "batch_id", ["", " ", "a b", "a\x00b", "a\nb", "é", "x" * 129, "-Region\u202e"]
)
async def test_status_starts_no_process_when_batch_id_is_malformed(
    bench: Bench, batch_id: str
) -> None:
    with pytest.raises(UnknownBatchError):
        await bench.gateway().status(batch_id)
    assert not bench.runs


@pytest.mark.parametrize(
    "batch_id", ["-Region", "$(Get-Process)", "';exit;'", "`n|%{", "a&b=c/../d?e#f"]
)
async def test_batch_id_is_never_an_argument(bench: Bench, batch_id: str) -> None:
    with pytest.raises(UnknownBatchError, match=r"^Batch not found\.$"):
        await bench.gateway().status(batch_id)
    (run,) = [run for run in bench.runs if run["what"] == "started"]
    assert batch_id not in run["arguments"]


@pytest.mark.parametrize(
    "username",
    [
        "=cmd|' /C calc'!A0@contoso.com",
        'a"b,c@contoso.com',
        "jürgen@contoso.com",
        "$(x)`@contoso.com",
    ],
)
async def test_phones_arrive_unchanged(bench: Bench, username: str) -> None:
    phone = Phone(username, "00-04-F2-00-00-01:001", Region.APAC)
    await bench.gateway().submit(Region.APAC, [phone])
    (submit,) = bench.simulator.configapi.submits
    assert submit.region is Region.APAC
    assert [(item.username, item.hardware_id) for item in submit.items] == [
        (username, "00-04-F2-00-00-01:001")
    ]


# -- secrets ---------------------------------------------------------------------------------------------


@asynccontextmanager
async def listening() -> AsyncGenerator[list[Any]]:
    """Capture logs at every level."""
    structlog.reset_defaults()
    with capture_logs() as logs:
        yield logs


ENDINGS: dict[str, Behavior] = {
    "good": Behavior(),
    "crash": Behavior(fault="crash", at="asking"),
    "kill": Behavior(fault="kill", at="asking"),
    "garbage": Behavior(fault="garbage", at="connecting"),
    "in an error": Behavior(connect_error=f"Bad token {TEAMS_TOKEN} for {GRAPH_TOKEN[:40]}"),
    "in a response": Behavior(
        connect_error=f'{{"token": "{TEAMS_TOKEN}"}}',
        connect_kind="RestException",
        connect_status=400,
    ),
}


def texts(error: BaseException | None) -> Iterator[str]:
    while error is not None:
        yield from (str(error), repr(error), repr(vars(error)))
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS.keys())
async def test_tokens_never_reach_logs_errors_or_files(
    bench: Bench, ending: Behavior, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OFFHOOK_APP_PASSWORD", "a secret of the bot")
    output: list[str] = []
    async with listening() as logs:
        try:
            await submitted(bench.gateway(ending))
        except GatewayError as error:
            output += texts(error)
    output += [repr(logs), *(str(run) for run in bench.runs)]
    files = [path for path in bench.folder.rglob("*") if path.is_file()]
    output += [path.read_text("utf-8", "replace") for path in files if path.name != "pwsh.json"]
    assert logs
    assert "lobby@contoso.com" not in repr(logs)
    for secret in (GRAPH_TOKEN, TEAMS_TOKEN, "a secret of the bot", TEAMS_TOKEN[:30]):
        assert not any(secret in text for text in output)


@pytest.mark.parametrize("fails", [True, False])
async def test_error_message_is_one_bounded_printable_line(bench: Bench, fails: bool) -> None:
    message = "\x1b[31mtwo\r\nlines\x00 \u202e" + "x" * 5000
    gateway = bench.gateway(Behavior(connect_error=message))
    with pytest.raises(AccessDeniedError) as raised:
        await (submitted(gateway) if fails else gateway.summaries())
    assert raised.value.message.startswith("two lines xxx")
    assert len(raised.value.message) == 500
    assert raised.value.message.isprintable()
