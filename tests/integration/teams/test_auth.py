"""Authentication in production, with real tokens and signing keys served on loopback."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from bot.settings import model
from bot.settings.clouds import HOSTS, Cloud
from bot.settings.model import Settings
from bot.settings.values import Environment, Gateway
from tests.integration.teams.conftest import Serve, served
from tests.support.teams import TENANT, RecordingChat, activity, click

SERVICE = "https://smba.trafficmanager.net/teams/"
ISSUER = "https://api.botframework.com"


@dataclass
class Keys:
    """Microsoft's published signing keys."""

    private: rsa.RSAPrivateKey
    id: str = "1"
    fetched: int = 0
    broken: bool = False
    url: str = ""
    endorsements: list[str] = field(default_factory=lambda: ["msteams"])

    async def metadata(self, _: web.Request) -> web.Response:
        self.fetched += 1
        return (
            web.Response(status=500)
            if self.broken
            else web.json_response({"jwks_uri": f"{self.url}/keys"})
        )

    async def keys(self, _: web.Request) -> web.Response:
        key = json.loads(RSAAlgorithm.to_jwk(self.private.public_key()))
        return web.json_response(
            {"keys": [{**key, "kid": self.id, "endorsements": self.endorsements}]}
        )

    def sign(self, settings: Settings, **claims: Any) -> str:
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "aud": settings.app_id,
            "serviceurl": SERVICE,
            "nbf": now - 10,
            "exp": now + 600,
            **claims,
        }
        payload = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(payload, self.private, algorithm="RS256", headers={"kid": self.id})


@pytest.fixture(scope="module")
def private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
async def keys(
    private_key: rsa.RSAPrivateKey, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Keys]:
    published_keys = Keys(private_key)
    app = web.Application()
    app.router.add_get("/metadata", published_keys.metadata)
    app.router.add_get("/keys", published_keys.keys)
    async with served(app) as url:
        published_keys.url = url
        hosts = replace(HOSTS[Cloud.PUBLIC], signing_keys=f"{url}/metadata")
        monkeypatch.setattr(model, "HOSTS", {Cloud.PUBLIC: hosts})
        yield published_keys


@dataclass
class Client:
    url: str
    session: aiohttp.ClientSession

    async def post(self, body: Any, token: str | None) -> aiohttp.ClientResponse:
        headers = {} if token is None else {"Authorization": token}
        response = await self.session.post(self.url, json=body, headers=headers)
        await response.read()
        return response


@pytest.fixture
async def client(
    serve: Serve, production: Settings, session: aiohttp.ClientSession, keys: Keys
) -> Client:
    """A client of an endpoint that takes its keys from `keys`."""
    return Client(await serve(production), session)


async def test_signed_activities_are_accepted(
    client: Client, keys: Keys, production: Settings, chat: RecordingChat
) -> None:
    token = f"Bearer {keys.sign(production)}"
    for _ in range(3):
        response = await client.post(activity(SERVICE), token)
        assert response.status == 200
    assert (await client.post(click(SERVICE), token)).status == 200
    assert len(chat.messages) == 3
    assert len(chat.actions) == 1
    assert keys.fetched == 1


