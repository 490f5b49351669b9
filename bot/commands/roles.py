"""Roles: who may request and who may approve, by object id or by membership of a group."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from bot.commands.chat import Sender
from bot.commands.inputs import cleaned
from bot.directory import Directory, DirectoryUnavailableError, Profile
from bot.runner.outages import Outages
from bot.settings.model import EVERYONE
from bot.signin.policy import Actor
from bot.signin.request import Person

_CACHE_SECONDS = 60.0  # short, so that removal from a group takes effect soon
_CACHE_SIZE = 10_000  # people
_MAX_NAME = 200  # characters


@dataclass(frozen=True, slots=True)
class _Membership:
    groups: frozenset[str]  #: object ids, in lower case
    until: float  #: seconds of the monotonic clock


class Roles:
    def __init__(
        self,
        directory: Directory,
        *,
        requesters: Collection[str],
        approvers: Collection[str],
        monotonic: Callable[[], float],
    ) -> None:
        """`requesters` and `approvers`: object ids of users or groups, or `*` for everyone."""
        self._directory = directory
        self._requesters = frozenset(entry.lower() for entry in requesters)
        self._approvers = frozenset(entry.lower() for entry in approvers)
        self._monotonic = monotonic
        self._memberships: dict[str, _Membership] = {}
        self._outages = Outages("directory", monotonic=monotonic)

    async def actor(self, sender: Sender, tenant_id: str) -> Actor:
        """The sender with their roles. Fails closed when Graph is unavailable."""
        own = {sender.object_id.lower(), EVERYONE}
        wanted = (self._requesters | self._approvers) - own
        if not (own & self._requesters and own & self._approvers) and wanted:
            own |= await self._groups(sender.object_id, wanted)
        return Actor(
            # In lower case, since it is compared with the requester's.
            person=Person(sender.object_id.lower(), cleaned(sender.name, _MAX_NAME)),
            tenant_id=tenant_id,
            may_request=bool(own & self._requesters),
            may_approve=bool(own & self._approvers),
        )

    async def _groups(self, object_id: str, wanted: Collection[str]) -> frozenset[str]:
        now = self._monotonic()
        cached = self._memberships.get(object_id)
        if cached is not None and cached.until > now:
            return cached.groups
        try:
            groups = await self._directory.groups_among(object_id, wanted)
        except DirectoryUnavailableError as error:
            self._outages.failed(str(error))
            return frozenset()
        self._outages.recovered()
        if len(self._memberships) >= _CACHE_SIZE:
            self._memberships.clear()
        groups = frozenset(group.lower() for group in groups)
        self._memberships[object_id] = _Membership(groups, now + _CACHE_SECONDS)
        return groups

    async def profile(self, object_id: str) -> Profile | None:
        """A person's profile. Returns None if the directory has none or is unavailable."""
        try:
            profile = await self._directory.profile(object_id)
        except DirectoryUnavailableError as error:
            self._outages.failed(str(error))
            return None
        self._outages.recovered()
        return profile
