"""Cutting rows into batches, and the states of a batch that keep it from being sent twice."""

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


def test_the_limits_are_microsofts() -> None:
    assert (MAX_PHONES_PER_BATCH, MAX_BATCHES_PER_REGION) == (100, 3)


@given(ROWS, st.integers(1, 120))
def test_every_row_is_in_one_batch_of_its_region(
    rows: list[tuple[int, Region, str]], size: int
) -> None:
    planned = plan(rows, size=size)
    regions = {row: region for row, region, _ in rows}
    assert sorted(row for batch in planned for row in batch.rows) == list(range(len(rows)))
    for batch in planned:
        assert 1 <= len(batch.rows) <= size
        assert {regions[row] for row in batch.rows} == {batch.region}


@given(ROWS, st.integers(1, 120))
def test_batches_are_full_but_the_last_and_keep_the_order(
    rows: list[tuple[int, Region, str]], size: int
) -> None:
    planned = plan(rows, size=size)
    for region in Region:
        batches = [batch.rows for batch in planned if batch.region is region]
        assert all(len(batch) == size for batch in batches[:-1])
        together = [row for batch in batches for row in batch]
        assert together == [row for row, of, _ in rows if of is region]


@given(ROWS)
def test_regions_take_turns(rows: list[tuple[int, Region, str]]) -> None:
    """Whatever number of batches is claimed first, no region with work left is behind by two."""
    planned = plan(rows, size=10)
    total = {region: sum(batch.region is region for batch in planned) for region in Region}
    seen = dict.fromkeys(Region, 0)
    for batch in planned:
        seen[batch.region] += 1
        waiting = [count for region, count in seen.items() if count < total[region]]
        assert not waiting or max(seen.values()) - min(waiting) <= 1


def test_no_rows_are_no_batches() -> None:
    assert plan([]) == []


def test_a_batch_is_sent_from_one_state_only_and_after_it_was_written_down() -> None:
    before_intent = {state for state in BatchState if BatchState.INTENT in TRANSITIONS[state]}
    assert before_intent == {BatchState.PLANNED}


def test_what_may_have_run_is_not_planned_again_by_a_lease_that_ran_out() -> None:
    """From `unknown`, one step: the service has it, a person is asked, or an answer proved the rest."""
    assert TRANSITIONS[BatchState.UNKNOWN] <= {
        BatchState.SUBMITTED,
        BatchState.NEEDS_PERSON,
        BatchState.PLANNED,
    }
    assert BatchState.INTENT not in TRANSITIONS[BatchState.UNKNOWN]
    assert TRANSITIONS[BatchState.SUBMITTED] == {BatchState.DONE}


def test_every_state_is_reached_and_ends() -> None:
    assert set(TRANSITIONS) == set(BatchState)
    reached = {BatchState.PLANNED}
    for _ in BatchState:
        reached |= {after for before in reached for after in TRANSITIONS[before]}
    assert reached == set(BatchState)
    assert {BatchState.DONE, BatchState.CANCELLED} == TERMINAL_BATCH_STATES


def test_cancelling_touches_only_what_was_never_sent() -> None:
    cancelled = [state for state, after in TRANSITIONS.items() if BatchState.CANCELLED in after]
    assert cancelled == [BatchState.PLANNED]


def test_a_place_is_held_by_all_that_may_be_running_over_there() -> None:
    assert {BatchState.INTENT, BatchState.SUBMITTED, BatchState.UNKNOWN} == SLOT_HOLDING_STATES
    assert not SLOT_HOLDING_STATES & TERMINAL_BATCH_STATES


def test_the_plan_of_one_region_is_in_the_files_order() -> None:
    planned = plan([(row, Region.EMEA, str(row)) for row in range(250)])
    sizes = [
        (region, len(list(batches))) for region, batches in groupby(planned, lambda b: b.region)
    ]
    assert sizes == [(Region.EMEA, 3)]
    assert [len(batch.rows) for batch in planned] == [100, 100, 50]
