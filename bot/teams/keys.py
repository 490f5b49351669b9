"""The connector's signing keys: fetched on the event loop, bounded in time, kept until newer ones arrive.

https://learn.microsoft.com/azure/bot-service/rest-api/bot-framework-rest-connector-authentication

The SDK's own key store is not used: it fetches with blocking calls without a timeout, and forgets keys
that are still good before it has new ones.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

import aiohttp
import jwt
import structlog
from yarl import URL

_FETCH_SECONDS = (
    5.0  # for the metadata and the keys together; Bot Service waits 10 to 15 s for an answer
)
_MAX_BYTES = 1024 * 1024  # of each response; Microsoft's have some 30 KB
_REFRESH_SECONDS = 24 * 3600.0  # age at which keys are fetched anew
_REFETCH_SECONDS = 60.0  # between fetches for an unknown key, and between refreshes that fail
_RETRY_SECONDS = 1.0  # between fetches while there are no keys at all
_MAX_WAITING = 32  # requests that wait for one fetch

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SigningKey:
    public_key: Any  #: an RSA public key, as PyJWT takes it
    endorsements: Sequence[str]  #: IDs of the channels that may use the key; empty: any


class UnknownKeyError(Exception):
    """Microsoft publishes no key with this ID."""


class KeysUnavailableError(Exception):
    """The keys cannot be fetched at the moment, so it is unknown whether a token is good."""


class SigningKeys:
    """The keys by ID. Fetches once at a time, whatever the number of requests that wait for it."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        metadata_url: str,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._session = session
        self._metadata_url = URL(metadata_url)
        self._monotonic = monotonic
        self._keys: Mapping[str, SigningKey] = {}
        #: Times of the monotonic clock before which not to fetch: keys that are known, and unknown ones.
        self._refresh_at = self._refetch_at = 0.0
        self._fetching: asyncio.Task[bool] | None = None
        self._waiting = 0
        self._failed = False  #: the last fetch

    async def get(self, key_id: str | None) -> SigningKey:
        """The key that signed a token. Returns at once if the key is known.

        Raises UnknownKeyError, or KeysUnavailableError.
        """
        key = self._keys.get(key_id or "")
        now = self._monotonic()
        if key is not None:
            if now >= self._refresh_at:
                self._fetch()
            return key
        if not self._keys and (self._fetching or now >= self._refresh_at):
            await self._fetched()
        if (key_id or "") not in self._keys and (self._fetching or now >= self._refetch_at):
            if self._fetching is None:
                self._refetch_at = now + _REFETCH_SECONDS
            await self._fetched()
        key = self._keys.get(key_id or "")
        if key is not None:
            return key
        if self._failed or not self._keys:
            raise KeysUnavailableError
        raise UnknownKeyError

    async def aclose(self) -> None:
        if self._fetching is not None:
            self._fetching.cancel()
            with suppress(asyncio.CancelledError):
                await self._fetching

    async def _fetched(self) -> None:
        """Wait for the fetch in progress, or for a new one. Raises KeysUnavailableError if it failed."""
        if self._waiting >= _MAX_WAITING:
            raise KeysUnavailableError
        self._waiting += 1
        try:
            # Shielded: a request that is given up must not end the fetch for the others.
            if not await asyncio.shield(self._fetch()):
                raise KeysUnavailableError
        finally:
            self._waiting -= 1

    def _fetch(self) -> asyncio.Task[bool]:
        """The fetch in progress, else a new one."""
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._replace_keys(), name="signing keys")
        return self._fetching

    async def _replace_keys(self) -> bool:
        """Fetch the keys; returns False, and keeps the old ones, if that fails."""
        try:
            async with asyncio.timeout(_FETCH_SECONDS):
                keys = await self._published()
        except (aiohttp.ClientError, OSError, ValueError) as error:
            self._failed = True
            pause = _REFETCH_SECONDS if self._keys else _RETRY_SECONDS
            self._refresh_at = self._monotonic() + pause
            log.warning("keys.fetch_failed", reason=type(error).__name__, kept=len(self._keys))
            return False
        else:
            self._failed = False
            self._keys = keys
            self._refresh_at = self._monotonic() + _REFRESH_SECONDS
            log.info("keys.fetched", keys=len(keys))
            return True
        finally:
            self._fetching = None

    async def _published(self) -> Mapping[str, SigningKey]:
        """Raises ValueError if what is published has no keys."""
        keys_url = URL(str((await self._json(self._metadata_url)).get("jwks_uri")))
        if keys_url.scheme != self._metadata_url.scheme:
            raise ValueError("the keys are not published over HTTPS")
        published = (await self._json(keys_url)).get("keys")
        entries = cast(list[Any], published) if isinstance(published, list) else []
        found = dict(filter(None, map(_key, entries)))
        if not found:
            raise ValueError("no keys are published")
        return found

    async def _json(self, url: URL) -> dict[str, Any]:
        async with self._session.get(url) as response:
            response.raise_for_status()
            content = bytearray()
            async for chunk in response.content.iter_any():
                content += chunk
                if len(content) > _MAX_BYTES:
                    raise ValueError("the response is too large")
        parsed = json.loads(content)
        if not isinstance(parsed, dict):
            raise ValueError("the response is not a JSON object")  # noqa: TRY004 - of the sender, not a bug
        return cast(dict[str, Any], parsed)


def _key(entry: Any) -> tuple[str, SigningKey] | None:
    """An entry of a JWKS; None if it is not an RSA key with an ID."""
    if not isinstance(entry, dict):
        return None
    fields = cast(dict[str, Any], entry)
    key_id, endorsements = fields.get("kid"), fields.get("endorsements")
    if not isinstance(key_id, str) or not key_id or fields.get("kty") != "RSA":
        return None
    try:
        public_key = jwt.PyJWK(fields, algorithm="RS256").key
    except (jwt.PyJWTError, ValueError):
        return None
    names = cast(list[Any], endorsements) if isinstance(endorsements, list) else []
    return key_id, SigningKey(public_key, tuple(map(str, names)))
