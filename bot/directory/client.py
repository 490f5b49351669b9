"""One HTTP call to Microsoft Graph: token, bounded time, bounded size."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
from yarl import URL

from bot import __version__, retry_after
from bot.directory import DirectoryUnavailableError
from bot.identity.tokens import Tokens

SCOPE = "https://graph.microsoft.com/.default"
MAX_BODY = 1024 * 1024  # bytes


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP response, read to its end."""

    status: int
    body: bytes
    #: Seconds; None if not given.
    retry_after: float | None

    def content(self) -> object:
        """The body as JSON. Raises `ValueError`."""
        try:
            return json.loads(self.body)
        except RecursionError as error:
            raise ValueError("nested too deeply") from error


class GraphClient:
    """Calls Graph as one identity. The caller owns `session` and closes it."""

    def __init__(
        self, session: aiohttp.ClientSession, base_url: str, tokens: Tokens, *, scope: str = SCOPE
    ) -> None:
        self._session = session
        self._base = URL(base_url.rstrip("/"), encoded=True)
        self._tokens = tokens
        self._scope = scope
        #: Number of calls so far.
        self.calls = 0

    async def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: float,  # noqa: ASYNC109
        max_body: int = MAX_BODY,
        refresh: bool = False,
    ) -> Response:
        """Send one request. `path` begins with the version and is percent-encoded.

        `timeout` is in seconds and covers the token and the response. `refresh` bypasses the cache of
        tokens. Raises `DirectoryUnavailableError` when there is no response, or one beyond `max_body`
        bytes.
        """
        try:
            async with asyncio.timeout(timeout):
                common = await self._headers(refresh)
                self.calls += 1
                async with self._session.request(
                    method,
                    URL(f"{self._base}{path}", encoded=True),
                    json=body,
                    headers={**common, **(headers or {})},
                    allow_redirects=False,
                    timeout=aiohttp.ClientTimeout(total=None),
                ) as response:
                    return Response(
                        response.status,
                        await _read_body(response, max_body),
                        retry_after.seconds(response.headers.get("Retry-After")),
                    )
        except TimeoutError as error:
            raise DirectoryUnavailableError("Graph did not respond in time") from error
        except (aiohttp.ClientError, OSError) as error:
            raise DirectoryUnavailableError(f"Graph could not be reached ({error})") from error

    def next_page(self, link: str) -> str | None:
        """The path of a link to the next page. Returns None for a link to another origin.

        The token is never sent to another host.
        """
        try:
            url = URL(link, encoded=True)
            same = url.origin() == self._base.origin()
        except ValueError:
            return None
        prefix = self._base.raw_path.rstrip("/") + "/"
        return url.raw_path_qs[len(prefix) - 1 :] if same and _below(url, prefix) else None

    async def _headers(self, refresh: bool) -> Mapping[str, str]:
        token = await self._tokens.token(self._scope, refresh=refresh)
        return {"Authorization": f"Bearer {token}", "User-Agent": f"Offhook/{__version__}"}


def _below(url: URL, prefix: str) -> bool:
    return url.raw_path.startswith(prefix) and url.raw_path_qs.isprintable()


async def _read_body(response: aiohttp.ClientResponse, max_body: int) -> bytes:
    """The body. Raises `DirectoryUnavailableError` beyond `max_body` bytes."""
    body = bytearray()
    async for chunk in response.content.iter_chunked(64 * 1024):
        body += chunk
        if len(body) > max_body:
            raise DirectoryUnavailableError("Graph's response is too large")
    return bytes(body)
