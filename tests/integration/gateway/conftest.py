"""A simulator for the tests that are about PowerShell."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from bot.simulator.scenario import Scenario
from bot.simulator.server import Simulator
from tests.support.powershell_bench import Bench


@pytest.fixture
def scenario() -> Scenario:
    return Scenario(batch_seconds=0)


@pytest.fixture
async def bench(
    scenario: Scenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[Bench]:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    async with Simulator(scenario) as simulator:
        bench = Bench(simulator, tmp_path)
        yield bench
        await bench.nothing_left()
