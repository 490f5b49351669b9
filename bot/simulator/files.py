"""Simulates OneDrive and SharePoint: files to download by URL, and upload sessions."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from aiohttp import web

from bot.simulator.waiting import Signal

_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
_CHUNK = 64 * 1024
_UPLOAD_PART = 320 * 1024  # bytes; all ranges of an upload but the last are multiples of it (Graph)


@dataclass(frozen=True, slots=True)
class ServedFile:
    """A file and how it is served."""

    content: bytes
    status: int = 200
    #: Seconds before each 64 KiB.
    pause: float = 0.0
    #: Bytes to send; content shorter than that is padded with spaces.
    size: int = 0
    #: URL to redirect to; "" to serve the content.
    redirect: str = ""


@dataclass(slots=True)
class Upload:
    """An upload session."""

    name: str
    #: 201, or the error to respond with.
    status: int
    content: bytearray = field(default_factory=bytearray)
    complete: bool = False


class Files:
    """Stored files and upload sessions."""

    def __init__(self) -> None:
        self.base_url = ""  # set once the server listens
        #: Downloads, by file ID.
        self.fetched: Counter[str] = Counter()
        self._served: dict[str, ServedFile] = {}
        self._uploads: dict[str, Upload] = {}
        self._signal = Signal()

    def add(self, name: str, served: ServedFile | bytes) -> str:
        """Add a file and return its download URL, which contains a secret as real ones do."""
        identifier = secrets.token_hex(8)
        self._served[identifier] = served if isinstance(served, ServedFile) else ServedFile(served)
        return f"{self.base_url}/{identifier}/{quote(name)}?tempauth={secrets.token_hex(16)}"

    def accept(self, name: str, *, status: int = 201) -> dict[str, Any]:
        """Start an upload session and return the `uploadInfo` of an accepted file consent.

        `status` of 400 or more makes the upload fail with it.
        """
        identifier = secrets.token_hex(8)
        self._uploads[identifier] = Upload(name, status)
        return {
            "name": name,
            "uploadUrl": f"{self.base_url}/upload/{identifier}?tempauth={secrets.token_hex(16)}",
            "contentUrl": f"{self.base_url}/{identifier}/{quote(name)}",
            "uniqueId": identifier,
            "fileType": name.rpartition(".")[2],
        }

    async def uploaded(self, unique_id: str, timeout: float) -> bytes:  # noqa: ASYNC109
        """Wait for an upload to complete and return its content. Raises `TimeoutError`."""
        upload = self._uploads[unique_id]
        await self._signal.until(lambda: upload.complete or None, timeout)
        return bytes(upload.content)

    def routes(self) -> web.RouteTableDef:
        routes = web.RouteTableDef()
        routes.put("/upload/{id}")(self._put)
        routes.get("/{id}/{name}")(self._get)
        return routes

    async def _get(self, request: web.Request) -> web.StreamResponse:
        identifier = request.match_info["id"]
        self.fetched[identifier] += 1
        served = self._served.get(identifier)
        if served is None:
            return web.Response(status=404)
        if served.redirect:
            return web.Response(status=302, headers={"Location": served.redirect})
        response = web.StreamResponse(status=served.status)
        response.content_type = "application/octet-stream"
        await response.prepare(request)
        try:
            async for chunk in _chunks(served):
                await response.write(chunk)
            await response.write_eof()
        except ConnectionError:
            pass  # the client stopped reading
        return response

    async def _put(self, request: web.Request) -> web.StreamResponse:
        """One range of an upload session (Graph, `createUploadSession`): in order, without a token."""
        identifier = request.match_info["id"]
        upload = self._uploads.get(identifier)
        if upload is None:
            return web.Response(status=404)
        if "Authorization" in request.headers:
            return web.Response(status=401)
        if upload.status >= 400:
            return web.Response(status=upload.status)
        body = await request.read()
        content_range = _RANGE.fullmatch(request.headers.get("Content-Range", ""))
        if content_range is None:
            return web.Response(status=400)
        first, last, total = (int(part) for part in content_range.groups())
        if last - first + 1 != len(body) or last >= total:
            return web.Response(status=400)
        if first != len(upload.content):
            return web.Response(status=416)
        if last + 1 < total and len(body) % _UPLOAD_PART:
            return web.Response(status=400)
        upload.content += body
        if last + 1 < total:
            return web.json_response({"nextExpectedRanges": [f"{last + 1}-"]}, status=202)
        upload.complete = True
        self._served[identifier] = ServedFile(bytes(upload.content))
        self._signal.notify()
        return web.json_response({"id": identifier, "name": upload.name, "size": total}, status=201)


async def _chunks(served: ServedFile) -> AsyncIterator[bytes]:
    for start in range(0, max(len(served.content), served.size), _CHUNK):
        if served.pause:
            await asyncio.sleep(served.pause)
        chunk = served.content[start : start + _CHUNK]
        missing = min(served.size - start, _CHUNK) - len(chunk)
        yield chunk + b" " * max(missing, 0)
