"""Simulates the part of Microsoft Graph that Offhook uses: people and groups, `$batch`, permissions.

Accounts and the tenant's settings have modules of their own.
"""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl, unquote

from aiohttp import web

from bot.simulator.accounts import Accounts
from bot.simulator.configapi import Batch
from bot.simulator.faults import Faults
from bot.simulator.graph_accounts import GraphAccounts
from bot.simulator.graph_api import Endpoint, Reply, Request, error, not_found, page
from bot.simulator.graph_sign_ins import GraphSignIns
from bot.simulator.graph_tenant import GraphTenant
from bot.simulator.scenario import Call, Fault, FaultKind, Person, Scenario

_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MAX_GROUPS = 20
_MAX_BATCH = 20
_GIVEN = ("Ada", "Ben", "Carla", "Dev", "Elif", "Femi", "Grace", "Hugo", "Ines", "Jonas")
_FAMILY = ("Adler", "Brandt", "Castro", "Dahl", "Evans", "Fischer", "Garcia", "Haas", "Ito", "Jung")


class Graph:
    """The tenant's directory, from the scenario."""

    def __init__(
        self,
        scenario: Scenario,
        faults: Faults,
        accounts: Accounts,
        batches: Mapping[str, Batch],
    ) -> None:
        """`batches`: those of the SIP Gateway, whose sign-ins the log shows."""
        self.scenario = scenario
        #: Each request, those in a `$batch` included.
        self.calls: Counter[Call] = Counter()
        #: HTTP requests.
        self.received = 0
        #: Permissions that are consented to; may be changed at any time.
        self.permissions = set(scenario.graph.permissions)
        self._faults = faults
        self._accounts = accounts
        self._people = {person.object_id.lower(): person for person in scenario.people}
        self._principals = {person.principal.lower(): person for person in scenario.people}
        self._endpoints = [
            *self._own_endpoints(),
            *GraphAccounts(scenario, accounts).endpoints(),
            *GraphTenant(scenario, accounts).endpoints(),
            *GraphSignIns(scenario, batches).endpoints(),
        ]

    def routes(self) -> web.RouteTableDef:
        routes = web.RouteTableDef()
        routes.route("*", "/{version:v1[.]0|beta}/{path:.*}")(self._receive)
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

    def _own_endpoints(self) -> Sequence[Endpoint]:
        users, groups = "User.Read.All", "GroupMember.Read.All"
        return (
            Endpoint(Call.LIST_USERS, "GET", "users", users, self._list_users, filtered=False),
            Endpoint(Call.LIST_GROUPS, "GET", "groups", groups, self._list_groups),
            Endpoint(Call.USERS, "GET", "users/([^/]+)", users, self._user),
            Endpoint(Call.GROUP, "GET", "groups/([^/]+)", groups, self._group),
            Endpoint(
                Call.GROUPS, "POST", "users/([^/]+)/checkMemberGroups", groups, self._member_groups
            ),
        )

    async def _receive(self, http: web.Request) -> web.StreamResponse:
        """Respond to an HTTP request: a `$batch`, or a request of its own."""
        self.received += 1
        request = await _parsed(http)
        batch = request.path == "/$batch"
        endpoint = None if batch else self._endpoint(request)
        call = Call.GRAPH_BATCH if batch else endpoint.call if endpoint else None
        fault = None
        if call is not None:
            self.calls[call] += 1
            fault = self._faults.next(call)
        if self.scenario.latency:
            await asyncio.sleep(self.scenario.latency)
        if fault is not None:
            return await self._faults.play(http, fault, _http_error)
        if not http.headers.get("Authorization", "").startswith("Bearer "):
            return _http(error(401, "InvalidAuthenticationToken", "Access token is empty."))
        return _http(self._batch(request) if batch else self._answer(request, endpoint))

    def _batch(self, batch: Request) -> Reply:
        """Each request's own answer, the last one first: Graph promises no order."""
        items = batch.field("requests")
        if batch.method != "POST" or not isinstance(items, list) or len(items) > _MAX_BATCH:
            return error(400, "BadRequest", f"A batch holds up to {_MAX_BATCH} requests.")
        responses: list[Mapping[str, object]] = []
        for item in reversed(items):
            reply = self._item(_inner(batch, item))
            responses.append(
                {
                    "id": item["id"],
                    "status": reply.status,
                    "headers": {"Content-Type": "application/json", **reply.headers},
                    "body": reply.content,
                }
            )
        return Reply(200, {"responses": responses})

    def _item(self, request: Request) -> Reply:
        endpoint = self._endpoint(request)
        if endpoint is not None:
            self.calls[endpoint.call] += 1
            fault = self._faults.next(endpoint.call)
            if fault is not None:
                return _played(fault)
        return self._answer(request, endpoint)

    def _endpoint(self, request: Request) -> Endpoint | None:
        """The API that a request is for. Returns None where this cloud has none."""
        path = request.path.strip("/")
        if path.startswith(self.scenario.graph.absent):
            return None
        for each in self._endpoints:
            if (each.version, each.method) != (request.version, request.method):
                continue
            wanted = each.filtered in (None, "$filter" in request.query)
            if wanted and re.fullmatch(each.pattern, path, re.IGNORECASE):
                return each
        return None

    def _answer(self, request: Request, endpoint: Endpoint | None) -> Reply:
        path = request.path.strip("/")
        match = endpoint and re.fullmatch(endpoint.pattern, path, re.IGNORECASE)
        if endpoint is None or match is None:
            segment = path.rpartition("/")[2]
            return error(400, "BadRequest", f"Resource not found for the segment '{segment}'.")
        needed = {endpoint.permission}
        if "signInActivity" in request.query.get("$select", ""):
            needed.add("AuditLog.Read.All")
        if not needed <= self.permissions:
            text = "Insufficient privileges to complete the operation."
            return error(403, "Authorization_RequestDenied", text)
        return endpoint.handler(request, match)

    def _list_users(self, request: Request, _: re.Match[str]) -> Reply:
        rows = [{"id": person.object_id} for person in self.scenario.people]
        return page(request, self.scenario, rows)

    def _list_groups(self, request: Request, _: re.Match[str]) -> Reply:
        return page(request, self.scenario, [{"id": each} for each in self.scenario.groups])

    def _group(self, _: Request, match: re.Match[str]) -> Reply:
        known = {each.lower() for each in self.scenario.groups}
        return Reply(200, {"id": match[1]}) if match[1].lower() in known else not_found(match[1])

    def _user(self, _: Request, match: re.Match[str]) -> Reply:
        person = self.person(match[1])
        if person is None:
            return not_found(match[1])
        return Reply(
            200,
            {
                "@odata.context": "https://graph.microsoft.com/v1.0/$metadata#users/$entity",
                "id": person.object_id,
                "displayName": person.name,
                "userPrincipalName": person.principal,
                "userType": "Guest" if person.guest else "Member",
            },
        )

    def _member_groups(self, request: Request, match: re.Match[str]) -> Reply:
        account, person = self._accounts.by_id(match[1]), self.person(match[1])
        if account is None and person is None:
            return not_found(match[1])
        ids = request.field("groupIds")
        if not isinstance(ids, list):
            return error(400, "Request_BadRequest", "groupIds is missing.")
        if len(ids) > _MAX_GROUPS:
            return error(400, "Request_BadRequest", "Too many values in groupIds.")
        names = [each.principal for each in (account, person) if each is not None]
        inside = self._accounts.groups_of(match[1], *names)
        return Reply(200, {"value": [each for each in ids if str(each).lower() in inside]})


