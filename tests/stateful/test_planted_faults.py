"""The oracles of the state machine notice the faults that matter most, and only those."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.signin import batch
from tests.stateful.batches import in_small_batches
from tests.stateful.databases import ObservedDatabase
from tests.stateful.faults import FAULTS
from tests.stateful.world import World


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(batch, "plan", in_small_batches)
    database = ObservedDatabase(f"sqlite:///{tmp_path / 'jobs.db'}")
    await database.open()
    world = World(database, submit_timeout=60)
    await world.open()
    yield world
    await world.close()
    await database.close()


@pytest.mark.parametrize("name", FAULTS)
async def test_oracles_find_nothing_without_fault(world: World, name: str) -> None:
    await FAULTS[name].story(world)
    world.oracles.check()
    await world.oracles.check_cards()


@pytest.mark.parametrize("name", FAULTS)
async def test_machine_catches_fault_in_its_story(
    world: World, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    FAULTS[name].plant(monkeypatch)
    with pytest.raises(AssertionError, match=FAULTS[name].found):
        await _told(world, name)


async def _told(world: World, name: str) -> None:
    """The story, until an oracle objects: what comes after that may be impossible."""
    try:
        await FAULTS[name].story(world)
    finally:
        world.oracles.check()
