"""The rows of one account stay in one batch, so that its password is reset once."""

from __future__ import annotations

import time
from collections import Counter, defaultdict

from hypothesis import example, given
from hypothesis import strategies as st

from bot.phones.region import Region
from bot.signin.batch import PlannedBatch, plan

Rows = list[tuple[int, Region, str]]

# Few accounts in both cases, so that many rows share one, some of them in several regions.
accounts = st.sampled_from([name for at in range(12) for name in (f"u{at}@c.de", f"U{at}@C.de")])
rows_of_few_accounts = st.lists(st.tuples(st.sampled_from(Region), accounts), max_size=200).map(
    lambda pairs: [(row, region, account) for row, (region, account) in enumerate(pairs)]
)
sizes = st.integers(1, 40)


def batches_by_account(rows: Rows, planned: list[PlannedBatch[int]]) -> dict[object, set[int]]:
    account_of = {row: (region, account.casefold()) for row, region, account in rows}
    found: dict[object, set[int]] = defaultdict(set)
    for at, batch in enumerate(planned):
        for row in batch.rows:
            found[account_of[row]].add(at)
    return found


@given(rows_of_few_accounts, sizes)
def test_plan_keeps_an_account_in_one_batch_unless_it_fills_more(rows: Rows, size: int) -> None:
    planned = plan(rows, size=size)
    counts = Counter((region, account.casefold()) for _, region, account in rows)
    for account, batches in batches_by_account(rows, planned).items():
        assert len(batches) == -(-counts[account] // size)  # type: ignore[index]


@given(rows_of_few_accounts, sizes)
def test_plan_has_each_row_once_in_batches_of_at_most_the_size(rows: Rows, size: int) -> None:
    planned = plan(rows, size=size)
    assert sorted(row for batch in planned for row in batch.rows) == [row for row, _, _ in rows]
    regions = {row: region for row, region, _ in rows}
    for batch in planned:
        assert 1 <= len(batch.rows) <= size
        assert {regions[row] for row in batch.rows} == {batch.region}


@given(rows_of_few_accounts, sizes)
@example([(at, Region.EMEA, account) for at, account in enumerate("aba")], 1)
def test_plan_is_deterministic_and_in_file_order_as_far_as_possible(rows: Rows, size: int) -> None:
    """Rows are in order within a batch, and batches of a region in the order of their first rows."""
    planned = plan(rows, size=size)
    assert planned == plan(list(rows), size=size)
    for region in Region:
        batches = [batch.rows for batch in planned if batch.region is region]
        assert all(list(batch) == sorted(batch) for batch in batches)
        firsts = [batch[0] for batch in batches]
        assert firsts == sorted(firsts)


@given(rows_of_few_accounts, st.integers(20, 40))
def test_plan_leaves_no_two_batches_that_would_fit_into_one(rows: Rows, size: int) -> None:
    """First fit: at most one batch of a region is half empty."""
    planned = plan(rows, size=size)
    for region in Region:
        lengths = [len(batch.rows) for batch in planned if batch.region is region]
        assert sum(length <= size // 2 for length in lengths) <= 1


def test_plan_fills_the_gap_before_a_shared_account_with_later_rows() -> None:
    rows: Rows = [(0, Region.EMEA, "a"), (1, Region.EMEA, "b"), (2, Region.EMEA, "c")]
    rows += [(3, Region.EMEA, "C"), (4, Region.EMEA, "d")]
    assert [batch.rows for batch in plan(rows, size=3)] == [[0, 1, 4], [2, 3]]


def test_plan_is_fast_when_no_two_accounts_share_a_batch() -> None:
    rows: Rows = [(at, Region.EMEA, f"u{at // 51}") for at in range(51 * 390)]
    began = time.process_time()
    assert len(plan(rows)) == 390
    assert time.process_time() - began < 2
