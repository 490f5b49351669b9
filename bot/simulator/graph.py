"""Simulates the part of Microsoft Graph v1.0 that Offhook uses: users and group membership."""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from collections import Counter
from collections.abc import Sequence

from aiohttp import web

from bot.simulator.faults import Faults
from bot.simulator.scenario import Call, Person, Scenario

_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MAX_GROUPS = 20
_GIVEN = ("Ada", "Ben", "Carla", "Dev", "Elif", "Femi", "Grace", "Hugo", "Ines", "Jonas")
_FAMILY = ("Adler", "Brandt", "Castro", "Dahl", "Evans", "Fischer", "Garcia", "Haas", "Ito", "Jung")


class Graph:
    """The tenant's users and groups, from the scenario."""

    def __init__(self, scenario: Scenario, faults: Faults) -> None:
        self.scenario = scenario
        self.calls: Counter[Call] = Counter()
        self._faults = faults
        self._people = {person.object_id.lower(): person for person in scenario.people}
        self._principals = {person.principal.lower(): person for person in scenario.people}

    def routes(self) -> web.RouteTableDef:
        routes = web.RouteTableDef()
        routes.get("/v1.0/users")(self._list_users)
        routes.get("/v1.0/groups")(self._list_groups)
        routes.get("/v1.0/users/{user}")(self._user)
        routes.post("/v1.0/users/{user}/checkMemberGroups")(self._groups)
        return routes

    def person(self, key: str) -> Person | None:
        """The person with this object ID or user principal name, in any case.

        Returns None when not found; the scenario's `anyone` invents a person for any GUID.
        """
        key = key.lower()
        person = self._people.get(key) or self._principals.get(key)
        if person or not self.scenario.anyone or not _GUID.fullmatch(key):
            return person
        number = uuid.UUID(key).int
        given, family = _GIVEN[number % 10], _FAMILY[number // 10 % 10]
        principal = f"{given}.{family}.{key[-4:]}@example.com".lower()
        return Person(object_id=key, name=f"{given} {family}", principal=principal)

    async def _early_response(self, request: web.Request, call: Call) -> web.StreamResponse | None:
        """The response if a fault or a missing token ends the call; otherwise None."""
        self.calls[call] += 1
        fault = self._faults.next(call)
        if self.scenario.latency:
            await asyncio.sleep(self.scenario.latency)
        if fault is not None:
            return await self._faults.play(request, fault, _error)
        if not request.headers.get("Authorization", "").startswith("Bearer "):
            return _error(401, "InvalidAuthenticationToken", "Access token is empty.")
        return None

    async def _list_users(self, request: web.Request) -> web.StreamResponse:
        ids = [person.object_id for person in self.scenario.people]
        return await self._list(request, Call.LIST_USERS, ids)

    async def _list_groups(self, request: web.Request) -> web.StreamResponse:
        return await self._list(request, Call.LIST_GROUPS, [*self.scenario.groups])

    async def _list(
        self, request: web.Request, call: Call, ids: Sequence[str]
    ) -> web.StreamResponse:
        """The first IDs. `$top` is the only OData option supported."""
        error = await self._early_response(request, call)
        if error is not None:
            return error
        top = request.query.get("$top", "100")
        if not top.isdecimal():
            return _error(400, "Request_BadRequest", "Invalid value for $top.")
        return web.json_response({"value": [{"id": each} for each in ids[: int(top)]]})

    async def _person_or_response(
        self, request: web.Request, call: Call
    ) -> Person | web.StreamResponse:
        """The person in the request's path, or the response if the call ends here."""
        error = await self._early_response(request, call)
        if error is not None:
            return error
        user = request.match_info["user"]
        person = self.person(user)
        if person is None:
            text = f"Resource '{user}' does not exist or one of its queried reference-property "
            return _error(404, "Request_ResourceNotFound", f"{text}objects are not present.")
        return person

    async def _user(self, request: web.Request) -> web.StreamResponse:
        person = await self._person_or_response(request, Call.USERS)
        if not isinstance(person, Person):
            return person
        return web.json_response(
            {
                "@odata.context": "https://graph.microsoft.com/v1.0/$metadata#users/$entity",
                "id": person.object_id,
                "displayName": person.name,
                "userPrincipalName": person.principal,
                "userType": "Guest" if person.guest else "Member",
            }
        )

    async def _groups(self, request: web.Request) -> web.StreamResponse:
        person = await self._person_or_response(request, Call.GROUPS)
        if not isinstance(person, Person):
            return person
        try:
            group_ids = [str(each) for each in json.loads(await request.read())["groupIds"]]
        except (ValueError, KeyError, TypeError):
            return _error(400, "Request_BadRequest", "groupIds is missing.")
        if len(group_ids) > _MAX_GROUPS:
            return _error(400, "Request_BadRequest", "Too many values in groupIds.")
        member_of = {
            group.lower()
            for group, members in self.scenario.groups.items()
            if person.object_id.lower() in {member.lower() for member in members}
        }
        return web.json_response(
            {"value": [each for each in group_ids if each.lower() in member_of]}
        )


def _error(status: int, code: str, text: str) -> web.Response:
    return web.json_response({"error": {"code": code, "message": text}}, status=status)
