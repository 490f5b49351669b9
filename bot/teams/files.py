"""Moves files over the chat's own storage. Every URL comes from a payload, so every URL is hostile."""

from __future__ import annotations

import asyncio
import io
import ipaddress
import socket
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import structlog
from aiohttp import ThreadedResolver
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from bot.commands.chat import FileTransferError, IncomingFile, Json
from bot.settings.model import Settings
from bot.settings.values import is_loopback

MAX_BYTES = 5 * 1024 * 1024
_DOWNLOAD_SECONDS = 10.0
_UPLOAD_SECONDS = 30.0
_MAX_REDIRECTS = 3
_REDIRECTS = (301, 302, 303, 307, 308)
_TROUBLE = {401: "expired", 403: "expired", 410: "expired", 404: "not-found"}

log = structlog.get_logger(__name__)


@asynccontextmanager
async def files_session(settings: Settings) -> AsyncGenerator[aiohttp.ClientSession]:
    """A session for hostile URLs: no cookies, no proxy, no decompression, no way into our network."""
    resolver = PublicAddresses(ThreadedResolver(), allow_loopback=settings.local)
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(resolver=resolver),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"Accept-Encoding": "identity"},
        auto_decompress=False,
    ) as session:
        yield session


class ChatFiles:
    """`Files`: from and to the hosts that the settings allow, and nowhere else.

    OneDrive's URLs are signed by themselves: neither a token nor a cookie goes with them.
    """

    def __init__(self, settings: Settings, session: aiohttp.ClientSession) -> None:
        self._local = settings.local
        self._hosts = settings.attachment_hosts
        self._session = session

    async def download(self, file: IncomingFile) -> bytes:
        try:
            async with asyncio.timeout(_DOWNLOAD_SECONDS):
                return await self._download(file)
        except TimeoutError:
            trouble = FileTransferError("too-slow", name=file.name, seconds=int(_DOWNLOAD_SECONDS))
        except (aiohttp.ClientError, OSError, UnicodeError):  # the last: no name of a host
            trouble = FileTransferError("unreachable", name=file.name)
        except FileTransferError as error:
            trouble = error
        log.warning("file.download_failed", code=trouble.code)
        raise trouble

    async def _download(self, file: IncomingFile) -> bytes:
        url = self._checked(file.url, file.name)
        for _ in range(_MAX_REDIRECTS + 1):
            async with self._session.get(url, allow_redirects=False) as answer:
                if answer.status in _REDIRECTS:
                    target = answer.headers.get("Location", "")
                    url = self._checked(target, file.name, relative_to=url)
                    continue
                if answer.status != 200:
                    raise FileTransferError(
                        _TROUBLE.get(answer.status, "unreachable"), name=file.name
                    )
                return await _read(answer, file.name)
        raise FileTransferError("unreachable", name=file.name)

    def allows(self, url: object) -> bool:
        try:
            self._checked(url, "")
        except FileTransferError:
            return False
        return True

    async def upload(self, upload: Json, content: bytes) -> None:
        """The PUT of an upload session: https://learn.microsoft.com/graph/api/driveitem-createuploadsession"""
        name = str(upload.get("name", ""))
        url = self._checked(upload.get("uploadUrl"), name)
        size = len(content)
        headers = {"Content-Range": f"bytes 0-{size - 1}/{size}"}
        try:
            async with (
                asyncio.timeout(_UPLOAD_SECONDS),
                self._session.put(
                    url, data=io.BytesIO(content), headers=headers, allow_redirects=False
                ) as answer,
            ):
                status = answer.status
        except (aiohttp.ClientError, OSError, UnicodeError):  # the last: no name of a host
            status = 0
        if status not in (200, 201, 202):
            log.warning("file.upload_failed", status=status)
            raise FileTransferError("full" if status == 507 else "not-uploaded", name=name)

    def _checked(self, given: Any, name: str, *, relative_to: URL | None = None) -> URL:
        """`given` as a URL that may be called; raises `FileTransferError`."""
        try:
            url = URL(given)
            if relative_to is not None:
                url = relative_to.join(url)
        except (TypeError, ValueError):
            raise FileTransferError("not-allowed", name=name, host="?") from None
        host = (url.raw_host or "").lower()
        loopback = self._local and is_loopback(host)
        safe = (url.scheme == "https" and url.port == 443) or (loopback and url.scheme == "http")
        if not safe or url.user is not None or not _matches(host, self._hosts):
            raise FileTransferError("not-allowed", name=name, host=host or "?")
        return url


async def _read(answer: aiohttp.ClientResponse, name: str) -> bytes:
    too_big = FileTransferError("too-big", name=name, megabytes=MAX_BYTES // 1024**2)
    if (answer.content_length or 0) > MAX_BYTES:
        raise too_big
    content = bytearray()
    async for chunk in answer.content.iter_any():
        content += chunk
        if len(content) > MAX_BYTES:
            raise too_big
    return bytes(content)


def _matches(host: str, allowed: Sequence[str]) -> bool:
    """Whether `host` is one of `allowed` or below it: `.sharepoint.com` matches whole labels only."""
    names = [entry.lower().removeprefix(".") for entry in allowed]
    return any(host == name or host.endswith(f".{name}") for name in names)


class PublicAddresses(AbstractResolver):
    """Resolves names to addresses of the internet only, so that no allowed name leads into our network."""

    def __init__(self, inner: AbstractResolver, *, allow_loopback: bool) -> None:
        self._inner = inner
        self._allow_loopback = allow_loopback

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        if self._allow_loopback and is_loopback(host):
            return found
        public = [entry for entry in found if ipaddress.ip_address(entry["host"]).is_global]
        if not public:
            raise OSError("no public address")
        return public

    async def close(self) -> None:
        await self._inner.close()
