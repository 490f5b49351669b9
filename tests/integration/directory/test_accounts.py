"""Accounts read over HTTP from a simulated Graph."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest

from bot.directory.accounts import CHUNK, AccountReader
from bot.directory.client import GraphClient
from bot.identity.tokens import FixedToken
from bot.preflight.facts import (
    AccountFacts,
    ConditionalAccessHit,
    MfaState,
    Plans,
    PolicyType,
    Unknown,
    UnknownReason,
)
from bot.simulator.scenario import PEOPLE, Call, Fault, FaultKind, Scenario
from bot.simulator.server import Simulator
from bot.simulator.tenant import PERMISSIONS, AccessPolicy, Account, GraphApi

LOBBY = "lobby.berlin.02@contoso.com"
ALLOWED, OTHERS, UNIT = (f"10000000-0000-0000-0000-{number:012}" for number in range(3))


@asynccontextmanager
async def reading_from(
    url: str,
    *,
    timeout: float = 5.0,
) -> AsyncGenerator[AccountReader, None]:
    async with aiohttp.ClientSession() as session:
        client = GraphClient(session, url, FixedToken())
        yield AccountReader(client, timeout=timeout, pause=0.001)


async def read(
    simulator: Simulator,
    usernames: Sequence[str] = (LOBBY,),
    *,
    scope: Collection[str] = (),
    seconds: float = 30.0,
) -> Sequence[AccountFacts]:
    async with reading_from(simulator.graph_url) as reader:
        chunks = [chunk async for chunk in reader.read(usernames, scope=scope, seconds=seconds)]
    assert all(len(chunk) <= CHUNK for chunk in chunks)
    return [each for chunk in chunks for each in chunk]


async def read_one(
    scenario: Scenario, username: str = LOBBY, *, scope: Collection[str] = ()
) -> AccountFacts:
    async with Simulator(scenario) as simulator:
        [facts] = await read(simulator, [username], scope=scope)
        return facts


def unknown_permission(name: str) -> Unknown:
    return Unknown(UnknownReason.PERMISSION, name)


async def test_account_is_known_in_full_when_everything_may_be_read() -> None:
    facts = await read_one(Scenario(groups={ALLOWED: (LOBBY,)}), scope=(ALLOWED, OTHERS))
    assert len(facts.object_id) == 36
    assert isinstance(facts.phone_numbers, tuple)
    [number] = facts.phone_numbers
    assert facts == AccountFacts(
        LOBBY,
        found=True,
        object_id=facts.object_id,
        principal=LOBBY,
        display_name="lobby.berlin.02",
        enabled=True,
        guest=False,
        plans=Plans(teams_phone=True, mailbox=False, desktop_apps=False),
        synchronized=False,
        restricted=False,
        must_change_password=False,
        last_interactive_sign_in=None,
        mfa=MfaState.DISABLED,
        roles=(),
        eligible_roles=(),
        member_of=frozenset({ALLOWED}),
        resource_account=False,
        phone_numbers=(number,),
        policies={PolicyType.IP_PHONE: "CommonAreaPhone", PolicyType.CALLING: "SIPDevices"},
        conditional_access=(),
    )


@pytest.mark.parametrize(
    ("account", "field", "value"),
    [
        (Account(exists=False), "found", False),
        (Account(enabled=False), "enabled", False),
        (Account(guest=True), "guest", True),
        (Account(teams_phone=False), "plans", Plans(False, False, False)),
        (Account(mailbox=True, desktop_apps=True), "plans", Plans(True, True, True)),
        (Account(synchronized=True), "synchronized", True),
        (Account(restricted=True), "restricted", True),
        (Account(must_change_password=True), "must_change_password", True),
        (Account(mfa="Enforced"), "mfa", MfaState.ENFORCED),
        (Account(roles=("Helpdesk Administrator",)), "roles", ("Helpdesk Administrator",)),
        (Account(eligible_roles=("Reader",)), "eligible_roles", ("Reader",)),
        (Account(resource_account=True), "resource_account", True),
        (Account(number=False), "phone_numbers", ()),
        (
            Account(ip_phone_policy="", calling_policy="AllOn"),
            "policies",
            {PolicyType.IP_PHONE: None, PolicyType.CALLING: "AllOn"},
        ),
    ],
)
async def test_property_is_read_as_it_stands(account: Account, field: str, value: object) -> None:
    facts = await read_one(Scenario(accounts={LOBBY: account}))
    assert getattr(facts, field) == value


async def test_last_sign_in_is_read_in_utc() -> None:
    facts = await read_one(Scenario(accounts={LOBBY: Account(signed_in_days_ago=2)}))
    assert isinstance(facts.last_interactive_sign_in, datetime)
    age = datetime.now(UTC) - facts.last_interactive_sign_in
    assert timedelta(days=2) <= age < timedelta(days=2, minutes=5)


async def test_person_shows_mailbox_and_apps() -> None:
    facts = await read_one(Scenario(), PEOPLE[0].principal.upper())
    assert facts.username == PEOPLE[0].principal.upper()
    assert facts.principal == PEOPLE[0].principal
    assert facts.plans == Plans(teams_phone=True, mailbox=True, desktop_apps=True)


async def test_accounts_come_in_order_without_repeats_and_in_chunks() -> None:
    names = [f"phone-{number}@contoso.com" for number in range(CHUNK + 1)]
    async with Simulator(Scenario(account_domains=("contoso.com",))) as simulator:
        facts = await read(simulator, [*names, "Phone-0@contoso.com", "x@fabrikam.com"])
    assert [each.username for each in facts] == [*names, "x@fabrikam.com"]
    assert [each.found for each in facts] == [True] * len(names) + [False]


@pytest.mark.parametrize(
    "name",
    [
        "o'brien''s@contoso.com",
        "100%25@contoso.com",
        "a+b#c!d^e~f_g@contoso.com",
        "a&b=c?d$e@contoso.com",
        "x" * 64 + "@" + "y" * 44 + ".com",
    ],
)
async def test_special_characters_reach_graph_unchanged(name: str) -> None:
    async with Simulator(Scenario(accounts={name: Account(name="found")})) as simulator:
        [facts] = await read(simulator, [name])
    assert (facts.found, facts.display_name) == (True, "found")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "lobby",
        "a@b@c.com",
        "a b@contoso.com",
        "a/b@contoso.com",
        "a\n@contoso.com",
        "ä@contoso.com",
        "\ud800@contoso.com",
        "x" * 65 + "@contoso.com",
    ],
)
async def test_graph_is_not_asked_about_what_is_no_principal(name: str) -> None:
    async with Simulator() as simulator:
        [facts] = await read(simulator, [name])
        assert not simulator.graph.received
    assert facts.found == Unknown(UnknownReason.NOT_READ, "not a user principal name")


@pytest.mark.parametrize(
    ("permission", "fields"),
    [
        ("User.Read.All", ("found",)),
        (
            "TeamsUserConfiguration.Read.All",
            ("resource_account", "phone_numbers"),
        ),
        ("Policy.Read.All", ("mfa", "conditional_access")),
        ("RoleManagement.Read.Directory", ("roles", "eligible_roles")),
        ("AuditLog.Read.All", ("last_interactive_sign_in",)),
        ("GroupMember.Read.All", ("member_of",)),
        ("AdministrativeUnit.Read.All", ()),
        ("Application.Read.All", ()),
    ],
)
async def test_missing_permission_leaves_only_its_own_facts_unknown(
    permission: str, fields: Sequence[str]
) -> None:
    scenario = Scenario(
        groups={ALLOWED: (LOBBY,)},
        graph=GraphApi(permissions=PERMISSIONS - {permission}),
        conditional_access=(AccessPolicy(name="Require MFA", exclude=("All",)),),
    )
    facts = await read_one(scenario, scope=(ALLOWED,))
    for field in fields:
        # Conditional Access and MFA take their permissions from the same consent.
        assert getattr(facts, field) == unknown_permission(permission), field
    if permission == "User.Read.All":
        return
    expected = {*fields, "policies"} if "phone_numbers" in fields else {*fields}
    names = set(AccountFacts.__dataclass_fields__) - expected
    assert not [name for name in names if isinstance(getattr(facts, name), Unknown)]


async def test_missing_permission_for_sign_ins_costs_one_more_call() -> None:
    graph = GraphApi(permissions=PERMISSIONS - {"AuditLog.Read.All"})
    names = [f"phone-{number}@contoso.com" for number in range(2 * CHUNK)]
    async with Simulator(Scenario(graph=graph)) as simulator:
        await read(simulator, names)
        assert simulator.graph.calls[Call.ACCOUNTS] == 3 * CHUNK // 15


async def test_tenant_without_premium_license_is_told_from_missing_permission() -> None:
    facts = await read_one(Scenario(graph=GraphApi(premium=False)))
    for fact in (facts.last_interactive_sign_in, facts.eligible_roles):
        assert isinstance(fact, Unknown)
        assert fact.reason is UnknownReason.LICENSE
    assert facts.roles == ()
    assert facts.enabled is True


async def test_cloud_without_teams_api_leaves_other_facts_known() -> None:
    facts = await read_one(Scenario(graph=GraphApi(absent=("admin/teams",))))
    assert isinstance(facts.phone_numbers, Unknown)
    assert facts.phone_numbers.reason is UnknownReason.CLOUD
    assert facts.policies == dict.fromkeys(PolicyType, facts.phone_numbers)
    assert facts.mfa is MfaState.DISABLED


async def test_cloud_without_property_leaves_other_properties_known() -> None:
    graph = GraphApi(absent_properties=("isManagementRestricted", "signInActivity"))
    facts = await read_one(Scenario(graph=graph))
    for fact in (facts.restricted, facts.last_interactive_sign_in):
        assert isinstance(fact, Unknown)
        assert fact.reason is UnknownReason.CLOUD
    assert facts.enabled is True


async def test_configurations_are_read_one_by_one_when_graph_cannot_filter_them() -> None:
    names = [f"phone-{number}@contoso.com" for number in range(CHUNK + 20)]
    async with Simulator(Scenario(graph=GraphApi(filters_configurations=False))) as simulator:
        facts = await read(simulator, names)
        # The filter is tried in the first chunk only.
        assert simulator.graph.calls[Call.CONFIGURATION] == CHUNK // 15 + len(names)
    assert all(each.policies[PolicyType.CALLING] == "SIPDevices" for each in facts)


@pytest.mark.parametrize("retry_after", [None, 0.01, "0.01"])
async def test_throttled_item_of_a_batch_is_asked_again(retry_after: float | str | None) -> None:
    faults = tuple(
        Fault(call=call, fault=FaultKind.THROTTLED, times=3, retry_after=retry_after)
        for call in (Call.ACCOUNTS, Call.CONFIGURATION, Call.MFA, Call.ROLES, Call.GRAPH_BATCH)
    )
    names = [f"phone-{number}@contoso.com" for number in range(40)]
    async with Simulator(Scenario(faults=faults)) as simulator:
        facts = await read(simulator, names)
        # Of 40, only what was throttled came again.
        assert simulator.graph.calls[Call.MFA] == 43
    assert all(each.mfa is MfaState.DISABLED and each.roles == () for each in facts)
    assert all(each.phone_numbers for each in facts)


async def test_facts_are_unavailable_when_throttled_beyond_the_deadline() -> None:
    fault = Fault(call=Call.MFA, fault=FaultKind.THROTTLED, times=0, retry_after=600)
    facts = await read_one(Scenario(faults=(fault,)))
    assert isinstance(facts.mfa, Unknown)
    assert facts.mfa.reason is UnknownReason.UNAVAILABLE
    assert facts.enabled is True
    assert facts.policies[PolicyType.CALLING] == "SIPDevices"


async def test_one_throttled_api_leaves_the_others_known_in_all_chunks() -> None:
    fault = Fault(call=Call.MFA, fault=FaultKind.THROTTLED, times=0, retry_after=600)
    names = [f"phone-{number}@contoso.com" for number in range(3 * CHUNK)]
    async with Simulator(Scenario(faults=(fault,))) as simulator:
        facts = await read(simulator, names)
        # Not asked again after a chunk in which nobody was answered.
        assert simulator.graph.calls[Call.MFA] == CHUNK
    assert all(each.enabled is True and each.phone_numbers for each in facts)
    assert all(isinstance(each.mfa, Unknown) for each in facts)


async def test_refused_token_is_renewed_once() -> None:
    fault = Fault(call=Call.GRAPH_BATCH, fault=FaultKind.UNAUTHORIZED)
    assert (await read_one(Scenario(faults=(fault,)))).mfa is MfaState.DISABLED


async def test_facts_are_unavailable_when_every_token_is_refused() -> None:
    fault = Fault(call=Call.GRAPH_BATCH, fault=FaultKind.UNAUTHORIZED, times=0)
    found = (await read_one(Scenario(faults=(fault,)))).found
    assert isinstance(found, Unknown)
    assert found.reason is UnknownReason.UNAVAILABLE


@pytest.mark.parametrize(
    "kind",
    [
        FaultKind.DROP_LOST,
        FaultKind.UNAVAILABLE,
        FaultKind.SERVER_ERROR,
        FaultKind.GATEWAY_TIMEOUT,
        FaultKind.TIMEOUT_LOST,
    ],
)
async def test_what_is_known_is_kept_when_graph_goes_down(kind: FaultKind) -> None:
    names = [f"phone-{number}@contoso.com" for number in range(3 * CHUNK)]
    async with Simulator() as simulator, reading_from(simulator.graph_url, timeout=1.0) as reader:
        chunks = reader.read(names, seconds=30)
        first = await anext(chunks)
        simulator.faults.add(Fault(call=Call.GRAPH_BATCH, fault=kind, times=0))
        rest = [each async for chunk in chunks for each in chunk]
    assert all(each.mfa is MfaState.DISABLED for each in first)
    assert len(rest) == 2 * CHUNK
    for each in rest:
        assert isinstance(each.found, Unknown)
        assert each.found.reason is UnknownReason.UNAVAILABLE


async def test_a_reset_connection_is_tried_again() -> None:
    fault = Fault(call=Call.GRAPH_BATCH, fault=FaultKind.DROP_LOST, times=3)
    facts = await read_one(Scenario(faults=(fault,)))
    assert facts.mfa is MfaState.DISABLED


async def test_nothing_is_asked_after_the_deadline() -> None:
    async with Simulator(Scenario(latency=30)) as simulator:
        started = asyncio.get_running_loop().time()
        facts = await read(simulator, [LOBBY, "other@contoso.com"], seconds=0.1)
        assert asyncio.get_running_loop().time() - started < 10
    assert all(isinstance(each.found, Unknown) for each in facts)


async def test_reading_resumes_with_the_usernames_that_are_left() -> None:
    names = [f"phone-{number}@contoso.com" for number in range(CHUNK + 5)]
    async with Simulator() as simulator:
        async with reading_from(simulator.graph_url) as reader:
            chunks = reader.read(names, seconds=30)
            first = await anext(chunks)
            await chunks.aclose()
        rest = await read(simulator, names[len(first) :])
    assert [each.username for each in (*first, *rest)] == names


async def test_nothing_runs_on_when_the_reader_is_closed_midway() -> None:
    names = [f"phone-{number}@contoso.com" for number in range(6 * CHUNK)]
    async with (
        Simulator(Scenario(latency=0.05)) as simulator,
        reading_from(simulator.graph_url) as reader,
    ):
        chunks = reader.read(names, seconds=30)
        await anext(chunks)
        await anext(chunks)
        await chunks.aclose()
        assert not [each for each in asyncio.all_tasks() if "chunk" in repr(each.get_coro())]


async def test_roles_are_held_through_groups_over_several_pages() -> None:
    many = {f"person-{number}@contoso.com": Account(roles=("Reader",)) for number in range(250)}
    scenario = Scenario(
        accounts={**many, LOBBY: Account()},
        groups={ALLOWED: (OTHERS,), OTHERS: (LOBBY,)},
        group_roles={ALLOWED: ("Global Administrator",)},
    )
    facts = await read_one(scenario)
    assert facts.roles == ("Global Administrator",)


async def test_roles_are_unknown_unless_listed_when_a_page_is_missing() -> None:
    many = {f"person-{number}@contoso.com": Account(roles=("Reader",)) for number in range(250)}
    fault = Fault(call=Call.ROLES, fault=FaultKind.FORBIDDEN, nth=2)
    async with Simulator(Scenario(accounts=many, faults=(fault,))) as simulator:
        listed, other = await read(simulator, ["person-0@contoso.com", LOBBY])
    assert listed.roles == ("Reader",)
    assert other.roles == unknown_permission("RoleManagement.Read.Directory")


async def test_roles_are_unknown_when_groups_may_not_be_read() -> None:
    scenario = Scenario(
        groups={ALLOWED: (LOBBY,)},
        group_roles={ALLOWED: ("Global Administrator",)},
        graph=GraphApi(permissions=PERMISSIONS - {"GroupMember.Read.All"}),
    )
    assert (await read_one(scenario)).roles == unknown_permission("GroupMember.Read.All")


async def test_membership_covers_nested_groups_and_administrative_units() -> None:
    scenario = Scenario(
        groups={ALLOWED: (OTHERS,), OTHERS: (LOBBY,)}, administrative_units={UNIT: (LOBBY,)}
    )
    scope = (ALLOWED, OTHERS.upper(), UNIT, "10000000-0000-0000-0000-00000000dead")
    assert (await read_one(scenario, scope=scope)).member_of == {ALLOWED, OTHERS, UNIT}


async def test_large_group_is_asked_about_each_account_instead_of_listed() -> None:
    members = tuple(f"person-{number}@contoso.com" for number in range(50))
    graph = GraphApi(max_page=10)
    async with Simulator(Scenario(groups={ALLOWED: (*members, LOBBY)}, graph=graph)) as simulator:
        inside, outside = await read(simulator, [LOBBY, "x@contoso.com"], scope=(ALLOWED,))
        assert simulator.graph.calls[Call.GROUP_MEMBERS] == 1
        assert simulator.graph.calls[Call.GROUPS] == 2
    assert (inside.member_of, outside.member_of) == ({ALLOWED}, frozenset())


async def test_group_is_listed_over_pages_when_that_takes_fewer_calls() -> None:
    names = tuple(f"phone-{number}@contoso.com" for number in range(100))
    graph = GraphApi(max_page=40)
    async with Simulator(Scenario(groups={ALLOWED: names}, graph=graph)) as simulator:
        facts = await read(simulator, names, scope=(ALLOWED,))
        assert simulator.graph.calls[Call.GROUP_MEMBERS] == 3
        assert not simulator.graph.calls[Call.GROUPS]
    assert all(each.member_of == {ALLOWED} for each in facts)


async def test_unit_that_may_not_be_read_is_unknown_unless_another_contains_the_account() -> None:
    scenario = Scenario(
        groups={ALLOWED: (LOBBY,)},
        administrative_units={UNIT: ()},
        graph=GraphApi(permissions=PERMISSIONS - {"AdministrativeUnit.Read.All"}),
    )
    async with Simulator(scenario) as simulator:
        inside, outside = await read(simulator, [LOBBY, "x@contoso.com"], scope=(ALLOWED, UNIT))
    assert inside.member_of == {ALLOWED}
    assert outside.member_of == unknown_permission("AdministrativeUnit.Read.All")


REQUIRE_MFA = AccessPolicy(name="Require MFA", exclude=(ALLOWED,))


async def test_what_if_is_asked_once_per_set_of_accounts() -> None:
    names = [f"phone-{number}@contoso.com" for number in range(CHUNK + 100)]
    scenario = Scenario(
        conditional_access=(
            REQUIRE_MFA,
            AccessPolicy(name="Report only", state="enabledForReportingButNotEnforced"),
            AccessPolicy(name="Off", state="disabled", controls=("block",)),
        ),
        groups={ALLOWED: tuple(names[::2])},
    )
    async with Simulator(scenario) as simulator:
        facts = await read(simulator, names)
        assert simulator.graph.calls[Call.WHAT_IF] == 2
    hit = ConditionalAccessHit("Require MFA", ("mfa",))
    assert [each.conditional_access for each in facts[:4]] == [(), (hit,), (), (hit,)]


async def test_account_that_a_policy_names_is_asked_about_alone() -> None:
    policy = AccessPolicy(name="Block lobby", controls=("block",), include=(LOBBY,))
    names = ["a@contoso.com", LOBBY, "b@contoso.com"]
    scenario = Scenario(conditional_access=(policy,), accounts={LOBBY: Account()})
    async with Simulator(scenario) as simulator:
        facts = await read(simulator, names)
        assert simulator.graph.calls[Call.WHAT_IF] == 2
    hits = [each.conditional_access for each in facts]
    assert hits == [(), (ConditionalAccessHit("Block lobby", ("block",)),), ()]


async def test_sample_is_asked_when_policies_cannot_be_read() -> None:
    fault = Fault(call=Call.ACCESS_POLICIES, fault=FaultKind.FORBIDDEN, times=0)
    scenario = Scenario(conditional_access=(REQUIRE_MFA,), faults=(fault,), groups={ALLOWED: ()})
    names = [f"phone-{number}@contoso.com" for number in range(CHUNK + 50)]
    async with Simulator(scenario) as simulator:
        facts = await read(simulator, names)
        assert simulator.graph.calls[Call.WHAT_IF] == 20
    known = [each for each in facts if not isinstance(each.conditional_access, Unknown)]
    assert len(known) == 20
    assert all(each.conditional_access for each in known)


async def test_conditional_access_is_unknown_when_what_if_lacks_information() -> None:
    policy = AccessPolicy(name="Trusted places only", controls=("block",), undecided=True)
    facts = await read_one(Scenario(conditional_access=(policy,)))
    unknown = Unknown(UnknownReason.UNREADABLE, "Trusted places only")
    assert facts.conditional_access == unknown


async def test_similar_names_are_candidates_for_a_typing_error() -> None:
    known = {f"lobby.berlin.{number:02}@contoso.com": Account() for number in range(5)}
    scenario = Scenario(accounts={**known, "lobby.paris.01@contoso.com": Account()})
    async with Simulator(scenario) as simulator, reading_from(simulator.graph_url) as reader:
        names = ["lobby.berlin.2@contoso.com", "lobyb.berlin.02@contoso.com", "no/name"]
        found = await reader.similar(names)
        assert simulator.graph.received == 2
    assert sorted(found[names[0]]) == sorted(known)
    assert set(known) <= set(found[names[1]])
    assert names[2] not in found


async def test_similar_names_are_none_when_graph_is_down() -> None:
    fault = Fault(call=Call.GRAPH_BATCH, fault=FaultKind.DROP_LOST, times=0)
    async with (
        Simulator(Scenario(faults=(fault,))) as simulator,
        reading_from(simulator.graph_url) as reader,
    ):
        assert await reader.similar([LOBBY]) == {LOBBY: []}


async def test_hundred_accounts_take_at_most_twelve_calls() -> None:
    names = [f"phone-{number}@contoso.com" for number in range(100)]
    scenario = Scenario(
        accounts={"admin@contoso.com": Account(roles=("Global Administrator",))},
        groups={ALLOWED: tuple(names), OTHERS: ("admin@contoso.com",)},
        group_roles={OTHERS: ("Teams Administrator",)},
        conditional_access=(REQUIRE_MFA,),
    )
    async with Simulator(scenario) as simulator:
        facts = await read(simulator, names, scope=(ALLOWED,))
        # Roles, groups and policies, their groups, users, configurations, and five times MFA.
        assert simulator.graph.received == 9
    assert not [each for each in facts if isinstance(each.conditional_access, Unknown)]
