"""The store of signing keys, against a key server that is slow, hung, broken, or rotates its keys."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from bot.teams import keys as keys_module
from bot.teams.keys import KeysUnavailableError, SigningKeys, UnknownKeyError
from tests.integration.teams.conftest import served
from tests.support.waiting import Clock, until

PRIVATE = rsa.generate_private_key(public_exponent=65537, key_size=2048)
JWK: dict[str, Any] = json.loads(RSAAlgorithm.to_jwk(PRIVATE.public_key()))
DAY = 24 * 3600.0


@dataclass
class KeyServer:
    url: str = ""
    ids: list[str] = field(default_factory=lambda: ["1"])
    status: int = 200
    body: bytes | None = None  #: replaces the keys
    hold: asyncio.Event | None = None  #: if set, the server does not answer before it
    asked: int = 0
    now: float = 0.0  #: the clock of the store

    async def metadata(self, _: web.Request) -> web.Response:
        self.asked += 1
        if self.hold is not None:
            await self.hold.wait()
        return web.json_response({"jwks_uri": f"{self.url}/keys"}, status=self.status)

    async def keys(self, _: web.Request) -> web.Response:
        if self.body is not None:
            return web.Response(body=self.body)
        entries = [{**JWK, "kid": name, "endorsements": ["msteams"]} for name in self.ids]
        return web.json_response({"keys": entries})


async def until_asked(server: KeyServer, times: int) -> None:
    await until(lambda: server.asked >= times)


@pytest.fixture
async def server() -> AsyncIterator[KeyServer]:
    fake = KeyServer()
    app = web.Application()
    app.router.add_get("/metadata", fake.metadata)
    app.router.add_get("/keys", fake.keys)
    async with served(app) as url:
        fake.url = url
        yield fake
        if fake.hold is not None:
            fake.hold.set()


@pytest.fixture
async def keys(server: KeyServer, session: aiohttp.ClientSession) -> AsyncIterator[SigningKeys]:
    store = SigningKeys(session, f"{server.url}/metadata", monotonic=lambda: server.now)
    yield store
    await store.aclose()


async def test_key_is_fetched_with_its_endorsements(keys: SigningKeys) -> None:
    key = await keys.get("1")
    assert key.public_key.public_numbers() == PRIVATE.public_key().public_numbers()
    assert list(key.endorsements) == ["msteams"]


async def test_keys_are_fetched_once_for_all_who_wait(keys: SigningKeys, server: KeyServer) -> None:
    server.hold = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        waiting = [group.create_task(keys.get("1")) for _ in range(20)]
        await until_asked(server, 1)
        server.hold.set()
    assert len({id(task.result()) for task in waiting}) == 1
    assert server.asked == 1


async def test_fetch_ends_when_key_server_hangs_and_works_again_afterwards(
    keys: SigningKeys, server: KeyServer, clock: Clock
) -> None:
    """Without a restart."""
    server.hold = asyncio.Event()
    for fetches in (1, 2):
        waiting = asyncio.create_task(keys.get("1"))
        await until_asked(server, fetches)
        clock.advance(5)
        with pytest.raises(KeysUnavailableError):
            await waiting
    server.hold.set()
    server.now += 1
    assert await keys.get("1")


async def test_known_key_is_returned_at_once_while_key_server_hangs(
    keys: SigningKeys, server: KeyServer
) -> None:
    await keys.get("1")
    server.now += DAY
    server.hold, server.ids = asyncio.Event(), ["2"]
    assert await keys.get("1")
    await until_asked(server, 2)
    assert await keys.get("1"), "the old keys are good until the new ones are there"
    server.hold.set()
    assert await keys.get("2")
    with pytest.raises(UnknownKeyError):
        await keys.get("1")


async def test_keys_are_refreshed_after_a_day(keys: SigningKeys, server: KeyServer) -> None:
    await keys.get("1")
    server.now += DAY - 1
    await keys.get("1")
    assert server.asked == 1
    server.now += 1
    await keys.get("1")
    await until_asked(server, 2)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"keys": []}',
        b'{"keys": 5}',
        b'{"keys": [7, {"kid": 1}, {"kid": "3", "kty": "RSA"}, {"kid": "3", "kty": "oct", "k": "a"}]}',
        json.dumps({"keys": [{**JWK, "kid": "3"}]}).encode() + b" " * 2**20,
    ],
)
async def test_old_keys_are_kept_when_what_is_published_is_invalid(
    keys: SigningKeys, server: KeyServer, body: bytes
) -> None:
    await keys.get("1")
    server.body = body
    with pytest.raises(KeysUnavailableError):
        await keys.get("3")
    assert await keys.get("1")


async def test_one_malformed_key_does_not_hide_the_others(
    keys: SigningKeys, server: KeyServer
) -> None:
    good = {**JWK, "kid": "1"}
    bad = {**JWK, "kid": "2", "n": "!"}
    server.body = json.dumps({"keys": [bad, good, {**JWK, "kid": ["3"]}]}).encode()
    assert (await keys.get("1")).endorsements == ()


async def test_unknown_key_causes_one_fetch_a_minute(keys: SigningKeys, server: KeyServer) -> None:
    await keys.get("1")
    for _ in range(5):
        with pytest.raises(UnknownKeyError):
            await keys.get("forged")
    assert server.asked == 2
    server.now += 59
    with pytest.raises(UnknownKeyError):
        await keys.get("forged")
    assert server.asked == 2
    server.now += 1
    server.ids.append("2")
    assert await keys.get("2")
    assert server.asked == 3


async def test_failed_refresh_is_not_repeated_for_a_minute(
    keys: SigningKeys, server: KeyServer
) -> None:
    await keys.get("1")
    server.now += DAY
    server.status, server.hold = 500, asyncio.Event()
    await keys.get("1")
    await until_asked(server, 2)
    waiting = asyncio.create_task(keys.get("2"))
    await asyncio.sleep(0)  # now it waits for the fetch in progress
    server.hold.set()
    with pytest.raises(KeysUnavailableError):
        await waiting
    for _ in range(3):
        await keys.get("1")
    assert server.asked == 2


async def test_requests_that_wait_for_a_fetch_are_bounded(
    keys: SigningKeys, server: KeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys_module, "_MAX_WAITING", 1)
    server.hold = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        first = group.create_task(keys.get("1"))
        await until_asked(server, 1)
        with pytest.raises(KeysUnavailableError):
            await keys.get("1")
        server.hold.set()
    assert first.result()


async def test_waiting_request_that_is_cancelled_does_not_end_the_fetch(
    keys: SigningKeys, server: KeyServer
) -> None:
    server.hold = asyncio.Event()
    impatient = asyncio.create_task(keys.get("1"))
    await until_asked(server, 1)
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    server.hold.set()
    assert await keys.get("1")
    assert server.asked == 1
