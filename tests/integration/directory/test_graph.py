"""The directory over HTTP, against a simulated Graph."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.directory import DirectoryUnavailableError, Profile
from bot.directory.graph import GraphDirectory
from bot.directory.permissions import PERMISSIONS, Permission
from bot.identity.tokens import FixedToken
from bot.preflight.facts import UnknownReason
from bot.simulator.scenario import PEOPLE, Call, Fault, FaultKind, Scenario
from bot.simulator.server import Simulator
from tests.support.waiting import Clock, until

ALEX = PEOPLE[0]
STRANGER = "5f0c7a3e-1d1a-4a5e-9f50-2b8f5c3a9d10"


def group(number: int) -> str:
    return f"10000000-0000-0000-0000-{number:012}"


@asynccontextmanager
async def in_front_of(url: str) -> AsyncGenerator[GraphDirectory, None]:
    async with aiohttp.ClientSession() as session:
        yield GraphDirectory(session, url, FixedToken())


async def test_profile_is_found_by_object_id() -> None:
    async with Simulator() as far, in_front_of(far.graph_url) as directory:
        expected = Profile(ALEX.object_id, "Alex Wilber", "alexw@example.com")
        assert await directory.profile(ALEX.object_id) == expected


async def test_profile_says_whether_it_is_a_guest_as_far_as_graph_does() -> None:
    """External members, whose name has #EXT#, are members."""
    kinds: dict[object, bool | None] = {"Guest": True, "guest": True, "Member": False}
    for kind, expected in {**kinds, None: None, "": None, 7: None}.items():

        async def answer(_: web.Request, kind: object = kind) -> web.Response:
            name = "ada_fabrikam.com#EXT#@contoso.onmicrosoft.com"
            return web.json_response({"userPrincipalName": name, "userType": kind})

        app = web.Application()
        app.router.add_get("/{path:.*}", answer)
        async with TestServer(app) as server, in_front_of(str(server.make_url("/"))) as directory:
            found = await directory.profile(ALEX.object_id)
        assert found is not None
        assert found.guest is expected


async def test_profile_is_invented_for_any_guid_unless_scenario_disables_it() -> None:
    async with Simulator() as far, in_front_of(far.graph_url) as directory:
        found = await directory.profile(STRANGER)
        assert found is not None
        assert found == await directory.profile(STRANGER)
    async with Simulator(Scenario(anyone=False)) as far, in_front_of(far.graph_url) as directory:
        assert await directory.profile(STRANGER) is None


@pytest.mark.parametrize(
    "identifier",
    [
        "",
        "me",
        "../users",
        "alexw@example.com",
        f"{ALEX.object_id}0",
        f"{{{ALEX.object_id}}}",
        "a?b",
    ],
)
async def test_graph_is_not_called_when_object_id_is_malformed(identifier: str) -> None:
    async with Simulator() as far, in_front_of(far.graph_url) as directory:
        assert await directory.profile(identifier) is None
        assert await directory.groups_among(identifier, [group(1)]) == frozenset()
        assert not far.graph.calls


async def test_groups_among_returns_groups_containing_the_user() -> None:
    scenario = Scenario(groups={group(1): (ALEX.object_id,), group(2): (STRANGER,)})
    async with Simulator(scenario) as far, in_front_of(far.graph_url) as directory:
        candidates = [group(1).upper(), group(2), "not-a-guid", STRANGER]
        assert await directory.groups_among(ALEX.object_id, candidates) == {group(1).upper()}
        assert await directory.groups_among(ALEX.object_id, []) == frozenset()
        assert far.graph.calls[Call.GROUPS] == 1


async def test_groups_among_sends_twenty_groups_per_call() -> None:
    groups = {group(number): (ALEX.object_id,) for number in range(0, 45, 5)}
    async with Simulator(Scenario(groups=groups)) as far, in_front_of(far.graph_url) as directory:
        found = await directory.groups_among(ALEX.object_id, [group(each) for each in range(45)])
        assert found == groups.keys()
        assert far.graph.calls[Call.GROUPS] == 3