INVALID_HEADERS: list[tuple[str, Callable[[Keys, Settings], str | None]]] = [
    ("no header", lambda keys, settings: None),
    ("empty header", lambda keys, settings: ""),
    ("no token", lambda keys, settings: "Bearer"),
    ("other scheme", lambda keys, settings: f"Basic {keys.sign(settings)}"),
    ("three parts", lambda keys, settings: f"Bearer {keys.sign(settings)} x"),
    ("not a JWT", lambda keys, settings: "Bearer garbage"),
    ("not base64", lambda keys, settings: "Bearer ä.ö.ü".encode().decode("latin-1")),
    ("no claims", lambda keys, settings: "Bearer e30.e30."),
    ("not signed", lambda keys, settings: f"Bearer {keys.sign(settings).rpartition('.')[0]}."),
    (
        "signed with a password",
        lambda keys, settings: (
            "Bearer "
            + jwt.encode({"iss": ISSUER}, "k" * 32, algorithm="HS256", headers={"kid": "1"})
        ),
    ),
    (
        "signed with another key",
        lambda keys, settings: (
            "Bearer "
            + Keys(rsa.generate_private_key(public_exponent=65537, key_size=2048)).sign(settings)
        ),
    ),
    ("another audience", lambda keys, settings: f"Bearer {keys.sign(settings, aud='another')}"),
    ("no audience", lambda keys, settings: f"Bearer {keys.sign(settings, aud=None)}"),
    ("another issuer", lambda keys, settings: f"Bearer {keys.sign(settings, iss='https://x')}"),
    ("no issuer", lambda keys, settings: f"Bearer {keys.sign(settings, iss=None)}"),
    ("no expiry", lambda keys, settings: f"Bearer {keys.sign(settings, exp=None)}"),
    ("expired", lambda keys, settings: f"Bearer {keys.sign(settings, exp=1_000_000_000)}"),
    (
        "for another service URL",
        lambda keys, settings: f"Bearer {keys.sign(settings, serviceurl='https://x')}",
    ),
    ("for no service URL", lambda keys, settings: f"Bearer {keys.sign(settings, serviceurl=None)}"),
    (
        "of the emulator, for this bot",
        lambda keys, settings: (
            "Bearer "
            + keys.sign(
                settings,
                iss="https://sts.windows.net/d6d49420-f39b-4df7-a1dc-d59a935871db/",
                ver="1.0",
                appid=settings.app_id,
            )
        ),
    ),
    (
        "of another bot (skill)",
        lambda keys, settings: f"Bearer {keys.sign(settings, ver='1.0', appid='another')}",
    ),
]


@pytest.mark.parametrize(
    ("name", "header"), INVALID_HEADERS, ids=[name for name, _ in INVALID_HEADERS]
)
async def test_activity_is_refused_without_valid_signature(
    client: Client,
    keys: Keys,
    production: Settings,
    chat: RecordingChat,
    name: str,
    header: Callable[[Keys, Settings], str | None],
) -> None:
    """The SDK's own endpoint answers 500 to a malformed token."""
    response = await client.post(activity(SERVICE), header(keys, production))
    assert response.status == 401
    assert "signature" in (await response.json())["error"]["message"]
    assert not chat.remembered


async def test_activity_is_answered_503_while_keys_are_unavailable(
    client: Client, keys: Keys, production: Settings, chat: RecordingChat
) -> None:
    """The connector then sends the activity again."""
    token = f"Bearer {keys.sign(production)}"
    keys.broken = True
    assert (await client.post(activity(SERVICE), token)).status == 503
    keys.broken = False
    assert (await client.post(activity(SERVICE), token)).status == 200
    assert len(chat.messages) == 1


async def test_keys_are_fetched_again_when_key_is_unknown(
    client: Client, keys: Keys, production: Settings
) -> None:
    """The SDK by itself keeps the old keys for a day."""
    assert (await client.post(activity(SERVICE), f"Bearer {keys.sign(production)}")).status == 200
    keys.private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    keys.id = "2"
    token = f"Bearer {keys.sign(production)}"
    assert (await client.post(activity(SERVICE), token)).status == 200
    assert keys.fetched == 2


async def test_forged_key_ids_cause_one_fetch(
    client: Client, keys: Keys, production: Settings
) -> None:
    forged = Keys(keys.private, id="3")
    for _ in range(5):
        token = f"Bearer {forged.sign(production)}"
        assert (await client.post(activity(SERVICE), token)).status == 401
    assert keys.fetched == 2
    assert (await client.post(activity(SERVICE), f"Bearer {keys.sign(production)}")).status == 200


