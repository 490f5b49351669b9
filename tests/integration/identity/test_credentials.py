"""Every kind of app credential, against a token endpoint that verifies it."""

from __future__ import annotations

import asyncio
import ssl
import traceback
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import pytest
from aiohttp import web
from azure.core.credentials_async import AsyncTokenCredential
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from bot.gateway import UnavailableError, UnreachableError
from bot.gateway.configapi import ConfigApiGateway
from bot.identity.credentials import CredentialError, Credentials
from bot.identity.delegations import Proof
from bot.identity.tokens import CredentialTokens, FixedToken
from bot.phones.region import Region
from bot.settings.model import Settings
from bot.signin.request import Phone
from bot.simulator.client import TENANT
from bot.simulator.entra import APP_ID, EXCHANGE, SECRET
from bot.simulator.scenario import PEOPLE, Call, Fault, FaultKind
from bot.simulator.server import Simulator

MEGAN = PEOPLE[1]
RESOURCE = "48ac35b8-9aa8-4d74-927d-1f4a14a0b239"
SCOPE = f"{RESOURCE}/.default"
OBO = "urn:ietf:params:oauth:grant-type:jwt-bearer"


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with Simulator() as opened:
        yield opened


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as opened:
        yield opened


def settings_of(simulator: Simulator, **more: Any) -> Settings:
    return Settings(
        _env_file=None,  # pyright: ignore[reportCallIssue]
        authority_url=simulator.entra_url,
        app_id=APP_ID,
        tenant_ids=(TENANT,),
        **more,
    )


@pytest.fixture(scope="module")
def certificate() -> tuple[bytes, rsa.RSAPrivateKey]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return private + made.public_bytes(serialization.Encoding.PEM), key


@pytest.fixture(params=["secret", "certificate", "federated", "token file", "managed identity"])
def proof(
    request: pytest.FixtureRequest,
    simulator: Simulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    certificate: tuple[bytes, rsa.RSAPrivateKey],
) -> dict[str, Any]:
    """The settings for one kind of credential."""
    match request.param:
        case "secret":
            return {"app_password": SECRET}
        case "certificate":
            path = tmp_path / "app.pem"
            path.write_bytes(certificate[0])
            simulator.entra.trusted.append(certificate[1].public_key())
            return {"app_certificate": path}
        case "token file":
            path = tmp_path / "token"
            path.write_text(f"{simulator.entra.issue(TENANT, EXCHANGE, 'workload')}\n")
            return {"app_token_file": path}
        case _:
            monkeypatch.setenv("IDENTITY_ENDPOINT", f"{simulator.entra_url}/msi/token")
            monkeypatch.setenv("IDENTITY_HEADER", "x")
            if request.param == "federated":
                return {"managed_identity": "77777777-0000-0000-0000-000000000007"}
            return {"app_type": "UserAssignedMSI", "run_as": "app"}


async def fetch_claims(credential: AsyncTokenCredential) -> dict[str, Any]:
    tokens = CredentialTokens(credential)
    token = await tokens.token(SCOPE)
    assert await tokens.token(SCOPE) == token
    await tokens.aclose()
    return jwt.decode(token, options={"verify_signature": False})


async def test_app_token_is_issued_for_every_credential(
    simulator: Simulator, session: aiohttp.ClientSession, proof: dict[str, Any]
) -> None:
    credentials = Credentials(settings_of(simulator, **proof), session)
    claims = await fetch_claims(credentials.app())
    assert claims["aud"] == RESOURCE
    own = "app_type" in proof
    assert simulator.entra.grants["managed_identity" if own else "client_credentials"] == 1
    await credentials.aclose()


async def test_on_behalf_of_token_is_issued_for_every_credential(
    simulator: Simulator, session: aiohttp.ClientSession, proof: dict[str, Any]
) -> None:
    if "app_type" in proof:
        pytest.skip("a managed identity cannot act on behalf of a user; the settings reject it")
    credentials = Credentials(settings_of(simulator, **proof), session)
    assertion = simulator.entra.issue(TENANT, APP_ID, MEGAN.object_id)
    claims = await fetch_claims(credentials.on_behalf_of(TENANT, assertion))
    assert (claims["aud"], claims["oid"], claims["tid"]) == (RESOURCE, MEGAN.object_id, TENANT)
    assert simulator.entra.grants[OBO] == 1
    await credentials.aclose()


