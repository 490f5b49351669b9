"""Roles: who may request and who may approve, by object id or by membership of a group."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
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
        escalation: Collection[str] = (),
        stands_in_for: Callable[[str, str], Awaitable[Sequence[Person]]],
    ) -> None:
        """`requesters`, `approvers` and `escalation`: object ids of users or groups, or `*` for everyone.

        `stands_in_for`: (tenant id, object id) -> those who handed over their role to somebody, whether
        they still have it or not.
        """
        self._directory = directory
        self._requesters = frozenset(entry.lower() for entry in requesters)
        self._approvers = frozenset(entry.lower() for entry in approvers)
        self._escalation = frozenset(entry.lower() for entry in escalation)
        self._stands_in_for = stands_in_for
        self._monotonic = monotonic
        self._memberships: dict[str, _Membership] = {}
        self._outages = Outages("directory", monotonic=monotonic)

    async def actor(self, sender: Sender, tenant_id: str) -> Actor:
        """The sender with their roles. Fails closed when Graph is unavailable."""
        own = await self._own(sender.object_id)
        approves = bool(own & self._approvers)
        # In lower case, since it is compared with the requester's.
        object_id = sender.object_id.lower()
        stands_in_for = () if approves else await self._approvers_of(tenant_id, object_id)
        return Actor(
            person=Person(object_id, cleaned(sender.name, _MAX_NAME)),
            tenant_id=tenant_id,
            may_request=bool(own & self._requesters),
            may_approve=approves or bool(stands_in_for),
            stands_in_for=stands_in_for,
            escalation=bool(own & self._escalation),
        )

    async def _own(self, object_id: str) -> frozenset[str]:
        """What of the settings is about a person: their object id, `*`, and their groups."""
        own = frozenset({object_id.lower(), EVERYONE})
        wanted = (self._requesters | self._approvers | self._escalation) - own
        if (own & self._requesters and own & self._approvers) or not wanted:
            return own
        return own | await self._groups(object_id, wanted)

    async def _approvers_of(self, tenant_id: str, object_id: str) -> tuple[Person, ...]:
        """The approvers for whom a person stands in, without those who have lost the role."""
        return tuple(
            [
                approver
                for approver in await self._stands_in_for(tenant_id, object_id)
                if await self._own(approver.object_id) & self._approvers
            ]
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
            return await self.look_up(object_id)
        except DirectoryUnavailableError:
            return None

    async def look_up(self, object_id: str) -> Profile | None:
        """A person's profile. Returns None if the directory has none. Raises `DirectoryUnavailableError`."""
        try:
            profile = await self._directory.profile(object_id)
        except DirectoryUnavailableError as error:
            self._outages.failed(str(error))
            raise
        self._outages.recovered()
        return profile
