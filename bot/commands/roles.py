"""Who somebody is to us: may they ask, may they approve? By object id, or by membership of a group."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

import structlog

from bot.commands.chat import Sender
from bot.commands.inputs import cleaned
from bot.directory import Directory, DirectoryUnavailableError, Profile
from bot.settings.model import EVERYONE
from bot.signin.policy import Actor
from bot.signin.request import Person

log = structlog.get_logger()

_REMEMBERED_SECONDS = (
    60.0  # how long a membership is believed: short, so that a removal counts soon
)
_REMEMBERED = 10_000
_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class _Membership:
    groups: frozenset[str]
    until: float


class Roles:
    """`requesters` and `approvers` are object ids of users or groups, or `*`."""

    def __init__(
        self,
        directory: Directory,
        *,
        requesters: Collection[str],
        approvers: Collection[str],
        monotonic: Callable[[], float],
    ) -> None:
        self._directory = directory
        self._requesters = frozenset(entry.lower() for entry in requesters)
        self._approvers = frozenset(entry.lower() for entry in approvers)
        self._monotonic = monotonic
        self._memberships: dict[str, _Membership] = {}

    async def actor(self, sender: Sender, tenant_id: str) -> Actor:
        """Nobody is anything more than the settings and the directory say: no answer means no."""
        mine = {sender.object_id.lower(), EVERYONE}
        wanted = (self._requesters | self._approvers) - mine
        if not (mine & self._requesters and mine & self._approvers) and wanted:
            mine |= await self._groups(sender.object_id, wanted)
        return Actor(
            # In one spelling, since it is compared with whoever asked.
            person=Person(sender.object_id.lower(), cleaned(sender.name, _LONGEST_NAME)),
            tenant_id=tenant_id,
            may_request=bool(mine & self._requesters),
            may_approve=bool(mine & self._approvers),
        )

    async def _groups(self, object_id: str, wanted: Collection[str]) -> frozenset[str]:
        now = self._monotonic()
        known = self._memberships.get(object_id)
        if known is not None and known.until > now:
            return known.groups
        try:
            groups = await self._directory.groups_among(object_id, wanted)
        except DirectoryUnavailableError as error:
            log.warning("people.no_directory", why=str(error))
            return frozenset()
        if len(self._memberships) >= _REMEMBERED:
            self._memberships.clear()
        groups = frozenset(group.lower() for group in groups)
        self._memberships[object_id] = _Membership(groups, now + _REMEMBERED_SECONDS)
        return groups

    async def profile(self, object_id: str) -> Profile | None:
        """What the directory says of somebody; None if it says nothing or cannot be asked."""
        try:
            return await self._directory.profile(object_id)
        except DirectoryUnavailableError as error:
            log.warning("people.no_directory", why=str(error))
            return None
