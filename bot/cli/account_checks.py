"""Account checks at a terminal: the same verdicts as on the card, with the app's own permissions."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from bot import logs
from bot.cli.common import load_settings, usage_errors
from bot.phones.issue import Issue, Severity
from bot.phones.roster import Roster
from bot.preflight import checks, findings
from bot.preflight.facts import AccountFacts, Unknown, UnknownReason
from bot.preflight.summary import summarize
from bot.preflight.verdict import LEFT_OUT, AccountReport, Result, Verdict
from bot.reading import reading_facts
from bot.settings.model import Settings
from bot.settings.values import Gateway
from bot.words import Words

_RANK = {severity: rank for rank, severity in enumerate(Severity)}


@dataclass(frozen=True, slots=True)
class CheckedRoster:
    """A validated file after the check of its accounts."""

    #: Rows whose accounts would be left out are not ready; issues and notices have the verdicts.
    roster: Roster
    results: Mapping[Result, int]  #: accounts by their gravest verdict
    simulated: bool  #: checked in the simulated tenant


def check(roster: Roster, words: Words) -> CheckedRoster:
    """Check the accounts of the ready rows. Raises UsageError when the settings do not allow it."""
    settings = load_settings()
    logs.configure(level="error")
    with usage_errors():
        reports, tenant = asyncio.run(_read(settings, roster))
    rows, issues = list(roster.rows), list(roster.issues)
    for index, row in enumerate(rows):
        report = reports.get(row.username.casefold()) if row.ready else None
        if report is not None:
            issues += findings.issues(report, row.number)
            rows[index] = row._replace(ready=report.result not in LEFT_OUT)
    summary = summarize(reports.values())
    notices = findings.notices(
        tenant, summary.gaps, lambda each: words(f"preflight-check-{each.value}")
    )
    checked = replace(
        roster,
        rows=rows,
        issues=sorted(issues, key=_order),
        notices=[*notices, *roster.notices],
    )
    return CheckedRoster(checked, summary.accounts, settings.gateway is Gateway.SIMULATOR)


def _order(issue: Issue) -> tuple[int, int]:
    return _RANK[issue.severity], issue.row


async def _read(
    settings: Settings, roster: Roster
) -> tuple[Mapping[str, AccountReport], Sequence[Verdict]]:
    """The reports by account, case-folded, and the verdicts on the tenant."""
    accounts: dict[str, str] = {}
    for row in roster.rows:
        if row.ready:
            accounts.setdefault(row.username.casefold(), row.username)
    facts: dict[str, AccountFacts] = {}
    async with reading_facts(settings) as reader:
        tenant = await reader.tenant()
        async with aclosing(reader.accounts(list(accounts.values()), settings.scope)) as chunks:
            async for chunk in chunks:
                facts |= {each.username.casefold(): each for each in chunk}
    unread = Unknown(UnknownReason.NOT_READ)
    now = datetime.now(UTC)
    reports = {
        account: checks.account(
            facts.get(account, AccountFacts(username, unread)), tenant, settings.scope, now
        )
        for account, username in accounts.items()
    }
    return reports, checks.tenant(tenant)
