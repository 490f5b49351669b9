"""Commands that work with a database."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from bot.cli import main
from bot.store.database import Database

Run = Callable[..., Awaitable[tuple[int, str]]]


@pytest.fixture
def run(
    database: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Runs a command on the database, beside this process; returns its exit code and what it printed."""
    monkeypatch.setenv("OFFHOOK_DATABASE_URL", database.url)

    async def start(*arguments: str | Path) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["offhook", *map(str, arguments)])
        capsys.readouterr()  # what making the data has logged
        code: object = 0
        try:
            await asyncio.to_thread(main)
        except SystemExit as error:
            code = error.code
        printed = capsys.readouterr()
        return int(str(code or 0)), printed.out or printed.err

    return start
