"""File transfers: from allowed hosts only, and limited in time and size."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
import structlog
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from bot.commands.chat import FileTransferError, IncomingFile
from bot.settings.model import Settings
from bot.teams import files
from bot.teams.files import ChatFiles, PublicAddresses, files_session
from bot.words import Words
from tests.integration.teams.conftest import served
from tests.support.waiting import Clock


class FileHost:
    """Serves what OneDrive would, and what an attacker's server would."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[web.BaseRequest] = []
        self.uploads: list[bytes] = []
        self.upload_status = 201
        self.hold = asyncio.Event()
        self.waiting = asyncio.Event()  #: set once somebody waits for the slow file

    def app(self) -> web.Application:
        app = web.Application(client_max_size=64 * 1024**2)
        app.router.add_get("/file", self.file)
        app.router.add_get("/status/{code}", self.status)
        app.router.add_get("/to", self.redirect)
        app.router.add_get("/huge", self.huge)
        app.router.add_get("/endless", self.endless)
        app.router.add_get("/slow", self.slow)
        app.router.add_get("/cut", self.cut)
        app.router.add_put("/upload", self.upload)
        return app

    async def file(self, request: web.Request) -> web.Response:
        self.requests.append(request)
        return web.Response(body=b"Username,HardwareId\n", headers={"Set-Cookie": "a=1"})

    async def status(self, request: web.Request) -> web.Response:
        return web.Response(status=int(request.match_info["code"]), text="<html>")

    async def redirect(self, request: web.Request) -> web.Response:
        self.requests.append(request)
        return web.Response(status=302, headers={"Location": request.query["url"]})

    async def huge(self, _: web.Request) -> web.Response:
        return web.Response(body=b"x" * (files.MAX_BYTES + 1))

    async def endless(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            for _ in range(1000):
                await response.write(b"x" * 65536)
        except ConnectionError:
            pass
        return response

    async def slow(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"U")
        self.waiting.set()
        await self.hold.wait()
        return response

    async def cut(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"U")
        assert request.transport is not None
        request.transport.close()
        return response

    async def upload(self, request: web.Request) -> web.Response:
        self.requests.append(request)
        self.uploads.append(await request.read())
        return web.Response(status=self.upload_status, headers={"Location": "/elsewhere"})


@pytest.fixture
async def host() -> AsyncIterator[FileHost]:
    file_host = FileHost()
    async with served(file_host.app()) as url:
        file_host.url = url
        yield file_host
        file_host.hold.set()


@pytest.fixture
async def chat_files(local: Settings) -> AsyncIterator[ChatFiles]:
    async with files_session(local) as session:
        yield ChatFiles(local, session)


@pytest.fixture
async def strict_files(production: Settings) -> AsyncIterator[ChatFiles]:
    async with files_session(production) as session:
        yield ChatFiles(production, session)


def file(url: str) -> IncomingFile:
    return IncomingFile("phones.csv", url)


async def download_error(chat_files: ChatFiles, url: str) -> str:
    """The code of the error; asserts that it has a sentence and a fix, and that no URL is logged."""
    with structlog.testing.capture_logs() as logs, pytest.raises(FileTransferError) as caught:
        await chat_files.download(file(url))
    assert "secret" not in repr(logs)
    assert logs
    words, arguments = Words(), caught.value.arguments
    assert "phones.csv" in words(f"file-{caught.value.code}", **arguments)
    assert words.part(f"file-{caught.value.code}", "fix", **arguments)
    return caught.value.code


async def test_download_sends_no_credentials_or_cookies(
    chat_files: ChatFiles, host: FileHost
) -> None:
    for _ in range(2):
        assert await chat_files.download(file(f"{host.url}/file")) == b"Username,HardwareId\n"
    for request in host.requests:
        assert "Authorization" not in request.headers
        assert "Cookie" not in request.headers


async def test_download_follows_redirects(chat_files: ChatFiles, host: FileHost) -> None:
    assert await chat_files.download(file(f"{host.url}/to?url=/to?url=/file"))


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/status/404?t=secret", "not-found"),
        ("/status/401", "expired"),
        ("/status/403", "expired"),
        ("/status/410", "expired"),
        ("/status/429", "unreachable"),
        ("/status/500", "unreachable"),
        ("/status/204", "unreachable"),
        ("/huge", "too-big"),
        ("/endless", "too-big"),
        ("/cut", "unreachable"),
        ("/to?url=http://169.254.169.254/latest", "not-allowed"),
        ("/to?url=https://example.org/file", "not-allowed"),
        ("/to?url=//example.org/file", "not-allowed"),
        ("/to?url=file:///etc/passwd", "not-allowed"),
        ("/to?url=http://[", "not-allowed"),
        ("/to?url=", "unreachable"),
    ],
)
async def test_download_fails_with_code(
    chat_files: ChatFiles, host: FileHost, path: str, code: str
) -> None:
    assert await download_error(chat_files, host.url + path) == code


