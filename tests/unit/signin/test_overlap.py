"""Overlap as a truth table: which phones of other requests count, and when a request may go on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from bot.signin.outcome import CAUSES, PhoneStatus
from bot.signin.overlap import (
    NOT_RESET_CAUSES,
    RECENT,
    Overlap,
    Verdict,
    judge,
    may_name,
    most_pressing_first,
    phone_counts,
    request_counts,
)
from bot.signin.request import RequestState

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
AGO = timedelta(seconds=1)


def overlap(
    request_id: str, state: RequestState = RequestState.RUNNING, since: datetime = NOON
) -> Overlap:
    return Overlap(request_id, "alex", state, since, accounts=1, phones=1)


@pytest.mark.parametrize(
    ("state", "ended_ago", "expected"),
    [
        (RequestState.DRAFT, None, False),
        (RequestState.WAITING, None, True),
        (RequestState.RUNNING, None, True),
        (RequestState.FINISHED, RECENT - AGO, True),
        (RequestState.FINISHED, RECENT, False),
        (RequestState.CANCELLED, RECENT - AGO, True),
        (RequestState.CANCELLED, RECENT, False),
        (RequestState.REJECTED, AGO, False),
        (RequestState.EXPIRED, AGO, False),
        (RequestState.WITHDRAWN, AGO, False),
    ],
)
def test_request_counts_while_open_or_recent(
    state: RequestState, ended_ago: timedelta | None, expected: bool
) -> None:
    finished_at = None if ended_ago is None else NOON - ended_ago
    assert request_counts(state, finished_at, NOON) is expected


@pytest.mark.parametrize("status", PhoneStatus)
def test_phone_counts_unless_it_did_not_run(status: PhoneStatus) -> None:
    assert phone_counts(status, "") is (status is not PhoneStatus.NOT_RUN)


@pytest.mark.parametrize("cause", sorted(CAUSES))
def test_failed_phone_counts_unless_its_password_was_not_reset(cause: str) -> None:
    assert phone_counts(PhoneStatus.FAILED, cause) is (cause not in NOT_RESET_CAUSES)


def test_causes_without_reset_are_in_the_catalog() -> None:
    assert set(CAUSES) > NOT_RESET_CAUSES


WAITING, RUNNING = RequestState.WAITING, RequestState.RUNNING
FINISHED = RequestState.FINISHED


@pytest.mark.parametrize(
    ("found", "shown", "reason", "verdict"),
    [
        ([], [], "", Verdict.CLEAR),
        ([], [("A", RUNNING)], "", Verdict.CLEAR),
        ([("A", RUNNING)], [("A", RUNNING)], "", Verdict.UNEXPLAINED),
        ([("A", RUNNING)], [("A", RUNNING)], " \t", Verdict.UNEXPLAINED),
        ([("A", RUNNING)], [("A", RUNNING)], "swap", Verdict.EXPLAINED),
        ([("A", RUNNING)], [("A", RUNNING), ("B", RUNNING)], "swap", Verdict.EXPLAINED),
        ([("A", WAITING)], [("A", WAITING)], "swap", Verdict.EXPLAINED),
        ([("A", FINISHED)], [("A", RUNNING)], "swap", Verdict.EXPLAINED),
        ([("A", RUNNING)], [], "swap", Verdict.NEW),
        ([("A", RUNNING)], [], "", Verdict.NEW),
        ([("A", WAITING)], [("B", WAITING)], "swap", Verdict.NEW),
        ([("A", RUNNING), ("B", WAITING)], [("A", RUNNING)], "swap", Verdict.NEW),
        ([("A", RUNNING)], [("A", WAITING)], "swap", Verdict.NEW),  # approved since
        ([("A", FINISHED)], [("A", WAITING)], "swap", Verdict.NEW),
    ],
)
def test_judge(
    found: Sequence[tuple[str, RequestState]],
    shown: Sequence[tuple[str, RequestState]],
    reason: str,
    verdict: Verdict,
) -> None:
    assert judge([overlap(*f) for f in found], [overlap(*s) for s in shown], reason) is verdict


@pytest.mark.parametrize(
    ("viewer", "sees_all", "expected"),
    [("alex", False, True), ("alex", True, True), ("lee", False, False), ("lee", True, True)],
)
def test_other_request_is_named_to_its_requester_and_to_whoever_sees_all(
    viewer: str, sees_all: bool, expected: bool
) -> None:
    assert may_name(overlap("A"), viewer, sees_all=sees_all) is expected


def test_running_requests_come_before_waiting_and_ended_ones() -> None:
    overlaps = [
        overlap("ended", FINISHED, NOON),
        overlap("waiting", WAITING, NOON - AGO),
        overlap("older", RUNNING, NOON - AGO),
        overlap("newer", RUNNING, NOON),
    ]
    order = [each.request_id for each in most_pressing_first(overlaps)]
    assert order == ["newer", "older", "waiting", "ended"]
