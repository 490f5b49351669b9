"""The whole service, its far sides and its people: `office` for one test, `make_office` to choose."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import structlog

from bot.runner import publisher
from bot.store.database import migrate_to_head
from tests.support.running_bot import DATABASE, Office, opened

MakeOffice = Callable[..., Awaitable[Office]]


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database, to copy: bringing the schema up to date is what takes longest to start."""
    path = tmp_path_factory.mktemp("migrated") / DATABASE
    migrate_to_head(f"sqlite:///{path}")
    return path


@pytest.fixture(autouse=True)
def settings_of_nobody_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither variables nor a `.env` file of whoever runs the tests."""
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith("OFFHOOK_"):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def plain_logs() -> Iterator[None]:
    """structlog's own way to show a traceback takes a second, which is long for a service."""
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


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Teams' limits count by the second; in a world that is faster, so are they."""
    monkeypatch.setattr(publisher, "CONVERSATION", ((0.01, 5),))
    monkeypatch.setattr(publisher, "APP", ((0.01, 40),))


@pytest.fixture
async def make_office(tmp_path: Path, migrated: Path, hurry: None) -> AsyncIterator[MakeOffice]:
    """Makes an office; keywords are those of `opened`, and settings."""
    async with AsyncExitStack() as stack:

        async def make(*, started: bool = True, **how: Any) -> Office:
            office = await stack.enter_async_context(opened(tmp_path, migrated, **how))
            if started:
                await office.start()
            return office

        yield make


@pytest.fixture
async def office(make_office: MakeOffice) -> Office:
    return await make_office()