async def test_download_stops_after_too_many_redirects(
    chat_files: ChatFiles, host: FileHost
) -> None:
    loop_url = f"{host.url}/to?url=/to"
    assert await download_error(chat_files, loop_url + "?url=" + "/to?url=" * 5) == "unreachable"
    assert len(host.requests) == 4


async def test_download_times_out_when_host_is_slow(
    chat_files: ChatFiles, host: FileHost, clock: Clock
) -> None:
    download = asyncio.create_task(download_error(chat_files, f"{host.url}/slow"))
    await host.waiting.wait()
    clock.advance(10)
    assert await download == "too-slow"


async def test_download_fails_when_host_is_unreachable(chat_files: ChatFiles) -> None:
    assert await download_error(chat_files, "http://127.0.0.1:9/?t=secret") == "unreachable"


HOSTILE = [
    "https://evilsharepoint.com/secret",
    "https://sharepoint.com.example.org/secret",
    "https://contoso.sharepoint.com@example.org/secret",
    "https://example.org#.sharepoint.com/secret",
    "https://example.org?.sharepoint.com/secret",
    "https://example.org\\.sharepoint.com/secret",
    "https://user:pass@contoso.sharepoint.com/secret",
    "https://contoso.sharepoint.com./secret",
    "https://contoso.sharepoint.com:8443/secret",
    "http://contoso.sharepoint.com/secret",
    "ftp://contoso.sharepoint.com/secret",
    "https://contoso.ѕharepoint.com/secret",
    "https://127.0.0.1/secret",
    "https://localhost/secret",
    "http://127.0.0.1/secret",
    "https://2130706433/secret",
    "https://0x7f.1/secret",
    "https://[::1]/secret",
    "https://[::ffff:169.254.169.254]/secret",
    "https:///secret",
    "//contoso.sharepoint.com/secret",
    "file:///etc/passwd#secret",
    "data:text/csv,secret",
    "javascript:secret",
    "secret",
    "",
]


@pytest.mark.parametrize("url", HOSTILE)
async def test_transfers_are_denied_for_hostile_urls(strict_files: ChatFiles, url: str) -> None:
    assert await download_error(strict_files, url) == "not-allowed"
    with pytest.raises(FileTransferError):
        await strict_files.upload({"uploadUrl": url}, b"x")


class Resolver(AbstractResolver):
    """Resolves every name to `addresses`."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)
            for address in self.addresses
        ]

    async def close(self) -> None: ...


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "192.168.1.1", "169.254.169.254", "0.0.0.0", "::1", "fd00::1"],
)
async def test_resolver_drops_private_addresses_of_allowed_host(address: str) -> None:
    resolver = PublicAddresses(Resolver(address), allow_loopback=True)
    with pytest.raises(OSError, match="no public address"):
        await resolver.resolve("contoso.sharepoint.com")
    mixed = PublicAddresses(Resolver(address, "13.107.136.10"), allow_loopback=True)
    assert [result["host"] for result in await mixed.resolve("contoso.sharepoint.com")] == [
        "13.107.136.10"
    ]


async def test_resolver_allows_localhost_only_in_local() -> None:
    assert await PublicAddresses(Resolver("127.0.0.1"), allow_loopback=True).resolve("localhost")
    with pytest.raises(OSError, match="no public address"):
        await PublicAddresses(Resolver("127.0.0.1"), allow_loopback=False).resolve("localhost")


async def test_upload_puts_content_in_one_request(chat_files: ChatFiles, host: FileHost) -> None:
    content = b"x" * (2 * 1024**2)
    await chat_files.upload({"uploadUrl": f"{host.url}/upload", "name": "results.csv"}, content)
    assert host.uploads == [content]
    headers = host.requests[0].headers
    assert headers["Content-Range"] == "bytes 0-2097151/2097152"
    assert headers["Content-Length"] == "2097152"
    assert "Authorization" not in headers


@pytest.mark.parametrize(
    ("status", "code"),
    [(507, "full"), (404, "not-uploaded"), (409, "not-uploaded"), (302, "not-uploaded")],
)
async def test_upload_fails_with_code(
    chat_files: ChatFiles, host: FileHost, status: int, code: str
) -> None:
    host.upload_status = status
    with pytest.raises(FileTransferError) as caught:
        await chat_files.upload({"uploadUrl": f"{host.url}/upload", "name": "r.csv"}, b"x")
    assert caught.value.code == code
    assert Words()(f"file-{code}", **caught.value.arguments)
    assert len(host.uploads) == 1


@pytest.mark.parametrize("upload", [{}, {"uploadUrl": None}, {"uploadUrl": {"a": 1}}])
async def test_upload_is_denied_without_valid_url(
    chat_files: ChatFiles, upload: dict[str, Any]
) -> None:
    with pytest.raises(FileTransferError) as caught:
        await chat_files.upload(upload, b"x")
    assert caught.value.code == "not-allowed"
