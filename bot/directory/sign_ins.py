"""Reads Entra ID's sign-in log: who signed in to the SIP Gateway's application, and since when.

Application permission: AuditLog.Read.All; the tenant needs Entra ID P1. One list of the application's
sign-ins serves all accounts; where Graph cannot list them so, each account is asked for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

from bot.directory import reading
from bot.directory.batch import TOO_LONG, Batches, Listing, Query, Refusal
from bot.directory.client import GraphClient
from bot.preflight.facts import Unknown

PERMISSION = "AuditLog.Read.All"
#: SIP Gateway UserApp, which signs phones in. Source: Microsoft, "SIP Gateway dynamic filters". That its
#: sign-ins are in the log is an assumption.
APPLICATION = "582b2e88-6cca-4418-83d2-2451801e1d26"
LOG = "/auditLogs/signIns"
PAGE = 999  # sign-ins, at most, that Graph puts on a page
MAX_PAGES = 20
MAX_ASKED = 2000  # accounts that are asked for one by one in a run: 100 calls


@dataclass(frozen=True, slots=True)
class SignIn:
    """One entry of the log."""

    account: str  #: user principal name, case-folded
    at: datetime  #: UTC
    error: int  #: the number after AADSTS; 0 for success


@dataclass(frozen=True, slots=True)
class SignInLog:
    """What could be read of the log."""

    sign_ins: Sequence[SignIn] = ()
    #: Why there may be more; None if the log was read to its end.
    gap: Unknown | None = None


async def read(
    client: GraphClient, accounts: Sequence[str], since: datetime, *, seconds: float = 60.0
) -> SignInLog:
    """The sign-ins to the SIP Gateway's application since then.

    `accounts` are user principal names; sign-ins of others may be among the result. Never raises because
    of what Graph responds.
    """
    deadline = asyncio.get_running_loop().time() + seconds
    with closing(Batches(client, deadline=deadline)) as batches:
        [listing] = await batches.listings([_query(since)], max_pages=MAX_PAGES)
        if not _cannot_list(listing.gap):
            return _log([listing])
        asked = accounts[:MAX_ASKED]
        listings = await batches.listings([_query(since, each) for each in asked], max_pages=1)
        left = Listing(gap=TOO_LONG if len(asked) < len(accounts) else None)
        return _log([Listing(listing.rows), *listings, left])


def _cannot_list(gap: Refusal | None) -> bool:
    """Whether Graph may answer for single accounts what it does not for all of them."""
    return gap is TOO_LONG or (gap is not None and gap.status == 400 and not gap.no_such_api)


def _query(since: datetime, account: str = "") -> Query:
    conditions = [f"appId eq '{APPLICATION}'"]
    if account:
        name = account.replace("'", "''")
        conditions.append(f"userPrincipalName eq '{name}'")
    conditions.append(f"createdDateTime ge {since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}")
    return Query(f"{LOG}?$filter={quote(' and '.join(conditions), safe='')}&$top={PAGE}")


def _log(listings: Iterable[Listing]) -> SignInLog:
    sign_ins: list[SignIn] = []
    gap: Unknown | None = None
    for listing in listings:
        if listing.gap is not None:
            gap = gap or listing.gap.unknown(PERMISSION)
        for row in listing.rows:
            found = _sign_in(row)
            if isinstance(found, Unknown):
                gap = gap or found
            elif found is not None:
                sign_ins.append(found)
    return SignInLog(sign_ins, gap)


def _sign_in(row: reading.Row) -> SignIn | Unknown | None:
    """Returns None for a sign-in to another application."""
    if reading.object_id(row, "appId") not in ("", APPLICATION):
        return None
    account = reading.text(row, "userPrincipalName")
    at = reading.moment(row.get("createdDateTime"))
    status = row.get("status")
    error = status.get("errorCode") if isinstance(status, dict) else None
    if not account or at is None or type(error) is not int:
        return reading.unreadable("signIns")
    return SignIn(account.casefold(), at, error)
