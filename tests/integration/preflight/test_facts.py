"""Facts of a tenant over HTTP: doubts about IP phone policies, and similar names."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

import aiohttp

from bot.directory.accounts import MAX_SIMILAR
from bot.directory.client import GraphClient
from bot.gateway.configapi import ConfigApiGateway
from bot.identity.tokens import FixedToken
from bot.preflight import checks
from bot.preflight.facts import AccountFacts, PolicyType
from bot.preflight.verdict import Check, Result
from bot.runner.facts import NOT_LISTED, TenantReader
from bot.settings.scope import AccountScope
from bot.simulator.scenario import Scenario
from bot.simulator.server import Simulator
from bot.simulator.tenant import Account
from tests.support.jobs import utc_now

WITHOUT_ENTRY = {f"lobby{n}@contoso.com": Account(ip_phone_policy="") for n in range(2)}


@asynccontextmanager
async def reading(scenario: Scenario) -> AsyncGenerator[TenantReader]:
    async with Simulator(scenario) as simulator, aiohttp.ClientSession() as session:
        tokens = FixedToken()
        yield TenantReader(
            GraphClient(session, simulator.graph_url, tokens),
            ConfigApiGateway(session, simulator.configapi_url, tokens),
        )


async def read(reader: TenantReader, *usernames: str) -> Mapping[str, AccountFacts]:
    chunks = reader.accounts(usernames, AccountScope())
    return {facts.username: facts async for chunk in chunks for facts in chunk}


async def test_ip_phone_policy_is_not_known_if_no_account_has_an_entry_of_that_type() -> None:
    async with reading(Scenario(accounts=WITHOUT_ENTRY)) as reader:
        tenant = await reader.tenant()
        found = await read(reader, *WITHOUT_ENTRY)

    for facts in found.values():
        assert facts.policies[PolicyType.IP_PHONE] == NOT_LISTED
        report = checks.account(facts, tenant, AccountScope(), utc_now())
        (verdict,) = [each for each in report.verdicts if each.check is Check.IP_PHONE_POLICY]
        assert verdict.result is Result.UNKNOWN


async def test_global_ip_phone_policy_applies_if_another_account_has_an_entry_of_that_type() -> (
    None
):
    async with reading(Scenario(accounts=WITHOUT_ENTRY)) as reader:
        tenant = await reader.tenant()
        found = await read(reader, *WITHOUT_ENTRY, "lobby7@contoso.com")

    facts = found["lobby0@contoso.com"]
    assert facts.policies[PolicyType.IP_PHONE] is None
    report = checks.account(facts, tenant, AccountScope(), utc_now())
    assert "no-common-area-policy" in [each.code for each in report.problems]


async def test_ip_phone_policy_passes_if_the_global_one_is_right_for_phones() -> None:
    policies = {"Global": "CommonAreaPhoneSignIn"}
    scenario = Scenario(accounts=WITHOUT_ENTRY, ip_phone_policies=policies)
    async with reading(scenario) as reader:
        tenant = await reader.tenant()
        found = await read(reader, *WITHOUT_ENTRY)

    for facts in found.values():
        assert checks.account(facts, tenant, AccountScope(), utc_now()).problems == []


async def test_similar_names_are_looked_up_for_the_first_missing_accounts_only() -> None:
    accounts = {"lobby.berlin.02@contoso.com": Account()}
    missing = [f"lobby.berlin.{n}@contoso.com" for n in range(100, 100 + 2 * MAX_SIMILAR)]
    scenario = Scenario(accounts=accounts, account_domains=("elsewhere.example",))
    async with reading(scenario) as reader:
        found = await read(reader, *missing)

    with_similar = [name for name, facts in found.items() if facts.similar]
    assert with_similar == missing[:MAX_SIMILAR]
