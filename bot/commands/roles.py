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
from bot.store.requests import Request

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
        own, _ = await self._own(sender.object_id)
        return Actor(
            # In lower case, since it is compared with the requester's.
            person=Person(sender.object_id.lower(), cleaned(sender.name, _MAX_NAME)),
            tenant_id=tenant_id,
            may_request=bool(own & self._requesters),
            may_approve=bool(own & self._approvers),
        )

    async def still_allowed(self, request: Request) -> bool | None:
        """Whether the request's requester may still request, and its approver still approve.

        Returns None if Graph is unavailable and decides.
        """
        approver_id = request.approver.object_id if request.approver else ""
        told = True
        for object_id, allowed in (
            (request.requester.object_id, self._requesters),
            (approver_id, self._approvers),
        ):
            own, known = await self._own(object_id)
            if not own & allowed:
                if known:
                    return False
                told = False
        return True if told else None

    async def _own(self, object_id: str) -> tuple[frozenset[str], bool]:
        """What a person goes by in the lists of requesters and approvers, and whether that is all of it:
        Graph may be unavailable."""
        own = frozenset({object_id.lower(), EVERYONE})
        wanted = (self._requesters | self._approvers) - own
        if not wanted or (own & self._requesters and own & self._approvers):
            return own, True
        groups = await self._groups(object_id, wanted)
        return (own, False) if groups is None else (own | groups, True)

    async def _groups(self, object_id: str, wanted: Collection[str]) -> frozenset[str] | None:
        """None while Graph is unavailable."""
        now = self._monotonic()
        cached = self._memberships.get(object_id)
        if cached is not None and cached.until > now:
            return cached.groups
        try:
            groups = await self._directory.groups_among(object_id, wanted)
        except DirectoryUnavailableError as error:
            self._outages.failed(str(error))
            return None
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
