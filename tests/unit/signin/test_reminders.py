"""When approvers are reminded, and who may remind them."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.signin.policy.evaluator import may_nudge
from bot.signin.policy.facts import Actor, RequestFacts
from bot.signin.policy.model import simple
from bot.signin.reminders import (
    MOST,
    NIGHT_BEGINS,
    NIGHT_ENDS,
    NUDGE_EVERY,
    SPACING,
    allowed_at,
    daytime,
    next_reminder,
)
from bot.signin.request import Person, RequestState
from tests.unit.signin.test_policy import reason

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Pacific/Apia")
START = datetime(2027, 3, 1, tzinfo=UTC)  # clocks change during the month
HOUR = timedelta(hours=1)
MINUTES = st.integers(0, 45 * 24 * 60).map(lambda minutes: timedelta(minutes=minutes))


def at_night(at: datetime, zone: ZoneInfo) -> bool:
    return not NIGHT_ENDS <= at.astimezone(zone).time() < NIGHT_BEGINS


@given(
    asked=MINUTES,
    ttl=st.integers(1, 14 * 24 * 60).map(lambda minutes: timedelta(minutes=minutes)),
    zone=st.sampled_from(ZONES).map(ZoneInfo),
    nudges=st.lists(MINUTES, max_size=3),
    late=st.integers(0, 600).map(lambda minutes: timedelta(minutes=minutes)),
)
def test_reminders_are_few_apart_and_leave_people_their_nights(
    asked: timedelta, ttl: timedelta, zone: ZoneInfo, nudges: list[timedelta], late: timedelta
) -> None:
    """Reminders as `urgency.remind` sends them, by a service that is `late` each time."""
    now = START + asked
    expires_at, due_at = now + ttl, now + ttl / 2
    nudged_at = [now + nudge for nudge in nudges]
    sent: list[datetime] = []
    while due_at is not None:
        now = due_at + late
        before = [at for at in (*sent, *nudged_at) if at <= now]
        at = allowed_at(now, last=max(before, default=None), expires_at=expires_at, zone=zone)
        if at >= expires_at:
            break
        if at > now:
            due_at = at
            continue
        sent.append(now)
        due_at = next_reminder(now, sent=len(sent), expires_at=expires_at, zone=zone)
        assert due_at is None or now < due_at < expires_at

    assert len(sent) <= MOST
    assert all(later - earlier >= SPACING for earlier, later in itertools.pairwise(sent))
    for at in sent:
        assert at < expires_at
        assert all(at < nudge or at - nudge >= SPACING for nudge in nudged_at)
        assert not at_night(at, zone) or expires_at <= daytime(at, zone)


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-11-23 06:59", "2026-11-23 07:00"),
        ("2026-11-23 07:00", "2026-11-23 07:00"),
        ("2026-11-23 19:59", "2026-11-23 19:59"),
        ("2026-11-23 20:00", "2026-11-24 07:00"),
        ("2026-11-24 00:00", "2026-11-24 07:00"),
    ],
)
def test_night_is_from_20_to_7(at: str, expected: str) -> None:
    moment = datetime.fromisoformat(at).replace(tzinfo=UTC)
    assert daytime(moment, UTC) == datetime.fromisoformat(expected).replace(tzinfo=UTC)


def test_deadline_inside_the_night_is_reminded_of_at_night() -> None:
    evening = datetime(2026, 11, 23, 22, tzinfo=UTC)
    at_five, at_eight = evening + 7 * HOUR, evening + 10 * HOUR
    assert allowed_at(evening, last=None, expires_at=at_five, zone=UTC) == evening
    assert allowed_at(evening, last=None, expires_at=at_eight, zone=UTC) == evening + 9 * HOUR


def test_reminders_back_off_until_the_last_hour() -> None:
    morning = datetime(2026, 11, 23, 8, tzinfo=UTC)
    expires_at, evening = morning + 12 * HOUR, morning + 9 * HOUR
    assert next_reminder(morning, sent=1, expires_at=expires_at, zone=UTC) == evening
    assert next_reminder(evening, sent=2, expires_at=expires_at, zone=UTC) is None
    assert next_reminder(morning, sent=4, expires_at=morning + 99 * HOUR, zone=UTC) is None


@pytest.mark.parametrize("state", RequestState)
@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("tenant", ["t", "u"])
@pytest.mark.parametrize("over", [True, False])
@pytest.mark.parametrize("nudged", [None, timedelta(minutes=59), NUDGE_EVERY])
def test_only_the_requester_nudges_and_once_an_hour(
    state: RequestState, own: bool, tenant: str, over: bool, nudged: timedelta | None
) -> None:
    actor = Actor(Person("alex" if own else "megan", ""), tenant)
    facts = RequestFacts(
        "t",
        state,
        "alex",
        START if over else START + HOUR,
        nudged_at=None if nudged is None else START - nudged,
    )
    if tenant == "u":
        expected = "no-such-request"
    elif not own:
        expected = "not-yours"
    elif state is not RequestState.WAITING:
        expected = "already-decided"
    elif over:
        expected = "expired"
    elif nudged == timedelta(minutes=59):
        expected = "nudged"
    else:
        expected = ""
    policy = simple([], [], four_eyes=True)
    assert reason(may_nudge(policy, actor, facts, now=START)) == expected
