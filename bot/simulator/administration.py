"""Simulates the ConfigAPI's writes: grants to users, new policies, the switch. Routes as in the public
client terraprovider/go-teams."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from bot.simulator.accounts import Accounts, Entry
from bot.simulator.faults import Faults
from bot.simulator.policies import CALLING, FIELD, IP_PHONE, SWITCH
from bot.simulator.scenario import Call, Scenario

ErrorBody = Callable[[int, str, str], web.Response]


class Administration:
    """Records every write that took effect."""

    def __init__(
        self, scenario: Scenario, faults: Faults, accounts: Accounts, error: ErrorBody
    ) -> None:
        self._scenario = scenario
        self._faults = faults
        self._accounts = accounts
        self._policies = accounts.policies
        self._error = error
        self.calls: Counter[Call] = Counter()
        #: (lowercase principal, policy type, policy name or "") in order
        self.grants: list[tuple[str, str, str]] = []
        self._refused = {each.casefold() for each in scenario.refused_grants}

    def routes(self) -> web.RouteTableDef:
        routes = web.RouteTableDef()
        routes.get("/Teams.User/users/{id}")(self._user)
        routes.patch("/Skype.Policy/users/{id}/policies/{type}")(self._grant)
        routes.post("/Skype.Policy/configurations/{type}")(self._create)
        routes.put("/Skype.Policy/configurations/{type}/configuration/{name}")(self._set)
        return routes

    async def _play(
        self,
        request: web.Request,
        call: Call,
        work: Callable[[], Awaitable[web.StreamResponse]],
    ) -> web.StreamResponse:
        """Do the work, unless a fault replaces it; a fault that accepts it loses its answer only."""
        self.calls[call] += 1
        if not request.headers.get("Authorization", "").startswith("Bearer "):
            return self._error(401, "Unauthorized", "No access token.")
        fault = self._faults.next(call)
        if fault is None:
            return await work()
        if fault.fault.accepted:
            await work()
        return await self._faults.play(request, fault, self._error)

    def _entry(self, request: web.Request) -> Entry | None:
        name = request.match_info["id"]
        return self._accounts.find(name) if "@" in name else self._accounts.by_id(name)

    async def _user(self, request: web.Request) -> web.StreamResponse:
        async def work() -> web.StreamResponse:
            entry = self._entry(request)
            if entry is None:
                return self._error(404, "NotFound", "User not found.")
            assigned: dict[str, Any] = {
                kind: {"Name": name, "Authority": "Tenant"} if name else None
                for kind, name in (
                    (IP_PHONE, entry.account.ip_phone_policy),
                    (CALLING, entry.account.calling_policy),
                )
            }
            names = {"Identity": entry.object_id, "UserPrincipalName": entry.principal}
            return web.json_response(names | assigned)

        return await self._play(request, Call.TEAMS_USER, work)

    async def _grant(self, request: web.Request) -> web.StreamResponse:
        kind, body = request.match_info["type"], await _json(request)

        async def work() -> web.StreamResponse:
            entry, name = self._entry(request), body.get("PolicyName")
            if entry is None:
                return self._error(404, "NotFound", "User not found.")
            if entry.principal.casefold() in self._refused:
                return self._error(400, "BadRequest", "The user is not enabled for Teams.")
            if kind not in FIELD or (name and self._policies.find(kind, name) is None):
                return self._error(400, "BadRequest", f"Policy {name} is not found.")
            plain = str(name or "").removeprefix("Tag:")
            self.grants.append((entry.principal.casefold(), kind, plain))

            def apply() -> None:
                current = self._accounts.find(entry.principal)
                if current is not None:
                    changed = current.account.model_copy(update={FIELD[kind]: plain})
                    self._accounts.set(current.principal, changed)

            self._policies.later(apply)
            return web.Response(status=200)

        return await self._play(request, Call.GRANT, work)

    async def _create(self, request: web.Request) -> web.StreamResponse:
        kind, body = request.match_info["type"], await _json(request)

        async def work() -> web.StreamResponse:
            name = str(body.pop("Identity", "")).removeprefix("Tag:")
            if kind not in self._policies.instances or not name:
                return self._error(400, "BadRequest", "Identity is missing.")
            if self._policies.find(kind, name) is not None:
                return self._error(409, "Conflict", f"Policy {name} already exists.")
            self._policies.later(lambda: self._policies.instances[kind].setdefault(name, body))
            return web.json_response({"Identity": f"Tag:{name}", **body})

        return await self._play(request, Call.CREATE_POLICY, work)

    async def _set(self, request: web.Request) -> web.StreamResponse:
        kind, body = request.match_info["type"], await _json(request)

        async def work() -> web.StreamResponse:
            value = body.get("BulkSignIn")
            if kind != SWITCH or value not in ("Enabled", "Disabled"):
                return self._error(400, "BadRequest", "BulkSignIn is Enabled or Disabled.")

            def apply() -> None:
                self._policies.bulk_sign_in = value == "Enabled"

            self._policies.later(apply)
            return web.Response(status=200)

        return await self._play(request, Call.SWITCH, work)


async def _json(request: web.Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.read())
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
