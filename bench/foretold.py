"""Which failures of the SIP Gateway's catalog the account checks foretell, and with how many false alarms.

Each failure is set up in a simulated tenant as it comes about; then its account is checked, together with a
healthy one, as in a file. A clean tenant is checked, too.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import aiohttp
from rich.console import Console
from rich.table import Table

from bot import logs
from bot.directory.client import GraphClient
from bot.gateway.configapi import ConfigApiGateway
from bot.identity.tokens import FixedToken
from bot.preflight import checks
from bot.preflight.verdict import Result, Verdict
from bot.runner.facts import TenantReader
from bot.settings.scope import AccountScope
from bot.signin.outcome import CAUSES
from bot.simulator.scenario import MESSAGES, Scenario
from bot.simulator.server import Simulator
from bot.simulator.tenant import Account

HEALTHY = "lobby.berlin.02@contoso.com"
LOBBY = "lobby.berlin.01@contoso.com"
CLEAN = 500  # accounts
#: How a failure comes about, where Microsoft says so: what differs from a healthy tenant. The other ones
#: are about phones, files, or the on-premises directory at that moment.
TENANTS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "user-not-found": {"accounts": {LOBBY: Account(exists=False)}},
        "no-phone-number": {"accounts": {LOBBY: Account(number=False)}},
        "no-sip-calling-policy": {"accounts": {LOBBY: Account(calling_policy="")}},
        "no-cap-policy": {"accounts": {LOBBY: Account(ip_phone_policy="")}},
        "ip-not-trusted": {"trusted_addresses": False},
        "ad-configuration": {"accounts": {LOBBY: Account(synchronized=True)}},
        "ad-throttling": {"accounts": {LOBBY: Account(synchronized=True)}},
        "password-writeback": {"accounts": {LOBBY: Account(synchronized=True)}},
    }
)
#: The failures that the SIP Gateway's catalog has for phones.
FAILURES = tuple(code for code in CAUSES if code in MESSAGES)


async def verdicts(scenario: Scenario, accounts: list[str]) -> list[Verdict]:
    """What the checks find of the tenant and the accounts, apart from what is passed."""
    async with Simulator(scenario) as simulator, aiohttp.ClientSession() as session:
        tokens = FixedToken()
        reader = TenantReader(
            GraphClient(session, simulator.graph_url, tokens),
            ConfigApiGateway(session, simulator.configapi_url, tokens),
        )
        tenant = await reader.tenant()
        found = list(checks.tenant(tenant))
        async for chunk in reader.accounts(accounts, AccountScope()):
            for facts in chunk:
                report = checks.account(facts, tenant, AccountScope(), datetime.now(UTC))
                found += report.verdicts
    return [each for each in found if each.result is not Result.PASSED]


async def foretold() -> Mapping[str, Verdict | None]:
    """The gravest verdict before each failure; None if nothing was foretold. What is not known is not."""
    order = [Result.REFUSED, Result.GUARDED, Result.FAILED, Result.WARNING]
    found: dict[str, Verdict | None] = {}
    for code in FAILURES:
        outcomes = {} if code in TENANTS else {LOBBY: (code,)}
        values = {"outcomes": outcomes, **TENANTS.get(code, {})}
        of_case = await verdicts(Scenario.model_validate(values), [LOBBY, HEALTHY])
        told = [each for each in of_case if each.result is not Result.UNKNOWN]
        found[code] = min(told, key=lambda each: order.index(each.result), default=None)
    return found


async def false_alarms(accounts: int = CLEAN) -> list[Verdict]:
    """What the checks find in a clean tenant."""
    return await verdicts(Scenario(), [f"lobby.{n}@contoso.com" for n in range(accounts)])


def main(show: Callable[[Table], None]) -> int:
    parser = argparse.ArgumentParser(description="Measure what the account checks foretell.")
    parser.add_argument("--accounts", type=int, default=CLEAN, help="of the clean tenant")
    options = parser.parse_args()
    logs.configure(level="warning")
    table = Table(title="Failures of the SIP Gateway's catalog, foretold by the account checks")
    for column in ("failure", "foretold as", "by"):
        table.add_column(column)
    found = asyncio.run(foretold())
    for code, verdict in found.items():
        if verdict is None:
            table.add_row(code, "-", "")
        else:
            table.add_row(code, verdict.result.value, verdict.code)
    alarms = asyncio.run(false_alarms(options.accounts))
    results = [verdict.result for verdict in found.values() if verdict]
    table.caption = (
        f"{results.count(Result.FAILED)} of {len(found)} foretold, "
        f"{results.count(Result.WARNING)} more warned of; "
        f"{len(alarms)} false alarms in {options.accounts} accounts"
    )
    show(table)
    return 1 if alarms else 0


if __name__ == "__main__":
    sys.exit(main(Console().print))
