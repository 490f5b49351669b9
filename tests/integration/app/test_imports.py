"""What the service in production does without until it is needed: memory and time to start."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.support.service import production

LAZY = frozenset({"alembic", "bot.doctor.run", "bot.simulator.server", "netaddr", "openpyxl"})
PATIENCE = 120.0  # seconds


async def imports(folder: Path) -> set[str]:
    """The modules that `serve` imports in production until it listens."""
    command = (sys.executable, "-X", "importtime", "-m", "bot", "serve", "--log-level", "error")
    with (folder / "imports").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=folder, env=production(folder), stdout=asyncio.subprocess.PIPE, stderr=log
        )
        assert process.stdout is not None
        try:
            async with asyncio.timeout(PATIENCE):
                line = await process.stdout.readline()
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()
    lines = (folder / "imports").read_text("utf-8")
    assert b"listening on" in line, lines
    return {each.rpartition("|")[2].strip() for each in lines.splitlines()}


async def test_serve_in_production_imports_what_it_does_not_need_only_later(tmp_path: Path) -> None:
    assert "alembic" in await imports(tmp_path)  # makes the tables
    imported = await imports(tmp_path)
    assert "bot.app" in imported
    assert imported & LAZY == set()
