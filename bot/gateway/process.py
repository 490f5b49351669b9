"""Subprocesses that never outlive their context, including any children. POSIX only."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

MAX_OUTPUT = 16 * 1024 * 1024  # bytes of stdout, in total
MAX_LINE = 4 * 1024 * 1024  # bytes
_STDERR_TAIL_BYTES = 4096
_CHUNK = 64 * 1024  # bytes
_CLOSE_SECONDS = 2.0  # for the pipes of a killed process to close


class ProcessStartError(Exception):
    """The program could not be started."""


class Process:
    """A running program in its own process group."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None  # noqa: S101 - both are pipes
        assert process.stderr is not None  # noqa: S101
        self._process = process
        self._stdout = process.stdout
        self._stderr_tail = bytearray()
        self._remaining_bytes = MAX_OUTPUT
        self._stderr_task = asyncio.create_task(self._read_stderr(process.stderr))

    @property
    def returncode(self) -> int | None:
        return self._process.returncode

    @property
    def stderr_tail(self) -> str:
        """The last 4 KB of stderr, decoded."""
        return self._stderr_tail.decode("utf-8", "replace")

    async def read_line(self) -> bytes:
        """The next line of stdout; empty at end of file.

        Lines longer than `MAX_LINE` are skipped. A program that writes more than `MAX_OUTPUT` is killed.
        """
        while self._remaining_bytes > 0:
            try:
                line = await self._stdout.readline()
            except ValueError:  # line too long; asyncio has discarded what was buffered of it
                self._remaining_bytes -= MAX_LINE
                continue
            self._remaining_bytes -= len(line)
            return line
        self.kill()
        return b""

    async def wait(self) -> None:
        """Wait for the program to exit, discarding the rest of its stdout."""
        while await self.read_line():
            pass
        await self._process.wait()
        await asyncio.wait([self._stderr_task])

    def kill(self) -> None:
        """Send SIGKILL to the whole process group, including children that outlived the program."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    async def close(self) -> None:
        """Kill the process group and close its pipes."""
        self.kill()
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                while await self._stdout.read(_CHUNK):  # a pipe closes only when read to its end
                    pass
                await self._process.wait()
                await asyncio.wait([self._stderr_task])
        self._stderr_task.cancel()

    async def _read_stderr(self, stderr: asyncio.StreamReader) -> None:
        while chunk := await stderr.read(_CHUNK):
            self._stderr_tail += chunk
            del self._stderr_tail[:-_STDERR_TAIL_BYTES]


@asynccontextmanager
async def start_process(
    command: Sequence[str], *, folder: Path, environment: Mapping[str, str]
) -> AsyncGenerator[Process]:
    """Start `command` in `folder` with exactly `environment`; kills its process group on exit.

    Raises `ProcessStartError` when the program cannot be started.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=MAX_LINE,
            cwd=folder,
            env=environment,
            start_new_session=True,
        )
    except OSError as error:
        raise ProcessStartError(error.strerror or type(error).__name__) from error
    except ValueError as error:  # a null byte in an argument or a variable
        raise ProcessStartError("an argument contains a null byte") from error
    running = Process(process)
    try:
        yield running
    finally:
        await running.close()
