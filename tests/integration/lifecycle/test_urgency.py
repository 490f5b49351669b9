"""Nudges, escalation, stand-ins and reviews: each change happens once, on both databases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import update

from bot.lifecycle import break_glass, stand_ins, urgency
from bot.phones.region import Region
from bot.runner.escalations import Escalations
from bot.signin.policy.decision import Decision, DenialReason
from bot.signin.policy.facts import Actor
from bot.signin.policy.model import Condition, Escalation, Policy, Rule, Stage, group
from bot.signin.reminders import MOST, NUDGE_EVERY, REVIEW_EVERY, SPACING
from bot.signin.request import Person
from bot.store import people, requests, reviews
from bot.store import stand_ins as stand_in_rows
from bot.store.database import Database
from bot.store.models.requests import RequestRow
from bot.store.purge import purge
from bot.store.requests import Request
from bot.store.stand_ins import StandIn
from tests.support import jobs, rows

ADA, BOB = (Person(f"00000000-0000-4000-8000-0000000000{n}", n) for n in ("ad", "b0"))
DAY = timedelta(days=1)
_STAGES = (Stage((group("netops"),), 2), Stage((group("soc"),), 1, level=1))
#: Whose stages break-glass passes.
STAGED = Policy(
    (),
    (group("netops"),),
    break_glass=(group(jobs.ADMIN.object_id),),
    rules=(Rule("two stages", stages=_STAGES),),
)


async def waiting(database: Database) -> str:
    request_id = await jobs.draft(database, 2)
    assert await jobs.request_approval(database, request_id, ttl=3 * DAY)
    return request_id


async def actions(database: Database) -> list[str]:
    return rows.column((await rows.dump(database))["events"], "action")


async def test_nudge_counts_once_an_hour_and_puts_off_the_reminder(database: Database) -> None:
    request = await jobs.load(database, await waiting(database))
    now = jobs.utc_now()
    zone = jobs.zone_where(8)

    async def nudge(after: timedelta) -> bool:
        async with database.write() as tx:
            return await urgency.nudge(tx, jobs.NOTIFY, request, actor=jobs.ADMIN, now=now + after)

    assert [await nudge(timedelta()), await nudge(NUDGE_EVERY - timedelta(seconds=1))] == [
        True,
        False,
    ]
    assert await nudge(NUDGE_EVERY)
    nudged = await jobs.load(database, request.id)
    async with database.write() as tx:
        await tx.execute(update(RequestRow).values(remind_at=now))
        assert not await urgency.remind(
            tx, jobs.NOTIFY, nudged, now + NUDGE_EVERY + SPACING / 2, zone=zone
        )
    due = now + NUDGE_EVERY + SPACING
    async with database.read() as tx:
        assert await requests.due_to_remind(tx, due - timedelta(seconds=1)) == []
        assert await requests.due_to_remind(tx, due) == [request.id]
    async with database.write() as tx:
        assert await urgency.remind(tx, jobs.NOTIFY, nudged, due, zone=zone)
    assert await actions(database) == ["drafted", "asked", "nudged", "nudged", "reminded"]
    assert not await nudge(3 * DAY)  # its time is over


async def test_reminder_waits_for_the_morning(database: Database) -> None:
    """A service that was down sends nothing at night when it is back."""
    request = await jobs.load(database, await waiting(database))
    now = jobs.utc_now()
    async with database.write() as tx:
        await tx.execute(update(RequestRow).values(remind_at=now))
        assert not await urgency.remind(tx, jobs.NOTIFY, request, now, zone=jobs.zone_where(3))
    async with database.read() as tx:
        assert await requests.due_to_remind(tx, now + timedelta(hours=3)) == []
        assert await requests.due_to_remind(tx, now + timedelta(hours=4)) == [request.id]


async def test_no_more_reminders_than_most(database: Database) -> None:
    request_id = await waiting(database)
    now = jobs.utc_now()
    async with database.write() as tx:
        await tx.execute(update(RequestRow).values(reminders=MOST, remind_at=now))
    request = await jobs.load(database, request_id)
    async with database.write() as tx:
        assert not await urgency.remind(tx, jobs.NOTIFY, request, now, zone=jobs.zone_where(12))
        assert await requests.due_to_remind(tx, now + DAY) == []


async def test_request_is_escalated_once_and_not_before(database: Database) -> None:
    request = await jobs.load(database, await waiting(database))
    now = jobs.utc_now()

    async def escalate(after: timedelta) -> bool:
        async with database.write() as tx:
            return await urgency.escalate(tx, jobs.NOTIFY, request, now + after, after=DAY)

    assert [await escalate(DAY - timedelta(minutes=1)), await escalate(DAY)] == [False, True]
    assert not await escalate(DAY)
    assert (await jobs.load(database, request.id)).facts.escalated
    async with database.read() as tx:
        (found,) = await requests.waiting_since(tx, now, now)
    assert found.escalated == (await jobs.load(database, request.id)).facts.escalated


async def test_escalations_follow_the_policy_in_force(database: Database) -> None:
    """By region, each at its own time, once each; an escalation that a reload brings counts, too."""
    request_ids = [
        await jobs.draft(database, 2, region, first=first)
        for region, first in ((Region.EMEA, 0), (Region.APAC, 10))
    ]
    for request_id in request_ids:
        assert await jobs.request_approval(database, request_id, ttl=9 * DAY)
    emea, apac = request_ids
    lead = (group("lead"),)
    policy = Policy(
        (), lead, escalations=(Escalation("EMEA", lead, DAY, Condition(frozenset({Region.EMEA}))),)
    )
    loop = Escalations(database, jobs.NOTIFY, lambda: policy, lambda: now)
    now = jobs.utc_now()
    steps: list[list[str]] = []

    async def step(days: int) -> None:
        nonlocal now
        now = jobs.utc_now() + days * DAY
        escalated = await loop.round(now)
        steps.append(await escalations_of(database, steps))
        assert escalated == bool(steps[-1])

    for days in (0, 1, 1):
        await step(days)
    policy = replace(policy, escalations=(*policy.escalations, Escalation("all", lead, 2 * DAY)))
    policy = replace(policy, hash="reloaded")
    for days in (1, 2, 2, 3):
        await step(days)
    assert steps == [[], [emea], [], [], sorted(request_ids), [], []]
    found = [
        each for each in (await rows.dump(database))["events"] if each["action"] == "escalated"
    ]
    assert [each["detail"].get("rule") for each in found if each["request_id"] == emea] == [
        "EMEA",
        "EMEA, all",
    ]
    assert (await jobs.load(database, apac)).facts.escalated == pytest.approx(
        2 * DAY, abs=timedelta(minutes=5)
    )


async def escalations_of(database: Database, before: Sequence[Sequence[str]]) -> list[str]:
    """The requests escalated since, by ID."""
    events = (await rows.dump(database))["events"]
    found = [each["request_id"] for each in events if each["action"] == "escalated"]
    return sorted(found[sum(map(len, before)) :])


async def test_second_stand_in_replaces_the_first(database: Database) -> None:
    now = jobs.utc_now()
    first, second = (StandIn(jobs.TENANT, jobs.APPROVER, who, now + DAY) for who in (ADA, BOB))
    for stand_in, expected in ((first, True), (first, False), (second, True)):
        async with database.write() as tx:
            named = await stand_ins.hand_over(
                tx, jobs.NOTIFY, stand_in, actor=jobs.APPROVER, now=now
            )
        assert named is expected
    async with database.write() as tx:
        assert await stand_in_rows.approvers_of(tx, jobs.TENANT, ADA.object_id, now) == []
        found = await stand_in_rows.approvers_of(tx, jobs.TENANT, BOB.object_id, now)
        assert found == [jobs.APPROVER]
        assert await stand_in_rows.approvers_of(tx, jobs.TENANT, BOB.object_id, now + DAY) == []
        assert not await stand_ins.end(tx, jobs.NOTIFY, first, actor=None, now=now)
        (over,) = await stand_in_rows.ended(tx, now + DAY)
        assert await stand_ins.end(tx, jobs.NOTIFY, over, actor=None, now=now)
        assert not await stand_ins.end(tx, jobs.NOTIFY, over, actor=None, now=now)
    assert await actions(database) == [
        *("stand-in named", "stand-in ended", "stand-in named", "stand-in ended")
    ]


async def use(database: Database, request: Request) -> bool | Decision:
    async with database.write() as tx:
        return await break_glass.use(
            tx,
            jobs.NOTIFY,
            request,
            policy=STAGED,
            reason="outage",
            ticket="INC1",
            actor=Actor(jobs.ADMIN, jobs.TENANT),
            now=jobs.utc_now(),
        )


async def broken_glass(database: Database) -> str:
    """A request approved by its requester, which has ended."""
    request = await jobs.load(database, await waiting(database))
    assert await use(database, request) is True
    second_click = await use(database, request)
    assert isinstance(second_click, Decision)
    assert second_click.reason is DenialReason.ALREADY_DECIDED
    assert await jobs.cancel(database, request.id)
    return request.id


async def test_open_review_keeps_its_request(database: Database) -> None:
    request = await jobs.load(database, await broken_glass(database))
    later = jobs.utc_now() + timedelta(seconds=1)
    async with database.read() as tx:
        used = await reviews.load(tx, request.id)
    assert used is not None
    assert used.votes == 3  # those of both stages
    async with database.write() as tx:
        assert await purge(tx, later) == 0
        with pytest.raises(people.StillOpenError):
            await people.erase(tx, [jobs.ADMIN.object_id])
        for actor, closes in ((jobs.ADMIN, False), (jobs.APPROVER, True), (ADA, False)):
            closed = await break_glass.review(
                tx, request, comment="seen", actor=actor, now=jobs.utc_now()
            )
            assert closed is closes
        assert (await reviews.still_open(tx)).count == 0
    async with database.write() as tx:
        await people.erase(tx, [jobs.ADMIN.object_id, jobs.ADMIN.name])
    async with database.read() as tx:
        kept = await reviews.load(tx, request.id)
    assert kept is not None
    assert (kept.used_by, kept.reviewed_by) == (Person("", ""), jobs.APPROVER)
    async with database.write() as tx:
        assert await purge(tx, later) == 1
        assert await reviews.load(tx, request.id) is None


async def test_open_review_is_reminded_of_once_a_day_and_not_at_night(database: Database) -> None:
    request = await jobs.load(database, await broken_glass(database))
    now = jobs.utc_now() + REVIEW_EVERY

    async def remind(hour: int) -> bool:
        async with database.write() as tx:
            zone = jobs.zone_where(hour)
            return await break_glass.remind(tx, jobs.NOTIFY, request, now, zone=zone)

    async with database.read() as tx:
        assert await reviews.due_to_remind(tx, now) == [request.id]
    assert [await remind(12), await remind(12)] == [True, False]
    async with database.read() as tx:
        assert await reviews.due_to_remind(tx, now + timedelta(hours=23)) == []
