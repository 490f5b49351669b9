"""Batches: what is sent to the SIP Gateway in one call, and the states that one goes through.

Limits (Microsoft, "Configure SIP Gateway"): 100 devices a batch, 3 batches at once per region.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Generic, NamedTuple, TypeVar

from bot.phones.region import Region

RowId = TypeVar("RowId")

MAX_PHONES_PER_BATCH = 100
MAX_BATCHES_PER_REGION = 3


class BatchState(StrEnum):
    PLANNED = "planned"
    INTENT = "intent"  # written down before a byte leaves
    SUBMITTED = "submitted"  # the service gave a batch id
    UNKNOWN = "unknown"  # it may have run: never sent again by itself
    NEEDS_PERSON = "needs_person"  # the summaries could not tell either
    DONE = "done"
    CANCELLED = "cancelled"


TRANSITIONS: Mapping[BatchState, frozenset[BatchState]] = MappingProxyType(
    {
        BatchState.PLANNED: frozenset({BatchState.INTENT, BatchState.CANCELLED}),
        BatchState.INTENT: frozenset(
            {
                BatchState.SUBMITTED,
                BatchState.UNKNOWN,
                BatchState.PLANNED,  # an answer proved that nothing ran
                BatchState.DONE,  # the service refused the request as such
            }
        ),
        BatchState.UNKNOWN: frozenset(
            {
                BatchState.SUBMITTED,
                BatchState.NEEDS_PERSON,
                BatchState.PLANNED,  # the submit's own answer came after all, and nothing ran
            }
        ),
        BatchState.NEEDS_PERSON: frozenset(
            {BatchState.SUBMITTED, BatchState.UNKNOWN, BatchState.PLANNED}
        ),
        BatchState.SUBMITTED: frozenset({BatchState.DONE}),
        BatchState.DONE: frozenset(),
        BatchState.CANCELLED: frozenset(),
    }
)

# What holds one of a region's three places. `unknown` does, since it may be running over there.
SLOT_HOLDING_STATES = frozenset({BatchState.INTENT, BatchState.UNKNOWN, BatchState.SUBMITTED})

TERMINAL_BATCH_STATES = frozenset(
    state for state, following in TRANSITIONS.items() if not following
)


class PlannedBatch(NamedTuple, Generic[RowId]):
    region: Region
    rows: Sequence[RowId]


def plan(
    rows: Iterable[tuple[RowId, Region]], *, size: int = MAX_PHONES_PER_BATCH
) -> list[PlannedBatch[RowId]]:
    """Cut rows into batches of one region each, in the file's order, regions taking turns.

    Taking turns lets all regions start at once even when only a part is claimed at a time.
    """
    by_region: dict[Region, list[RowId]] = defaultdict(list)
    for row, region in rows:
        by_region[region].append(row)
    cut = [
        [PlannedBatch(region, ids[at : at + size]) for at in range(0, len(ids), size)]
        for region, ids in sorted(by_region.items())
    ]
    longest = max(map(len, cut), default=0)
    return [batches[turn] for turn in range(longest) for batches in cut if turn < len(batches)]
