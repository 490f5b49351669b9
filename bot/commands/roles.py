"""Who somebody is to the policy: which of the people that it names, by object ID or by membership of a
group."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from bot.commands.chat import Sender
from bot.commands.inputs import cleaned
from bot.directory import Directory, DirectoryUnavailableError, Profile
from bot.runner.outages import Outages
from bot.signin.policy.decision import Ruling
from bot.signin.policy.evaluator import still_stands
from bot.signin.policy.facts import Actor, RequestFacts
from bot.signin.policy.model import EVERYONE, Group, Policy
from bot.signin.policy.roles import own_approver
from bot.signin.request import Person
from bot.signin.stand_in import as_voter
from bot.store.requests import Request

_CACHE_SECONDS = 60.0  # short, so that removal from a group takes effect soon
_CACHE_SIZE = 10_000  # people
_MAX_NAME = 200  # characters


@dataclass(frozen=True, slots=True)
class _Known:
    """What the directory says about a person."""

    groups: frozenset[str] = frozenset()  #: object ids, in lower case
    guest: Ruling = Ruling.NO


@dataclass(frozen=True, slots=True)
class _Cached:
    policy: str  #: hash of the policy for which it was asked
    known: _Known
    until: float  #: seconds of the monotonic clock


class Roles:
    def __init__(
        self,
        directory: Directory,
        policy: Callable[[], Policy],
        *,
        monotonic: Callable[[], float],
        stands_in_for: Callable[[str, str], Awaitable[Sequence[Person]]] | None = None,
    ) -> None:
        """`policy`: the one in force.

        `stands_in_for`: (tenant ID, object ID) -> those who handed over their role to somebody, whether
        they still have it or not; None: nobody does.
        """
        self._directory = directory
        self._policy = policy
        self._stands_in_for = stands_in_for
        self._monotonic = monotonic
        self._cached: dict[str, _Cached] = {}
        self._outages = Outages("directory", monotonic=monotonic)

    @property
    def policy(self) -> Policy:
        return self._policy()

    async def actor(self, sender: Sender, tenant_id: str, policy: Policy) -> Actor:
        """The sender as the policy sees them; unsure of their groups when Graph is unavailable."""
        # In lower case, since it is compared with the requester's.
        person = Person(sender.object_id.lower(), cleaned(sender.name, _MAX_NAME))
        return await self._actor(person, tenant_id, policy)

    async def look_up(self, person: Person, tenant_id: str, policy: Policy) -> Actor:
        """The same for somebody else, as of now and not of a minute ago."""
        person = replace(person, stands_in_for=None)
        return await self._actor(person, tenant_id, policy, afresh=True)

    async def still_allowed(
        self, request: Request, facts: RequestFacts, policy: Policy
    ) -> bool | None:
        """Whether the approval of an approved request still stands, see `still_stands`.

        Returns None if the directory does not answer and decides.
        """
        asker = await self.look_up(request.requester, request.tenant_id, policy)
        approvers = await self.approvers(request, facts, policy)
        answer = still_stands(policy, asker, approvers, facts)
        return None if answer is Ruling.CANNOT_TELL else answer is Ruling.YES

    async def approvers(
        self, request: Request, facts: RequestFacts, policy: Policy
    ) -> Sequence[Actor]:
        """Everybody who approved the request, as of now."""
        people = {vote.person.object_id: vote.person for vote in facts.votes}
        if request.approver is not None:
            people.setdefault(request.approver.object_id, request.approver)
        return [
            as_voter(policy, await self.look_up(each, request.tenant_id, policy), facts, each)
            for each in people.values()
        ]

    async def _actor(
        self, person: Person, tenant_id: str, policy: Policy, *, afresh: bool = False
    ) -> Actor:
        own = await self._own(person, tenant_id, policy, afresh=afresh)
        # Under a policy without rules, an approver may approve everything, and needs nobody's place.
        if self._stands_in_for is None or (own_approver(policy, own).allowed and not policy.ruled):
            return own
        others = [
            await self._own(other, tenant_id, policy, afresh=afresh)
            for other in await self._stands_in_for(tenant_id, person.object_id)
        ]
        still = [each for each in others if own_approver(policy, each).answer is not Ruling.NO]
        return replace(own, stands_in_for=tuple(still))

    async def _own(self, person: Person, tenant_id: str, policy: Policy, *, afresh: bool) -> Actor:
        """Somebody, without those for whom they stand in."""
        own = frozenset({person.object_id, EVERYONE})
        wanted = frozenset() if _settled(policy, own) else policy.ids - own
        known: _Known | None = _Known()
        if wanted or policy.asks_about_guests:
            if afresh:
                self._cached.pop(person.object_id, None)
            known = await self._ask(person.object_id, policy, wanted)
        if known is None:
            guest = Ruling.CANNOT_TELL if policy.asks_about_guests else Ruling.NO
            return Actor(person, tenant_id, own & policy.ids, unsure=bool(wanted), guest=guest)
        return Actor(person, tenant_id, (own | known.groups) & policy.ids, guest=known.guest)

    async def _ask(self, object_id: str, policy: Policy, wanted: frozenset[str]) -> _Known | None:
        """Returns None if the directory does not answer."""
        now = self._monotonic()
        cached = self._cached.get(object_id)
        if cached is not None and cached.until > now and cached.policy == policy.hash:
            return cached.known
        try:
            groups, guest = await asyncio.gather(
                self._groups(object_id, wanted), self._guest(object_id, policy)
            )
        except DirectoryUnavailableError as error:
            self._outages.failed(str(error))
            return None
        self._outages.recovered()
        if len(self._cached) >= _CACHE_SIZE:
            self._cached.clear()
        known = _Known(groups, guest)
        self._cached[object_id] = _Cached(policy.hash, known, now + _CACHE_SECONDS)
        return known

    async def _groups(self, object_id: str, wanted: frozenset[str]) -> frozenset[str]:
        found = await self._directory.groups_among(object_id, wanted) if wanted else ()
        return frozenset(group.lower() for group in found)

    async def _guest(self, object_id: str, policy: Policy) -> Ruling:
        """Whom the directory does not know is not its guest."""
        profile = await self._directory.profile(object_id) if policy.asks_about_guests else None
        if profile is None or profile.guest is False:
            return Ruling.NO
        return Ruling.YES if profile.guest else Ruling.CANNOT_TELL

    async def people(self, groups: Sequence[Group]) -> frozenset[str] | None:
        """Object IDs of everybody among these, in lower case. Returns None if it is everyone in the
        tenant, or cannot be told."""
        found: set[str] = set()
        try:
            for object_id in sorted({each for group in groups for each in group.ids}):
                if object_id == EVERYONE:
                    return None
                members = await self._directory.members(object_id)
                found |= {object_id} if members is None else members
        except DirectoryUnavailableError as error:
            self._outages.failed(str(error))
            return None
        return frozenset(found)

    async def profile(self, object_id: str) -> Profile | None:
        """A person's profile. Returns None if the directory has none or is unavailable."""
        try:
            return await self.find(object_id)
        except DirectoryUnavailableError:
            return None

    async def find(self, object_id: str) -> Profile | None:
        """A person's profile. Returns None if the directory has none. Raises `DirectoryUnavailableError`."""
        try:
            profile = await self._directory.profile(object_id)
        except DirectoryUnavailableError as error:
            self._outages.failed(str(error))
            raise
        self._outages.recovered()
        return profile


def _settled(policy: Policy, own: frozenset[str]) -> bool:
    """Whether no group can change anything: without rules, who may request and approve may do all; users
    are named for break-glass, not groups."""
    if policy.ruled or policy.auditors:
        return False
    return all(
        any(not group.ids.isdisjoint(own) for group in groups)
        for groups in (policy.requesters, policy.approvers)
    )
