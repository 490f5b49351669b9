"""The whole service over HTTP: `bot` with default settings, `make_bot` with others."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiosqlite
import pytest
import structlog

from bot.runner import publisher
from bot.teams import endpoint
from tests.support.running_bot import RunningBot, open_bot
from tests.support.waiting import PATIENCE

MakeBot = Callable[..., Awaitable[RunningBot]]


@pytest.fixture(autouse=True)
def isolated_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Hides the environment variables and the `.env` file of whoever runs the tests."""
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith("OFFHOOK_"):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def plain_logs() -> Iterator[None]:
    """Replaces structlog's default rendering of tracebacks, which takes a second each."""
    before = structlog.get_config()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(key_order=["event", "level"]),
        ]
    )
    yield
    structlog.configure(**before)


@pytest.fixture(autouse=True)
def patient_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is told that the answer takes too long, only because the machine is busy."""
    monkeypatch.setattr(endpoint, "_ANSWER_SECONDS", PATIENCE)


@pytest.fixture(autouse=True)
def statements_without_thread(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs SQLite's statements in the event loop. The service has a thread for them, and waking it
    a thousand times a request takes a third of the processor's time of these tests.

    Not where the file is locked by somebody else (mark `database_thread`): that would stop the loop.
    What a thread lets happen between two statements is tested with the workers, and with whole processes.
    """
    if request.node.get_closest_marker("database_thread"):
        return

    async def execute(
        _connection: object, function: Callable[..., Any], *arguments: Any, **named: Any
    ) -> Any:
        return function(*arguments, **named)

    monkeypatch.setattr(aiosqlite.core.Connection, "_execute", execute)


@pytest.fixture
def fast_rate_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scales down Offhook's own rate limits, which count by the second."""
    monkeypatch.setattr(publisher, "CONVERSATION", ((0.01, 5),))
    monkeypatch.setattr(publisher, "APP", ((0.01, 40),))


@pytest.fixture
async def make_bot(
    tmp_path: Path, migrated: Path, fast_rate_limits: None
) -> AsyncIterator[MakeBot]:
    """Makes a bot; keywords are those of `open_bot`, and settings."""
    async with AsyncExitStack() as stack:

        async def make(*, started: bool = True, **options: Any) -> RunningBot:
            bot = await stack.enter_async_context(open_bot(tmp_path, migrated, **options))
            if started:
                await bot.start()
            return bot

        yield make


@pytest.fixture
async def bot(make_bot: MakeBot) -> RunningBot:
    return await make_bot()