async def test_token_is_refused_when_secret_is_wrong(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    credentials = Credentials(settings_of(simulator, app_password="wrong"), session)
    with pytest.raises(PermissionError, match="AADSTS7000215"):
        await CredentialTokens(credentials.app()).token(SCOPE)


async def test_exceptions_contain_no_secrets(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    credentials = Credentials(settings_of(simulator, app_password=SECRET), session)
    assertion = simulator.entra.issue(TENANT, APP_ID, MEGAN.object_id)
    simulator.entra.refusals[MEGAN.object_id] = 53003
    with pytest.raises(PermissionError, match="AADSTS53003") as refused:
        await CredentialTokens(credentials.on_behalf_of(TENANT, assertion)).token(SCOPE)
    text = "".join(traceback.format_exception(refused.value)) + repr(refused.value.__cause__)
    assert assertion.rpartition(".")[2] not in text
    assert SECRET not in text
    proof = Proof("1", assertion, "123456")
    assert assertion not in repr(proof)
    assert "123456" not in repr(proof)


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_certificate_is_rejected_when_missing_or_invalid(
    tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "app.pem"
    if content is not None:
        path.write_bytes(content)
    settings = Settings(
        _env_file=None,  # pyright: ignore[reportCallIssue]
        app_certificate=path,
    )
    with pytest.raises(CredentialError, match="OFFHOOK_APP_CERTIFICATE"):
        Credentials(settings, None)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("fault", [FaultKind.SERVER_ERROR, FaultKind.GARBAGE, FaultKind.DROP_LOST])
async def test_token_raises_connection_error_when_endpoint_fails(
    simulator: Simulator, session: aiohttp.ClientSession, fault: FaultKind
) -> None:
    """Entra ID did not refuse, so it is not a PermissionError."""
    simulator.faults.add(Fault(call=Call.TOKEN, fault=fault, times=0))
    credentials = Credentials(settings_of(simulator, app_password=SECRET), session)
    with pytest.raises(ConnectionError):
        await CredentialTokens(credentials.app()).token(SCOPE)


@pytest.mark.parametrize("body", ["{}", "[]", '{"access_token": 1}', '{"error": {"a": 1}}', "null"])
async def test_token_raises_when_response_is_not_a_token(
    simulator: Simulator, session: aiohttp.ClientSession, body: str
) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=body, content_type="application/json")

    app = web.Application()
    app.router.add_post("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    settings = settings_of(simulator, app_password=SECRET).model_copy(
        update={"authority_url": f"http://127.0.0.1:{port}"}
    )
    with pytest.raises((ConnectionError, PermissionError)):
        await CredentialTokens(Credentials(settings, session).app()).token(SCOPE)
    await runner.cleanup()


async def test_concurrent_callers_share_one_token_request(
    simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    credentials = Credentials(settings_of(simulator, app_password=SECRET), session)
    tokens = CredentialTokens(credentials.app())
    assert len(set(await asyncio.gather(*(tokens.token(SCOPE) for _ in range(20))))) == 1
    assert simulator.entra.calls[Call.TOKEN] == 1


async def test_environment_proxy_is_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    request_lines: list[bytes] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request_lines.append(await reader.readline())
        writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(proxy, "127.0.0.1", 0)
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    settings = Settings(
        _env_file=None,  # pyright: ignore[reportCallIssue]
        app_id=APP_ID,
        app_password=SECRET,  # pyright: ignore[reportArgumentType]
        tenant_ids=(TENANT,),
    )
    async with aiohttp.ClientSession(trust_env=True) as session:
        with pytest.raises(ConnectionError):
            await CredentialTokens(Credentials(settings, session).app()).token(SCOPE)
    server.close()
    await server.wait_closed()
    assert request_lines
    assert request_lines[0].startswith(b"CONNECT login.microsoftonline.com:443 ")


@pytest.fixture
async def untrusted(
    tmp_path: Path, certificate: tuple[bytes, rsa.RSAPrivateKey]
) -> AsyncIterator[str]:
    """An HTTPS server with a self-signed certificate."""
    path = tmp_path / "server.pem"
    path.write_bytes(certificate[0])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    runner = web.AppRunner(web.Application())
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    yield f"https://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def test_nothing_is_sent_when_tls_certificate_is_untrusted(
    simulator: Simulator, session: aiohttp.ClientSession, untrusted: str
) -> None:
    """No secret, no token and no batch."""
    settings = settings_of(simulator, app_password=SECRET).model_copy(
        update={"authority_url": untrusted}
    )
    with pytest.raises(ConnectionError):
        await CredentialTokens(Credentials(settings, session).app()).token(SCOPE)
    gateway = ConfigApiGateway(session, untrusted, FixedToken(), pauses=())
    with pytest.raises(UnreachableError):
        await gateway.submit(Region.EMEA, [Phone("a@b.com", "80-5E-C0-00-00-01", Region.EMEA)])
    with pytest.raises(UnavailableError):
        await gateway.status("x")
