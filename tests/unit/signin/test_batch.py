"""Planning batches, and the transitions that keep a batch from being submitted twice."""

from __future__ import annotations

from itertools import groupby

from hypothesis import given
from hypothesis import strategies as st

from bot.phones.region import Region
from bot.signin.batch import (
    MAX_BATCHES_PER_REGION,
    MAX_PHONES_PER_BATCH,
    SLOT_HOLDING_STATES,
    TERMINAL_BATCH_STATES,
    TRANSITIONS,
    BatchState,
    plan,
)

ROWS = st.lists(st.sampled_from(Region), max_size=450).map(
    lambda regions: [(row, region, f"lobby{row}@contoso.com") for row, region in enumerate(regions)]
)


def test_limits_are_microsofts() -> None:
    assert (MAX_PHONES_PER_BATCH, MAX_BATCHES_PER_REGION) == (100, 3)


@given(ROWS, st.integers(1, 120))
def test_plan_puts_each_row_into_one_batch_of_its_region(
    rows: list[tuple[int, Region, str]], size: int
) -> None:
    planned = plan(rows, size=size)
    regions = {row: region for row, region, _ in rows}
    assert sorted(row for batch in planned for row in batch.rows) == list(range(len(rows)))
    for batch in planned:
        assert 1 <= len(batch.rows) <= size
        assert {regions[row] for row in batch.rows} == {batch.region}


@given(ROWS, st.integers(1, 120))
def test_plan_fills_all_batches_but_last_and_keeps_order(
    rows: list[tuple[int, Region, str]], size: int
) -> None:
    planned = plan(rows, size=size)
    for region in Region:
        batches = [batch.rows for batch in planned if batch.region is region]
        assert all(len(batch) == size for batch in batches[:-1])
        together = [row for batch in batches for row in batch]
        assert together == [row for row, of, _ in rows if of is region]


@given(ROWS)
def test_plan_interleaves_regions(rows: list[tuple[int, Region, str]]) -> None:
    """However many batches are claimed first, no region with work left is behind by two."""
    planned = plan(rows, size=10)
    total = {region: sum(batch.region is region for batch in planned) for region in Region}
    seen = dict.fromkeys(Region, 0)
    for batch in planned:
        seen[batch.region] += 1
        waiting = [count for region, count in seen.items() if count < total[region]]
        assert not waiting or max(seen.values()) - min(waiting) <= 1


def test_plan_of_no_rows_is_empty() -> None:
    assert plan([]) == []


def following(state: BatchState) -> set[BatchState]:
    """The states that one transition leads to."""
    return {each.after for each in TRANSITIONS if state in each.before}


def before(state: BatchState) -> set[BatchState]:
    """The states that a transition leads from."""
    return {start for each in TRANSITIONS if each.after is state for start in each.before}


def test_intent_follows_planned_only() -> None:
    """A batch is sent from one state only, and after the intent is committed."""
    assert before(BatchState.INTENT) == {BatchState.PLANNED}
    assert [each.name for each in TRANSITIONS if each.after is BatchState.INTENT] == ["claim"]


def test_unknown_batch_is_not_resubmitted_without_proof_or_approver() -> None:
    """From `unknown`: the SIP Gateway has it, an approver is asked, or an answer proved that nothing ran."""
    assert following(BatchState.UNKNOWN) == {
        BatchState.SUBMITTED,
        BatchState.NEEDS_PERSON,
        BatchState.PLANNED,
        BatchState.DONE,
    }
    to_planned = {each.name: each for each in TRANSITIONS if each.after is BatchState.PLANNED}
    assert to_planned.keys() == {"requeue", "confirm_not_run", "release_unsent"}
    # An expired lease proves it only while the mark that precedes the first byte is missing.
    assert to_planned["release_unsent"].before == {BatchState.INTENT}
    assert following(BatchState.SUBMITTED) == {BatchState.DONE}


def test_every_state_is_reached_and_ends() -> None:
    reached = {BatchState.PLANNED}
    for _ in BatchState:
        reached |= {after for state in reached for after in following(state)}
    assert reached == set(BatchState)
    assert {BatchState.DONE, BatchState.CANCELLED} == TERMINAL_BATCH_STATES
    for state in BatchState:
        ends = {state}
        for _ in BatchState:
            ends |= {after for each in ends for after in following(each)}
        assert ends & TERMINAL_BATCH_STATES


def test_only_planned_batches_are_cancelled() -> None:
    assert before(BatchState.CANCELLED) == {BatchState.PLANNED}


def test_slots_are_held_by_batches_that_may_be_running() -> None:
    assert set(BatchState) - SLOT_HOLDING_STATES == {BatchState.PLANNED} | TERMINAL_BATCH_STATES
    assert not SLOT_HOLDING_STATES & TERMINAL_BATCH_STATES


def test_plan_of_one_region_is_in_file_order() -> None:
    planned = plan([(row, Region.EMEA, str(row)) for row in range(250)])
    sizes = [
        (region, len(list(batches))) for region, batches in groupby(planned, lambda b: b.region)
    ]
    assert sizes == [(Region.EMEA, 3)]
    assert [len(batch.rows) for batch in planned] == [100, 100, 50]
