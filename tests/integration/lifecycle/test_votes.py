"""Votes on both databases: several people approve, each counts once, the last one starts the request."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from bot.lifecycle import approvals, votes
from bot.lifecycle import asking as asking_lifecycle
from bot.lifecycle import policy as policy_lifecycle
from bot.lifecycle import requests as lifecycle
from bot.lifecycle.approvals import Ballot, Outcome
from bot.lifecycle.asking import Asking, AskingDeniedError
from bot.phones.region import Region
from bot.settings.scope import parse_scope
from bot.signin.policy.decision import Decision, DenialReason, Wanted
from bot.signin.policy.facts import Actor
from bot.signin.policy.model import Condition, Group, Policy, Rule, Stage
from bot.signin.policy.vote import Void
from bot.signin.request import Person, RequestState
from bot.store import policy_facts
from bot.store import votes as stored_votes
from bot.store.database import Database
from bot.store.requests import Request
from tests.support import jobs, rows

DESK, NETOPS, SOC = (Group(name, frozenset({f"id-{name}"})) for name in ("desk", "netops", "soc"))
TWO = Rule("two", stages=(Stage((NETOPS,), 2), Stage((SOC,), 1, level=1)))
POLICY = Policy((DESK,), (NETOPS,), rules=(TWO,), hash="first")


def person(name: str, *groups: Group) -> Actor:
    ids = frozenset(each for group in groups for each in group.ids)
    return Actor(Person(name, name.title()), jobs.TENANT, ids)


ADA, BEN, CEM, DAN = (
    person("ada", NETOPS),
    person("ben", NETOPS),
    person("cem", SOC),
    person("dan", NETOPS),
)


async def waiting(database: Database) -> Request:
    request_id = await jobs.draft(database, 3, Region.EMEA)
    assert await jobs.request_approval(database, request_id)
    return await jobs.load(database, request_id)


async def approve(
    database: Database,
    request: Request,
    actor: Actor,
    *,
    voters: Mapping[str, Actor] | None = None,
    policy: Policy = POLICY,
    may_start: bool = True,
    now: datetime | None = None,
    shown: str = "",
) -> Outcome | Decision:
    ballot = Ballot(actor, "", policy, voters or {}, may_start, shown=shown)
    async with database.write() as tx:
        return await approvals.approve(tx, jobs.NOTIFY, request, ballot, now or jobs.utc_now())


async def events(database: Database, *actions: str) -> list[dict[str, Any]]:
    lines = (await rows.dump(database))["events"]
    return [line for line in lines if line["action"] in actions]


async def wanted(database: Database, request: Request) -> Sequence[Wanted]:
    async with database.read() as tx:
        standing = await policy_facts.standing(tx, POLICY, request.id, jobs.utc_now(), waiting=True)
    assert standing is not None
    return standing.wanted


async def test_last_vote_starts_the_request_and_each_is_in_the_audit(database: Database) -> None:
    request = await waiting(database)
    assert await approve(database, request, ADA) is Outcome.VOTED
    assert await wanted(database, request) == (Wanted(("netops",), 1), Wanted(("soc",), 1))
    assert await approve(database, request, BEN) is Outcome.VOTED
    assert (await jobs.load(database, request.id)).state is RequestState.WAITING
    assert await approve(database, request, CEM, may_start=False) is Outcome.NEEDS_ACCESS
    assert await approve(database, request, CEM) is Outcome.APPROVED
    current = await jobs.load(database, request.id)
    assert (current.state, current.approver) == (RequestState.RUNNING, CEM.person)
    voted = await events(database, "voted", "approved")
    assert [(each["action"], each["actor_id"]) for each in voted] == [
        ("voted", "ada"),
        ("voted", "ben"),
        ("approved", "cem"),
    ]
    assert [each["detail"].get("wanted") for each in voted] == [2, 1, None]
    assert {each["detail"]["policy"] for each in voted} == {"first"}
    assert len((await rows.dump(database))["batches"]) == 1
    assert await approve(database, request, DAN) is Outcome.MOVED_ON


async def test_vote_keeps_what_its_card_showed(database: Database) -> None:
    request = await waiting(database)
    await approve(database, request, ADA, shown="checks-01234567")
    await approve(database, request, BEN)
    await approve(database, request, CEM, shown="checks-89abcdef")
    kept = {row["voter_id"]: row["shown"] for row in (await rows.dump(database))["votes"]}
    assert kept == {"ada": "checks-01234567", "ben": "", "cem": "checks-89abcdef"}
    events_of = await events(database, "voted", "approved")
    assert [each["detail"].get("shown") for each in events_of] == [
        "checks-01234567",
        None,
        "checks-89abcdef",
    ]


async def test_double_click_on_two_replicas_counts_once(database: Database) -> None:
    request = await waiting(database)
    other = Database(database.url)
    try:
        answers = await asyncio.gather(
            *(approve(each, request, ADA) for each in (database, other) * 2)
        )
    finally:
        await other.close()
    assert answers.count(Outcome.VOTED) == 1
    denied = [each for each in answers if isinstance(each, Decision)]
    assert {each.reason for each in denied} == {DenialReason.ALREADY_VOTED}
    assert len(await events(database, "voted")) == 1


async def test_concurrent_votes_start_the_request_once(database: Database) -> None:
    pair = replace(POLICY, rules=(Rule("two", stages=(Stage((NETOPS,), 2),)),))
    request = await waiting(database)
    other = Database(database.url)
    try:
        answers = await asyncio.gather(
            approve(database, request, ADA, policy=pair),
            approve(other, request, BEN, policy=pair),
            approve(database, request, DAN, policy=pair),
        )
    finally:
        await other.close()
    assert sorted(str(each) for each in answers) == sorted(
        map(str, (Outcome.VOTED, Outcome.APPROVED, Outcome.MOVED_ON))
    )
    assert len((await rows.dump(database))["batches"]) == 1


async def test_voter_who_lost_the_role_falls_out_at_the_last_vote(database: Database) -> None:
    request = await waiting(database)
    await approve(database, request, ADA)
    await approve(database, request, BEN)
    voters = {"ada": person("ada"), "ben": BEN}
    answer = await approve(database, request, CEM, voters=voters)
    assert isinstance(answer, Decision)
    assert answer.reason is DenialReason.NOT_WANTED
    assert await wanted(database, request) == (Wanted(("netops",), 1), Wanted(("soc",), 1))
    (void,) = await events(database, "vote void")
    assert (void["detail"]["voter"], void["detail"]["what"]) == ("ada", "left")
    assert await approve(database, request, DAN, voters={"ben": BEN}) is Outcome.VOTED
    assert await approve(database, request, CEM) is Outcome.APPROVED


async def test_voter_who_came_back_votes_again(database: Database) -> None:
    request = await waiting(database)
    await approve(database, request, ADA)
    await approve(database, request, BEN, voters={"ada": person("ada")})
    assert await approve(database, request, ADA) is Outcome.VOTED
    assert await wanted(database, request) == (Wanted(("soc",), 1),)


async def test_last_vote_has_to_wait_while_voters_cannot_be_looked_up(database: Database) -> None:
    request = await waiting(database)
    await approve(database, request, ADA)
    await approve(database, request, BEN)
    unsure = Actor(ADA.person, jobs.TENANT, unsure=True)
    answer = await approve(database, request, CEM, voters={"ada": unsure})
    assert isinstance(answer, Decision)
    assert answer.reason is DenialReason.VOTERS_UNKNOWN
    assert await approve(database, request, CEM, voters={"ada": ADA}) is Outcome.APPROVED


async def test_vote_in_an_approvers_place_counts_for_them_until_its_time_is_over(
    database: Database,
) -> None:
    request = await waiting(database)
    grace = person("grace", NETOPS)
    named = Person("eve", "Eve for Grace", stands_in_for=grace.person)
    eve = Actor(named, jobs.TENANT, lent=NETOPS.ids)
    assert await approve(database, request, eve) is Outcome.VOTED
    ((kept),) = (await rows.dump(database))["votes"]
    assert (kept["voter_id"], kept["for_id"]) == ("eve", "grace")
    second = await approve(database, request, grace)  # who has had her say through Eve
    assert isinstance(second, Decision)
    assert second.reason is DenialReason.ALREADY_VOTED
    # Looked up again, Eve stands in for nobody.
    assert await approve(database, request, grace, voters={"eve": person("eve")}) is Outcome.VOTED
    (void,) = await events(database, "vote void")
    assert (void["detail"]["voter"], void["detail"]["what"]) == ("eve", "left")
    assert await wanted(database, request) == (Wanted(("netops",), 1), Wanted(("soc",), 1))


async def test_change_of_the_request_voids_its_votes_and_tells(database: Database) -> None:
    request = await waiting(database)
    await approve(database, request, ADA)
    async with database.write() as tx:
        await votes.void_changed(tx, jobs.NOTIFY, request, jobs.utc_now())
    async with database.read() as tx:
        assert await stored_votes.counting(tx, request) == []
        (vote,) = await stored_votes.cast(tx, request.id)
    assert vote.void is Void.CHANGED
    posts = [line["content"].get("text", "") for line in (await rows.dump(database))["posts"]]
    assert any("approvals" in text and "Ada" in text for text in posts)
    assert await approve(database, request, ADA) is Outcome.VOTED


async def test_vote_for_another_digest_does_not_count(database: Database) -> None:
    """The card was old, or somebody wrote to the database."""
    request = await waiting(database)
    stale = replace(request, digest="0" * 64)
    assert await approve(database, stale, ADA) is Outcome.MOVED_ON
    outdated = replace(request, overlaps_version=7)
    assert await approve(database, outdated, ADA) is Outcome.MOVED_ON


async def test_vote_at_the_end_of_the_time_is_too_late(database: Database) -> None:
    request = await waiting(database)
    assert request.expires_at is not None
    await approve(database, request, ADA)
    answer = await approve(database, request, BEN, now=request.expires_at)
    assert isinstance(answer, Decision)
    assert answer.reason is DenialReason.EXPIRED


async def test_one_reject_ends_it(database: Database) -> None:
    request = await waiting(database)
    await approve(database, request, ADA)
    async with database.write() as tx:
        assert await lifecycle.reject(
            tx, jobs.NOTIFY, request, comment="no", actor=CEM.person, now=jobs.utc_now()
        )
    assert await approve(database, request, BEN) is Outcome.MOVED_ON


async def test_two_requests_at_once_do_not_exceed_the_limit(database: Database) -> None:
    limited = replace(POLICY, accounts_per_day=4)
    drafts = [
        await jobs.load(database, await jobs.draft(database, 3, Region.EMEA, first=10 * n))
        for n in range(2)
    ]
    asking = Asking(limited, Actor(jobs.ADMIN, jobs.TENANT, DESK.ids))

    async def ask(request: Request) -> bool:
        async with database.write() as tx:
            return await asking_lifecycle.request_approval(
                tx,
                jobs.NOTIFY,
                request,
                region=None,
                reason="new lobby",
                ttl=timedelta(hours=1),
                actor=jobs.ADMIN,
                now=jobs.utc_now(),
                asking=asking,
            )

    answers = await asyncio.gather(*map(ask, drafts), return_exceptions=True)
    assert answers.count(True) == 1
    (denied,) = [each for each in answers if isinstance(each, AskingDeniedError)]
    assert denied.decision.reason is DenialReason.LIMIT
    assert denied.decision.arguments == {"limit": 4, "left": 1}


async def test_policy_is_recorded_once_with_what_was_before(database: Database) -> None:
    request = await waiting(database)

    async def load(policy: Policy) -> bool:
        async with database.write() as tx:
            return await policy_lifecycle.loaded(tx, policy, jobs.utc_now())

    assert await load(POLICY)
    assert not await load(POLICY)
    assert await load(replace(POLICY, hash="second", source="approvers = []"))
    recorded = [each["detail"] for each in await events(database, "policy loaded")]
    assert [(each["before"], each["policy"]) for each in recorded] == [
        ("", "first"),
        ("first", "second"),
    ]
    assert recorded[1]["content"] == "approvers = []"
    assert (await jobs.load(database, request.id)).version == request.version + 2


@pytest.mark.parametrize("policy", [POLICY, replace(POLICY, rules=())])
async def test_standing_is_shown_only_if_one_click_is_not_enough(
    database: Database, policy: Policy
) -> None:
    request = await waiting(database)
    async with database.read() as tx:
        standing = await policy_facts.standing(tx, policy, request.id, jobs.utc_now(), waiting=True)
    assert (standing is None) is not bool(policy.rules)


async def test_rules_look_at_regions_accounts_and_sizes_of_the_rows(database: Database) -> None:
    request = await jobs.load(database, await jobs.draft(database, 4, Region.EMEA, Region.NOAM))
    ends = Rule("ends", Condition(accounts=parse_scope(["*3@contoso.com", "hall*@contoso.com"])))
    other = Rule("other", Condition(accounts=parse_scope(["hall*@contoso.com"])))
    large = Rule("large", Condition(min_accounts=5))
    noam = Rule("noam", Condition(frozenset({Region.NOAM}), min_accounts=4))
    apac = Rule("apac", Condition(frozenset({Region.APAC})))
    policy = replace(POLICY, rules=(ends, other, large, noam, apac))
    async with database.read() as tx:
        traits = await policy_facts.traits(tx, policy, request)
    assert [rule.name for rule in policy.rules_for(traits)] == ["ends", "noam"]
    assert traits.principals == ("lobby3@contoso.com",)
