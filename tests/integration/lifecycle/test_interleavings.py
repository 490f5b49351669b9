"""Approvers, requester, scheduler, expiry and changes of the policy at once, on both databases, through the
commands: one outcome each, and whoever comes too late is told of it.

`OFFHOOK_INTERLEAVINGS` is how many are tried on each database.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import select

from bot.commands.chat import Answer, CardAction, CardAnswer, Sender, TextAnswer
from bot.commands.context import Context, Rules
from bot.commands.dispatcher import Dispatcher
from bot.commands.roles import Roles
from bot.directory import Profile
from bot.lifecycle import asking as lifecycle
from bot.lifecycle.starts import windows_of
from bot.runner.deadlines import Deadlines
from bot.runner.projection import Projection
from bot.runner.starts import Starts
from bot.settings.values import Exports
from bot.signin.policy import quorum
from bot.signin.policy.facts import Actor
from bot.signin.policy.model import Group, Policy, Rule, Stage
from bot.signin.request import Hold, Person, RequestState
from bot.signin.schedule import Start
from bot.signin.timing import Timing
from bot.simulator.client import button, texts
from bot.store import audit_reading, policy_facts
from bot.store.conversations import ConversationKind, ConversationReference
from bot.store.database import Database
from bot.store.models.approvals import VoteRow
from bot.store.models.audit import EventRow
from bot.store.models.batches import BatchRow
from bot.store.requests import Request
from bot.words import Words
from cards.types import CardKind, View
from tests.support import jobs

COUNT = int(os.environ.get("OFFHOOK_INTERLEAVINGS", "4"))
WORDS = Words()
CHAT = ConversationReference(
    jobs.TENANT, jobs.CHAT, ConversationKind.PERSONAL, "https://smba.test", "28:bot", "Offhook"
)
DESK, NETOPS, SOC = (
    Group(name, frozenset({f"00000000-0000-0000-0000-00000000000{n}"}))
    for n, name in enumerate(("desk", "netops", "soc"))
)
ADA, BEN, CEM, DAN, EVE = (
    Person(f"00000000-0000-0000-0000-0000000000a{n}", name)
    for n, name in enumerate(("Ada Lovelace", "Ben Bova", "Cem Karaca", "Dan Dare", "Eve Ensler"))
)
#: The requester is among the approvers, too.
MEMBERS = {NETOPS: {ADA, BEN, CEM, DAN, jobs.ADMIN}, SOC: {CEM, EVE}, DESK: {jobs.ADMIN}}
STAGES = (
    (Stage((NETOPS,), 1),),
    (Stage((NETOPS,), 2),),
    (Stage((NETOPS, SOC), 3),),
    (Stage((NETOPS,), 1), Stage((SOC,), 1, level=1)),
    (Stage((NETOPS,), 2), Stage((SOC,), 1)),
)
POLICIES = tuple(
    Policy((DESK,), (NETOPS,), rules=(Rule("votes", stages=stages),), hash=f"policy {number}")
    for number, stages in enumerate(STAGES)
)
#: Events that decide about a waiting request.
DECISIONS = ("approved", "rejected", "withdrawn", "expired")
#: What an answer says of each decision.
SAID = {
    "approved": "approved the sign-in",
    "rejected": "rejected",
    "withdrawn": "ithdrawn",
    "expired": "xpired",
}
HOUR = timedelta(hours=1)


@dataclass
class World:
    """What changes while people click."""

    policy: Policy
    now: datetime
    members: dict[str, set[str]] = field(
        default_factory=lambda: {
            next(iter(group.ids)): {each.object_id for each in people}
            for group, people in MEMBERS.items()
        }
    )
    #: every group's members, from the begin on
    history: list[dict[str, frozenset[str]]] = field(
        default_factory=list[dict[str, frozenset[str]]]
    )

    def __post_init__(self) -> None:
        self.keep()

    def keep(self) -> None:
        self.history.append({group: frozenset(ids) for group, ids in self.members.items()})

    def clock(self) -> datetime:
        return self.now

    def monotonic(self) -> float:
        """Nothing is cached: a minute passes with each look."""
        self._ticks = getattr(self, "_ticks", 0.0) + 61.0
        return self._ticks

    # The directory

    async def profile(self, object_id: str) -> Profile | None:
        return None

    async def groups_among(self, object_id: str, candidates: Collection[str]) -> frozenset[str]:
        found = frozenset(each for each in candidates if object_id in self.members.get(each, ()))
        await asyncio.sleep(0)
        return found

    async def members_of(self, group_id: str) -> frozenset[str] | None:
        return frozenset(self.members[group_id])


@dataclass
class Click:
    by: Person
    verb: str
    answer: Answer | None = None
    policies: set[str] = field(default_factory=set[str])
    looked: tuple[int, int] = (0, 0)  #: the part of the world's history that it may have seen


@dataclass
class Interleaving:
    """One request, and what everybody does to it."""

    databases: Sequence[Database]
    number: int
    pick: random.Random

    async def run(self) -> Counter[str]:
        world = World(self.pick.choice(POLICIES), jobs.utc_now())
        self.world = world
        self.request = await self._waiting(world)
        self.dispatchers = [self._dispatcher(each) for each in self.databases]
        self.data = await self._button()
        self.clicks: list[Click] = []
        acts = self._acts()
        self.pick.shuffle(acts)
        while acts:  # some one after the other, most of them at once
            together = self.pick.randint(1, len(acts))
            await asyncio.gather(*(self._later(act) for act in acts[:together]))
            acts = acts[together:]
        return await self._check()

    async def _waiting(self, world: World) -> Request:
        first = 3 * self.number
        database = self.databases[0]
        request_id = await jobs.draft(database, 3, first=first)
        request = await jobs.load(database, request_id)
        at = world.now.replace(microsecond=0) + 2 * HOUR
        async with database.write() as tx:
            assert await lifecycle.request_approval(
                tx,
                jobs.NOTIFY,
                request,
                region=None,
                reason="new lobby",
                ttl=HOUR,
                actor=jobs.ADMIN,
                now=world.now,
                start=Start(at, "Europe/Berlin", "x") if self.pick.random() < 0.5 else None,
            )
        return await jobs.load(database, request_id)

    def _dispatcher(self, database: Database) -> Dispatcher:
        world = self.world
        return Dispatcher(
            Context(
                database,
                cast(Any, None),
                Projection(WORDS, clock=world.clock, policy=lambda: world.policy),
                jobs.NOTIFY,
                Roles(cast(Any, world), lambda: world.policy, monotonic=world.monotonic),
                files=cast(Any, None),
                words=WORDS,
                rules=Rules(3600.0, Exports.CONSENT),
                clock=world.clock,
                changed=lambda: None,
                run_checks=cast(Any, None),
                link=cast(Any, None),
                window=windows_of(lambda: world.policy, WORDS),
            )
        )

    async def _button(self) -> dict[str, Any]:
        projection = Projection(WORDS, clock=self.world.clock, policy=lambda: self.world.policy)
        async with self.databases[0].read() as tx:
            card = await projection.card(tx, self.request.id, CardKind.APPROVAL, View())
        assert card is not None
        return button(card.message.card, "approve")["data"]

    # What happens ---------------------------------------------------------------------------------

    def _acts(self) -> list[Callable[[], Awaitable[None]]]:
        chance = self.pick.random
        people = self.pick.sample([ADA, BEN, CEM, DAN, EVE], self.pick.randint(2, 5))
        acts = [self._click(each, "approve") for each in people]
        acts += [self._click(each, "approve") for each in people if chance() < 0.3]
        acts += [self._click(each, "reject") for each in people if chance() < 0.06]
        acts += [self._click(each, "cancel") for each in people if chance() < 0.06]
        if chance() < 0.3:
            acts.append(self._click(jobs.ADMIN, "approve"))
        if chance() < 0.3:
            acts.append(self._click(jobs.ADMIN, "withdraw"))
        if chance() < 0.1:
            acts.append(self._click(jobs.ADMIN, "cancel"))
        if chance() < 0.1:
            acts.append(self._click(self.pick.choice(people), "approve", digest="0" * 64))
        if chance() < 0.3:
            acts.append(self._leave(self.pick.choice(people)))
        if chance() < 0.3:
            acts.append(self._replace_policy())
        if chance() < 0.3:
            assert self.request.expires_at is not None
            acts += [self._deadlines(each, self.request.expires_at) for each in self.databases]
        if self.request.run_at is not None:
            late = self.pick.choice([timedelta(), timedelta(minutes=59), 2 * HOUR])
            acts += [self._start(each, self.request.run_at + late) for each in self.databases]
            acts += [self._start(each, self.world.now) for each in self.databases]
        return acts

    async def _later(self, act: Callable[[], Awaitable[None]]) -> None:
        for _ in range(self.pick.randrange(60)):
            await asyncio.sleep(0)
        await act()

    def _click(self, by: Person, verb: str, **more: str) -> Callable[[], Awaitable[None]]:
        dispatcher = self.pick.choice(self.dispatchers)
        data = {**self.data, "acknowledge": "true", "comment": "fine", **more}
        action = CardAction(Sender(by.object_id, by.name), CHAT, verb, data, "")

        async def act() -> None:
            click = Click(by, verb)
            self.clicks.append(click)
            since = len(self.world.history) - 1
            click.answer = await dispatcher.action(action)
            click.looked = since, len(self.world.history)

        return act

    def _leave(self, person: Person) -> Callable[[], Awaitable[None]]:
        async def act() -> None:
            for ids in self.world.members.values():
                ids.discard(person.object_id)
            self.world.keep()

        return act

    def _replace_policy(self) -> Callable[[], Awaitable[None]]:
        async def act() -> None:
            self.world.policy = self.pick.choice(POLICIES)

        return act

    def _deadlines(self, database: Database, now: datetime) -> Callable[[], Awaitable[None]]:
        loop = Deadlines(
            database,
            jobs.NOTIFY,
            timing=Timing(),
            clock=self.world.clock,
            changed=lambda: None,
        )

        async def act() -> None:
            self.world.now = max(self.world.now, now)
            await loop._expire(self.request.id)  # pyright: ignore[reportPrivateUsage]

        return act

    def _start(self, database: Database, now: datetime) -> Callable[[], Awaitable[None]]:
        roles = Roles(
            cast(Any, self.world), lambda: self.world.policy, monotonic=self.world.monotonic
        )

        async def allowed(request: Request) -> bool | None:
            policy = self.world.policy
            async with database.read() as tx:
                facts = await policy_facts.of_request(tx, policy, request)
            return await roles.still_allowed(request, facts, policy)

        loop = Starts(
            database,
            jobs.NOTIFY,
            idle_seconds=0.0,
            clock=self.world.clock,
            changed=lambda: None,
            allowed=allowed,
            window=windows_of(lambda: self.world.policy, WORDS),
        )

        async def act() -> None:
            self.world.now = max(self.world.now, now)
            await loop._round()  # pyright: ignore[reportPrivateUsage]

        return act

    # What has to hold -----------------------------------------------------------------------------

    async def _check(self) -> Counter[str]:
        async with self.databases[0].read() as tx:
            rows = await tx.execute(
                select(EventRow.__table__)
                .where(EventRow.request_id == self.request.id)
                .order_by(EventRow.id)
            )
            events = rows.all()
            batches = (
                await tx.execute(select(BatchRow.id).where(BatchRow.request_id == self.request.id))
            ).all()
            votes = (
                await tx.execute(select(VoteRow).where(VoteRow.request_id == self.request.id))
            ).all()
        current = await jobs.load(self.databases[0], self.request.id)
        actions = [each.action for each in events]
        told = f"{self.number}: {actions} {current.state} {current.hold}"

        decided = [each for each in events if each.action in DECISIONS]
        approved = [each for each in decided if each.action == "approved"]
        # Once approved, only its requester can still take it back, before it starts.
        of_waiting = [each for each in decided if not (approved and each.action == "withdrawn")]
        assert len(of_waiting) <= 1, told
        assert (current.state is RequestState.WAITING) is not bool(of_waiting), told
        if of_waiting:
            after = actions[actions.index(of_waiting[0].action) :]
            assert not {"voted", "vote void", "reminded"} & set(after), told
        self._check_votes(events, votes, told)
        started = [each for each in events if each.action in ("start due", "start missed")]
        assert len(started) <= 1, told
        if batches:
            assert approved, told
            assert len(batches) == 1, told
            if self.request.run_at is not None:
                (due,) = started
                assert due.action == "start due", told
                assert due.at >= self.request.run_at, told
        elif approved and self.request.run_at is None:
            assert "cancel asked" in actions, told
        if approved and current.hold is Hold.SCHEDULED:
            assert not batches, told
        self._check_answers(events, decided, told)
        outcome = of_waiting[0].action if of_waiting else "waiting"
        return Counter({outcome: 1, "clicks": len(self.clicks), **Counter(started_as(started))})

    def _check_votes(self, events: Sequence[Any], votes: Sequence[Any], told: str) -> None:
        """An approval has the votes that the policy of its event asks for, of people who could give them."""
        standing: dict[str, Any] = {}
        for each in events:
            if each.action == "voted":
                assert each.actor_id not in standing, told
                standing[each.actor_id] = each
            elif each.action == "vote void":
                standing.pop(each.detail["voter"], None)
            elif each.action == "approved":
                assert each.actor_id not in standing, told
                standing[each.actor_id] = each
                self._check_quorum(each, standing, told)
        valid = {vote.voter_id for vote in votes if not vote.void}
        assert valid == set(standing), (told, valid)
        assert jobs.ADMIN.object_id not in standing, told

    def _check_quorum(self, approved: Any, standing: Collection[str], told: str) -> None:
        (policy,) = [each for each in POLICIES if each.hash == approved.detail["policy"]]
        begins, ends = next(
            click.looked
            for click in self.clicks
            if click.verb == "approve"
            and click.by.object_id == approved.actor_id
            and click.looked[1]
            and isinstance(click.answer, CardAnswer)
        )
        seen = self.world.history  # those who were in a group at some time
        people = [
            Actor(
                Person(each, ""),
                jobs.TENANT,
                frozenset(group for moment in seen for group, ids in moment.items() if each in ids),
            )
            for each in standing
        ]
        assert begins < ends
        rule_stages = policy.rules[0].stages
        assert not quorum.missing(rule_stages, people), told

    def _check_answers(self, events: Sequence[Any], decided: Sequence[Any], told: str) -> None:
        """Whoever changed nothing is told why: by whom it was decided, or what else there is."""
        did = Counter(each.actor_id for each in events if each.action != "denied")
        for click in self.clicks:
            assert isinstance(click.answer, CardAnswer | TextAnswer), (told, click)
            if isinstance(click.answer, TextAnswer):
                assert len(click.answer.text) > 20, (told, click)
                continue
            if did[click.by.object_id] or not decided or click.verb == "cancel":
                continue  # what waits cannot be canceled: its card says that it waits
            card = texts(click.answer.card)
            by_whom = any(SAID[how.action] in card and how.actor_name in card for how in decided)
            assert by_whom, (told, click.by, click.verb, card)


def started_as(events: Sequence[Any]) -> list[str]:
    return [each.action for each in events]


async def test_each_interleaving_has_one_outcome(
    database: Database, record_property: Callable[[str, object], None]
) -> None:
    other = Database(database.url)
    total: Counter[str] = Counter()
    try:
        for number in range(COUNT):
            total += await Interleaving((database, other), number, random.Random(number)).run()
    finally:
        await other.close()
    async with database.read() as tx:
        _, broken = await audit_reading.verify(tx)
    assert broken is None
    record_property("stateful", f"{COUNT} interleavings: {dict(sorted(total.items()))}")