async def _parsed(http: web.Request) -> Request:
    version = http.match_info["version"]
    prefix, _, _ = str(http.url.with_query(None)).partition(f"/{version}/")
    return Request(
        version,
        http.method,
        f"/{http.match_info['path']}",
        dict(http.query),
        _json(await http.read()),
        {name.lower(): value for name, value in http.headers.items()},
        f"{prefix}/{version}",
    )


def _inner(batch: Request, item: Mapping[str, object]) -> Request:
    """A request of a `$batch`. Its URL is percent-encoded, like any other."""
    path, _, query = str(item["url"]).partition("?")
    headers = item.get("headers")
    return Request(
        batch.version,
        str(item["method"]),
        unquote(path),
        # Unlike in a form, a plus is a plus in OData.
        dict(parse_qsl(query.replace("+", "%2B"), keep_blank_values=True)),
        item.get("body"),
        {str(name).lower(): str(value) for name, value in headers.items()}
        if isinstance(headers, dict)
        else {},
        batch.base,
    )


def _json(body: bytes) -> object:
    """The body; None if it is no JSON."""
    try:
        return json.loads(body)
    except ValueError:
        return None


def _played(fault: Fault) -> Reply:
    """The answer to a request in a `$batch` as `fault` says."""
    match fault.fault:
        case FaultKind.GARBAGE:
            return Reply(200, fault.body)
        case FaultKind.GONE:
            return not_found("gone")
        case kind:
            status = int(kind[:3]) if kind[:3].isdecimal() else 504
    wait = fault.retry_after
    headers = {} if wait is None else {"Retry-After": f"{wait}"}
    code = "TooManyRequests" if status == 429 else "Fault"
    reply = error(status, code, fault.message or f"HTTP {status}")
    return Reply(reply.status, reply.content, headers)


def _http(reply: Reply) -> web.Response:
    return web.json_response(reply.content, status=reply.status, headers=reply.headers)


def _http_error(status: int, code: str, text: str) -> web.Response:
    return _http(error(status, code, text))
