"""What stands in for OneDrive and SharePoint: files to fetch by link, and places to upload one to."""

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
_PART = 320 * 1024  # of an upload in parts, all but the last are multiples of it (Graph)


@dataclass(frozen=True, slots=True)
class Served:
    """How a file is handed out. `pause` is in seconds before each 64 KiB; `size` in bytes, and if it
    is more than the content, blanks follow; `redirect` is another URL to send the caller to."""

    content: bytes
    status: int = 200
    pause: float = 0.0
    size: int = 0
    redirect: str = ""


@dataclass(slots=True)
class Upload:
    name: str
    status: int  # 201, or the error to answer with
    content: bytearray = field(default_factory=bytearray)
    complete: bool = False


class Files:
    def __init__(self) -> None:
        self.base_url = ""  # set when the server listens
        self.fetched: Counter[str] = Counter()  # by id
        self._served: dict[str, Served] = {}
        self._uploads: dict[str, Upload] = {}
        self._signal = Signal()

    def add(self, name: str, served: Served | bytes) -> str:
        """A link to fetch the file by, with a secret in it as the real ones have."""
        identifier = secrets.token_hex(8)
        self._served[identifier] = served if isinstance(served, Served) else Served(served)
        return f"{self.base_url}/{identifier}/{quote(name)}?tempauth={secrets.token_hex(16)}"

    def accept(self, name: str, *, status: int = 201) -> dict[str, Any]:
        """The `uploadInfo` of a file consent that was given; `status`: an error to answer with."""
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
        """Wait for the whole of an upload."""
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
        answer = web.StreamResponse(status=served.status)
        answer.content_type = "application/octet-stream"
        await answer.prepare(request)
        try:
            async for chunk in _chunks(served):
                await answer.write(chunk)
            await answer.write_eof()
        except ConnectionError:
            pass  # the caller has had enough, which is its right
        return answer

    async def _put(self, request: web.Request) -> web.StreamResponse:
        """An upload session (Graph, `createUploadSession`): ranges in order, and no token."""
        identifier = request.match_info["id"]
        upload = self._uploads.get(identifier)
        if upload is None:
            return web.Response(status=404)
        if "Authorization" in request.headers:
            return web.Response(status=401)
        if upload.status >= 400:
            return web.Response(status=upload.status)
        body = await request.read()
        given = _RANGE.fullmatch(request.headers.get("Content-Range", ""))
        if given is None:
            return web.Response(status=400)
        first, last, total = (int(part) for part in given.groups())
        if last - first + 1 != len(body) or last >= total:
            return web.Response(status=400)
        if first != len(upload.content):
            return web.Response(status=416)
        if last + 1 < total and len(body) % _PART:
            return web.Response(status=400)
        upload.content += body
        if last + 1 < total:
            return web.json_response({"nextExpectedRanges": [f"{last + 1}-"]}, status=202)
        upload.complete = True
        self._served[identifier] = Served(bytes(upload.content))
        self._signal.notify()
        return web.json_response({"id": identifier, "name": upload.name, "size": total}, status=201)


async def _chunks(served: Served) -> AsyncIterator[bytes]:
    for start in range(0, max(len(served.content), served.size), _CHUNK):
        if served.pause:
            await asyncio.sleep(served.pause)
        chunk = served.content[start : start + _CHUNK]
        missing = min(served.size - start, _CHUNK) - len(chunk)
        yield chunk + b" " * max(missing, 0)
