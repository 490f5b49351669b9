"""The directory over Microsoft Graph v1.0: `GET /users/{id}`, `POST /users/{id}/checkMemberGroups`.

Permissions (application): User.Read.All, and GroupMember.Read.All for groups.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Collection, Mapping
from typing import Any

import aiohttp

from bot import __version__
from bot.directory import DirectoryDeniedError, DirectoryUnavailableError, Profile
from bot.identity.tokens import Tokens

SCOPE = "https://graph.microsoft.com/.default"
MAX_GROUPS = 20  # ids in one checkMemberGroups, as Graph documents it
MAX_BODY = 1024 * 1024
_GUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class GraphDirectory:
    """Implements `bot.directory.Directory`. The session is shared and stays its owner's."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        base_url: str,
        tokens: Tokens,
        *,
        scope: str = SCOPE,
        timeout: float = 10.0,
    ) -> None:
        self._session = session
        self._base = base_url.rstrip("/")
        self._tokens = tokens
        self._scope = scope
        self._timeout = timeout

    async def profile(self, object_id: str) -> Profile | None:
        if not _GUID.fullmatch(object_id):
            return None
        found = await self._call(
            "GET", f"/v1.0/users/{object_id}?$select=id,displayName,userPrincipalName"
        )
        if found is None:
            return None
        name, principal = found.get("displayName"), found.get("userPrincipalName")
        if not isinstance(principal, str):
            raise DirectoryUnavailableError("Graph answered with something that is not a user")
        return Profile(object_id, name if isinstance(name, str) else principal, principal)

    async def groups_among(self, object_id: str, candidates: Collection[str]) -> frozenset[str]:
        if not _GUID.fullmatch(object_id):
            return frozenset()
        asked = {each.lower(): each for each in candidates if _GUID.fullmatch(each)}
        member_of: set[str] = set()
        ids = list(asked)
        for at in range(0, len(ids), MAX_GROUPS):
            found = await self._call(
                "POST",
                f"/v1.0/users/{object_id}/checkMemberGroups",
                {"groupIds": ids[at : at + MAX_GROUPS]},
            )
            if found is None:
                return frozenset()
            value = found.get("value")
            if not isinstance(value, list):
                raise DirectoryUnavailableError("Graph answered with something that is not a list")
            member_of |= {each.lower() for each in value if isinstance(each, str)}
        return frozenset(asked[each] for each in member_of & asked.keys())

    async def try_list(self, collection: str) -> None:
        """Ask for the first of `users` or `groups`, to see whether that is permitted.

        Raises `DirectoryDenied`, or `DirectoryUnavailable`.
        """
        found = await self._call("GET", f"/v1.0/{collection}?$top=1&$select=id")
        if found is None or not isinstance(found.get("value"), list):
            raise DirectoryUnavailableError("Graph answered with something that is not a list")

    async def _call(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> Mapping[str, Any] | None:
        """The object in the answer; None for a 404."""
        try:
            async with asyncio.timeout(self._timeout):
                token = await self._tokens.token(self._scope)
                headers = {
                    "Authorization": f"Bearer {token}",
                    "User-Agent": f"Offhook/{__version__}",
                }
                async with self._session.request(
                    method,
                    f"{self._base}{path}",
                    json=body,
                    headers=headers,
                    allow_redirects=False,
                    timeout=aiohttp.ClientTimeout(total=None),
                ) as response:
                    if response.status == 404:
                        return None
                    if response.status in (401, 403):
                        raise DirectoryDeniedError(f"Graph answered with HTTP {response.status}")
                    if response.status != 200:
                        raise DirectoryUnavailableError(
                            f"Graph answered with HTTP {response.status}"
                        )
                    answer = json.loads(await _bounded(response))
        except TimeoutError as error:
            raise DirectoryUnavailableError("Graph gave no answer in time") from error
        except (aiohttp.ClientError, OSError) as error:
            raise DirectoryUnavailableError(f"Graph was not reached ({error})") from error
        except (ValueError, RecursionError) as error:
            raise DirectoryUnavailableError(
                "Graph answered with something that is not JSON"
            ) from error
        if not isinstance(answer, dict):
            raise DirectoryUnavailableError("Graph answered with something that is not an object")
        return answer


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_chunked(64 * 1024):
        body += chunk
        if len(body) > MAX_BODY:
            raise DirectoryUnavailableError("Graph answered with far too much")
    return bytes(body)
