"""Admission control: what a request may cost before anybody is known to have sent it, and after."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager

from aiohttp import web

from bot.teams.activities import ActivityError

MAX_BODY_BYTES = 256 * 1024  # Teams' messages have at most 100 KB, of UTF-16
_BODY_SECONDS = 5.0  # to receive a body
_MAX_REQUESTS = 200  # under way, in all
_MAX_PER_PEER = (
    100  # under way, by the address that sent them; behind an ingress, that is one for all
)
_MAX_PER_SENDER = 20  # under way, by person
_RETRY_AFTER_SECONDS = 2


class Admission:
    """Counts the requests under way: from the token's check until their work has ended."""

    def __init__(self) -> None:
        self._requests = 0
        self._by_peer = Counter[str]()
        self._by_sender = Counter[str]()

    @contextmanager
    def request(self, peer: str) -> Generator[None]:
        """Raises ActivityError if too many requests are under way."""
        if self._requests >= _MAX_REQUESTS:
            raise ActivityError(503, "request-busy", retry_after=_RETRY_AFTER_SECONDS)
        self._requests += 1
        try:
            with _counted(self._by_peer, peer, _MAX_PER_PEER):
                yield
        finally:
            self._requests -= 1

    @contextmanager
    def sender(self, sender: str) -> Generator[None]:
        """Raises ActivityError if too many requests of this person are under way."""
        with _counted(self._by_sender, sender, _MAX_PER_SENDER):
            yield


@contextmanager
def _counted(counter: Counter[str], key: str, most: int) -> Generator[None]:
    if counter[key] >= most:
        raise ActivityError(429, "request-too-many", retry_after=_RETRY_AFTER_SECONDS)
    counter[key] += 1
    try:
        yield
    finally:
        counter[key] -= 1
        if not counter[key]:
            del counter[key]


def check_headers(request: web.Request) -> None:
    """Raises ActivityError unless the body is JSON as it is, of a size that Teams sends.

    Web pages of other origins can send text and forms, but JSON only with the server's permission.
    """
    if "Content-Encoding" in request.headers:
        raise ActivityError(415, "request-encoding")
    if request.content_type != "application/json":
        raise ActivityError(415, "request-not-json")
    if (request.content_length or 0) > MAX_BODY_BYTES:
        raise ActivityError(413, "request-body-too-big")


async def read_body(request: web.Request) -> bytes:
    """Raises ActivityError if the body is too big, too slow, or broken."""
    body = bytearray()
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    raise ActivityError(413, "request-body-too-big")
    except TimeoutError as error:
        raise ActivityError(408, "request-slow") from error
    except web.RequestPayloadError as error:
        raise ActivityError(400, "request-malformed", "JSON") from error
    return bytes(body)
