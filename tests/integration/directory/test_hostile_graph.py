"""Whatever Graph responds: reading never raises, and never takes for known what was not said."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import fields
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.directory import tenant
from bot.directory.accounts import AccountReader
from bot.directory.client import GraphClient
from bot.identity.tokens import FixedToken
from bot.preflight.facts import AccountFacts, TenantFacts, Unknown, UnknownReason
from bot.simulator.scenario import Scenario
from bot.simulator.server import Simulator
from bot.simulator.tenant import AccessPolicy, Account

ALLOWED, ADMINS, UNIT = (f"10000000-0000-0000-0000-{number:012}" for number in range(3))
LOBBY, PERSON, ADMIN = "lobby@contoso.com", "person@contoso.com", "admin@contoso.com"
NAMES = (LOBBY, PERSON, ADMIN, "missing@contoso.com")
SCENARIO = Scenario(
    accounts={
        LOBBY: Account(),
        PERSON: Account(mailbox=True, desktop_apps=True, number=False, mfa="enforced"),
        ADMIN: Account(enabled=False, must_change_password=True, calling_policy="", guest=True),
        NAMES[3]: Account(exists=False),
    },
    groups={ALLOWED: (LOBBY,), ADMINS: (ADMIN,)},
    group_roles={ADMINS: ("Global Administrator",)},
    administrative_units={UNIT: (PERSON,)},
    conditional_access=(AccessPolicy(name="Require MFA", exclude=(ALLOWED,)),),
)


def _nodes(value: Any, path: tuple[Any, ...] = ()) -> Sequence[tuple[Any, ...]]:
    """The paths to every value in a JSON document."""
    children = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    below = [each for key, child in children for each in _nodes(child, (*path, key))]
    return [path, *below] if path else below


def _changed(document: Any, node: int, change: str) -> Any:
    paths = _nodes(document)
    if not paths:
        return document
    *parents, key = paths[node % len(paths)]
    parent = document
    for each in parents:
        parent = parent[each]
    value = parent[key]
    match change:
        case "missing" if isinstance(parent, dict):
            del parent[key]
        # What null means for these is documented.
        case "null" if key not in ("grantControls", "@odata.nextLink"):
            parent[key] = None
        case "case" if isinstance(value, str):
            parent[key] = value.swapcase()
        case "number":
            parent[key] = -1
        case "list":
            parent[key] = [None, [], {}]
        case "object":
            parent[key] = {"value": 1}
        case "text" if not isinstance(value, str):
            parent[key] = "\ud800text"
        case "deep":
            parent[key] = "deep"
        case _:
            pass
    return document


async def _read(url: str) -> tuple[Sequence[AccountFacts], TenantFacts]:
    async with aiohttp.ClientSession() as session:
        client = GraphClient(session, url, FixedToken())
        reader = AccountReader(client, pause=0.001)
        chunks = reader.read(NAMES, scope=(ALLOWED, UNIT), seconds=20)
        accounts = [each async for chunk in chunks for each in chunk]
        return accounts, await tenant.read(client, TenantFacts(), seconds=5)


class Proxy:
    """Changes what the simulated Graph responds. Runs in an event loop of its own, for all examples."""

    def __init__(self) -> None:
        #: Number of a response, of a value in it, and what happens to it.
        self.changes: Sequence[tuple[int, int, str]] = ()
        self.url = ""
        self._graph_url = ""
        self._number = 0
        self._runner = asyncio.Runner()
        self._stack = AsyncExitStack()

    def open(self) -> None:
        self._runner.run(self._open())

    def close(self) -> None:
        self._runner.run(self._stack.aclose())
        self._runner.close()

    def read(self, *changes: tuple[int, int, str]) -> tuple[Sequence[AccountFacts], TenantFacts]:
        self.changes, self._number = changes, 0
        return self._runner.run(_read(self.url))

    async def _open(self) -> None:
        simulator = await self._stack.enter_async_context(Simulator(SCENARIO))
        self._graph_url = simulator.graph_url
        self._session = await self._stack.enter_async_context(aiohttp.ClientSession())
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._forward)
        server = await self._stack.enter_async_context(TestServer(app))
        self.url = str(server.make_url(""))

    async def _forward(self, request: web.Request) -> web.Response:
        number, self._number = self._number, self._number + 1
        url = f"{self._graph_url}{request.rel_url.raw_path_qs}"
        async with self._session.request(
            request.method, url, data=await request.read(), headers=request.headers
        ) as response:
            document = await response.json()
        for at, node, change in self.changes:
            if at == number:
                document = _changed(document, node, change)
        return web.Response(text=json.dumps(document).replace('"deep"', "[" * 500 + "]" * 500))


@pytest.fixture(scope="module")
def proxy() -> Iterator[Proxy]:
    opened = Proxy()
    opened.open()
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def truth(proxy: Proxy) -> tuple[Sequence[AccountFacts], TenantFacts]:
    return proxy.read()


CHANGES = st.tuples(
    st.integers(0, 7),
    st.integers(0, 400),
    st.sampled_from(["missing", "null", "case", "number", "list", "object", "text", "deep"]),
)
NAMED = frozenset({"username", "display_name", "principal", "object_id"})


@settings(max_examples=60)
@given(st.lists(CHANGES, min_size=1, max_size=3))
def test_fact_is_unknown_or_true_whatever_graph_responds(
    proxy: Proxy,
    truth: tuple[Sequence[AccountFacts], TenantFacts],
    changes: Sequence[tuple[int, int, str]],
) -> None:
    accounts, tenant_facts = proxy.read(*changes)
    assert [each.username for each in accounts] == [*NAMES]
    for facts, true in zip(accounts, truth[0], strict=True):
        for field in fields(AccountFacts):
            if field.name not in NAMED:
                _hold(getattr(facts, field.name), getattr(true, field.name), field.name)
    for field in fields(TenantFacts):
        _hold(getattr(tenant_facts, field.name), getattr(truth[1], field.name), field.name)


def _hold(fact: Any, true: Any, name: str) -> None:
    """`fact` is `true`, apart from case, or unknown."""
    if isinstance(fact, Unknown):
        return
    if name == "policies":
        for kind, policy in fact.items():
            _hold(policy, true[kind], "policy")
    elif name == "conditional_access":
        controls = [[each.controls for each in hits] for hits in (fact, true)]
        assert repr(controls[0]).casefold() == repr(controls[1]).casefold()
    elif name in ("roles", "eligible_roles"):
        assert bool(fact) == bool(true), name  # a role whose name is unreadable has its ID
    else:
        assert repr(fact).casefold() == repr(true).casefold(), name


@pytest.mark.parametrize(
    "body",
    ["", "null", "[]", "{}", '{"responses": null}', '{"value": [[[]]]}', "[" * 99_999, "<html>"],
)
async def test_everything_is_unreadable_when_no_response_is(body: str) -> None:
    async def respond(_: web.Request) -> web.Response:
        return web.Response(text=body)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", respond)
    async with TestServer(app) as server:
        accounts, tenant_facts = await _read(str(server.make_url("")))
    for facts in (*(each.found for each in accounts), tenant_facts.security_defaults):
        assert isinstance(facts, Unknown)
        assert facts.reason is UnknownReason.UNREADABLE


async def test_next_page_on_another_host_is_not_followed() -> None:
    strangers = 0

    async def stranger(_: web.Request) -> web.Response:
        nonlocal strangers
        strangers += 1
        return web.json_response({"value": []})

    async def respond(request: web.Request) -> web.Response:
        link = str(other.make_url("/v1.0/users"))
        items = (await request.json())["requests"]
        body = {"value": [], "@odata.nextLink": link}
        return web.json_response(
            {"responses": [{"id": each["id"], "status": 200, "body": body} for each in items]}
        )

    app, elsewhere = web.Application(), web.Application()
    app.router.add_route("*", "/{path:.*}", respond)
    elsewhere.router.add_route("*", "/{path:.*}", stranger)
    async with TestServer(app) as server, TestServer(elsewhere) as other:
        accounts, _ = await _read(str(server.make_url("")))
    assert strangers == 0
    assert all(isinstance(each.found, Unknown) for each in accounts)


async def test_endless_pages_are_given_up() -> None:
    calls = 0

    async def respond(request: web.Request) -> web.Response:
        nonlocal calls
        calls += 1
        body = {"value": [], "@odata.nextLink": str(server.make_url("/v1.0/users?$skiptoken=1"))}
        if request.method == "GET":
            return web.json_response(body)
        items = (await request.json())["requests"]
        return web.json_response(
            {"responses": [{"id": each["id"], "status": 200, "body": body} for each in items]}
        )

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", respond)
    async with TestServer(app) as server:
        accounts, _ = await _read(str(server.make_url("")))
    assert calls < 1000
    assert all(isinstance(each.found, Unknown) for each in accounts)
