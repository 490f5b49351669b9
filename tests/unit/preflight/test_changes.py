"""Which failures of a second check are new to the approver: a truth table."""

from __future__ import annotations

import pytest

from bot.preflight.changes import (
    Changes,
    Recheck,
    carried,
    changes,
    may_change,
    new_failures,
)
from bot.preflight.facts import Unknown, UnknownReason
from bot.preflight.verdict import Check, Result, Verdict

P, W, F, G, R, U = (
    Result.PASSED,
    Result.WARNING,
    Result.FAILED,
    Result.GUARDED,
    Result.REFUSED,
    Result.UNKNOWN,
)


def verdict(result: Result, check: Check = Check.PERSON, code: str = "code") -> Verdict:
    if result is U:
        return Verdict(check, U, unknown=Unknown(UnknownReason.UNAVAILABLE))
    return Verdict(check, result, code if result is not P else "")


#: Verdicts of one check: (approved, now) -> whether it is new if the account was not included, and if it
#: was.
TRUTH = {
    **{(old, now): (False, False) for old in Result for now in (P, W, U)},
    **{(old, now): (True, True) for old in (P, W, U) for now in (F, G, R)},
    **{(old, R): (True, True) for old in Result},
    (F, F): (True, False),
    (F, G): (True, True),  # a person's account is graver than one that fails
    (G, F): (True, False),
    (G, G): (True, False),
    (R, F): (True, False),
    (R, G): (True, False),
}


@pytest.mark.parametrize("included", [False, True])
@pytest.mark.parametrize("now", Result)
@pytest.mark.parametrize("approved", Result)
def test_new_failure_of_one_check_by_truth_table(
    approved: Result, now: Result, included: bool
) -> None:
    new = new_failures([verdict(approved)], [verdict(now)], accepted=included)

    assert bool(new) is TRUTH[approved, now][included]


@pytest.mark.parametrize("included", [False, True])
@pytest.mark.parametrize("now", Result)
@pytest.mark.parametrize("approved", Result)
def test_failure_of_another_check_is_always_new(
    approved: Result, now: Result, included: bool
) -> None:
    before = verdict(approved, Check.ENABLED)
    after = verdict(now, Check.EXISTS)

    assert bool(new_failures([before], [after], accepted=included)) is (now in (F, G, R))


def test_new_failures_are_listed_gravest_first() -> None:
    now = [verdict(F, Check.ENABLED), verdict(R, Check.ROLE), verdict(G, Check.PERSON)]

    new = new_failures([], now, accepted=False)

    assert [each.result for each in new] == [R, G, F]


@pytest.mark.parametrize("reason", UnknownReason)
def test_another_look_helps_unless_cloud_or_license_lack_it(reason: UnknownReason) -> None:
    lasting = {UnknownReason.CLOUD, UnknownReason.LICENSE}
    not_known = Verdict(Check.MFA, U, unknown=Unknown(reason))

    assert may_change([verdict(P), not_known]) is (reason not in lasting)
    assert not may_change([verdict(P), verdict(F)])


def recheck(approved: Result, now: Result, *, included: bool = False) -> Recheck:
    return Recheck("a", "A", [verdict(approved)], [verdict(now)], included=included)


@pytest.mark.parametrize(
    ("approved", "now", "included", "expected"),
    [
        (U, P, False, Changes(known=1)),
        (U, W, False, Changes(known=1, warnings=1)),
        (P, W, False, Changes(warnings=1)),
        (W, W, False, Changes()),
        (F, P, True, Changes(mended=1)),
        (F, U, True, Changes()),
        (F, F, True, Changes()),
        (P, U, False, Changes()),
        (P, P, False, Changes()),
        (U, F, False, Changes()),  # a new failure is told by itself
    ],
)
def test_changes_that_do_not_fail_are_counted(
    approved: Result, now: Result, included: bool, expected: Changes
) -> None:
    assert changes([recheck(approved, now, included=included)]) == expected


@pytest.mark.parametrize("now", Result)
@pytest.mark.parametrize("before", Result)
def test_failure_stands_until_its_check_has_an_answer(before: Result, now: Result) -> None:
    (found,) = carried([verdict(before)], [verdict(now)])

    assert found.result is (before if before in (F, G, R) and now is U else now)


@pytest.mark.parametrize("exists", [P, F, U])
def test_failure_stands_if_the_account_itself_cannot_be_read(exists: Result) -> None:
    found = carried([verdict(R, Check.ROLE)], [verdict(exists, Check.EXISTS)])

    assert (R in [each.result for each in found]) is (exists is U)
