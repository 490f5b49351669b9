"""Microsoft Graph v1.0 client: `GET /users/{id}`, `POST /users/{id}/checkMemberGroups`.

Application permissions: User.Read.All, plus GroupMember.Read.All for groups.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

import aiohttp

from bot.directory import (
    DirectoryDeniedError,
    DirectoryUnavailableError,
    Profile,
    authentication_context,
    reading,
)
from bot.directory.authentication_context import AuthenticationContext
from bot.directory.batch import refusal
from bot.directory.client import SCOPE, GraphClient
from bot.identity.tokens import Tokens
from bot.preflight.facts import Unknown, UnknownReason

PAGE = 999  # members, at most, that Graph puts on a page
_MAX_MEMBER_PAGES = 20
MAX_GROUPS = 20  # IDs per checkMemberGroups call, as documented by Graph
_GUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class GraphDirectory:
    """Implements `bot.directory.Directory`. The caller owns `session` and closes it.

    `timeout` is in seconds and covers the token and the response.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        base_url: str,
        tokens: Tokens,
        *,
        scope: str = SCOPE,
        timeout: float = 10.0,
    ) -> None:
        self._client = GraphClient(session, base_url, tokens, scope=scope)
        self._timeout = timeout

    async def profile(self, object_id: str) -> Profile | None:
        if not _GUID.fullmatch(object_id):
            return None
        user = await self._call(
            "GET", f"/v1.0/users/{object_id}?$select=id,displayName,userPrincipalName,userType"
        )
        if user is None:
            return None
        name, principal = user.get("displayName"), user.get("userPrincipalName")
        kind = user.get("userType")
        if not isinstance(principal, str):
            raise DirectoryUnavailableError("Graph's response is not a user")
        return Profile(
            object_id,
            name if isinstance(name, str) else principal,
            principal,
            guest=kind.casefold() == "guest" if isinstance(kind, str) and kind else None,
        )

    async def groups_among(self, object_id: str, candidates: Collection[str]) -> frozenset[str]:
        if not _GUID.fullmatch(object_id):
            return frozenset()
        groups = {each.lower(): each for each in candidates if _GUID.fullmatch(each)}
        member_of: set[str] = set()
        ids = list(groups)
        for at in range(0, len(ids), MAX_GROUPS):
            response = await self._call(
                "POST",
                f"/v1.0/users/{object_id}/checkMemberGroups",
                {"groupIds": ids[at : at + MAX_GROUPS]},
            )
            if response is None:
                return frozenset()
            value = response.get("value")
            if not isinstance(value, list):
                raise DirectoryUnavailableError("Graph's response is not a list")
            member_of |= {each.lower() for each in value if isinstance(each, str)}
        return frozenset(groups[each] for each in member_of & groups.keys())

    async def members(self, group_id: str) -> frozenset[str] | None:
        if not _GUID.fullmatch(group_id):
            return None
        query = f"$count=true&$select=id&$top={PAGE}"
        path: str | None = f"/v1.0/groups/{group_id}/transitiveMembers/microsoft.graph.user?{query}"
        found: set[str] = set()
        for _ in range(_MAX_MEMBER_PAGES):
            response = await self._call("GET", path, headers={"ConsistencyLevel": "eventual"})
            if response is None:
                return None
            rows = response.get("value")
            if not isinstance(rows, list):
                raise DirectoryUnavailableError("Graph's response is not a list")
            found |= {reading.object_id(row) for row in rows if isinstance(row, dict)} - {""}
            link = response.get("@odata.nextLink")
            path = self._client.next_page(link) if isinstance(link, str) else None
            if path is None:
                return frozenset(found)
        raise DirectoryUnavailableError("the group is too large to be listed")

    async def try_read(self, path: str, permission: str) -> Unknown | None:
        """Read something that needs a permission. `path` is below the version, percent-encoded.

        Returns why it cannot be read, None if it can. Never raises because of what Graph responds.
        """
        try:
            response = await self._client.call("GET", f"/v1.0{path}", timeout=self._timeout)
        except DirectoryUnavailableError as error:
            return Unknown(UnknownReason.UNAVAILABLE, str(error))
        refused = refusal(response)
        return None if refused is None else refused.unknown(permission)

    async def authentication_context(self, context: str) -> AuthenticationContext:
        """As `bot.directory.authentication_context.read`."""
        return await authentication_context.read(self._client, context, seconds=self._timeout)

    async def _call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> Mapping[str, Any] | None:
        """The JSON object in the response. Returns None on a 404.

        Raises `DirectoryDeniedError` or `DirectoryUnavailableError`.
        """
        response = await self._client.call(
            method, path, body, headers=headers, timeout=self._timeout
        )
        if response.status == 404:
            return None
        if response.status in (401, 403):
            raise DirectoryDeniedError(f"Graph responded with HTTP {response.status}")
        if response.status != 200:
            raise DirectoryUnavailableError(f"Graph responded with HTTP {response.status}")
        try:
            content = response.content()
        except ValueError as error:
            raise DirectoryUnavailableError("Graph's response is not JSON") from error
        if not isinstance(content, dict):
            raise DirectoryUnavailableError("Graph's response is not an object")
        return content
