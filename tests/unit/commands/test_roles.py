"""Whether requester and approver of a scheduled request may still have it run: the truth table."""

from __future__ import annotations

import itertools
from collections.abc import Collection
from dataclasses import replace

import pytest

from bot.commands.chat import Sender
from bot.commands.roles import Roles
from bot.directory import DirectoryUnavailableError, Profile
from bot.signin.policy.decision import Ruling
from bot.signin.policy.model import Group, GuestRole, Policy, Rule, Stage, simple
from bot.signin.request import Person, RequestState
from bot.store.requests import Request
from tests.support import jobs

ALEX, MEGAN = "alex", "megan"
REQUESTERS, APPROVERS = "group-r", "group-a"
APPROVER = Person(MEGAN, "Megan")


class FakeDirectory:
    """Group memberships by person; None: it is unavailable."""

    def __init__(
        self, groups: dict[str, set[str]] | None, guests: dict[str, bool | None] | None = None
    ) -> None:
        self._groups = groups
        self._guests = {} if guests is None else guests
        self.asked_about: list[str] = []

    async def groups_among(self, object_id: str, candidates: Collection[str]) -> frozenset[str]:
        if self._groups is None:
            raise DirectoryUnavailableError("down")
        return frozenset(self._groups.get(object_id, set()) & set(candidates))

    async def members(self, group_id: str) -> frozenset[str] | None:
        raise NotImplementedError

    async def profile(self, object_id: str) -> Profile | None:
        self.asked_about.append(object_id)
        if self._groups is None:
            raise DirectoryUnavailableError("down")
        if object_id not in self._guests:
            return None
        return Profile(object_id, object_id, object_id, self._guests[object_id])


async def still_allowed(
    groups: dict[str, set[str]] | None,
    requesters: Collection[str],
    approvers: Collection[str],
    request: Request,
) -> bool | None:
    policy = simple(requesters, approvers, four_eyes=True)
    roles = Roles(FakeDirectory(groups), lambda: policy, monotonic=lambda: 0.0)
    return await roles.still_allowed(request, request.facts, policy)


def request(approver: Person | None = APPROVER) -> Request:
    return Request(
        id="K7QF2M9X",
        version=1,
        state=RequestState.RUNNING,
        tenant_id=jobs.TENANT,
        requester=Person(ALEX, "Alex"),
        conversation_id="chat",
        file_name="phones.csv",
        four_eyes=True,
        ready_rows=1,
        total_rows=1,
        digest="",
        expires_at=None,
        cancel_asked_at=None,
        batch_size=100,
        retry_of="",
        reason="",
        reason_wanted_since=None,
        overlaps_version=0,
        approver=approver,
    )


@pytest.mark.parametrize(("requests", "approves"), list(itertools.product((True, False), repeat=2)))
async def test_both_have_to_be_members_still(requests: bool, approves: bool) -> None:
    groups = {
        ALEX: {REQUESTERS} if requests else {APPROVERS},
        MEGAN: {APPROVERS} if approves else {REQUESTERS},
    }
    allowed = await still_allowed(groups, {REQUESTERS}, {APPROVERS}, request())
    assert allowed is (requests and approves)


@pytest.mark.parametrize(
    ("requesters", "approvers", "expected"),
    [
        ({"*"}, {"*"}, True),
        ({ALEX}, {MEGAN.upper()}, True),
        ({"*"}, {APPROVERS}, None),
        ({REQUESTERS}, {MEGAN}, None),
        ({REQUESTERS}, {APPROVERS}, None),
        ({"*"}, {"somebody else"}, None),  # it may be a group
    ],
)
async def test_it_cannot_be_told_while_the_directory_is_down_and_decides(
    requesters: set[str], approvers: set[str], expected: bool | None
) -> None:
    assert await still_allowed(None, requesters, approvers, request()) is expected


@pytest.mark.parametrize(
    ("need", "four_eyes", "approver", "expected"),
    [
        (1, True, MEGAN, True),
        (2, True, MEGAN, False),  # the policy asks for more than one by now
        (1, True, ALEX, False),  # it let people approve their own then
        (1, False, ALEX, True),
    ],
)
async def test_approval_has_to_be_enough_for_the_policy_in_force(
    need: int, four_eyes: bool, approver: str, expected: bool
) -> None:
    people = (Group("both", frozenset({ALEX, MEGAN})),)
    rule = Rule("votes", stages=(Stage(people, need),))
    policy = Policy(people, people, rules=(rule,), four_eyes=four_eyes)
    roles = Roles(FakeDirectory({}), lambda: policy, monotonic=lambda: 0.0)
    approved = request(Person(approver, "somebody"))
    assert await roles.still_allowed(approved, approved.facts, policy) is expected


async def test_request_without_approver_is_not_allowed() -> None:
    assert await still_allowed({}, {"*"}, {APPROVERS}, request(approver=None)) is False


async def test_guests_are_asked_for_once_a_minute_and_only_if_it_matters() -> None:
    guests: dict[str, bool | None] = {ALEX: True, MEGAN: False, "ada": None}
    for allowed in (frozenset[GuestRole](), frozenset(GuestRole)):
        policy = replace(simple({ALEX}, {MEGAN}, four_eyes=True), guests=allowed)
        directory = FakeDirectory({}, guests)
        roles = Roles(directory, lambda policy=policy: policy, monotonic=lambda: 0.0)
        found = {
            name: (await roles.actor(Sender(name, name, ""), jobs.TENANT, policy)).guest
            for name in (*guests, "nobody", ALEX)
        }
        asked = [] if allowed else [*guests, "nobody"]
        assert directory.asked_about == asked
        expected = (Ruling.YES, Ruling.NO, Ruling.CANNOT_TELL, Ruling.NO)
        assert tuple(found.values()) == ((Ruling.NO,) * 4 if allowed else expected)
    down = Roles(FakeDirectory(None), lambda: policy, monotonic=lambda: 0.0)
    policy = replace(policy, guests=frozenset())
    actor = await down.actor(Sender(MEGAN, "Megan", ""), jobs.TENANT, policy)
    assert (actor.guest, actor.unsure) == (Ruling.CANNOT_TELL, True)
