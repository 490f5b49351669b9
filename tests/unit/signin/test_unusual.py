"""What is unusual about a request: one row for each reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.phones.issue import Notice
from bot.signin.evidence import Comparison, Evidence, expected_seconds, is_large, usual
from bot.signin.overlap import Overlap
from bot.signin.request import RequestState
from bot.signin.snapshot import AccountChecks, ProvisioningWindows, RequestSnapshot, RosterSummary
from bot.signin.unusual import Unusual, against_checks, unusual
from tests.support import snapshots
from tests.support.snapshots import ALEX, NOON

PLAIN = replace(
    snapshots.snapshot(RequestState.WAITING),
    roster=replace(snapshots.roster_summary(snapshots.example_roster()), notices=()),
    evidence=Evidence(gathered=True),
)


def of_roster(**changes: object) -> RequestSnapshot:
    roster: RosterSummary = replace(PLAIN.roster, **changes)
    return replace(PLAIN, roster=roster)


def of_evidence(**changes: object) -> RequestSnapshot:
    return replace(PLAIN, evidence=Evidence(gathered=True, **changes))  # type: ignore[arg-type]


def checks(included: int, named: int) -> AccountChecks:
    return AccountChecks(True, 9, included=included, included_accounts=["boss@contoso.com"] * named)


def windows(**phones: int) -> ProvisioningWindows:
    none = ProvisioningWindows(NOON, 0, 9, 0, 0, 0, None)
    return replace(none, **phones)


def compared(added: int = 0, gone: int = 0, changed: int = 0) -> Comparison:
    return Comparison("7QD2M4XA", NOON, added, gone, changed)


OVERLAP = Overlap("7QD2M4XA", ALEX.object_id, RequestState.RUNNING, NOON, 1, 1)
REASONS: dict[str, tuple[Callable[[], RequestSnapshot], list[Unusual]]] = {
    "nothing": (lambda: PLAIN, []),
    "checks passed": (lambda: of_roster(account_checks=checks(0, 0)), []),
    "guarded": (lambda: of_roster(account_checks=checks(2, 2)), [Unusual.GUARDED]),
    "failed": (lambda: of_roster(account_checks=checks(1, 0)), [Unusual.FAILED]),
    "both": (
        lambda: of_roster(account_checks=checks(3, 1)),
        [Unusual.GUARDED, Unusual.FAILED],
    ),
    "in time": (lambda: of_roster(windows=windows()), []),
    "too late": (lambda: of_roster(windows=windows(too_late=1)), [Unusual.WINDOWS]),
    "nearly": (lambda: of_roster(windows=windows(nearly_too_late=1)), [Unusual.WINDOWS]),
    "too early": (lambda: of_roster(windows=windows(too_early=1)), [Unusual.WINDOWS]),
    "overlap": (lambda: replace(PLAIN, overlaps=[OVERLAP]), [Unusual.OVERLAP]),
    "reset": (lambda: of_evidence(reset_accounts=1, reset_at=NOON), [Unusual.RESET]),
    "several": (
        lambda: of_roster(notices=[Notice("accounts-on-several", {"accounts": 1, "phones": 2})]),
        [Unusual.SIGN_OUT],
    ),
    "retry": (lambda: of_roster(notices=[Notice("passwords", {})]), [Unusual.RETRY]),
    "other notice": (lambda: of_roster(notices=[Notice("ignored-columns", {})]), []),
    "same rows": (lambda: of_evidence(compared=compared()), []),
    "added": (lambda: of_evidence(compared=compared(added=1)), [Unusual.CHANGED]),
    "gone": (lambda: of_evidence(compared=compared(gone=1)), [Unusual.CHANGED]),
    "changed": (lambda: of_evidence(compared=compared(changed=1)), [Unusual.CHANGED]),
    "first": (lambda: of_evidence(first_request=True), [Unusual.FIRST_REQUEST]),
    "large": (lambda: of_evidence(usual_phones=80), [Unusual.LARGE]),
    "usual size": (lambda: of_evidence(usual_phones=82), []),
}


@pytest.mark.parametrize("name", REASONS)
def test_each_reason_counts_by_itself(name: str) -> None:
    make, expected = REASONS[name]
    assert unusual(make()) == expected
    assert against_checks(make()) is bool({Unusual.GUARDED, Unusual.FAILED} & set(expected))


def test_gravest_come_first() -> None:
    everything = snapshots.with_everything_unusual(PLAIN)
    found = unusual(everything)
    assert found == [each for each in Unusual if each in found]
    assert found[0] is Unusual.GUARDED
    assert {Unusual.OVERLAP, Unusual.RESET, Unusual.CHANGED, Unusual.LARGE} < set(found)


@pytest.mark.parametrize(
    ("sizes", "is_usual"), [((), 0), ((5, 9), 0), ((5, 9, 40), 9), ((1, 2, 3, 4), 2)]
)
def test_usual_size_takes_three_requests(sizes: tuple[int, ...], is_usual: int) -> None:
    assert usual(sizes) == is_usual


@pytest.mark.parametrize(
    ("phones", "is_usual", "large"),
    [(500, 0, False), (10, 1, False), (11, 1, True), (60, 20, False), (61, 20, True)],
)
def test_size_is_large_relative_to_the_usual_one(phones: int, is_usual: int, large: bool) -> None:
    assert is_large(phones, is_usual) is large


@pytest.mark.parametrize(
    ("batches", "seconds", "expected"),
    [
        ({}, {}, 0),
        ({"EMEA": 7}, {}, 0),
        ({"EMEA": 1}, {"EMEA": 60.0}, 60),
        ({"EMEA": 3}, {"EMEA": 60.0}, 60),
        ({"EMEA": 4}, {"EMEA": 60.0}, 120),
        ({"EMEA": 4, "NOAM": 1}, {"EMEA": 60.0, "NOAM": 300.0}, 300),
        ({"EMEA": 4, "NOAM": 9}, {"EMEA": 60.0}, 180),
    ],
)
def test_length_is_that_of_the_slowest_region(
    batches: dict[str, int], seconds: dict[str, float], expected: int
) -> None:
    assert expected_seconds(batches, seconds) == expected


def test_evidence_survives_its_document() -> None:
    waiting = snapshots.snapshot(RequestState.WAITING)
    for evidence in (
        waiting.evidence,
        snapshots.with_everything_unusual(waiting).evidence,
        Evidence(gathered=True, reset_at=NOON - timedelta(days=2)),
    ):
        assert Evidence.of_document(evidence.document()).document() == evidence.document()
    assert Evidence.of_document({}) == Evidence()
