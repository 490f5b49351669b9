"""Batches of two phones, so that a few phones make several batches."""

from __future__ import annotations

from collections.abc import Iterable

from bot.phones.region import Region
from bot.signin.batch import PlannedBatch, plan

PHONES_PER_BATCH = 2


def in_small_batches(
    rows: Iterable[tuple[int, Region, str]], *, size: int
) -> list[PlannedBatch[int]]:
    """In place of `bot.signin.batch.plan`, whatever size the request asks for."""
    return plan(rows, size=min(size, PHONES_PER_BATCH))
