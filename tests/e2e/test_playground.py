"""`make run`: prints one line with the URL, listens on loopback only, and leaves nothing running."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from yarl import URL

from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.e2e


@pytest.fixture
async def playground(tmp_path: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, URL]]:
    """Runs `python -m bot playground` in an environment set up for production; yields its URL too."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "playground"),
        env={
            **os.environ,
            "OFFHOOK_DATA_DIR": str(tmp_path),
            "OFFHOOK_APP_ID": "99999999-0000-0000-0000-000000000009",
            "OFFHOOK_GATEWAY": "configapi",
            "OFFHOOK_DATABASE_URL": "postgresql://nobody@127.0.0.1:9/none",
        },
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE):
        line = (await process.stdout.readline()).decode()
    (url,) = [word for word in line.split() if word.startswith("http")]
    yield process, URL(url)
    if process.returncode is None:
        process.kill()
        await process.wait()


async def listens(host: str, port: int | None) -> bool:
    try:
        _, writer = await asyncio.open_connection(host, port)
    except ConnectionError:
        return False
    writer.close()
    await writer.wait_closed()
    return True


@pytest.mark.parametrize("stop_signal", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
async def test_playground_leaves_nothing_listening_when_stopped(
    playground: tuple[asyncio.subprocess.Process, URL], stop_signal: signal.Signals
) -> None:
    process, url = playground
    assert await listens("127.0.0.1", url.port)
    assert not await listens("127.0.0.2", url.port), "reachable from other machines"
    process.send_signal(stop_signal)
    async with asyncio.timeout(PATIENCE):
        assert await process.wait() == (-stop_signal if stop_signal is signal.SIGKILL else 0)
        while await listens("127.0.0.1", url.port):
            await asyncio.sleep(0.02)