async def test_members_are_those_of_nested_groups_on_all_pages() -> None:
    people = tuple(f"33333333-0000-4000-8000-{number:012}" for number in range(1005))
    known = [ALEX.model_copy(update={"object_id": each, "principal": each}) for each in people]
    groups = {group(1): (ALEX.object_id, group(2)), group(2): people}
    scenario = Scenario(people=(ALEX, *known), groups=groups)
    async with Simulator(scenario) as far, in_front_of(far.graph_url) as directory:
        assert await directory.members(group(1).upper()) == {ALEX.object_id, *people}
        assert await directory.members(group(3)) is None
        assert await directory.members("not-a-guid") is None


async def test_groups_among_is_empty_when_user_is_not_found() -> None:
    async with Simulator(Scenario(anyone=False)) as far, in_front_of(far.graph_url) as directory:
        assert await directory.groups_among(STRANGER, [group(1)]) == frozenset()


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (FaultKind.FORBIDDEN, r"HTTP 403"),
        (FaultKind.THROTTLED, r"HTTP 429"),
        (FaultKind.UNAVAILABLE, r"HTTP 503"),
        (FaultKind.DROP_LOST, r"could not be reached"),
        (FaultKind.TIMEOUT_LOST, r"in time"),
        (FaultKind.GARBAGE, r"not JSON"),
    ],
)
async def test_directory_is_unavailable_when_graph_fails(
    fault: FaultKind, message: str, clock: Clock
) -> None:
    rules = tuple(
        Fault(call=call, fault=fault, times=0)
        for call in (Call.USERS, Call.GROUPS, Call.GROUP_MEMBERS)
    )
    async with Simulator(Scenario(faults=rules)) as far, in_front_of(far.graph_url) as directory:
        reads = {
            Call.USERS: directory.profile(ALEX.object_id),
            Call.GROUPS: directory.groups_among(ALEX.object_id, [group(1)]),
            Call.GROUP_MEMBERS: directory.members(group(1)),
        }
        for call, work in reads.items():
            read = asyncio.ensure_future(work)
            await until(lambda call=call: far.graph.calls[call])
            if fault is FaultKind.TIMEOUT_LOST:
                clock.advance(60)
            with pytest.raises(DirectoryUnavailableError, match=message):
                await read


async def test_directory_is_unavailable_when_connection_is_refused() -> None:
    async with Simulator() as far:
        url = far.graph_url
    async with in_front_of(url) as directory:
        with pytest.raises(DirectoryUnavailableError):
            await directory.profile(ALEX.object_id)


@pytest.mark.parametrize(
    "body", ["[]", "null", '{"value": 1}', "{}", "[" * 99_999, "x" * 2_000_000]
)
async def test_directory_is_unavailable_when_response_is_unreadable(body: str) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=body)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(app) as server, in_front_of(str(server.make_url("/"))) as directory:
        with pytest.raises(DirectoryUnavailableError):
            await directory.profile(ALEX.object_id)
        with pytest.raises(DirectoryUnavailableError):
            await directory.groups_among(ALEX.object_id, [group(1)])


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (FaultKind.FORBIDDEN, UnknownReason.PERMISSION),
        (FaultKind.UNAUTHORIZED, UnknownReason.UNAVAILABLE),
        (FaultKind.THROTTLED, UnknownReason.UNAVAILABLE),
        (FaultKind.UNAVAILABLE, UnknownReason.UNAVAILABLE),
        (FaultKind.DROP_LOST, UnknownReason.UNAVAILABLE),
        (FaultKind.GARBAGE, UnknownReason.UNREADABLE),
    ],
)
@pytest.mark.parametrize("permission", PERMISSIONS, ids=lambda each: each.check)
async def test_try_read_says_why_a_permission_does_not_work(
    permission: Permission, fault: FaultKind, reason: UnknownReason
) -> None:
    async with Simulator() as far, in_front_of(far.graph_url) as directory:
        assert await directory.try_read(permission.path, permission.name) is None
        [call] = far.graph.calls
        far.faults.add(Fault(call=call, fault=fault, times=0))
        gap = await directory.try_read(permission.path, permission.name)
        assert gap is not None
        assert gap.reason is reason
