"""Batches: what the SIP Gateway is sent in one call, and the states a batch goes through.

Limits (Microsoft, "Configure SIP Gateway"): 100 devices a batch, 3 batches at once per region.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from enum import StrEnum
from heapq import heappop, heappush
from operator import itemgetter
from typing import Generic, NamedTuple, TypeVar

from bot.phones.region import Region
from bot.signin.transition import Transition, terminal

RowId = TypeVar("RowId")

MAX_PHONES_PER_BATCH = 100
MAX_BATCHES_PER_REGION = 3  # concurrent, per tenant
_SMALLER_BATCH = 20  # proposed once 100 were too many for an on-premises Active Directory


def smaller_size(size: int) -> int:
    """The batch size to propose after batches of `size` phones were too large."""
    return _SMALLER_BATCH if size > _SMALLER_BATCH else max(1, size // 2)


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
# A lease that expired before the mark that precedes the first byte: nothing of this attempt was sent.
RELEASE_UNSENT = _transition("release_unsent", [BatchState.INTENT], BatchState.PLANNED)
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
    RELEASE_UNSENT,
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
    rows: Iterable[tuple[RowId, Region, str]], *, size: int = MAX_PHONES_PER_BATCH
) -> list[PlannedBatch[RowId]]:
    """Cut rows, each with its region and account, into batches of one region each, regions interleaved.

    The rows of an account share a batch, since another batch resets its password once more and may sign
    out its first phone; only an account with more than `size` rows is split. Otherwise batches are full
    and in the file's order. Interleaving lets every region start at once even when only some batches
    are claimed at a time.
    """
    by_region: dict[Region, dict[str, list[tuple[int, RowId]]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for position, (row, region, account) in enumerate(rows):
        by_region[region][account.casefold()].append((position, row))
    cut = [
        [PlannedBatch(region, batch) for batch in _pack(accounts.values(), size)]
        for region, accounts in sorted(by_region.items())
    ]
    longest = max(map(len, cut), default=0)
    return [batches[turn] for turn in range(longest) for batches in cut if turn < len(batches)]


def _pack(accounts: Iterable[Sequence[tuple[int, RowId]]], size: int) -> list[list[RowId]]:
    """First fit: each account goes into the earliest batch with room for all of its rows."""
    batches: list[list[tuple[int, RowId]]] = []
    with_room: defaultdict[int, list[int]] = defaultdict(list)  # free places -> heap of batches
    for account in accounts:
        for start in range(0, len(account), size):
            rows = account[start : start + size]
            fitting = [(heap[0], free) for free, heap in with_room.items() if free >= len(rows)]
            if fitting:
                index, free = min(fitting)
                heappop(with_room[free])
                if not with_room[free]:
                    del with_room[free]
            else:
                index, free = len(batches), size
                batches.append([])
            batches[index].extend(rows)
            if free > len(rows):
                heappush(with_room[free - len(rows)], index)
    in_order = sorted(
        (sorted(batch, key=itemgetter(0)) for batch in batches), key=lambda rows: rows[0][0]
    )
    return [[row for _, row in batch] for batch in in_order]
