"""Subprocesses that never outlive their context, including any children. POSIX only.

Nothing can tidy up after this process is killed. On Linux, the kernel then kills the program itself.
Elsewhere, the program finds its stdin at the end.
"""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import signal
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

LAUNCHER = Path(__file__).with_name("die_with_parent.py")
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
        assert process.stdin is not None  # noqa: S101 - all are pipes
        assert process.stdout is not None  # noqa: S101
        assert process.stderr is not None  # noqa: S101
        self._process = process
        self._stdin = process.stdin
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

    async def write(self, text: bytes) -> None:
        """Write to the program's stdin; has no effect if it has exited."""
        with suppress(ConnectionError):
            self._stdin.write(text)
            await self._stdin.drain()

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
        self._stdin.close()
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
    program = _find_program(command[0], environment)
    launcher: tuple[str, ...] = ()
    if sys.platform == "linux":
        launcher = (sys.executable, "-IS", str(LAUNCHER), str(os.getpid()))
    try:
        process = await asyncio.create_subprocess_exec(
            *launcher,
            program,
            *command[1:],
            stdin=asyncio.subprocess.PIPE,
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


def _find_program(name: str, environment: Mapping[str, str]) -> str:
    """The program's path. Raises `ProcessStartError` when there is none or it is not executable."""
    if found := shutil.which(name, path=environment.get("PATH")):
        return found
    raise ProcessStartError(os.strerror(errno.EACCES if Path(name).is_file() else errno.ENOENT))
