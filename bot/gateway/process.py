"""Another program, run to its end or ended: it and all that it started. POSIX only."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

MAX_OUTPUT = 16 * 1024 * 1024  # bytes of stdout that are read in all
MAX_LINE = 4 * 1024 * 1024
_KEPT_OF_STDERR = 4096  # its last bytes
_CHUNK = 64 * 1024
_GRACE = 2.0  # seconds for the pipes of a killed program to close


class ProcessStartError(Exception):
    """The program could not be started; nothing of it ran."""


class Process:
    """A program that runs in a process group of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None  # noqa: S101 - both were asked for
        assert process.stderr is not None  # noqa: S101
        self._process = process
        self._stdout = process.stdout
        self._complaint = bytearray()
        self._left = MAX_OUTPUT
        self._reading = asyncio.create_task(self._read_stderr(process.stderr))

    @property
    def returncode(self) -> int | None:
        return self._process.returncode

    @property
    def complaint(self) -> str:
        """The end of what it wrote to stderr."""
        return self._complaint.decode("utf-8", "replace")

    async def line(self) -> bytes:
        """The next line of its stdout; empty when there is none left.

        Lines longer than `MAX_LINE` are left out; a program that writes more than `MAX_OUTPUT` is ended.
        """
        while self._left > 0:
            try:
                line = await self._stdout.readline()
            except ValueError:  # the reader threw away what it had of a line that is too long
                self._left -= MAX_LINE
                continue
            self._left -= len(line)
            return line
        self.kill()
        return b""

    async def ended(self) -> None:
        """Wait until it has ended, while what it still writes is read, and then not kept."""
        while await self.line():
            pass
        await self._process.wait()
        await asyncio.wait([self._reading])

    def kill(self) -> None:
        """End the whole group at once, also what outlived the program itself."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    async def close(self) -> None:
        self.kill()
        with suppress(TimeoutError):
            async with asyncio.timeout(_GRACE):
                while await self._stdout.read(
                    _CHUNK
                ):  # only a pipe that is read to its end is closed
                    pass
                await self._process.wait()
                await asyncio.wait([self._reading])
        self._reading.cancel()

    async def _read_stderr(self, stderr: asyncio.StreamReader) -> None:
        while chunk := await stderr.read(_CHUNK):
            self._complaint += chunk
            del self._complaint[:-_KEPT_OF_STDERR]


@asynccontextmanager
async def started(
    command: Sequence[str], *, folder: Path, environment: Mapping[str, str]
) -> AsyncGenerator[Process]:
    """Start `command` in `folder` with nothing but `environment`; when left, its whole group is gone.

    Raises `NotStarted`.
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
    except ValueError as error:  # a zero byte in an argument or a variable
        raise ProcessStartError("an argument cannot be passed on") from error
    running = Process(process)
    try:
        yield running
    finally:
        await running.close()
