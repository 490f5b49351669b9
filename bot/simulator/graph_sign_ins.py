"""The simulated Graph's sign-in log: an entry for each phone that the simulated SIP Gateway signed in."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from bot.simulator.configapi import Batch
from bot.simulator.graph_api import Endpoint, Reply, Request, error, page
from bot.simulator.scenario import SUCCESS, Call, Scenario

_USER_APP = "582b2e88-6cca-4418-83d2-2451801e1d26"  # SIP Gateway UserApp
_EQUALS = re.compile(r"(\w+) eq '((?:[^']|'')*)'")
_SINCE = re.compile(r"createdDateTime ge (\S+)")


class GraphSignIns:
    """The log of `batches`, which grow as the SIP Gateway accepts more."""

    def __init__(self, scenario: Scenario, batches: Mapping[str, Batch]) -> None:
        self._scenario = scenario
        self._batches = batches
        log = scenario.sign_in_log
        self._missing = {account.casefold() for account in log.missing}
        self._errors = {account.casefold(): code for account, code in log.errors.items()}

    def endpoints(self) -> Sequence[Endpoint]:
        permission = "AuditLog.Read.All"
        return (Endpoint(Call.SIGN_INS, "GET", "auditLogs/signIns", permission, self._list),)

    def _list(self, request: Request, _: re.Match[str]) -> Reply:
        if not self._scenario.graph.premium:
            code = "Authentication_RequestFromNonPremiumTenantOrB2CTenant"
            return error(403, code, "Neither tenant is B2C or tenant doesn't have premium license.")
        expression = request.query.get("$filter", "")
        wanted = {name: value.replace("''", "'") for name, value in _EQUALS.findall(expression)}
        account = wanted.get("userPrincipalName", "").casefold()
        if expression and not account and not self._scenario.sign_in_log.filters_application:
            return error(400, "BadRequest", "Invalid filter clause: appId is not supported alone.")
        since = _SINCE.search(expression)
        rows = [
            _row(username, at, self._errors.get(username.casefold(), 0))
            for username, at in self._entries()
            if (not account or username.casefold() == account)
            and wanted.get("appId", _USER_APP) == _USER_APP
            and (since is None or at >= datetime.fromisoformat(since[1]))
        ]
        rows.sort(key=lambda row: row["createdDateTime"], reverse=True)
        return page(request, self._scenario, rows)

    def _entries(self) -> Iterator[tuple[str, datetime]]:
        """Accounts and times of the sign-ins that the log shows by now."""
        now, lag = time.monotonic(), self._scenario.sign_in_log.lag
        for batch in self._batches.values():
            for index in range(batch.done(now)):
                username = batch.items[index].username
                after = batch.seconds * (index + 1) / len(batch.items)
                if batch.outcomes[index] != SUCCESS or username.casefold() in self._missing:
                    continue
                if batch.started + after + lag <= now:
                    yield username, batch.created_at + timedelta(seconds=after)


def _row(username: str, at: datetime, code: int) -> dict[str, Any]:
    return {
        "id": f"{at:%Y%m%d%H%M%S%f}",
        "createdDateTime": f"{at:%Y-%m-%dT%H:%M:%SZ}",
        "userPrincipalName": username.lower(),
        "appId": _USER_APP,
        "appDisplayName": "SIP Gateway UserApp",
        "status": {"errorCode": code, "failureReason": "Other." if not code else "Failed."},
    }
