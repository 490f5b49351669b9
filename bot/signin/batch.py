"""Batches: what the SIP Gateway is sent in one call, and the states a batch goes through.

Limits (Microsoft, "Configure SIP Gateway"): 100 devices a batch, 3 batches at once per region.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Generic, NamedTuple, TypeVar

from bot.phones.region import Region
from bot.signin.transition import Transition, terminal

RowId = TypeVar("RowId")

MAX_PHONES_PER_BATCH = 100
MAX_BATCHES_PER_REGION = 3  # concurrent, per tenant


class BatchState(StrEnum):
    PLANNED = "planned"  # not sent, or proved not to have run
    INTENT = "intent"  # committed before the first byte leaves
    SUBMITTED = "submitted"  # the SIP Gateway acknowledged it with a batch id
    UNKNOWN = "unknown"  # outcome unknown; never resubmitted automatically
    NEEDS_PERSON = "needs_person"  # the summaries could not tell either; an approver is asked
    DONE = "done"
    CANCELLED = "cancelled"  # never sent


def _transition(
    name: str, before: Iterable[BatchState], after: BatchState
) -> Transition[BatchState]:
    return Transition(name, frozenset(before), after)


_UNSETTLED = (BatchState.INTENT, BatchState.UNKNOWN, BatchState.NEEDS_PERSON)

CLAIM = _transition("claim", [BatchState.PLANNED], BatchState.INTENT)
# An acknowledgment is a proof: it overrides every doubt about the same attempt, an approver's
# "did not run" included, for as long as the batch has not been claimed again.
ACKNOWLEDGE = _transition("acknowledge", [*_UNSETTLED, BatchState.PLANNED], BatchState.SUBMITTED)
# A refusal is a proof, too: nothing of this attempt ran.
REJECT = _transition("reject", _UNSETTLED, BatchState.DONE)
REQUEUE = _transition("requeue", _UNSETTLED, BatchState.PLANNED)
MARK_UNKNOWN = _transition("mark_unknown", [BatchState.INTENT], BatchState.UNKNOWN)
ASK_APPROVER = _transition("ask_approver", [BatchState.UNKNOWN], BatchState.NEEDS_PERSON)
CHECK_AGAIN = _transition("check_again", [BatchState.NEEDS_PERSON], BatchState.UNKNOWN)
CONFIRM_RAN = _transition("confirm_ran", [BatchState.NEEDS_PERSON], BatchState.SUBMITTED)
CONFIRM_NOT_RUN = _transition("confirm_not_run", [BatchState.NEEDS_PERSON], BatchState.PLANNED)
COMPLETE = _transition("complete", [BatchState.SUBMITTED], BatchState.DONE)
CANCEL_PLANNED = _transition("cancel_planned", [BatchState.PLANNED], BatchState.CANCELLED)

#: Every change of a batch's state that can happen; a new batch is `planned`.
TRANSITIONS = (
    CLAIM,
    ACKNOWLEDGE,
    REJECT,
    REQUEUE,
    MARK_UNKNOWN,
    ASK_APPROVER,
    CHECK_AGAIN,
    CONFIRM_RAN,
    CONFIRM_NOT_RUN,
    COMPLETE,
    CANCEL_PLANNED,
)
TERMINAL_BATCH_STATES = terminal(BatchState, TRANSITIONS)
#: What fills one of a region's slots: whatever the SIP Gateway is or may be running.
SLOT_HOLDING_STATES = frozenset({*_UNSETTLED, BatchState.SUBMITTED})


class PlannedBatch(NamedTuple, Generic[RowId]):
    region: Region
    rows: Sequence[RowId]  #: at most 100, in the file's order


def plan(
    rows: Iterable[tuple[RowId, Region]], *, size: int = MAX_PHONES_PER_BATCH
) -> list[PlannedBatch[RowId]]:
    """Cut rows into batches of one region each, in the file's order, regions interleaved.

    Interleaving lets every region start at once even when only some batches are claimed at a time.
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