async def test_activity_is_refused_when_key_is_endorsed_for_another_channel(
    client: Client, keys: Keys, production: Settings
) -> None:
    keys.endorsements = ["webchat"]
    token = f"Bearer {keys.sign(production)}"
    assert (await client.post(activity(SERVICE), token)).status == 401


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://smba.trafficmanager.net/emea/", True),
        ("https://smba.infra.gcc.teams.microsoft.com/teams", True),
        ("https://smba.infra.gov.teams.microsoft.us/teams", True),
        ("http://smba.trafficmanager.net/teams/", False),
        ("https://smba.trafficmanager.net:8443/teams/", False),
        ("https://other.trafficmanager.net/teams/", False),
        ("https://smba.trafficmanager.net.example.org/", False),
        ("https://evilteams.microsoft.com.example.org/", False),
        ("https://evilteams.microsoft.com/", False),
        ("https://smba.trafficmanager.net@example.org/", False),
        ("https://example.org/#.teams.microsoft.com", False),
        ("https://127.0.0.1/", False),
    ],
)
async def test_service_url_is_refused_outside_microsoft_domains(
    client: Client, keys: Keys, production: Settings, url: str, allowed: bool
) -> None:
    """The token's claim names the same URL."""
    token = f"Bearer {keys.sign(production, serviceurl=url)}"
    assert (await client.post(activity(url), token)).status == (200 if allowed else 403)


async def test_activity_is_refused_from_another_channel(
    client: Client, keys: Keys, production: Settings
) -> None:
    token = f"Bearer {keys.sign(production)}"
    assert (await client.post(activity(SERVICE, channelId="webchat"), token)).status == 403


async def test_activity_is_not_processed_without_tenant_or_object_id(
    client: Client, keys: Keys, production: Settings, chat: RecordingChat
) -> None:
    token = f"Bearer {keys.sign(production)}"
    no_tenant = {"conversation": {"id": "c"}, "channelData": None}
    assert (await client.post(activity(SERVICE, **no_tenant), token)).status == 200
    # Somebody of another tenant, as in a shared channel.
    two_tenants = {
        "conversation": {"id": "c", "tenantId": "99999999-0000-4000-8000-000000000000"},
        "channelData": {"tenant": {"id": TENANT}},
    }
    response = await client.post({**click(SERVICE), **two_tenants}, token)
    assert "not set up for your organization" in (await response.json())["value"]
    no_object_id = {**click(SERVICE), "from": {"id": "29:guest", "name": "Guest"}}
    response = await client.post(no_object_id, token)
    assert "did not tell me who you are" in (await response.json())["value"]
    assert not chat.remembered


@pytest.mark.parametrize(
    ("changes", "setting"),
    [
        ({}, "OFFHOOK_MANAGED_IDENTITY"),
        ({"app_password": "x", "app_token_file": Path("x")}, "OFFHOOK_APP_TOKEN_FILE"),
        ({"app_type": "UserAssignedMSI", "managed_identity": "x"}, "OFFHOOK_RUN_AS=app"),
        ({"app_type": "UserAssignedMSI", "app_password": "x"}, "OFFHOOK_APP_PASSWORD"),
        ({"app_password": "x", "authority_url": "https://x"}, "OFFHOOK_AUTHORITY_URL"),
    ],
)
def test_settings_are_invalid_without_exactly_one_credential(
    production: Settings, changes: dict[str, Any], setting: str
) -> None:
    values = production.model_dump(exclude={"app_password"})
    with pytest.raises(ValueError, match=setting):
        Settings(_env_file=None, **{**values, **changes})  # pyright: ignore[reportCallIssue]


def test_settings_are_invalid_without_app_id() -> None:
    """With an empty app ID, the SDK would accept every request."""
    with pytest.raises(ValueError, match="OFFHOOK_APP_ID"):
        Settings(
            _env_file=None,  # pyright: ignore[reportCallIssue]
            environment=Environment.PRODUCTION,
            tenant_ids=(TENANT,),
            requesters=("*",),
            approvers=("00000000-0000-0000-0000-000000000021",),
            gateway=Gateway.CONFIGAPI,
        )
